import { join } from "node:path"
import { wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { createLocalGraph } from "../src/local-graph.ts"
import { devicesPath, jsonRequest, temporaryFolder } from "./opened.ts"

const countIn = async (response: Response) =>
  ((await response.json()) as { readonly value: ReadonlyArray<unknown> }).value.length

describe("a local Graph", () => {
  it("answers under any host, and to a path alone", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a", model: "X" }] })
    for (const address of ["", "https://graph.microsoft.com", "http://127.0.0.1:1"]) {
      const response = await graph.fetch(`${address}${devicesPath}/a`)
      expect(await response.json()).toMatchObject({ ...wholeDevice({ id: "a", model: "X" }) })
    }
    expect((await graph.fetch(new URL(`https://graph.microsoft.com${devicesPath}`))).status).toBe(200)
    const request = new Request(`https://graph.microsoft.com${devicesPath}/a`, jsonRequest("PATCH", { model: "Y" }))
    expect(await (await graph.fetch(request)).json()).toMatchObject({ model: "Y" })
  })

  it("gives links that its own fetch follows", async () => {
    await using graph = await createLocalGraph({ fleet: { size: 30 } })
    const first = (await (await graph.fetch(`${devicesPath}?$top=20`)).json()) as Record<string, string>
    expect(first["@odata.nextLink"]).toMatch(/^https:\/\/graph\.microsoft\.com\/beta\//)
    expect(await countIn(await graph.fetch(first["@odata.nextLink"] ?? ""))).toBe(10)
  })

  it("shares nothing with another one", async () => {
    await using one = await createLocalGraph({ fleet: { size: 2 } })
    await using another = await createLocalGraph({ fleet: { size: 2 } })
    await one.seed({ size: 5 })
    one.faults({ rules: [{ when: { nth: 2 }, effect: { kind: "throttle" } }] })
    const graphs = [one, another]
    expect(await Promise.all(graphs.map(async (graph) => countIn(await graph.fetch(devicesPath))))).toEqual([5, 2])
    expect(await Promise.all(graphs.map(async (graph) => (await graph.fetch(devicesPath)).status))).toEqual([429, 200])
    expect(graphs.map((graph) => graph.calls().length)).toEqual([2, 2])
    expect(await one.url()).not.toBe(await another.url())
  })

  it("opens its port once, and only when it is asked for", async () => {
    await using graph = await createLocalGraph({ fleet: { size: 3 } })
    const [url, again] = await Promise.all([graph.url(), graph.url()])
    expect(again).toBe(url)
    expect(await countIn(await fetch(`${url}${devicesPath}`))).toBe(3)
    await graph.close()
    await expect(fetch(url)).rejects.toThrow("fetch failed")
  })

  it("goes back to its start: devices, faults, and nobody has called", async () => {
    await using graph = await createLocalGraph({
      devices: [{ id: "a", model: "X" }],
      faults: { rules: [{ when: { nth: 1, method: "GET" }, effect: { kind: "unavailable" } }] }
    })
    await graph.fetch(`${devicesPath}/a`, jsonRequest("PATCH", { model: "Y" }))
    graph.faults({})
    await graph.reset()
    expect(graph.calls()).toEqual([])
    expect((await graph.fetch(`${devicesPath}/a`)).status).toBe(503)
    expect(await (await graph.fetch(`${devicesPath}/a`)).json()).toMatchObject({ model: "X" })
  })

  it("can keep its devices in a file", async () => {
    await using folder = await temporaryFolder()
    await using graph = await createLocalGraph({
      store: `sqlite:${join(folder.path, "a.sqlite")}`,
      devices: [{ id: "a" }]
    })
    expect(await countIn(await graph.fetch(devicesPath))).toBe(1)
  })

  it("refuses a script or a fleet that does not fit, naming the place", async () => {
    await using graph = await createLocalGraph()
    expect(() => graph.faults(JSON.parse('{"rules":[{"effect":{"kind":"x"}}]}'))).toThrow(/rules\.0\.effect\.kind/)
    await expect(graph.seed({ size: -1 })).rejects.toThrow(/size/)
    await expect(createLocalGraph({ fleet: { size: 0.5 } })).rejects.toThrow(TypeError)
  })

  it("can be closed twice", async () => {
    const graph = await createLocalGraph()
    await Promise.all([graph.close(), graph.close()])
    await graph.close()
    expect((await graph.fetch(devicesPath)).status).toBe(500)
  })

  it("refuses a request that was given up before it was sent", async () => {
    await using graph = await createLocalGraph()
    await expect(graph.fetch(devicesPath, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough")
    expect(graph.calls()).toEqual([])
  })
})
