import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import {
  type DeviceChange,
  type DeviceOutcome,
  GraphClient,
  type GraphClientOptions,
  type UpdateDevicesOptions,
  publishedBudget
} from "../../src/index.ts"
import { type FakeAnswer, type FakeGraph, errorResponse, fakeGraph } from "../../src/testing.ts"
import { type Faults, batchService } from "../batch-service.ts"
import { advance, clientOf, settled } from "../fixtures.ts"

const change = (deviceId: string, update: DeviceChange["update"] = { model: "X" }): DeviceChange => ({
  metricId: "allDevices",
  deviceId,
  update
})

const changesOf = (count: number): ReadonlyArray<DeviceChange> =>
  Array.from({ length: count }, (_, index) =>
    change(`device-${index}`, { windowsScore: index % 100, ownership: "Corporate" })
  )

const run = <E = never>(
  graph: FakeGraph,
  changes: Iterable<DeviceChange> | Stream.Stream<DeviceChange, E>,
  options: UpdateDevicesOptions = {},
  client: Partial<GraphClientOptions> = {}
) =>
  GraphClient.use((it) =>
    Stream.runCollect(
      it.updateDevices(Stream.isStream(changes) ? changes : Stream.fromIterable(changes), { mode: "batch", ...options })
    )
  ).pipe(Effect.provide(clientOf(graph, client)))

/** What comes of it, with time moved on for as long as it takes. */
const finished = Effect.fnUntraced(function* <A, E>(program: Effect.Effect<A, E>, step = 5_000) {
  const fiber = yield* Effect.forkChild(program)
  for (let turn = 0; turn < 400 && fiber.pollUnsafe() === undefined; turn++) yield* advance(step)
  return yield* Fiber.join(fiber)
})

const kindsOf = (outcomes: ReadonlyArray<DeviceOutcome>) =>
  Object.fromEntries(outcomes.map(({ change: { deviceId }, kind }) => [deviceId, kind]))

interface Item {
  readonly id: string
  readonly url: string
  readonly method: string
  readonly body?: object
}

interface Batch {
  readonly requests: ReadonlyArray<Item>
}

/** The devices of each batch, in the order in which they stood in it. */
const batchesIn = ({ requests }: FakeGraph) =>
  requests
    .filter(({ url }) => url.pathname.endsWith("/$batch"))
    .map(({ body }) => (body as Batch).requests.map(({ url }) => url.split("/").at(-1)))

const sentTo = (graph: FakeGraph, deviceId: string) =>
  batchesIn(graph)
    .flat()
    .filter((other) => other === deviceId).length

/** A service whose first answer to each device is a fault. */
const onceFaulty = (faults: Readonly<Record<string, ReturnType<NonNullable<Faults["item"]>>>>, more: Faults = {}) =>
  batchService({ ...more, item: ({ deviceId, index }) => (index === 0 ? faults[deviceId] : undefined) })

describe("outcomes", () => {
  it.effect("are one for each device, with the change as it was given", () =>
    Effect.gen(function* () {
      const service = batchService()
      const changes = changesOf(45)
      const outcomes = yield* finished(run(service.graph, changes))
      expect(outcomes.map(({ kind }) => kind)).toEqual(Array(45).fill("updated"))
      expect(new Set(outcomes.map((outcome) => outcome.change))).toEqual(new Set(changes))
      expect(service.batchSizes).toEqual([20, 20, 5])
    })
  )

  it.effect("tell updated, unchanged, refused, failed and unknown apart, with reasons", () =>
    Effect.gen(function* () {
      const stored = { upgradeEligibility: "unknown", healthStatus: "unknown" }
      const answerTo = ({ body, id, url }: Item) => {
        const deviceId = url.split("/").at(-1) ?? ""
        const error = { error: { code: "ResourceNotFound", message: "Not here." } }
        switch (deviceId) {
          case "updated":
            return [{ id, status: 200, body: { ...stored, id: deviceId, ...body } }]
          case "cut":
            return [{ id, status: 200, body: { ...stored, id: deviceId, ...body, windowsScore: 1 } }]
          case "ignored":
            return [{ id, status: 200, body: { ...stored, id: deviceId, model: "old", windowsScore: 1 } }]
          case "bodiless":
            return [{ id, status: 204 }]
          case "refused":
            return [{ id, status: 404, body: error }]
          case "failed":
            return [{ id, status: 503, body: error }]
          default:
            return []
        }
      }
      const graph = fakeGraph(({ body, method }) =>
        method === "GET"
          ? errorResponse(403, { code: "Forbidden" })
          : Response.json({ responses: (body as Batch).requests.flatMap(answerTo) })
      )
      const names = ["updated", "cut", "ignored", "bodiless", "refused", "failed", "unknown"]
      const changes = [
        ...names.map((name) => change(name, { model: "X", windowsScore: 7 })),
        change("..", { model: "X" }),
        change("wrong", { windowsScore: 101 })
      ]
      const outcomes = yield* finished(run(graph, changes))
      const byName = Object.fromEntries(outcomes.map(({ change: { deviceId }, ...rest }) => [deviceId, rest]))
      expect(byName).toMatchObject({
        updated: { kind: "updated", attempts: 1, differing: [], device: { model: "X" } },
        cut: { kind: "updated", differing: ["windowsScore"] },
        ignored: { kind: "unchanged", differing: ["model", "windowsScore"], device: { model: "old" } },
        bodiless: { kind: "updated", attempts: 1, differing: [] },
        refused: { kind: "refused", attempts: 1, error: { reason: { _tag: "NotFound" }, message: "Not here." } },
        failed: { kind: "failed", attempts: 5, error: { status: 503, reason: { _tag: "Unavailable" } } },
        unknown: { kind: "unknown", attempts: 5, error: { outcomeUnknown: true, reason: { _tag: "Unavailable" } } },
        "..": { kind: "refused", attempts: 0, error: { reason: { _tag: "Invalid" } } },
        wrong: { kind: "refused", attempts: 0, error: { reason: { _tag: "Invalid" } } }
      })
      expect(outcomes.length).toBe(changes.length)
      expect(byName["refused"]).toMatchObject({
        error: {
          method: "PATCH",
          path: expect.stringMatching(/\/metricDevices\/refused$/),
          template: expect.stringMatching(/\{metricId\}\/metricDevices\/\{deviceId\}$/)
        }
      })
      expect(sentTo(graph, "wrong") + sentTo(graph, "..")).toBe(0)
    })
  )

  it.effect.each([null, undefined, 7, "a", {}, { metricId: 1, deviceId: 2, update: null }])(
    "of %j, which a program without a compiler may give, is refused, and the others are made",
    (odd) =>
      Effect.gen(function* () {
        const service = batchService()
        const outcomes = yield* finished(run(service.graph, [change("a"), odd as unknown as DeviceChange, change("b")]))
        expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(["refused", "updated", "updated"])
        const refused = outcomes.find(({ kind }) => kind === "refused")
        expect(refused?.change).toBe(odd)
        expect(refused).toMatchObject({ attempts: 0, error: { reason: { _tag: "Invalid" } } })
      })
  )

  it.effect("come for what was sent before the source of the changes failed, and then its error", () =>
    Effect.gen(function* () {
      const service = batchService()
      const source = Stream.concat(Stream.fromIterable(changesOf(30)), Stream.fail("the file ended early"))
      const kinds: Array<string> = []
      const program = GraphClient.use((client) =>
        Effect.flip(
          Stream.runForEach(client.updateDevices(source, { mode: "batch" }), ({ kind }) =>
            Effect.sync(() => kinds.push(kind))
          )
        )
      ).pipe(Effect.provide(clientOf(service.graph)))
      expect(yield* finished(program)).toBe("the file ended early")
      expect(kinds).toEqual(Array(30).fill("updated"))
    })
  )

  it.effect(
    "are pulled in constant memory: never more changes are held than a few batches, however many there are",
    () =>
      Effect.gen(function* () {
        const service = batchService()
        let [pulled, settledCount, most] = [0, 0, 0]
        function* source() {
          for (let index = 0; index < 5_000; index++) {
            pulled += 1
            most = Math.max(most, pulled - settledCount)
            yield change(`device-${index}`)
          }
        }
        const program = GraphClient.use((client) =>
          Stream.runForEach(
            client.updateDevices(Stream.fromIterable(source(), { chunkSize: 1 }), { mode: "batch" }),
            () => Effect.sync(() => (settledCount += 1))
          )
        ).pipe(Effect.provide(clientOf(service.graph)))
        yield* finished(program)
        expect(settledCount).toBe(5_000)
        expect(most).toBeLessThan(400)
      })
  )
})

describe("two changes to one device", () => {
  it.effect("are never in one batch, and keep their order, in whatever case its id is written", () =>
    Effect.gen(function* () {
      const service = batchService({
        item: ({ deviceId, index }) => (deviceId.toLowerCase() === "a" && index === 0 ? { status: 503 } : undefined)
      })
      const models = ["1", "2", "3"]
      const changes = [
        ...models.map((model, index) => change(index === 1 ? "A" : "a", { model })),
        change("b", { model: "1" }),
        change("b", { model: "2" })
      ]
      const outcomes = yield* finished(run(service.graph, changes))
      expect(outcomes.map(({ kind }) => kind)).toEqual(Array(5).fill("updated"))
      for (const devices of batchesIn(service.graph)) {
        const ids = devices.map((id) => id?.toLowerCase())
        expect(new Set(ids).size).toBe(ids.length)
      }
      expect(service.made.filter((body) => (body as { model: string }).model === "3").length).toBe(1)
      expect(service.devices.get("a")).toMatchObject({ model: "3" })
      expect(service.devices.get("b")).toMatchObject({ model: "2" })
      const order = service.graph.requests
        .flatMap(({ body }) => (body as Batch).requests)
        .filter(({ url }) => /\/a$/i.test(url))
        .map(({ body }) => (body as { model: string }).model)
      expect(order).toEqual(order.toSorted())
    })
  )

  it.effect("far apart wait for each other too", () =>
    Effect.gen(function* () {
      const service = onceFaulty({ "device-0": { status: 503, retryAfter: "30" } })
      const changes = [...changesOf(60), change("device-0", { model: "last" })]
      const outcomes = yield* finished(run(service.graph, changes))
      expect(outcomes.length).toBe(61)
      expect(service.devices.get("device-0")).toMatchObject({ model: "last", ownership: "Corporate" })
      expect(service.received.get("device-0")?.at(-1)).toEqual({ model: "last" })
    })
  )
})

describe("items of a batch", () => {
  it.effect(
    "are told apart by their ids, in whatever order the answers come, and only failed ones are sent again",
    () =>
      Effect.gen(function* () {
        const service = onceFaulty({
          "device-3": { status: 429, retryAfter: "1" },
          "device-5": { status: 503 },
          "device-7": { status: 424 },
          "device-8": "missing",
          "device-9": { status: 504 },
          "device-11": { status: 404 }
        })
        const outcomes = yield* finished(run(service.graph, changesOf(20)))
        const again = new Set(["device-3", "device-5", "device-7", "device-8", "device-9"])
        for (const { change: made, attempts, kind } of outcomes) {
          expect([made.deviceId, kind]).toEqual([made.deviceId, made.deviceId === "device-11" ? "refused" : "updated"])
          expect([made.deviceId, attempts]).toEqual([made.deviceId, again.has(made.deviceId) ? 2 : 1])
          expect(sentTo(service.graph, made.deviceId)).toBe(attempts)
        }
      })
  )

  it.effect("that are throttled keep everyone waiting until the longest of their Retry-Afters is over", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const broker = "Rate limit reached: too many requests to the query broker"
      const times: Array<number> = []
      const graph = fakeGraph(({ body }) => {
        times.push(clock.currentTimeMillisUnsafe())
        const isFirst = times.length === 1
        return Response.json({
          responses: (body as Batch).requests.map(({ id, body: sent }, index) => {
            if (!isFirst || index > 2) return { id, status: 200, body: { id: "x", ...sent } }
            const headers = { "Retry-After": ["7", "40", "3"][index] }
            return index === 1
              ? { id, status: 500, headers, body: { error: { code: "InternalServerError", message: broker } } }
              : { id, status: 429, headers, body: { error: { code: "TooManyRequests", message: "" } } }
          })
        })
      })
      const running = yield* Effect.forkChild(run(graph, changesOf(40), { concurrency: 1 }))
      yield* advance(39_999)
      expect(times).toEqual([0])
      yield* advance(1)
      expect(times[1]).toBe(40_000)
      const outcomes = yield* finished(Fiber.join(running))
      expect(outcomes.every(({ kind }) => kind === "updated")).toBe(true)
    })
  )
})

describe("a batch that fails as a whole", () => {
  it.effect.each([
    { status: 429, headers: { "retry-after": "3" } },
    { status: 413, headers: {} },
    { status: 424, headers: {} },
    { status: 500, headers: {} },
    { status: 502, headers: {} },
    { status: 503, headers: {} },
    { status: 504, headers: {} }
  ])("with $status is followed by batches of half its size", ({ headers, status }) =>
    Effect.gen(function* () {
      const service = batchService({
        envelope: (index) => (index === 0 ? { answer: errorResponse(status, {}, headers) } : undefined)
      })
      const outcomes = yield* finished(run(service.graph, changesOf(20)))
      expect(outcomes.map(({ kind }) => kind)).toEqual(Array(20).fill("updated"))
      expect(service.batchSizes).toEqual([20, 10, 10])
    })
  )

  it.effect("is halved as often as it takes, and grows again when all goes well", () =>
    Effect.gen(function* () {
      const service = batchService({
        envelope: (index, size) => (index < 4 && size > 5 ? { answer: errorResponse(413, {}) } : undefined)
      })
      const outcomes = yield* finished(run(service.graph, changesOf(120), { concurrency: 1 }))
      expect(outcomes.map(({ kind }) => kind)).toEqual(Array(120).fill("updated"))
      expect(service.batchSizes.slice(0, 4)).toEqual([20, 10, 10, 5])
      expect(service.batchSizes.at(-1)).toBe(20)
    })
  )

  it.effect.each([400, 404, 405, 501])("with %i is given up, and its items are sent one by one", (status) =>
    Effect.gen(function* () {
      const service = batchService({
        envelope: (_, size) => (size > 1 ? { answer: errorResponse(status, {}) } : undefined)
      })
      const outcomes = yield* finished(run(service.graph, changesOf(20), { mode: "auto" }))
      expect(outcomes.map(({ attempts, kind }) => `${kind} ${attempts}`)).toEqual(Array(20).fill("updated 2"))
      expect(service.batchSizes).toEqual([20])
      expect(service.graph.requests.length).toBe(21)
    })
  )
})

describe("an answer that never came", () => {
  const lost: ReadonlyArray<{ readonly what: string; readonly answer: () => FakeAnswer }> = [
    { what: "a lost connection", answer: () => "connectionLost" },
    { what: "504", answer: () => errorResponse(504, {}) },
    { what: "an answer that breaks off", answer: () => new Response('{"responses":[{"id":"1","sta') },
    { what: "a page instead of it", answer: () => new Response("<html>") }
  ]

  it.effect.each(lost)("$what: what was made is found by reading, and is not sent again", ({ answer }) =>
    Effect.gen(function* () {
      const service = batchService({
        envelope: (index) => (index === 0 ? { isMade: true, answer: answer() } : undefined)
      })
      const outcomes = yield* finished(run(service.graph, changesOf(3)))
      expect(outcomes.map(({ attempts, kind }) => `${kind} ${attempts}`)).toEqual(Array(3).fill("updated 1"))
      expect(service.batchSizes).toEqual([3])
      expect(service.graph.requests.filter(({ method }) => method === "GET").length).toBe(3)
    })
  )

  it.effect.each(lost)("$what: what was not made is sent again", ({ answer }) =>
    Effect.gen(function* () {
      const service = batchService({ envelope: (index) => (index === 0 ? { answer: answer() } : undefined) })
      const outcomes = yield* finished(run(service.graph, changesOf(3)))
      expect(outcomes.map(({ attempts, kind }) => `${kind} ${attempts}`)).toEqual(Array(3).fill("updated 2"))
    })
  )

  it.effect("the device is compared field by field and by value: one that differs was not made", () =>
    Effect.gen(function* () {
      const stored = { upgradeEligibility: "unknown", healthStatus: "unknown", "@odata.etag": "x" }
      const held: Record<string, string> = {
        same: JSON.stringify({ ...stored, id: "same", model: "X", windowsScore: 7 }).replace(":7", ":7.0"),
        other: JSON.stringify({ ...stored, id: "other", model: "X", windowsScore: 8 })
      }
      const graph = fakeGraph(({ body, method, url }) => {
        if (method === "GET") {
          const headers = { "content-type": "application/json" }
          return new Response(held[url.pathname.split("/").at(-1) ?? ""], { headers })
        }
        const { requests } = body as Batch
        if (requests.length === 2) return "connectionLost"
        return Response.json({ responses: requests.map(({ id }) => ({ id, status: 204 })) })
      })
      const outcomes = yield* finished(
        run(graph, [change("same", { model: "X", windowsScore: 7 }), change("other", { model: "X", windowsScore: 7 })])
      )
      const attempts = Object.fromEntries(outcomes.map((outcome) => [outcome.change.deviceId, outcome.attempts]))
      expect(kindsOf(outcomes)).toEqual({ same: "updated", other: "updated" })
      expect(attempts).toEqual({ same: 1, other: 2 })
    })
  )

  it.effect("of a device that is gone by then is no success", () =>
    Effect.gen(function* () {
      const graph = fakeGraph(({ body, method }, index) => {
        if (method === "GET") return errorResponse(404, {})
        if (index === 0) return "connectionLost"
        return Response.json({ responses: (body as Batch).requests.map(({ id }) => ({ id, status: 404, body: {} })) })
      })
      expect(kindsOf(yield* finished(run(graph, [change("a")])))).toEqual({ a: "refused" })
    })
  )
})

describe("the way they are sent", () => {
  it.effect("can be forced to single requests", () =>
    Effect.gen(function* () {
      const service = batchService()
      const outcomes = yield* finished(run(service.graph, changesOf(25), { mode: "single" }))
      expect(outcomes.map(({ kind }) => kind)).toEqual(Array(25).fill("updated"))
      expect(service.batchSizes).toEqual([])
      expect(service.graph.requests.length).toBe(25)
    })
  )

  it.effect("can be forced to batches, of one as well", () =>
    Effect.gen(function* () {
      const service = batchService()
      yield* finished(run(service.graph, [change("a")], { mode: "batch" }))
      expect(service.batchSizes).toEqual([1])
    })
  )

  it.effect("keeps the published limits, items counted one by one, and uses them up", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const times: Array<number> = []
      const service = batchService({
        item: () => {
          times.push(clock.currentTimeMillisUnsafe())
          return undefined
        }
      })
      yield* finished(run(service.graph, changesOf(700), {}, { budget: publishedBudget }), 500)
      expect(times.length).toBe(700)
      const windows = times.map((at) => times.filter((other) => other > at - 20_000 && other <= at).length)
      expect(Math.max(...windows)).toBeLessThanOrEqual(200)
      expect(times.at(-1)).toBeLessThan(70_000)
    })
  )

  it.effect("reads first where it is told to, and writes only what would change", () =>
    Effect.gen(function* () {
      const service = batchService()
      yield* finished(run(service.graph, changesOf(30)))
      const before = service.made.length
      const changes = [...changesOf(30).slice(0, 29), change("device-29", { ownership: "Personal" })]
      const outcomes = yield* finished(run(service.graph, changes, { skipEqual: true }))
      expect(outcomes.filter(({ kind }) => kind === "unchanged").length).toBe(29)
      expect(kindsOf(outcomes)).toMatchObject({ "device-0": "unchanged", "device-29": "updated" })
      expect(service.made.length).toBe(before + 1)
    })
  )
})

describe("the deadline of all", () => {
  it.effect.each(["batch", "single"] as const)("ends what is under way, and nothing is sent after it (%s)", (mode) =>
    Effect.gen(function* () {
      const graph = fakeGraph(() => "hang")
      const running = yield* Effect.forkChild(run(graph, changesOf(200), { mode, deadline: "10 seconds" }))
      yield* advance(9_999)
      const sent = graph.requests.length
      expect(sent).toBeGreaterThan(0)
      yield* advance(1)
      yield* settled
      const outcomes = yield* Fiber.join(running)
      expect(outcomes.length).toBe(200)
      expect(graph.requests.length).toBe(sent)
      const unknown = outcomes.filter(({ kind }) => kind === "unknown")
      expect(unknown.length).toBeGreaterThan(0)
      for (const outcome of unknown) {
        expect(outcome).toMatchObject({ attempts: 1, error: { outcomeUnknown: true, reason: { isTimeUp: true } } })
      }
      const others = outcomes.filter(({ kind }) => kind !== "unknown")
      for (const outcome of others) {
        expect(outcome).toMatchObject({ kind: "failed", attempts: 0, error: { attempts: 0 } })
        expect(outcome).not.toHaveProperty("error.outcomeUnknown")
      }
    })
  )

  it.effect("is told at once where a wait would pass it, with how long that would be", () =>
    Effect.gen(function* () {
      const service = batchService({
        envelope: () => ({ answer: errorResponse(429, {}, { "retry-after": "3600" }) })
      })
      const outcomes = yield* Effect.forkChild(run(service.graph, changesOf(5), { deadline: "1 minute" }))
      yield* advance(1)
      for (const outcome of yield* Fiber.join(outcomes)) {
        expect(outcome).toMatchObject({ kind: "failed", error: { reason: { _tag: "Throttled" } } })
        expect(outcome).toHaveProperty("error.reason.retryAfterSeconds", expect.closeTo(3_600, 0))
      }
    })
  )
})

it.effect("who stops early is told of what was sent and not answered", () =>
  Effect.gen(function* () {
    const graph = fakeGraph(() => "hang")
    const told: Array<DeviceOutcome> = []
    const onInterrupt = (outcomes: ReadonlyArray<DeviceOutcome>) => Effect.sync(() => void told.push(...outcomes))
    const running = yield* Effect.forkChild(run(graph, changesOf(30), { onInterrupt, concurrency: 1 }))
    yield* advance("1 second")
    yield* Fiber.interrupt(running)
    expect(kindsOf(told)).toEqual(Object.fromEntries(changesOf(20).map(({ deviceId }) => [deviceId, "unknown"])))
  })
)

it.effect("a deadline that is no duration is the reason why each change is refused, and nothing is sent", () =>
  Effect.gen(function* () {
    const service = batchService({})
    // As a program without a compiler may give it.
    const outcomes = yield* finished(run(service.graph, changesOf(3), { deadline: "soon" as "1 second" }))
    const reason = { _tag: "Invalid", issues: [{ path: "deadline" }] }
    expect(outcomes).toMatchObject([1, 2, 3].map(() => ({ kind: "refused", error: { reason } })))
    expect(service.graph.requests).toEqual([])
  })
)
