import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { GraphClient, type GraphClientOptions } from "../src/index.ts"
import { type FakeAnswer, type FakeGraph, errorResponse, fakeGraph } from "../src/testing.ts"
import { advance, baseUrl, clientOf, device, key } from "./fixtures.ts"

const hour = 3_600_000

afterEach(() => {
  vi.restoreAllMocks()
})

const item = (status: number) => ({ id: "1", status, headers: { "Retry-After": "5" }, body: {} })

/** The clock of the test with a time of day that can be set, as the clock of a machine is. */
const settable = Effect.map(Clock.Clock, (clock) => {
  let ahead = 0
  const currentTimeMillisUnsafe = () => clock.currentTimeMillisUnsafe() + ahead
  const moved: Clock.Clock = {
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
    monotonicTimeNanos: clock.monotonicTimeNanos,
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
    currentTimeNanos: clock.currentTimeNanos,
    sleep: (duration) => clock.sleep(duration),
    currentTimeMillisUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe)
  }
  return { moved, set: (millis: number) => void (ahead += millis) }
})

const opened = (graph: FakeGraph, options: Partial<GraphClientOptions> = {}) =>
  Effect.provide(GraphClient, clientOf(graph, options))

describe.each([
  { what: "back", by: -hour },
  { what: "forward", by: hour }
])("a clock that is set $what by an hour", ({ by }) => {
  it.effect(
    "makes no deadline earlier or later: a repeat is made, and an answer that does not come is left in time",
    () =>
      Effect.gen(function* () {
        const { moved, set } = yield* settable
        const graph = fakeGraph((_, index) => (index === 0 ? errorResponse(503, {}, { "retry-after": "5" }) : "hang"))
        const client = yield* opened(graph, { deadline: "30 seconds" })
        const reading = yield* Effect.forkChild(
          Effect.provideService(Effect.flip(client.getDevice(key)), Clock.Clock, moved)
        )
        yield* advance("1 second")
        set(by)
        yield* advance("5 seconds")
        expect(graph.requests).toHaveLength(2)
        yield* advance("25 seconds")
        expect(yield* Fiber.join(reading)).toMatchObject({
          attempts: 2,
          waitedMillis: 5_000,
          reason: { isTimeUp: true }
        })
      })
  )

  it.effect("does not hurry or hold a batch", () =>
    Effect.gen(function* () {
      const { moved, set } = yield* settable
      const graph = fakeGraph((_, index) => Response.json({ responses: [item(index === 0 ? 429 : 200)] }))
      const client = yield* opened(graph, { deadline: "30 seconds" })
      const batch = yield* Effect.forkChild(
        Effect.provideService(client.batch([{ method: "GET", url: "/x" }]), Clock.Clock, moved)
      )
      yield* advance("1 second")
      set(by)
      yield* advance("3 seconds")
      expect(graph.requests).toHaveLength(1)
      yield* advance("2 seconds")
      expect(yield* Fiber.join(batch)).toMatchObject([{ kind: "answered", status: 200 }])
    })
  )

  it.effect.each(["batch", "single"] as const)("does not end a bulk update with a deadline, sent as %s", (mode) =>
    Effect.gen(function* () {
      const { moved, set } = yield* settable
      const graph = fakeGraph(({ url }, index): FakeAnswer => {
        if (index === 0) return errorResponse(429, {}, { "retry-after": "5" })
        const isBatch = url.pathname.endsWith("/$batch")
        return Response.json(isBatch ? { responses: [{ id: "1", status: 200, body: device }] } : device)
      })
      const client = yield* opened(graph)
      const change = { ...key, update: { deviceName: "PC-014" } }
      const bulk = client.updateDevices(Stream.make(change), { mode, deadline: "30 seconds" })
      const running = yield* Effect.forkChild(Effect.provideService(Stream.runCollect(bulk), Clock.Clock, moved))
      yield* advance("1 second")
      set(by)
      yield* advance("6 seconds")
      expect(yield* Fiber.join(running)).toMatchObject([{ kind: "updated", attempts: 2 }])
    })
  )

  it.live("does not keep a request over fetch from being repeated", () =>
    Effect.gen(function* () {
      const now = Date.now
      const graph = fakeGraph((_, index) => {
        if (index > 0) return Response.json(device)
        vi.spyOn(Date, "now").mockImplementation(() => now() + by)
        return errorResponse(503, {})
      })
      const layer = GraphClient.layerFetch(
        { baseUrl, tenant: crypto.randomUUID(), deadline: "30 seconds" },
        graph.fetch
      )
      const client = yield* Effect.provide(GraphClient, layer)
      const noWait = { nextDoubleUnsafe: () => 0, nextIntUnsafe: () => 0 }
      const read = yield* Effect.provideService(client.getDevice(key), Random.Random, noWait)
      expect(read).toEqual(device)
      expect(graph.requests).toHaveLength(2)
    })
  )
})
