import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import {
  GraphClient,
  type GraphClientOptions,
  type Repeat,
  Throttled,
  Unavailable,
  publishedBudget
} from "../../src/index.ts"
import { type FakeAnswer, type FakeGraph, errorResponse, fakeGraph } from "../../src/testing.ts"
import { advance, clientOf, device, devicePath, key, settled } from "../fixtures.ts"

const read = (graph: FakeGraph, options: Partial<GraphClientOptions> = {}) =>
  GraphClient.use((client) => client.getDevice(key)).pipe(Effect.provide(clientOf(graph, options)))

const update = (graph: FakeGraph, options: Partial<GraphClientOptions> = {}) =>
  GraphClient.use((client) => client.updateDevice(key, { windowsScore: 7 })).pipe(
    Effect.provide(clientOf(graph, options))
  )

const throttled = (retryAfter?: string) =>
  errorResponse(429, { code: "TooManyRequests" }, retryAfter === undefined ? {} : { "retry-after": retryAfter })

/** Chance always gives this share of what is possible. */
const chance = (share: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => share, nextIntUnsafe: () => 0 })

describe("what is sent", () => {
  it.effect("every request has an id, wants JSON, and shows the token to the configured origin", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([Response.json(device)])
      expect(yield* read(graph, { token: Redacted.make("t0ken") })).toEqual(device)
      const [request] = graph.requests
      expect(request?.url.href).toBe(`https://graph.example${devicePath}`)
      expect(request?.headers.get("authorization")).toBe("Bearer t0ken")
      expect(request?.headers.get("accept")).toBe("application/json")
      expect(request?.headers.get("client-request-id")).toMatch(/^[\da-f-]{36}$/)
      expect(request?.headers.has("content-type")).toBe(false)
    })
  )

  it.effect("without a token there is no authorization", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([Response.json(device)])
      yield* update(graph)
      expect(graph.requests[0]?.headers.has("authorization")).toBe(false)
      expect(graph.requests[0]?.headers.get("content-type")).toBe("application/json")
      expect(graph.requests[0]?.body).toEqual({ windowsScore: 7 })
    })
  )

  it.effect("redirects are not followed, and other options of fetch are kept", () =>
    Effect.gen(function* () {
      const seen: Array<RequestInit | undefined> = []
      const fetch: typeof globalThis.fetch = (_, init) => {
        seen.push(init)
        return Promise.resolve(new Response(null, { status: 307, headers: { location: "https://elsewhere.example" } }))
      }
      const error = yield* Effect.flip(read({ ...fakeGraph([]), layer: FetchHttpClient.layer })).pipe(
        Effect.provideService(FetchHttpClient.Fetch, fetch),
        Effect.provideService(FetchHttpClient.RequestInit, { cache: "no-store" })
      )
      expect(seen).toMatchObject([{ redirect: "manual", cache: "no-store" }])
      expect(error).toMatchObject({ status: 307, reason: { _tag: "Rejected" } })
    })
  )
})

describe("repeats", () => {
  it.effect.each<{ what: string; answer: () => FakeAnswer }>([
    { what: "429", answer: () => throttled() },
    { what: "503", answer: () => errorResponse(503, {}) },
    { what: "504", answer: () => errorResponse(504, {}) },
    { what: "a lost connection", answer: () => "connectionLost" },
    {
      what: "a connection lost within the answer",
      answer: () => new Response(new ReadableStream({ pull: (body) => body.error(new TypeError("terminated")) }))
    }
  ])("an update is repeated after $what, under the same id", ({ answer }) =>
    Effect.gen(function* () {
      const graph = fakeGraph([answer(), answer(), Response.json(device)])
      const updated = yield* Effect.forkChild(update(graph))
      yield* advance("10 seconds")
      yield* advance("10 seconds")
      expect(yield* Fiber.join(updated)).toEqual(device)
      expect(graph.requests.map((request) => request.method)).toEqual(["PATCH", "PATCH", "PATCH"])
      expect(new Set(graph.requests.map((request) => request.headers.get("client-request-id"))).size).toBe(1)
    })
  )

  it.effect("a read is repeated after what passes, and an update after whatever leaves its outcome unknown", () =>
    Effect.gen(function* () {
      const trouble = [408, 502, 503, 504, 509, 520, 521, 522, 523, 524].map((status) => errorResponse(status, {}))
      const called = ["InternalServerError", "UnknownError"].map((code) => errorResponse(500, { code }))
      for (const answer of [...trouble, ...called]) {
        const graph = fakeGraph([answer, Response.json(device)])
        const found = yield* Effect.forkChild(read(graph))
        yield* advance("10 seconds")
        expect(yield* Fiber.join(found)).toEqual(device)
      }
      for (const status of [500, 505, 507]) {
        const graph = fakeGraph([errorResponse(status, { code: "Odd" }), Response.json(device)])
        const updated = yield* Effect.forkChild(update(graph))
        yield* advance("10 seconds")
        expect(yield* Fiber.join(updated)).toEqual(device)
      }
    })
  )

  it.effect("none is made that onRepeat does not want", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([errorResponse(503, {}), Response.json(device)])
      const error = yield* Effect.flip(read(graph, { onRepeat: () => Effect.succeed<false>(false) }))
      expect(error).toMatchObject({ status: 503, attempts: 1 })
    })
  )

  it.effect.each([400, 401, 403, 404, 409, 412, 500, 501, 505])("there is no repeat after %i", (status) =>
    Effect.gen(function* () {
      const graph = fakeGraph([errorResponse(status, {}), Response.json(device)])
      expect(yield* Effect.flip(read(graph))).toMatchObject({ status, attempts: 1 })
      expect(graph.requests.length).toBe(1)
    })
  )

  it.effect("each is announced before its wait, with what went wrong", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([throttled("2"), "connectionLost", Response.json(device)])
      const repeats: Array<Repeat> = []
      const onRepeat = (repeat: Repeat) => Effect.sync(() => void repeats.push(repeat))
      const found = yield* Effect.forkChild(read(graph, { onRepeat }))
      yield* settled
      expect(repeats).toMatchObject([{ error: { attempts: 1, reason: { _tag: "Throttled" } }, waitMillis: 2_000 }])
      yield* advance("2 seconds")
      yield* advance("10 seconds")
      expect(yield* Fiber.join(found)).toEqual(device)
      expect(repeats[1]).toMatchObject({ error: { attempts: 2, reason: { _tag: "Unavailable" } } })
      expect(repeats.length).toBe(2)
    })
  )

  it.effect("it gives up after the given number of attempts", () =>
    Effect.gen(function* () {
      const graph = fakeGraph(() => errorResponse(503, {}, { "retry-after": "1" }))
      const failed = yield* Effect.forkChild(Effect.flip(read(graph, { attempts: 3 })))
      yield* advance("1 second")
      yield* advance("1 second")
      expect(yield* Fiber.join(failed)).toMatchObject({ attempts: 3, reason: { _tag: "Unavailable" } })
      expect(graph.requests.length).toBe(3)
    })
  )
})

describe("waits", () => {
  it.effect.each([
    { header: "10", millis: 10_000 },
    { header: "1.5", millis: 1_500 },
    { header: new Date(20_000).toUTCString(), millis: 20_000 },
    { header: "0", millis: 0 }
  ])("Retry-After: $header is waited for, to the millisecond", ({ header, millis }) =>
    Effect.gen(function* () {
      const graph = fakeGraph([throttled(header), Response.json(device)])
      const found = yield* Effect.forkChild(read(graph))
      if (millis > 0) {
        yield* advance(millis - 1)
        expect(graph.requests.length).toBe(1)
        yield* advance(1)
      }
      yield* settled
      expect(graph.requests.length).toBe(2)
      expect(yield* Fiber.join(found)).toEqual(device)
    })
  )

  it.effect.each([429, 503])("a %i that says how long is waited for by everyone", (status) =>
    Effect.gen(function* () {
      const graph = fakeGraph([
        errorResponse(status, {}, { "retry-after": "10" }),
        ...[1, 2].map(() => Response.json(device))
      ])
      const both = Effect.gen(function* () {
        const client = yield* GraphClient
        const first = yield* Effect.forkChild(client.getDevice(key))
        yield* settled
        const second = yield* Effect.forkChild(client.getDevice(key))
        yield* Fiber.join(first)
        yield* Fiber.join(second)
      })
      const running = yield* Effect.forkChild(Effect.provide(both, clientOf(graph)))
      yield* advance(9_999)
      expect(graph.requests.length).toBe(1)
      yield* advance(1)
      expect(graph.requests.length).toBe(2)
      yield* advance("1 second")
      yield* Fiber.join(running)
      expect(graph.requests.length).toBe(3)
    })
  )

  it.effect("without Retry-After the longest wait doubles from one second to thirty", () =>
    Effect.gen(function* () {
      const graph = fakeGraph(() => throttled())
      yield* Effect.forkChild(Effect.flip(read(graph, { attempts: 8, deadline: "1 hour" })))
      for (const [index, seconds] of [1, 2, 4, 8, 16, 30, 30].entries()) {
        yield* advance(seconds * 1000 - 1)
        expect(graph.requests.length).toBe(index + 1)
        yield* advance(1)
        expect(graph.requests.length).toBe(index + 2)
      }
    }).pipe(chance(1))
  )

  it.effect("the jitter is full: the wait may be any share of the longest", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([throttled(), throttled(), Response.json(device)])
      const found = yield* Effect.forkChild(read(graph))
      yield* advance(250)
      yield* advance(499)
      expect(graph.requests.length).toBe(2)
      yield* advance(1)
      expect(yield* Fiber.join(found)).toEqual(device)
    }).pipe(chance(0.25))
  )
})

it.live("a wait longer than any timer of the platform is not cut short", () =>
  Effect.gen(function* () {
    for (const answer of [throttled("2600000"), errorResponse(503, {}, { "retry-after": "2600000" })]) {
      const graph = fakeGraph([answer, Response.json(device)])
      const reading = yield* Effect.forkChild(read(graph, { deadline: "60 days" }))
      // A timer of Node that is too long for it fires after a millisecond.
      yield* Effect.sleep("20 millis")
      expect(graph.requests.length).toBe(1)
      expect(reading.pollUnsafe()).toBeUndefined()
      yield* Fiber.interrupt(reading)
    }
  })
)

describe("the deadline", () => {
  it.effect(
    "that a full gate does not let it keep is told at once, with the time it would take, and nothing is sent",
    () =>
      Effect.gen(function* () {
        const graph = fakeGraph([throttled("45"), Response.json(device)])
        const options = { deadline: "1 minute", budget: publishedBudget } as const
        const first = yield* Effect.forkChild(read(graph, options))
        yield* advance(1)
        const error = yield* Effect.flip(read(graph, { ...options, deadline: "30 seconds" }))
        expect(error.reason).toMatchObject({ _tag: "Throttled", retryAfterSeconds: expect.closeTo(45, 0) })
        expect(error).toMatchObject({
          attempts: 0,
          waitedMillis: 0,
          message: expect.stringMatching(/has to be left alone for 4\ds/)
        })
        expect(graph.requests.length).toBe(1)
        yield* advance("45 seconds")
        expect(yield* Fiber.join(first)).toEqual(device)
      })
  )

  it.effect("a wait that would pass it is not begun, and the error says how long it would be", () =>
    Effect.gen(function* () {
      const deadline = "30 seconds"
      const throttling = yield* Effect.flip(read(fakeGraph([throttled("30")]), { deadline }))
      expect(throttling.reason).toEqual(new Throttled({ retryAfterSeconds: 30 }))
      const closed = fakeGraph([errorResponse(503, {}, { "retry-after": "3600" })])
      expect((yield* Effect.flip(read(closed, { deadline }))).reason).toEqual(
        new Unavailable({ retryAfterSeconds: 3600 })
      )
    })
  )

  it.effect("an answer that does not come ends as Unavailable when it is over, not before", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.forkChild(Effect.flip(read(fakeGraph(["hang"]), { deadline: "30 seconds" })))
      yield* advance(29_999)
      expect(failed.pollUnsafe()).toBeUndefined()
      yield* advance(1)
      const error = yield* Fiber.join(failed)
      expect(error).toMatchObject({ message: "graph.example did not answer within 30s", attempts: 1 })
      expect(error.reason).toEqual(new Unavailable({ isTimeUp: true }))
    })
  )

  it.effect("it covers all attempts and waits together", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([throttled("20"), throttled("5"), "hang"])
      const failed = yield* Effect.forkChild(Effect.flip(read(graph, { deadline: "30 seconds" })))
      yield* advance("20 seconds")
      yield* advance("5 seconds")
      yield* advance(4_999)
      expect(graph.requests.length).toBe(3)
      expect(failed.pollUnsafe()).toBeUndefined()
      yield* advance(1)
      expect(yield* Fiber.join(failed)).toMatchObject({ attempts: 3, reason: { _tag: "Unavailable" } })
    })
  )

  it.effect("a read-back counts against it too", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([throttled("20"), new Response(null, { status: 204 }), "hang"])
      const updated = yield* Effect.forkChild(update(graph, { deadline: "30 seconds" }))
      yield* advance("20 seconds")
      yield* advance("9 seconds")
      expect(updated.pollUnsafe()).toBeUndefined()
      yield* advance("1 second")
      expect(yield* Fiber.join(updated)).toEqual({ id: key.deviceId, windowsScore: 7, notReadBack: true })
    })
  )
})

const limitBytes = 16 * 1024 * 1024

/** An answer of exactly this many bytes. */
const answerOf = (length: number) => {
  const shell = JSON.stringify({ ...device, deviceName: "" })
  return Response.json({ ...device, deviceName: "x".repeat(length - shell.length) })
}

describe("size", () => {
  it.effect("an answer of 16 MiB is read", () =>
    Effect.map(read(fakeGraph([answerOf(limitBytes)])), ({ id }) => expect(id).toBe(device.id))
  )

  it.effect("a longer one is Unreadable, whatever its status", () =>
    Effect.gen(function* () {
      for (const answer of [answerOf(limitBytes + 1), new Response("x".repeat(limitBytes + 1), { status: 503 })]) {
        const error = yield* Effect.flip(read(fakeGraph([answer])))
        expect(error.message).toBe(`the service answered with status ${answer.status} and more than 16 MiB`)
        expect(error.reason).toMatchObject({ _tag: "Unreadable", status: answer.status })
      }
    })
  )

  it.effect("an answer without end is left after 16 MiB", () =>
    Effect.gen(function* () {
      let left = false
      const chunk = new Uint8Array(1024 * 1024).fill(0x20)
      const endless = new ReadableStream({
        pull: (body) => body.enqueue(chunk),
        cancel: () => {
          left = true
        }
      })
      const error = yield* Effect.flip(read(fakeGraph([new Response(endless)])))
      expect(error.reason._tag).toBe("Unreadable")
      expect(left).toBe(true)
    })
  )
})
