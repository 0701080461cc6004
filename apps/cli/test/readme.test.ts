import { defaultSettings, startService } from "@workanywhere/api"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { exitCode } from "../src/exit.ts"
import { commands, wfa } from "./wfa.ts"

const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8")

const sessions = [...readme.matchAll(/^```\n\$ wfa (.+)\n([^]*?)^```$/gm)].map(([, command = "", shown = ""]) => ({
  command,
  shown
}))

describe("the README", () => {
  it("has examples to check", () => {
    expect(sessions).toHaveLength(2)
  })

  it.each(sessions)("shows what wfa $command prints", async ({ command, shown }) => {
    const service = await startService({ ...defaultSettings, port: 0, fleet: 1 })
    try {
      const { stderr, stdout } = await wfa(command.split(" "), { env: { WFA_TARGET: `${service.url}/beta` } })
      expect(stdout + stderr).toBe(shown)
    } finally {
      await service.close()
    }
  })

  it("lists every command", () => {
    const listed = [...readme.matchAll(/^\| `(wfa [a-z ]*[a-z])/gm)].map(([, words = ""]) => words)
    const runnable = commands.filter(([, { subcommands }]) => subcommands.length === 0).map(([words]) => words)
    expect(listed.toSorted()).toEqual(runnable.toSorted())
  })

  it("lists every exit code that a command can end with", () => {
    const listed = [...readme.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code))
    expect(listed).toEqual(Object.values(exitCode))
  })
})
