import { protectedGraph } from "@workanywhere/tooling/protected-graph"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"

const imports = `
  import * as Effect from "effect/Effect"
  import * as Stream from "effect/Stream"
  import { GraphClient } from "./src/index.ts"
  import { createGraphClient } from "./src/promise.ts"
  const baseUrl = process.env.BASE_URL
`

const programs = {
  "./promise": `
    for await (const { id } of createGraphClient({ baseUrl }).listDevices("allDevices")) console.log(id)
  `,
  layerFetch: `
    const list = GraphClient.use((client) => Stream.runCollect(client.listDevices("allDevices")))
    for (const { id } of await Effect.runPromise(Effect.provide(list, GraphClient.layerFetch({ baseUrl })))) console.log(id)
  `
}

/** What a program of its own prints, in the given environment. */
const printedBy = async (program: string, env: Readonly<Record<string, string>>) => {
  const args = ["--conditions=@workanywhere/source", "--input-type=module", "-e", imports + program]
  const options = { cwd: join(import.meta.dirname, ".."), env: { PATH: process.env["PATH"] ?? "", ...env } }
  return (await promisify(execFile)(process.execPath, args, options)).stdout
}

describe.each(Object.entries(programs))("%s", (_, program) => {
  it("goes through HTTPS_PROXY where Node is told to, except to what NO_PROXY names", { timeout: 60_000 }, async () => {
    await using graph = await protectedGraph()
    const env = { NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: graph.proxy, NODE_EXTRA_CA_CERTS: graph.trusted }
    expect(await printedBy(program, { ...env, BASE_URL: "https://graph.example/beta" })).toBe("1\n")
    expect(graph.asked.splice(0)).toEqual(["CONNECT graph.example:443", "GET graph.example"])
    expect(await printedBy(program, { ...env, BASE_URL: graph.url, NO_PROXY: "127.0.0.1" })).toBe("1\n")
    expect(graph.asked.splice(0)).toEqual([`GET ${new URL(graph.url).host}`])
  })
})
