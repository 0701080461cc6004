import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { type AccessToken, GraphClient, type TokenNeed, type TokenSource, TokenUnavailable } from "../../src/index.ts"
import { createGraphClient, tokenFrom } from "../../src/promise.ts"
import { type FakeGraph, errorResponse, fakeGraph } from "../../src/testing.ts"
import { advance, baseUrl, clientOf, device, key } from "../fixtures.ts"

const minute = 60_000

/** A source that gives t1, t2, … and remembers what it was asked. */
const sourceOf = (lifeMillis?: number, answer?: (count: number) => Effect.Effect<AccessToken, TokenUnavailable>) => {
  const needs: Array<TokenNeed> = []
  const source: TokenSource = (need) =>
    Effect.gen(function* () {
      const count = needs.push(need)
      yield* Effect.promise(() => Promise.resolve())
      if (answer !== undefined) return yield* answer(count)
      const now = yield* TestClock.testClockWith((clock) => Effect.succeed(clock.currentTimeMillisUnsafe()))
      const token = Redacted.make(`t${count}`)
      return lifeMillis === undefined ? { token } : { token, expiresAtMillis: now + lifeMillis }
    })
  return { needs, source }
}

const tokensSeen = (graph: FakeGraph) =>
  graph.requests.map(({ headers }) => headers.get("authorization")?.replace("Bearer ", ""))

const answering = () => fakeGraph(() => Response.json(device))

const reading = GraphClient.use((client) => client.getDevice(key))

describe("a source of tokens", () => {
  it.effect("is asked once for all fibers, and again shortly before its token expires", () =>
    Effect.gen(function* () {
      const graph = answering()
      const { needs, source } = sourceOf(60 * minute)
      const client = clientOf(graph, { token: source })
      yield* Effect.gen(function* () {
        yield* Effect.all([reading, reading, reading], { concurrency: "unbounded" })
        yield* advance(54 * minute)
        yield* reading
        expect(needs).toHaveLength(1)
        yield* advance(minute)
        yield* Effect.all([reading, reading, reading], { concurrency: "unbounded" })
      }).pipe(Effect.provide(client))
      expect(needs).toEqual([{ wasRefused: false }, { wasRefused: false }])
      expect(tokensSeen(graph)).toEqual(["t1", "t1", "t1", "t1", "t2", "t2", "t2"])
    })
  )

  it.effect("is asked when it says, where that is earlier", () =>
    Effect.gen(function* () {
      const token = Redacted.make("t")
      const { needs, source } = sourceOf(undefined, () =>
        Effect.succeed({ token, expiresAtMillis: 60 * minute, renewAtMillis: 30 * minute })
      )
      yield* Effect.andThen(reading, Effect.andThen(advance(30 * minute), reading)).pipe(
        Effect.provide(clientOf(answering(), { token: source }))
      )
      expect(needs).toHaveLength(2)
    })
  )

  it.effect("may fail while the last token is still good, and is left alone for half a minute then", () =>
    Effect.gen(function* () {
      const graph = answering()
      const { needs, source } = sourceOf(undefined, (count) =>
        count === 1
          ? Effect.succeed({ token: Redacted.make("t1"), expiresAtMillis: 60 * minute })
          : Effect.fail(new TokenUnavailable({ message: "no network" }))
      )
      yield* Effect.gen(function* () {
        yield* reading
        yield* advance(56 * minute)
        yield* reading
        yield* reading
        expect(needs).toHaveLength(2)
        yield* advance(30_000)
        yield* reading
        expect(needs).toHaveLength(3)
        yield* advance(4 * minute)
        const error = yield* Effect.flip(reading)
        expect(error).toMatchObject({ attempts: 0, message: "no token could be had: no network" })
        expect(error.reason._tag).toBe("Unauthorized")
      }).pipe(Effect.provide(clientOf(graph, { token: source })))
      expect(tokensSeen(graph)).toEqual(["t1", "t1", "t1", "t1"])
    })
  )

  it.effect("that is interrupted leaves the next call to ask again", () =>
    Effect.gen(function* () {
      const { needs, source } = sourceOf(undefined, (count) =>
        count === 1 ? Effect.never : Effect.succeed({ token: Redacted.make("t2") })
      )
      const graph = answering()
      yield* Effect.gen(function* () {
        const client = yield* GraphClient
        const first = yield* Effect.forkChild(client.getDevice(key))
        const second = yield* Effect.forkChild(client.getDevice(key))
        yield* advance(0)
        expect(needs).toHaveLength(1)
        yield* Fiber.interrupt(first)
        expect(yield* Fiber.join(second)).toEqual(device)
      }).pipe(Effect.provide(clientOf(graph, { token: source })))
      expect(tokensSeen(graph)).toEqual(["t2"])
    })
  )

  it.effect("that never answers ends with the deadline", () =>
    Effect.gen(function* () {
      const { source } = sourceOf(undefined, () => Effect.never)
      const graph = answering()
      const running = yield* Effect.forkChild(
        Effect.flip(reading).pipe(Effect.provide(clientOf(graph, { token: source, deadline: "30 seconds" })))
      )
      yield* advance("30 seconds")
      expect(yield* Fiber.join(running)).toMatchObject({ attempts: 0, message: "no token could be had within 30s" })
      expect(graph.requests).toEqual([])
    })
  )

  it.effect.each(["", "two words", "line\nbreak"])("may not give %j", (text) =>
    Effect.gen(function* () {
      const { source } = sourceOf(undefined, () => Effect.succeed({ token: Redacted.make(text) }))
      const graph = answering()
      const error = yield* Effect.flip(reading).pipe(Effect.provide(clientOf(graph, { token: source })))
      expect(error.message).toBe("no token could be had: the token is empty or holds characters that no token has")
      expect(graph.requests).toEqual([])
    })
  )
})

const claims = JSON.stringify({ access_token: { nbf: { essential: true, value: "1700000000" } } })
const challenge = `Bearer realm="", error="insufficient_claims", claims="${btoa(claims)}"`

describe("a token that is refused", () => {
  it.effect("is renewed once for all fibers, and the calls go on", () =>
    Effect.gen(function* () {
      const { needs, source } = sourceOf()
      const graph = fakeGraph(({ headers }) =>
        headers.get("authorization") === "Bearer t1" ? errorResponse(401, {}) : Response.json(device)
      )
      const client = clientOf(graph, { token: source, attempts: 1 })
      const found = yield* Effect.all([reading, reading, reading], { concurrency: "unbounded" }).pipe(
        Effect.provide(client)
      )
      expect(found).toEqual([device, device, device])
      expect(needs).toEqual([{ wasRefused: false }, { wasRefused: true }])
    })
  )

  it.effect("is renewed with the claims that the service asks for", () =>
    Effect.gen(function* () {
      const { needs, source } = sourceOf()
      const refusal = errorResponse(401, {}, { "www-authenticate": challenge })
      const graph = fakeGraph([refusal, Response.json(device)])
      yield* Effect.provide(reading, clientOf(graph, { token: source }))
      expect(needs).toEqual([{ wasRefused: false }, { wasRefused: true, claims }])
      expect(tokensSeen(graph)).toEqual(["t1", "t2"])
    })
  )

  it.effect("twice is Unauthorized, with the claims for whoever can satisfy them", () =>
    Effect.gen(function* () {
      const { needs, source } = sourceOf()
      const graph = fakeGraph(() => errorResponse(401, {}, { "www-authenticate": challenge }))
      const error = yield* Effect.flip(reading).pipe(Effect.provide(clientOf(graph, { token: source })))
      expect(error).toMatchObject({ attempts: 2, reason: { _tag: "Unauthorized", claims } })
      expect(needs).toHaveLength(2)
    })
  )

  it.effect("is not sent again where there is no other", () =>
    Effect.gen(function* () {
      const same = sourceOf(undefined, () => Effect.succeed({ token: Redacted.make("t") }))
      for (const token of [Redacted.make("t"), same.source]) {
        const graph = fakeGraph(() => errorResponse(401, {}))
        const error = yield* Effect.flip(reading).pipe(Effect.provide(clientOf(graph, { token })))
        expect(error).toMatchObject({ attempts: 1, reason: { _tag: "Unauthorized" } })
      }
      expect(same.needs).toHaveLength(2)
    })
  )

  it.effect.each([
    "Bearer",
    'Bearer claims="%%%"',
    `Bearer claims="${btoa("{")}"`,
    `Bearer claims="${"A".repeat(9_000)}"`
  ])("a challenge that cannot be read, %s, is no more than a refusal", (header) =>
    Effect.gen(function* () {
      const graph = fakeGraph([errorResponse(401, {}, { "www-authenticate": header })])
      const error = yield* Effect.flip(reading).pipe(Effect.provide(clientOf(graph)))
      expect(error.reason).not.toHaveProperty("claims")
    })
  )
})

it("a promise is a source too, and what it rejects with is not shown", async () => {
  const failures = [new Error("canary"), "canary", new TokenUnavailable({ message: "sign in first" })]
  const messages: Array<string> = []
  for (const failure of failures) {
    const client = createGraphClient({
      baseUrl,
      fetch: answering().fetch,
      token: tokenFrom(() => Promise.reject(failure))
    })
    await client.getDevice(key).catch((error: Error) => messages.push(error.message))
    await client.close()
  }
  expect(messages).toEqual([
    "no token could be had: the token source failed (Error)",
    "no token could be had: the token source failed",
    "no token could be had: sign in first"
  ])
  const graph = answering()
  const client = createGraphClient({ baseUrl, fetch: graph.fetch, token: tokenFrom(() => Promise.resolve("t1")) })
  await client.getDevice(key)
  expect(tokensSeen(graph)).toEqual(["t1"])
  await client.close()
})
