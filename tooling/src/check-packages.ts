// What `pnpm check:packages` runs: builds, packs and inspects every package as a user would install it.
import { execFileSync } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"

const root = join(import.meta.dirname, "../..")
const run = (command: string, args: ReadonlyArray<string>, cwd = root) =>
  execFileSync(command, args, { cwd, encoding: "utf8", shell: process.platform === "win32" })

/** A manifest as it stands in a tarball, as far as it is looked at. */
interface Manifest {
  readonly exports?: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** What a package's build puts beside the compiled code, by the folder of the package. */
const assets: Readonly<Record<string, ReadonlyArray<string>>> = {
  api: ["swagger-ui-bundle.js", "swagger-ui.css", "LICENSE"].map(
    (file) => `package/dist/describe/reference-page/${file}`
  )
}

const hasLibraryEntry = (manifest: Manifest) => manifest.exports?.["."] !== undefined

run("turbo", ["run", "build"])
const out = mkdtempSync(join(tmpdir(), "workanywhere-pack-"))
let failures = 0
const inspect = (what: string, check: () => string) => {
  try {
    check()
    process.stdout.write(`ok    ${what}\n`)
  } catch (cause) {
    failures++
    const { stderr, stdout } = cause as { readonly stderr?: string; readonly stdout?: string }
    process.stdout.write(`FAIL  ${what}\n${stdout ?? ""}${stderr ?? String(cause)}\n`)
  }
}

try {
  for (const path of globSync("{packages,apps}/*/package.json", { cwd: root })) {
    const folder = join(root, dirname(path))
    const packed = run("pnpm", ["pack", "--json", "--pack-destination", out], folder)
    const { filename } = JSON.parse(packed) as { readonly filename: string }
    const name = basename(filename)
    const tools = join(root, "tooling/node_modules/.bin")
    inspect(`${name} publint`, () => run(join(tools, "publint"), ["run", filename, "--strict"]))
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest
    if (hasLibraryEntry(manifest)) {
      inspect(`${name} are the types wrong`, () => run(join(tools, "attw"), [filename, "--profile", "esm-only"]))
    }
    inspect(`${name} assets`, () => {
      const packedFiles = run("tar", ["-tf", filename])
      const files = new Set(packedFiles.split("\n"))
      const missing = (assets[basename(folder)] ?? []).filter((file) => !files.has(file))
      if (missing.length > 0) throw new Error(`not in the tarball: ${missing.join(", ")}`)
      return packedFiles
    })
    inspect(`${name} versions`, () => {
      const written = run("tar", ["-xOf", filename, "package/package.json"])
      const { dependencies, peerDependencies } = JSON.parse(written) as Manifest
      const unresolved = Object.entries({ ...dependencies, ...peerDependencies }).filter(([, range]) =>
        /^(catalog|workspace):/.test(range)
      )
      if (unresolved.length > 0) throw new Error(`left in the tarball: ${JSON.stringify(unresolved)}`)
      return written
    })
  }
} finally {
  rmSync(out, { recursive: true, force: true })
}
process.exitCode = failures === 0 ? 0 : 1
