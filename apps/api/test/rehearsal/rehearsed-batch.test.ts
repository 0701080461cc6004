import { gzipSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import { createLocalGraph } from "../../src/local-graph.ts"
import { movedClock } from "../moved-clock.ts"
import { devicesPath, jsonRequest } from "../opened.ts"

const path = devicesPath.slice("/beta".length)

const updates = (count: number, from = 0) =>
  jsonRequest("POST", {
    requests: Array.from({ length: count }, (_, index) => ({
      id: String(from + index),
      method: "PATCH",
      url: `${path}/a`,
      headers: { "content-type": "application/json" },
      body: { model: `model ${index}` }
    }))
  })

interface Answered {
  readonly responses: ReadonlyArray<{ readonly id: string; readonly status: number; readonly headers: object }>
}

const statusesIn = async (response: Response) => {
  const { responses } = (await response.json()) as Answered
  return Object.fromEntries(responses.map(({ id, status }) => [id, status]))
}

describe("a batch under rehearsal", () => {
  it("[F81] spends the budget item by item, and is refused item by item", async () => {
    await using graph = await createLocalGraph({
      devices: [{ id: "a" }],
      budget: { timesAsFast: 1 },
      clock: movedClock().clock
    })
    for (let batch = 0; batch < 9; batch++) await graph.fetch("/beta/$batch", updates(20))
    for (let write = 0; write < 15; write++) await graph.fetch(`${devicesPath}/a`, jsonRequest("PATCH", { model: "X" }))
    const last = await graph.fetch("/beta/$batch", updates(8))
    expect(last.status).toBe(200)
    const { responses } = (await last.json()) as Answered
    expect(responses.filter(({ status }) => status === 429)).toHaveLength(3)
    expect(responses.find(({ status }) => status === 429)?.headers).toHaveProperty("Retry-After", "20")
    expect(
      graph
        .verdict()
        .judgements.filter(({ passed }) => !passed)
        .map(({ id, count }) => [id, count])
    ).toEqual([
      ["overBudget", 3],
      ["noClientRequestId", 25]
    ])
  })

  it("fails the item that the script names, and loses no connection by it", async () => {
    await using graph = await createLocalGraph({
      devices: [{ id: "a" }],
      faults: {
        rules: [
          { when: { batchItem: "1" }, effect: { kind: "throttle", retryAfterSeconds: 3 } },
          { when: { batchItem: "2" }, effect: { kind: "reset" } },
          { when: { batchItem: false }, effect: { kind: "shuffleBatch" } }
        ]
      }
    })
    expect(await statusesIn(await graph.fetch("/beta/$batch", updates(4)))).toEqual({ 0: 200, 1: 429, 2: 504, 3: 200 })
    const overPort = await fetch(`${await graph.url()}/beta/$batch`, updates(4))
    expect(await statusesIn(overPort)).toEqual({ 0: 200, 1: 429, 2: 504, 3: 200 })
  })

  it("is counted: more than 20 items are found by the verdict, and who sends an item again too early", async () => {
    await using graph = await createLocalGraph({
      devices: [{ id: "a" }],
      faults: { rules: [{ when: { batchItem: "0", nth: 1 }, effect: { kind: "throttle", retryAfterSeconds: 3 } }] }
    })
    expect((await graph.fetch("/beta/$batch", updates(21))).status).toBe(400)
    await graph.fetch("/beta/$batch", updates(2))
    await graph.fetch("/beta/$batch", updates(1))
    const broken = graph.verdict().judgements.filter(({ passed }) => !passed)
    expect(broken.map(({ id, count }) => [id, count])).toEqual([
      ["early", 1],
      ["noClientRequestId", 3],
      ["batchTooLarge", 1]
    ])
  })

  it("is counted however its names are spelled, and compressed", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    const { body, ...request } = updates(21)
    const packed = gzipSync(body.replace('"requests"', '"Requests"'))
    const headers = { ...request.headers, "content-encoding": "gzip" }
    expect((await graph.fetch("/beta/$batch", { ...request, headers, body: packed })).status).toBe(400)
    expect(graph.verdict().judgements.find(({ id }) => id === "batchTooLarge")?.count).toBe(1)
  })
})
