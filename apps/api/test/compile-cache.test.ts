import { spawn } from "node:child_process"
import { readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { describe, expect, it } from "vitest"
import { temporaryFolder } from "./opened.ts"
import { ended } from "./process.ts"

const main = join(import.meta.dirname, "../src/main.ts")

/** The command as a user whose folders are all below one. */
const version = async (home: string, env: Readonly<Record<string, string>> = {}) => {
  const folders = { HOME: home, USERPROFILE: home, LOCALAPPDATA: home, XDG_CACHE_HOME: join(home, "cache") }
  const child = spawn(process.execPath, ["--conditions=@workanywhere/source", main, "--version"], {
    env: { PATH: process.env["PATH"], ...folders, ...env }
  })
  const [stdout, stderr, { code }] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)])
  return { stdout, stderr, code }
}

const printed = { stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "", code: 0 }

describe("what Node compiled of the service", () => {
  it("is kept below the user's own folders, for the next start", async () => {
    await using home = await temporaryFolder()
    expect(await version(home.path)).toEqual(printed)
    const kept = await readdir(home.path, { recursive: true, withFileTypes: true })
    expect(kept.filter((entry) => entry.isFile()).length).toBeGreaterThan(100)
    expect(await version(home.path)).toEqual(printed)
    expect((await readdir(home.path, { recursive: true })).length).toBe(kept.length)
  })

  it("is not kept when the user says so", async () => {
    await using home = await temporaryFolder()
    expect(await version(home.path, { NODE_DISABLE_COMPILE_CACHE: "1" })).toEqual(printed)
    expect(await readdir(home.path)).toEqual([])
  })

  it("is done without where it cannot be kept, without a word", async () => {
    await using home = await temporaryFolder()
    // Nobody, root included, can make a folder below a file.
    const file = join(home.path, "file")
    await writeFile(file, "")
    expect(await version(file)).toEqual(printed)
  })
})
