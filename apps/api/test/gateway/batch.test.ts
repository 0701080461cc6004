import { text } from "node:stream/consumers"
import { describe, expect, it } from "vitest"
import { createLocalGraph } from "../../src/local-graph.ts"
import { openedGateway } from "../gateways.ts"
import { jsonRequest, metricsPath } from "../opened.ts"
import { served } from "../tokens.ts"

const devices = `${metricsPath}/allDevices/metricDevices`

interface Answered {
  readonly responses: ReadonlyArray<{
    readonly id: string
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body?: Readonly<Record<string, unknown>> & { readonly error?: { readonly code: string } }
  }>
}

/** By id. */
const statusesOf = (responses: Answered["responses"]) =>
  responses.map(({ id, status }) => [id, status] as const).toSorted(([a], [b]) => (a < b ? -1 : 1))

const update = (id: string, device: string, body: object, more: object = {}) => ({
  id,
  method: "PATCH",
  url: `${devices}/${device}`,
  headers: { "content-type": "application/json" },
  body,
  ...more
})

const ids = Array.from({ length: 20 }, (_, index) => `d${index}`)

const world = async (options: Parameters<typeof createLocalGraph>[0] = {}) => {
  const graph = await createLocalGraph({ devices: ids.map((id) => ({ id, model: "before" })), ...options })
  const gateway = await openedGateway(await graph.url())
  return {
    graph,
    gateway,
    /** The answers by id, whatever their order. */
    posted: async (requests: ReadonlyArray<object>) => {
      const response = await fetch(`${gateway.url}/beta/$batch`, jsonRequest("POST", { requests }))
      expect(response.status).toBe(200)
      const { responses } = (await response.json()) as Answered
      expect(responses).toHaveLength(requests.length)
      return new Map(responses.map((one) => [one.id, one]))
    },
    /** What of each request the upstream saw came by itself or as a batch. */
    upstream: () => graph.calls().filter(({ batchItem }) => batchItem === undefined),
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await graph.close()
    }
  }
}

describe("a batch through a gateway", () => {
  it("[F100] goes upstream in batches: twenty updates are one of reads and one of writes", async () => {
    await using all = await world()
    const answers = await all.posted(ids.map((id, index) => update(String(index), id, { model: `after ${id}` })))
    for (const [index, id] of ids.entries()) {
      expect(answers.get(String(index))).toMatchObject({ status: 200, body: { id, model: `after ${id}` } })
    }
    expect(all.upstream().map(({ method, route }) => [method, route])).toEqual([
      ["POST", "batch"],
      ["POST", "batch"]
    ])
    const records = await all.gateway.audited()
    expect(records).toHaveLength(40)
    for (const [index, id] of ids.entries()) {
      const intent = records.find(({ deviceId, event }) => event === "intent" && deviceId === id)
      expect(intent).toMatchObject({
        batchItem: { id: String(index) },
        changes: { model: { old: "before", new: `after ${id}` } }
      })
      expect(records.filter((record) => record.id === intent?.id)[1]).toMatchObject({ outcome: "done", status: 200 })
    }
  })

  it("reads the updates back that the upstream answers without a body, in one batch", async () => {
    const sent: Array<ReadonlyArray<string>> = []
    await using graph = await served(async (request, response) => {
      const { requests } = JSON.parse(await text(request)) as {
        requests: ReadonlyArray<{ id: string; method: string }>
      }
      sent.push(requests.map(({ method }) => method))
      const responses = requests.map(({ id, method }) =>
        method === "PATCH" ? { id, status: 204 } : { id, status: 200, body: { id: "a", model: "X" } }
      )
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ responses }))
    })
    await using gateway = await openedGateway(graph.url)
    const requests = [update("1", "a", { model: "X" }), update("2", "b", { model: "X" })]
    const response = await fetch(`${gateway.url}/beta/$batch`, jsonRequest("POST", { requests }))
    const { responses } = (await response.json()) as Answered
    expect(responses.map(({ body, status }) => [status, body?.["model"]])).toEqual([
      [200, "X"],
      [200, "X"]
    ])
    expect(sent.slice(-2)).toEqual([
      ["PATCH", "PATCH"],
      ["GET", "GET"]
    ])
  })

  it("finds each answer by its id when the upstream gives them in another order", async () => {
    await using all = await world({
      faults: { rules: [{ when: { route: "batch" }, effect: { kind: "shuffleBatch" } }] }
    })
    const answers = await all.posted(ids.map((id) => update(id, id, { model: `after ${id}` })))
    for (const id of ids) expect(answers.get(id)).toMatchObject({ status: 200, body: { id, model: `after ${id}` } })
  })

  it("sends what depends on others after them, and not at all when they fail: 424, and nothing in the log", async () => {
    await using all = await world()
    const answers = await all.posted([
      update("1", "d1", { model: "one" }),
      { id: "2", method: "GET", url: `${devices}/d1?$select=model`, dependsOn: ["1"] },
      update("3", "none", { model: "X" }, { dependsOn: ["2"] }),
      update("4", "d4", { model: "X" }, { dependsOn: ["3"] })
    ])
    expect(statusesOf([...answers.values()])).toEqual([
      ["1", 200],
      ["2", 200],
      ["3", 404],
      ["4", 424]
    ])
    expect(answers.get("2")?.body).toMatchObject({ model: "one" })
    expect((await all.gateway.audited()).filter(({ deviceId }) => deviceId === "d4")).toEqual([])
  })

  it("refuses what a gateway refuses item by item, and sends the others", async () => {
    await using all = await world()
    const answers = await all.posted([
      { id: "1", method: "GET", url: `${devices}?$expand=x` },
      update("2", "d2", { windowsScore: 101 }),
      { id: "3", method: "GET", url: "/deviceManagement/managedDevices" },
      { id: "4", method: "PUT", url: `${devices}/d1` },
      { id: "5", method: "GET", url: `${devices}/d5` },
      { id: "6", method: "GET", url: `${devices}/$count` },
      { id: "7", method: "DELETE", url: `${devices}/d7` }
    ])
    expect(statusesOf([...answers.values()])).toEqual([
      ["1", 400],
      ["2", 400],
      ["3", 400],
      ["4", 405],
      ["5", 200],
      ["6", 200],
      ["7", 204]
    ])
    expect(answers.get("5")?.body?.["@odata.context"]).toMatch(new RegExp(`^${all.gateway.url}/beta/`))
    expect(answers.get("6")?.body).toBe("20")
    expect((await all.gateway.audited()).map(({ deviceId }) => deviceId)).toEqual(["d7", undefined])
  })

  it("takes the routes of its list only", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    await using gateway = await openedGateway(await graph.url(), { settings: { upstreamRoutes: ["batch", "device"] } })
    const requests = [
      { id: "1", method: "GET", url: devices },
      { id: "2", method: "GET", url: `${devices}/a` }
    ]
    const response = await fetch(`${gateway.url}/beta/$batch`, jsonRequest("POST", { requests }))
    const { responses } = (await response.json()) as Answered
    expect(statusesOf(responses)).toEqual([
      ["1", 403],
      ["2", 200]
    ])
  })

  it("asks again for items that were throttled, and passes the failure of one on to that one", async () => {
    await using all = await world({
      faults: {
        rules: [
          { when: { route: "device", deviceId: "d1", nth: 1 }, effect: { kind: "throttle" } },
          { when: { route: "device", deviceId: "d2" }, effect: { kind: "unavailable" } }
        ]
      }
    })
    const answers = await all.posted(["d1", "d2", "d3"].map((id) => ({ id, method: "GET", url: `${devices}/${id}` })))
    expect(answers.get("d1")).toMatchObject({ status: 200 })
    expect(answers.get("d2")).toMatchObject({ status: 503, body: { error: { code: "serviceNotAvailable" } } })
    expect(answers.get("d3")).toMatchObject({ status: 200 })
  })
})
