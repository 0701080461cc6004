// What `pnpm try:recipes` runs: makes each change that CONTRIBUTING.md has a recipe for in a copy of the tree, and checks it there.
// With --dry it only sees whether the recipes still fit the tree.
import { exec } from "node:child_process"
import { cpSync, globSync, readFileSync, rmSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { parseArgs, promisify, stripVTControlCharacters } from "node:util"
import { type Recipe, follow, touchedBy } from "./recipe.ts"
import { recipes } from "./recipes.ts"
import { copyOfTree, root } from "./tree-copy.ts"

const { dry = false, only } = parseArgs({ options: { dry: { type: "boolean" }, only: { type: "string" } } }).values
const chosen = recipes.filter(({ name }) => only === undefined || name === only)
if (chosen.length === 0) {
  throw new Error(`there is no recipe ${only}, only ${recipes.map(({ name }) => name).join(", ")}`)
}

interface Manifest {
  readonly name: string
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"))

const folders = globSync("{packages,apps}/*", { cwd: root }).toSorted()

/** The packages that files are in, and all that depend on these. */
const concernedBy = (files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const concerned = new Set(folders.filter((folder) => files.some((file) => file.startsWith(`${folder}/`))))
  for (const folder of concerned) {
    for (const other of folders) {
      const { dependencies, devDependencies } = manifestOf(other)
      if (manifestOf(folder).name in { ...dependencies, ...devDependencies }) concerned.add(other)
    }
  }
  return [...concerned]
}

/** A copy in which each package finds what it has installed, and its neighbours in the copy. */
const workingCopy = (): string => {
  const copy = copyOfTree()
  for (const folder of [...folders, "tooling"]) {
    const installed = join(folder, "node_modules")
    cpSync(join(root, installed), join(copy, installed), { recursive: true, verbatimSymlinks: true })
  }
  return copy
}

/** Runs a command as a script of the package in a folder; what it printed is what is wrong when it fails. */
const run = async (folder: string, command: string): Promise<void> => {
  const path = [join(folder, "node_modules/.bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter)
  try {
    await promisify(exec)(command, {
      cwd: folder,
      env: { ...process.env, PATH: path, NO_COLOR: "1" },
      maxBuffer: 2 ** 26
    })
  } catch (cause) {
    const { stderr = "", stdout = "" } = cause as { readonly stderr?: string; readonly stdout?: string }
    throw new Error(`${command}\n${stripVTControlCharacters(stdout + stderr) || String(cause)}`, { cause })
  }
}

/** Fails with what is wrong in a tree that a recipe was followed in. */
const check = async (tree: string, { files, scripts, tests }: Recipe): Promise<void> => {
  const { scripts: commands } = manifestOf(".")
  for (const script of scripts) await run(tree, commands[script] ?? "")
  if (!scripts.includes("docs:api")) await run(tree, commands["check:docs"] ?? "")
  await run(tree, "oxlint --deny-warnings")
  for (const folder of concernedBy(Object.keys(files))) await run(join(tree, folder), "tsc")
  for (const [folder, names] of Object.entries(tests)) {
    const there = globSync("test/**/*.test.ts", { cwd: join(tree, folder) })
    const lost = names.filter((name) => !there.some((test) => test.includes(name)))
    if (lost.length > 0) throw new Error(`out of date: ${folder} has no tests ${lost.join(", ")}`)
    await run(join(tree, folder), ["vitest run --reporter=dot", ...names].join(" "))
  }
}

/** Follows a recipe in a copy, and gives what is wrong then, if anything is. */
const faultOf = async (recipe: Recipe): Promise<string | undefined> => {
  const tree = workingCopy()
  try {
    follow(recipe.files, tree)
    const touched = touchedBy(recipe)
    if (touched.length > recipe.most) return `more files than promised: ${touched.join(", ")}`
    if (!dry) await check(tree, recipe)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

for (const recipe of chosen) {
  const start = performance.now()
  const fault = await faultOf(recipe)
  if (fault !== undefined) process.exitCode = 1
  const count = `${touchedBy(recipe).length} of at most ${recipe.most} files`
  const seconds = `${Math.round((performance.now() - start) / 1000)} s`
  process.stdout.write(`${recipe.name.padEnd(15)}  ${count}  ${seconds.padStart(5)}  ${fault ?? "ok"}\n`)
}
