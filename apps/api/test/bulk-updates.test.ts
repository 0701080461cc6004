import { GraphClient, type DeviceOutcome, publishedBudget } from "@workanywhere/graph-client"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect, it } from "vitest"
import type { FaultScriptInput } from "../src/rehearsal/fault-script.ts"
import { type LocalGraph, createLocalGraph } from "../src/local-graph.ts"
import { devicesPath } from "./opened.ts"

/** Lets what was asked come through, before time moves on: a busy service answers one item of a batch in a turn. */
const settled = Effect.promise(async () => {
  for (let turn = 0; turn < 1_000; turn++) await new Promise((resolve) => setImmediate(resolve))
})

const modelOf = (index: number) => `model ${index}`

interface Run {
  readonly count: number
  readonly mode: "auto" | "batch" | "single"
  readonly faults?: FaultScriptInput
}

/** Updates so many devices of a local Graph that keeps the published limits; client and service live by one moved clock. */
const bulk = ({ count, faults, mode }: Run) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const devices = Array.from({ length: count }, (_, index) => ({ id: `device-${index}`, model: "before" }))
    const graph = yield* Effect.promise(() =>
      createLocalGraph({
        devices,
        budget: { timesAsFast: 1 },
        clock: {
          nowMillis: () => clock.currentTimeMillisUnsafe(),
          sleep: (millis) => Effect.runPromise(clock.sleep(Duration.millis(millis)))
        },
        ...(faults === undefined ? {} : { faults })
      })
    )
    const changes = Stream.map(Stream.range(0, count - 1), (index) => ({
      metricId: "allDevices",
      deviceId: `device-${index}`,
      update: { model: modelOf(index) }
    }))
    const options = {
      baseUrl: "https://graph.microsoft.com/beta",
      tenant: crypto.randomUUID(),
      budget: publishedBudget
    }
    const updating = GraphClient.use((client) => Stream.runCollect(client.updateDevices(changes, { mode }))).pipe(
      Effect.provide(GraphClient.layerFetch(options, graph.fetch))
    )
    const running = yield* Effect.forkChild(updating)
    for (let turn = 0; turn < 20_000 && running.pollUnsafe() === undefined; turn++) {
      yield* settled
      yield* TestClock.adjust("250 millis")
    }
    return { graph, outcomes: yield* Fiber.join(running) }
  }).pipe(Effect.provide(TestClock.layer()), Effect.scoped)

const heldBy = async (graph: LocalGraph): Promise<ReadonlyMap<string, string>> => {
  const held = new Map<string, string>()
  let link: string | undefined = `${devicesPath}?$select=id,model`
  while (link !== undefined) {
    const response = await graph.fetch(link, { headers: { "client-request-id": crypto.randomUUID() } })
    const page = (await response.json()) as {
      readonly value: ReadonlyArray<{ readonly id: string; readonly model: string }>
      readonly "@odata.nextLink"?: string
    }
    for (const { id, model } of page.value) held.set(id, model)
    link = page["@odata.nextLink"]
  }
  return held
}

/** What the client may not have done, whatever went wrong. */
const brokenRules = (graph: LocalGraph) => graph.verdict().judgements.filter(({ passed }) => !passed)

const countsOf = (outcomes: ReadonlyArray<DeviceOutcome>) => {
  const counts = { updated: 0, unchanged: 0, refused: 0, failed: 0, unknown: 0 }
  for (const { kind } of outcomes) counts[kind] += 1
  return counts
}

describe.each(["batch", "single"] as const)("many updates of a Graph that keeps the published limits (%s)", (mode) => {
  it("are never refused for being too many, and all are made", async () => {
    const { graph, outcomes } = await Effect.runPromise(bulk({ count: 700, mode }))
    expect(countsOf(outcomes)).toMatchObject({ updated: 700 })
    expect(graph.calls().filter(({ status }) => status === 429)).toEqual([])
    expect(brokenRules(graph)).toEqual([])
    const held = await heldBy(graph)
    for (let index = 0; index < 700; index++) expect(held.get(`device-${index}`)).toBe(modelOf(index))
    await graph.close()
  })
})

const write = { method: "PATCH" }
const envelope = { route: "batch" as const }

const faults: FaultScriptInput = {
  seed: 5,
  rules: [
    { when: { ...write, percent: 2 }, effect: { kind: "throttle", retryAfterSeconds: 3 } },
    { when: { ...write, percent: 1 }, effect: { kind: "throttle" } },
    { when: { ...write, percent: 1 }, effect: { kind: "throttleAs500" } },
    { when: { ...write, percent: 2 }, effect: { kind: "unavailable", at: "before" } },
    { when: { ...write, percent: 2 }, effect: { kind: "unavailable", at: "after" } },
    { when: { ...write, percent: 2 }, effect: { kind: "timeout", at: "after" } },
    { when: { ...write, percent: 2 }, effect: { kind: "timeout", at: "before" } },
    { when: { ...write, batchItem: false, percent: 2 }, effect: { kind: "reset", at: "after" } },
    { when: { ...write, batchItem: false, percent: 2 }, effect: { kind: "truncate" } },
    { when: { ...envelope, nth: 3 }, effect: { kind: "reset", at: "after" } },
    { when: { ...envelope, nth: 6 }, effect: { kind: "timeout", at: "after" } },
    { when: { ...envelope, nth: 9 }, effect: { kind: "throttle", retryAfterSeconds: 7 } },
    { when: { ...envelope, nth: 12 }, effect: { kind: "truncate" } },
    { when: { ...envelope, nth: 15 }, effect: { kind: "hang", at: "after" } },
    { when: { ...envelope, every: 4 }, effect: { kind: "dropBatchAnswers", count: 2 } },
    { when: { ...envelope, every: 1 }, effect: { kind: "shuffleBatch" } }
  ]
}

it.each(["auto", "batch", "single"] as const)(
  "whatever goes wrong on the way, every update has one outcome, and the right one (%s)",
  async (mode) => {
    const count = 300
    const { graph, outcomes } = await Effect.runPromise(bulk({ count, mode, faults }))
    const played = new Set(graph.calls().map(({ fault }) => fault))
    expect(played.size).toBeGreaterThan(5)
    expect(new Set(outcomes.map(({ change }) => change.deviceId)).size).toBe(count)
    expect(outcomes.length).toBe(count)

    const held = await heldBy(graph)
    const acknowledged = new Set(
      graph
        .calls()
        .filter(({ fault, method, status }) => method === "PATCH" && status === 200 && fault === undefined)
        .map(({ deviceId }) => deviceId)
    )
    for (const { change, kind } of outcomes) {
      const isMade = held.get(change.deviceId) === change.update.model
      const { deviceId } = change
      expect({ deviceId, kind, isMade }).toSatisfy(() => kind === "unknown" || (kind === "updated") === isMade)
    }
    const failed = outcomes.filter(({ kind }) => kind === "failed")
    expect(failed.filter(({ change }) => acknowledged.has(change.deviceId))).toEqual([])
    expect(countsOf(outcomes).updated).toBeGreaterThan(count * 0.95)
    expect(brokenRules(graph)).toEqual([])
    await graph.close()
  }
)
