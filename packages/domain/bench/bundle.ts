import { gzipSync } from "node:zlib"
import { build } from "esbuild"

/** What a browser bundler makes of a program: its size, and which modules are in it. */
export interface Bundle {
  readonly kilobytes: number
  readonly gzippedKilobytes: number
  /** Whether a module is in it whose path has this part. */
  readonly holds: (part: string) => boolean
}

/** Bundles and minifies a program that imports this package; zod is left out unless it is asked for. */
export const bundle = async (program: string, { withZod = false } = {}): Promise<Bundle> => {
  const { outputFiles, metafile } = await build({
    stdin: { contents: program, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    conditions: ["@workanywhere/source"],
    external: withZod ? [] : ["zod"],
    metafile: true,
    write: false,
    logLevel: "silent"
  })
  const modules = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : []))
  )
  const contents = outputFiles[0]?.contents ?? new Uint8Array()
  return {
    kilobytes: contents.length / 1000,
    gzippedKilobytes: gzipSync(contents).length / 1000,
    holds: (part) => modules.some((path) => path.includes(part))
  }
}

/** A program that keeps these imports from being dropped as unused. */
export const programWith = (names: string, entry = "@workanywhere/domain"): string =>
  `import { ${names} } from "${entry}"; globalThis.kept = [${names}]`

/** The names of schemas, enums and score rules, which a form that sends an update has use for. */
export const schemaNames =
  "Device, DeviceUpdate, NewDevice, parseDeviceUpdate, upgradeEligibility, healthState, knownMember, readScore, isWritableScore"
