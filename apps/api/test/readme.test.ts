import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { filterFunctions } from "../src/graph/device-filter.ts"
import { readSettings } from "../src/settings/config.ts"
import { temporaryFolder } from "./opened.ts"
import { running } from "./process.ts"

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8")

/** What the README shows for a file: the program, and what it prints where that is shown. */
const shownFor = (file: string) => {
  const [, part = ""] = readme.split(`<!-- ${file} -->`)
  const [, program, output] = /^\n+```ts\n(.*?)```(?:\n+```text\n(.*?)```)?/s.exec(part) ?? []
  return { program, output }
}

const ran = (url: URL, ...options: ReadonlyArray<string>) =>
  promisify(execFile)(process.execPath, ["--conditions=@workanywhere/source", ...options, fileURLToPath(url)], {
    env: {}
  })

/** The settings in the lines of a block that start the service. */
const settingsIn = (block: string) =>
  block
    .replaceAll("\\\n", "")
    .split("\n")
    .filter((line) => /\bwfa-api\b/.test(line))
    .map((line) => Object.fromEntries([...line.matchAll(/\b(WFA_\w+)=(\S+)/g)].map(([, name, value]) => [name, value])))

describe("the README", () => {
  it("shows how vitest uses a local Graph, with a test that is one of these", async () => {
    const file = "test/examples/vitest.test.ts"
    const url = new URL("./examples/vitest.test.ts", import.meta.url)
    expect(shownFor(file).program).toBe(await readFile(url, "utf8"))
  })

  it("shows how node:test uses it, with a test that passes", { timeout: 30_000 }, async () => {
    const url = new URL("./examples/node-test.ts", import.meta.url)
    expect(shownFor("test/examples/node-test.ts").program).toBe(await readFile(url, "utf8"))
    const { stdout } = await ran(url, "--test", "--test-reporter=tap")
    expect(stdout).toMatch(/^# pass 1$/m)
    expect(stdout).toMatch(/^# fail 0$/m)
  })

  it("shows how Microsoft's client uses it, and what that prints", { timeout: 30_000 }, async () => {
    const url = new URL("./examples/microsoft-client.ts", import.meta.url)
    const { stdout, stderr } = await ran(url)
    expect(stderr).toBe("")
    expect(shownFor("test/examples/microsoft-client.ts")).toEqual({
      program: await readFile(url, "utf8"),
      output: stdout
    })
  })

  it("shows a line of the log that has what a line has", async () => {
    const [, shown = "{}"] = /has one line for each request:\n+```json\n(.*?)```/s.exec(readme) ?? []
    await using service = await running({})
    await (await fetch(`${service.url}/beta`)).text()
    service.child.kill("SIGTERM")
    const line = JSON.parse((await service.stderr).trimEnd()) as object
    expect(Object.keys(JSON.parse(shown) as object)).toEqual(Object.keys(line))
  })

  it("shows a fault script that fits", async () => {
    const { parseFaultScript } = await import("../src/rehearsal/fault-script.ts")
    const [, script = ""] = /<!-- fault script -->\n+```json\n(.*?)```/s.exec(readme) ?? []
    expect(parseFaultScript(JSON.parse(script))).toMatchObject({ success: true })
  })

  it("shows a gateway to another local Graph that answers", { timeout: 30_000 }, async () => {
    const [, block = ""] = /<!-- gateway -->\n+```sh\n(.*?)```/s.exec(readme) ?? []
    const [first, second] = settingsIn(block)
    await using folder = await temporaryFolder()
    await using graph = await running({ ...first, WFA_PORT: "0" })
    expect(second).toMatchObject({ WFA_UPSTREAM: `http://127.0.0.1:${first?.["WFA_PORT"]}`, WFA_AUDIT: "audit.jsonl" })
    const own = { WFA_PORT: "0", WFA_UPSTREAM: graph.url, WFA_AUDIT: join(folder.path, "audit.jsonl") }
    await using gateway = await running({ ...second, ...own })
    const asked = /curl "http:\/\/[^/]+(\/[^"]+)"/.exec(block)?.[1]?.replaceAll("\\$", "$")
    const response = await fetch(`${gateway.url}${asked}`)
    expect(await response.json()).toMatchObject({ value: [{ id: expect.any(String) }] })
  })

  it("names the functions of $filter", () => {
    expect(readme).toContain(`parentheses, \`${filterFunctions.join(" ")}\`, null`)
  })

  it("shows settings for each of its starts that fit together", () => {
    const starts = [...readme.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = ""]) => settingsIn(block))
    expect(starts.length).toBeGreaterThan(4)
    for (const start of starts) expect([start, readSettings(start)]).toMatchObject([start, { success: true }])
  })
})
