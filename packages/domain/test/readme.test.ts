import { execFile } from "node:child_process"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { beforeAll, expect, it } from "vitest"

/** Programs are started and a compiler is run, on a machine that may be busy. */
const patience = { timeout: 60_000 }

const run = promisify(execFile)
const packageFolder = new URL("..", import.meta.url)
const folder = new URL(".results/readme/", packageFolder)
const readme = await readFile(new URL("README.md", packageFolder), "utf8")

/**
 * Turns `expression // => value` into a check; the comment may also stand on the line below its expression, and go on
 * over lines that begin with `//` and more than one blank.
 */
const checked = (code: string): string => {
  const checks = code
    .replaceAll(/\n\/\/ {2,}/g, " ")
    .replaceAll(/^(\S.*?)(?: |\n)\/\/ => (.*)$/gm, "assert.deepEqual($1, $2)")
  return `import assert from "node:assert/strict"\n${checks}`
}

const examples = readme.split(/^## /m).flatMap((section, chapter) => {
  const heading = section.split("\n", 1)[0] ?? ""
  return [...section.matchAll(/```ts\n(.*?)```/gs)].map(([, code = ""], index) => ({
    heading,
    code,
    program: checked(code),
    file: fileURLToPath(new URL(`example-${chapter}-${index}.ts`, folder))
  }))
})

beforeAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await writeFile(new URL("tsconfig.json", folder), '{ "extends": "../../tsconfig.json", "include": ["."] }')
  for (const { file, program } of examples) await writeFile(file, program)
})

it.each(examples)("an example of '$heading' gives what it shows", patience, async ({ code, program, file }) => {
  expect(code).toContain("// =>")
  expect(program.match(/assert\.deepEqual/g)).toHaveLength(code.match(/\/\/ =>/g)?.length ?? 0)
  const { stdout, stderr } = await run(process.execPath, ["--conditions=@workanywhere/source", file])
  expect([stdout, stderr]).toEqual(["", ""])
})

it("the examples are type-checked", patience, async () => {
  const compiler = fileURLToPath(new URL("node_modules/.bin/tsc", packageFolder))
  await expect(run(compiler, ["-p", fileURLToPath(folder)])).resolves.toMatchObject({ stdout: "" })
})

it("there are examples", () => {
  expect(examples.length).toBeGreaterThan(7)
})
