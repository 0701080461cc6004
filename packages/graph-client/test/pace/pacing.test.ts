import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { GraphClient, type GraphClientOptions, type Pacing, publishedBudget } from "../../src/index.ts"
import { errorResponse, fakeGraph } from "../../src/testing.ts"
import { batchService } from "../batch-service.ts"
import { advance, baseUrl, clientOf, device, key } from "../fixtures.ts"

/** What each gauge says, by its name and lane. */
const gauges = Effect.map(Metric.snapshot, (all) =>
  Object.fromEntries(
    all
      .filter(({ id }) => id.startsWith("graph_client_"))
      .map(({ attributes, id, state }) => [`${id} ${attributes?.["lane"]}`, { attributes, state }])
  )
)

const valueOf = (name: string) =>
  Effect.map(gauges, (all) => (all[name]?.state as { value?: number } | undefined)?.value)

/** Metrics of a program's own. */
const measured = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

const changes = (count: number) =>
  Stream.map(Stream.range(0, count - 1), (index) => ({
    metricId: "allDevices",
    deviceId: `device-${index}`,
    update: { model: "X" }
  }))

const using = (tenant: string, options: Partial<GraphClientOptions> = {}) =>
  Layer.orDie(
    GraphClient.layerFetch({ baseUrl, tenant, app: "one", ...options }, fakeGraph(() => Response.json(device)).fetch)
  )

it.effect("the gauges show what a bulk update waits for, and the stream of pacing counts it down", () =>
  Effect.gen(function* () {
    const service = batchService()
    const live = clientOf(service.graph, { tenant: "counted", app: "one", budget: publishedBudget })
    yield* Effect.gen(function* () {
      const client = yield* GraphClient
      const seen: Array<Pacing> = []
      const watching = yield* Effect.forkChild(
        Stream.runForEach(client.pacing("write", "1 second"), (pacing) => Effect.sync(() => seen.push(pacing)))
      )
      const running = yield* Effect.forkChild(
        Stream.runDrain(client.updateDevices(changes(300), { mode: "batch", concurrency: 15 }))
      )
      yield* advance(100)
      const all = yield* gauges
      expect(Object.keys(all).toSorted()).toEqual(
        ["drain_seconds", "in_flight", "learned_share", "queued", "rate"].flatMap((name) => [
          `graph_client_${name} read`,
          `graph_client_${name} write`
        ])
      )
      expect(all["graph_client_rate write"]).toMatchObject({
        attributes: { server: "graph.example", tenant: "counted", app: "one", lane: "write" },
        state: { value: 10 }
      })
      expect(yield* valueOf("graph_client_rate read")).toBe(100)
      expect(yield* valueOf("graph_client_learned_share write")).toBe(1)
      const queued = yield* valueOf("graph_client_queued write")
      expect(queued).toBeGreaterThan(200)
      // Ten a second: what waits is sent within a second of what the gauge says.
      const drainSeconds = (yield* valueOf("graph_client_drain_seconds write")) ?? 0
      expect(Math.abs(drainSeconds - (queued ?? 0) / 10)).toBeLessThan(3)

      for (let second = 0; second < 40 && running.pollUnsafe() === undefined; second++) yield* advance("1 second")
      yield* Fiber.join(running)
      expect(yield* valueOf("graph_client_queued write")).toBe(0)
      const waiting = seen.map((pacing) => pacing.queued).filter((count) => count > 0)
      expect(waiting.length).toBeGreaterThan(10)
      expect(waiting).toEqual(waiting.toSorted((one, other) => other - one))
      yield* Fiber.interrupt(watching)
    }).pipe(Effect.provide(live))
  }).pipe(measured)
)

/** A client that is there as long as its scope. */
const clientIn = (scope: Scope.Scope, options: Partial<GraphClientOptions>) =>
  Layer.buildWithScope(using("shared", options), scope)

it.effect("clients that share a gate share its gauges, which are there until the last of them goes", () =>
  Effect.gen(function* () {
    const [first, second] = [yield* Scope.make(), yield* Scope.make()]
    const rate = valueOf("graph_client_rate write")
    yield* clientIn(first, { budget: 1 })
    expect(yield* rate).toBe(10)
    yield* clientIn(second, { budget: 0.5 })
    expect(yield* rate).toBe(10)
    yield* Scope.close(first, Exit.void)
    expect(yield* rate).toBe(5)
    const third = yield* Scope.make()
    yield* clientIn(third, { budget: 1 })
    yield* Scope.close(second, Exit.void)
    expect(yield* rate).toBe(10)
    yield* Scope.close(third, Exit.void)
    expect(yield* gauges).toEqual({})
  }).pipe(measured)
)

it.effect("a rate that was asked to slow down shows as what was learned, and climbs back", () =>
  Effect.gen(function* () {
    const graph = fakeGraph([
      new Response(null, { status: 429, headers: { "retry-after": "5" } }),
      ...Array.from({ length: 3 }, () => Response.json(device))
    ])
    yield* Effect.gen(function* () {
      const client = yield* GraphClient
      const running = yield* Effect.forkChild(client.getDevice(key))
      yield* advance(10)
      expect(yield* valueOf("graph_client_rate read")).toBe(0)
      expect(yield* valueOf("graph_client_learned_share read")).toBeCloseTo(0.7)
      expect(yield* valueOf("graph_client_queued read")).toBe(1)
      yield* advance("5 seconds")
      yield* Fiber.join(running)
      const rates: Array<number> = []
      for (let step = 0; step < 30; step++) {
        yield* advance("5 seconds")
        rates.push((yield* valueOf("graph_client_rate read")) ?? 0)
      }
      expect(rates[0]).toBeLessThan(60)
      expect(rates).toEqual(rates.toSorted((one, other) => one - other))
      expect(rates.at(-1)).toBe(100)
    }).pipe(Effect.provide(clientOf(graph, { tenant: "slowed", budget: publishedBudget })))
  }).pipe(measured)
)

/** A service whose window holds so many writes for us, because others of the tenant use the rest of it. */
const sharedService = (now: () => number, leftFor: (at: number) => number) => {
  const taken: Array<number> = []
  const refusedAt: Array<number> = []
  const graph = fakeGraph(() => {
    const at = now()
    while ((taken[0] ?? Infinity) <= at - 20_000) taken.shift()
    const room = leftFor(at)
    if (taken.length >= room) {
      refusedAt.push(at)
      const free = (taken[taken.length - room] ?? at) + 20_000 - at
      return errorResponse(429, {}, { "retry-after": String(Math.ceil(free / 1_000)) })
    }
    taken.push(at)
    return Response.json(device)
  })
  return { graph, refusedAt }
}

it.effect(
  "a lower limit is learned while others use the tenant's budget, and the whole comes back when they are gone",
  () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const now = () => clock.currentTimeMillisUnsafe()
      const minute = 60_000
      const { graph, refusedAt } = sharedService(now, (at) => (at < 10 * minute ? 100 : 200))
      yield* Effect.gen(function* () {
        const client = yield* GraphClient
        let made = 0
        const running = yield* Effect.forkChild(
          Stream.runForEach(client.updateDevices(changes(1_000_000), { mode: "single", concurrency: 1 }), ({ kind }) =>
            Effect.sync(() => {
              expect(kind).toBe("updated")
              made += 1
            })
          )
        )
        const shares: Array<number> = []
        for (let second = 0; second < 16 * 60; second++) {
          yield* advance("1 second")
          if (second > 60 && second < 10 * 60) shares.push((yield* valueOf("graph_client_learned_share write")) ?? 0)
        }
        yield* Fiber.interrupt(running)

        // A new app that knows nothing of the others would be refused about once in two of its requests.
        const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length
        expect(mean).toBeGreaterThan(0.3)
        expect(mean).toBeLessThan(0.75)
        const late = refusedAt.filter((at) => at > minute && at < 10 * minute)
        expect(late.length).toBeLessThan(9 * 60 * 5 * 0.05)
        expect(refusedAt.filter((at) => at > 11 * minute)).toEqual([])
        expect(yield* valueOf("graph_client_learned_share write")).toBe(1)
        expect(yield* valueOf("graph_client_rate write")).toBe(10)
        // Most of what the service had room for: 100 in 20 seconds for ten minutes, then 200.
        expect(made).toBeGreaterThan(0.7 * (30 * 100 + 18 * 200))
      }).pipe(Effect.provide(clientOf(graph, { tenant: "shared with others", budget: publishedBudget })))
    }).pipe(measured)
)
