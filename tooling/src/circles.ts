import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

// All imports, but for the sake of what oxlint's import/no-cycle does not see: circles that a dynamic import closes.
const files = globSync(["apps/*/src/**/*.ts", "packages/*/src/**/*.ts"])

const importsOf = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").matchAll(/(?:\bfrom |\bimport(?: |\())"(\.[^"\n]+)"/g)].map(([, path = ""]) =>
    join(dirname(file), path)
  )

const imports = new Map(files.map((file) => [file, importsOf(file)]))

/** The way from a file back to itself, when there is one. */
const circleOf = (start: string): ReadonlyArray<string> | undefined => {
  const from = new Map<string, string>()
  const ahead = [start]
  for (let file = ahead.pop(); file !== undefined; file = ahead.pop()) {
    for (const next of imports.get(file) ?? []) {
      if (from.has(next)) continue
      from.set(next, file)
      ahead.push(next)
    }
  }
  let last = from.get(start)
  if (last === undefined) return undefined
  const way = [start]
  while (last !== undefined && last !== start) {
    way.unshift(last)
    last = from.get(last)
  }
  return [start, ...way]
}

const circles = files.flatMap((file) => {
  const way = circleOf(file)
  return way === undefined ? [] : [way.join(" → ")]
})
for (const circle of circles) console.error(`circle of imports: ${circle}`)
process.exitCode = circles.length === 0 ? 0 : 1
