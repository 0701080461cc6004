import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { GraphClient, type GraphClientOptions } from "../../src/index.ts"
import { type FakeGraph, errorResponse, fakeGraph } from "../../src/testing.ts"
import { advance, clientOf, device, key } from "../fixtures.ts"

const asking = (retryAfter: string, status = 429) => errorResponse(status, {}, { "retry-after": retryAfter })

const opened = (graph: FakeGraph, options: Partial<GraphClientOptions> = {}) =>
  Effect.provide(GraphClient, clientOf(graph, options))

const hour = 3_600

describe("a service that asks for a longer wait than anybody keeps", () => {
  it.effect.each([
    { retryAfter: "99999999", seconds: 99_999_999 },
    { retryAfter: "3601", seconds: 3_601 },
    { retryAfter: "7200.5", seconds: 7_200.5 },
    { retryAfter: "9".repeat(64), seconds: expect.any(Number) },
    // The clock of a test begins in 1970.
    { retryAfter: "Thu, 01 Jan 2099 00:00:00 GMT", seconds: Date.UTC(2099, 0, 1) / 1_000 },
    { retryAfter: "99999999", seconds: 99_999_999, status: 503, tag: "Unavailable" }
  ])("with $retryAfter fails that request at once, and holds the others for an hour", (asked) =>
    Effect.gen(function* () {
      const { retryAfter, seconds, status, tag = "Throttled" } = asked
      const graph = fakeGraph((_, index) => (index === 0 ? asking(retryAfter, status) : Response.json(device)))
      const told = yield* Effect.flip((yield* opened(graph)).getDevice(key))
      expect(told).toMatchObject({ attempts: 1, reason: { _tag: tag, retryAfterSeconds: seconds } })

      const patient = yield* opened(graph, { deadline: "2 days" })
      const next = yield* Effect.forkChild(patient.getDevice(key))
      yield* advance("59 minutes")
      expect(graph.requests).toHaveLength(1)
      yield* advance("61 seconds")
      expect(yield* Fiber.join(next)).toEqual(device)
    })
  )

  it.effect("refuses at once whoever has less time, with the seconds that are left", () =>
    Effect.gen(function* () {
      const graph = fakeGraph((_, index) => (index === 0 ? asking("99999999") : Response.json(device)))
      const client = yield* opened(graph)
      yield* Effect.flip(client.getDevice(key))
      yield* advance("10 minutes")
      const refused = yield* Effect.flip(client.getDevice(key))
      expect(refused).toMatchObject({ attempts: 0, reason: { _tag: "Throttled", retryAfterSeconds: hour - 600 } })
      yield* advance("50 minutes")
      expect(yield* client.getDevice(key)).toEqual(device)
    })
  )

  it.effect("in one item of a batch fails that item, and the others are held no longer than an hour", () =>
    Effect.gen(function* () {
      const answers = [
        { id: "1", status: 429, headers: { "Retry-After": "99999999" }, body: {} },
        { id: "2", status: 200, body: { id: "b" } }
      ]
      const graph = fakeGraph((_, index) =>
        Response.json(index === 0 ? { responses: answers } : { responses: [{ id: "1", status: 200, body: {} }] })
      )
      const client = yield* opened(graph)
      const one = { method: "GET", url: "/x" } as const
      expect(yield* client.batch([one, one])).toMatchObject([
        { kind: "failed", error: { attempts: 1, reason: { _tag: "Throttled", retryAfterSeconds: 99_999_999 } } },
        { kind: "answered", status: 200 }
      ])
      const next = yield* Effect.forkChild(client.batch([one], { deadline: "2 days" }))
      yield* advance("59 minutes")
      expect(graph.requests).toHaveLength(1)
      yield* advance("61 seconds")
      expect(yield* Fiber.join(next)).toMatchObject([{ kind: "answered" }])
    })
  )

  it.effect("fails a bulk update that has all the time in the world, and does not keep it for years", () =>
    Effect.gen(function* () {
      const graph = fakeGraph(() => asking("99999999"))
      const client = yield* opened(graph)
      const change = { ...key, update: { model: "X" } }
      const outcomes = yield* Stream.runCollect(client.updateDevices(Stream.make(change), { mode: "single" }))
      expect(outcomes).toMatchObject([{ kind: "failed", attempts: 1, error: { reason: { _tag: "Throttled" } } }])
    })
  )
})

describe("a wait that is kept", () => {
  it.effect("is never shorter than asked, however long, where the deadline has room for it", () =>
    Effect.gen(function* () {
      const graph = fakeGraph((_, index) => (index === 0 ? asking("7200") : Response.json(device)))
      const client = yield* opened(graph, { deadline: "1 day" })
      const found = yield* Effect.forkChild(client.getDevice(key))
      yield* advance("7199 seconds")
      expect(graph.requests).toHaveLength(1)
      yield* advance("2 seconds")
      expect(yield* Fiber.join(found)).toEqual(device)
    })
  )

  it.effect.each(["batch", "single"] as const)(
    "is never shorter than asked in a bulk update with a deadline: %s",
    (mode) =>
      Effect.gen(function* () {
        const graph = fakeGraph(({ method, url }, index) => {
          if (index === 0) return asking("7200")
          const isBatch = method === "POST" && url.pathname.endsWith("/$batch")
          return Response.json(isBatch ? { responses: [{ id: "1", status: 200, body: device }] } : device)
        })
        const client = yield* opened(graph)
        const change = { ...key, update: { deviceName: "PC-014" } }
        const bulk = client.updateDevices(Stream.make(change), { mode, deadline: "1 day" })
        const outcomes = yield* Effect.forkChild(Stream.runCollect(bulk))
        yield* advance("7199 seconds")
        expect(graph.requests).toHaveLength(1)
        yield* advance("10 seconds")
        expect(yield* Fiber.join(outcomes)).toMatchObject([{ kind: "updated", attempts: 2 }])
      })
  )

  it.effect("can be set shorter", () =>
    Effect.gen(function* () {
      const graph = fakeGraph((_, index) => (index === 0 ? asking("60") : Response.json(device)))
      const hasty = yield* opened(graph, { longestWait: "30 seconds", deadline: "40 seconds" })
      expect(yield* Effect.flip(hasty.getDevice(key))).toMatchObject({ reason: { retryAfterSeconds: 60 } })
      const next = yield* Effect.forkChild(hasty.getDevice(key))
      yield* advance("31 seconds")
      expect(yield* Fiber.join(next)).toEqual(device)
    })
  )
})
