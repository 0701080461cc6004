// What `pnpm docs:api` runs: writes docs/api from the docstrings of every library entry. With --check it only compares.
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Application } from "typedoc"

const root = join(import.meta.dirname, "../..")
const pages = join(root, "docs/api")

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly "@workanywhere/source"?: string }>>
}

const markdown = {
  hideBreadcrumbs: true,
  hidePageHeader: true,
  useCodeBlocks: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  propertyMembersFormat: "table",
  typeDeclarationFormat: "table"
}

const write = async (out: string): Promise<void> => {
  for (const folder of ["packages/domain", "packages/graph-client"]) {
    const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest
    const sources = Object.values(manifest.exports).flatMap((entry) => {
      const source = typeof entry === "string" ? undefined : entry["@workanywhere/source"]
      return source === undefined ? [] : [join(root, folder, source)]
    })
    const app = await Application.bootstrapWithPlugins({
      name: manifest.name,
      entryPoints: sources,
      tsconfig: join(root, folder, "tsconfig.json"),
      plugin: ["typedoc-plugin-markdown"],
      out: join(out, folder.replace("packages/", "")),
      readme: "none",
      logLevel: "Warn",
      disableSources: true,
      excludeInternal: true,
      excludePrivate: true,
      excludeExternals: true,
      skipErrorChecking: true,
      validation: { invalidLink: true, notExported: false }
    })
    app.options.setValue("router", "module")
    for (const [option, value] of Object.entries(markdown)) app.options.setValue(option, value)
    const project = await app.convert()
    if (project === undefined) throw new Error(`the sources of ${manifest.name} cannot be read`)
    await app.generateOutputs(project)
    if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1
  }
}

const contents = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    globSync("**/*.md", { cwd: folder })
      .toSorted()
      .map((file) => [file, readFileSync(join(folder, file), "utf8")])
  )

const fresh = mkdtempSync(join(tmpdir(), "workanywhere-api-docs-"))
try {
  await write(fresh)
  if (process.argv.includes("--check")) {
    const [kept, made] = [contents(pages), contents(fresh)]
    const stale = [...new Set([...kept.keys(), ...made.keys()])].filter((file) => kept.get(file) !== made.get(file))
    if (stale.length > 0) {
      process.stdout.write(`docs/api is not what the docstrings say (run pnpm docs:api):\n${stale.join("\n")}\n`)
      process.exitCode = 1
    }
  } else {
    rmSync(pages, { recursive: true, force: true })
    cpSync(fresh, pages, { recursive: true })
  }
} finally {
  rmSync(fresh, { recursive: true })
}
