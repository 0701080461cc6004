import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { type BatchOutcome, GraphClient, type GraphError, type TokenSource } from "../src/index.ts"
import { type FakeAnswer, type FakeGraph, errorResponse, fakeGraph } from "../src/testing.ts"
import { advance, clientOf, devicePath, key } from "./fixtures.ts"

type Client = GraphClient["Service"]

/** What comes back for a request by itself or for a whole batch, and for an item where it can be said of one. */
interface Ending {
  readonly what: string
  /** Whether a write that ends so may have taken effect. */
  readonly isUnknown: boolean
  readonly answer: () => FakeAnswer
  readonly item?: object | "missing"
}

const broker = "Rate limit reached: too many requests to the query broker"

const answered = (status: number, isUnknown: boolean, error: object = {}, what = String(status)): Ending => ({
  what,
  isUnknown,
  answer: () => errorResponse(status, error),
  item: { status, body: { error: { code: "", message: "", ...error } } }
})

const neverConnected = () => {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
  return new Response(new ReadableStream({ pull: (body) => body.error(new TypeError("failed", { cause })) }))
}

const endings: ReadonlyArray<Ending> = [
  ...[302, 400, 401, 403, 404, 405, 409, 412, 413, 424, 429, 501, 503].map((status) => answered(status, false)),
  ...[408, 500, 502, 504, 505, 507].map((status) => answered(status, true)),
  answered(500, false, { message: broker }, "the 500 that means throttling"),
  ...[404, 429, 503].map((status) =>
    answered(status, true, { innerError: { outcome: "unknown" } }, `${status} of a gateway that does not know itself`)
  ),
  { what: "a lost connection", isUnknown: true, answer: () => "connectionLost", item: "missing" },
  { what: "no answer in time", isUnknown: true, answer: () => "hang" },
  { what: "a page", isUnknown: true, answer: () => new Response("<html>", { status: 200 }) },
  { what: "a connection that was never made", isUnknown: false, answer: neverConnected }
]

const methods = ["GET", "POST", "PATCH", "DELETE"] as const

/** The error that a call ends in, tried once. */
const ended = Effect.fnUntraced(function* <A>(
  graph: FakeGraph,
  call: (client: Client) => Effect.Effect<A, GraphError>
) {
  const options = { attempts: 1, deadline: "5 seconds" } as const
  const running = yield* Effect.forkChild(
    Effect.result(Effect.provide(GraphClient.use(call), clientOf(graph, options)))
  )
  for (let turn = 0; turn < 20 && running.pollUnsafe() === undefined; turn++) yield* advance("1 second")
  return yield* Fiber.join(running)
})

const operations: Readonly<Record<string, (client: Client) => Effect.Effect<unknown, GraphError>>> = {
  "GET by getDevice": (client) => client.getDevice(key),
  "POST by createDevice": (client) => client.createDevice(key.metricId, { deviceName: "New" }),
  "PATCH by updateDevice": (client) => client.updateDevice(key, { model: "X" }),
  "DELETE by deleteDevice": (client) => client.deleteDevice(key),
  ...Object.fromEntries(
    methods.map((method) => [`${method} by request`, (client: Client) => client.request({ method, url: "/any" })])
  )
}

const asItem = (item: object | "missing") =>
  fakeGraph(({ method }) =>
    method === "GET"
      ? errorResponse(403, {})
      : Response.json({ responses: item === "missing" ? [] : [{ id: "1", ...item }] })
  )

const flagOf = (error: unknown) => (error as GraphError).outcomeUnknown

describe.each(endings)("after $what", ({ answer, isUnknown, item }) => {
  const expected = (method: string) => (isUnknown && !method.startsWith("GET") ? true : undefined)

  it.effect("a request by itself tells whether its outcome is unknown", () =>
    Effect.gen(function* () {
      for (const [name, call] of Object.entries(operations)) {
        const result = yield* ended(fakeGraph(answer), call)
        expect([name, result]).toEqual([name, expect.objectContaining({ _tag: "Failure" })])
        expect([name, flagOf(result._tag === "Failure" && result.failure)]).toEqual([name, expected(name)])
      }
    })
  )

  it.effect("so does an item of a batch, whether it ended so or the whole batch", () =>
    Effect.gen(function* () {
      for (const method of methods) {
        const graphs = [fakeGraph(answer), ...(item === undefined ? [] : [asItem(item)])]
        for (const graph of graphs) {
          const result = yield* ended<ReadonlyArray<BatchOutcome>>(graph, (client) =>
            client.batch([{ method, url: devicePath }])
          )
          const outcomes = result._tag === "Success" ? result.success : []
          expect(outcomes).toMatchObject([{ kind: "failed", error: { method } }])
          const flags = outcomes.map((outcome) => (outcome.kind === "failed" ? outcome.error.outcomeUnknown : false))
          expect([method, ...flags]).toEqual([method, expected(method)])
        }
      }
    })
  )

  it.effect("a change among many is settled by reading back, or unknown where that tells nothing", () =>
    Effect.gen(function* () {
      const whole = fakeGraph(({ method }) => (method === "GET" ? errorResponse(403, {}) : answer()))
      const graphs = [
        { mode: "single", graph: whole },
        { mode: "batch", graph: whole },
        ...(item === undefined ? [] : [{ mode: "batch", graph: asItem(item) } as const])
      ] as const
      for (const { graph, mode } of graphs) {
        const change = { ...key, update: { model: "X" } }
        const sentBefore = graph.requests.length
        const result = yield* ended(graph, (client) =>
          Stream.runCollect(client.updateDevices(Stream.make(change), { mode }))
        )
        const outcomes = result._tag === "Success" ? result.success : []
        const isReadBack = graph.requests.slice(sentBefore).some(({ method }) => method === "GET")
        const seen = outcomes.map((outcome) => ({
          isUnknown: outcome.kind === "unknown",
          flag: "error" in outcome ? outcome.error.outcomeUnknown : false
        }))
        expect({ mode, isReadBack, seen }).toEqual({
          mode,
          isReadBack: isUnknown,
          seen: [{ isUnknown, flag: expected("PATCH") }]
        })
      }
    })
  )
})

const alone = (answers: ReadonlyArray<FakeAnswer>, method: "PATCH" | "DELETE") =>
  ({ graph: fakeGraph(answers), call: (client: Client) => client.request({ method, url: "/any" }) }) as const

const among = (statuses: ReadonlyArray<number>, method: "PATCH" | "DELETE") =>
  ({
    graph: fakeGraph((_, index) => Response.json({ responses: [{ id: "1", status: statuses[index], body: {} }] })),
    call: (client: Client) =>
      Effect.flatMap(client.batch([{ method, url: "/any" }]), ([outcome]) =>
        outcome?.kind === "failed" ? Effect.fail(outcome.error) : Effect.succeed(outcome)
      )
  }) as const

const ending = <A>({ call, graph }: { graph: FakeGraph; call: (client: Client) => Effect.Effect<A, GraphError> }) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(Effect.result(Effect.provide(GraphClient.use(call), clientOf(graph))))
    yield* advance("1 minute")
    return yield* Fiber.join(running)
  })

const tokenOnce: TokenSource = ({ wasRefused }) =>
  wasRefused ? Effect.never : Effect.succeed({ token: Redacted.make("t0ken") })

describe("what an attempt before the last left unknown", () => {
  it.effect("stays unknown when the last one is refused, alone and in a batch", () =>
    Effect.gen(function* () {
      const both = [
        yield* ending(alone([errorResponse(504, {}), errorResponse(403, {})], "PATCH")),
        yield* ending(among([504, 403], "PATCH"))
      ]
      for (const result of both) {
        expect(result).toMatchObject({ _tag: "Failure", failure: { status: 403, attempts: 2, outcomeUnknown: true } })
      }
    })
  )

  it.effect("is nothing where the last one was refused for its token, and there was no time for another", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([errorResponse(401, {})])
      const update = GraphClient.use((client) => client.updateDevice(key, { model: "X" }))
      const running = yield* Effect.forkChild(
        Effect.flip(Effect.provide(update, clientOf(graph, { token: tokenOnce })))
      )
      yield* advance("2 minutes")
      const error = yield* Fiber.join(running)
      expect(error).toMatchObject({ attempts: 1, reason: { _tag: "Unavailable", isTimeUp: true } })
      expect(error.outcomeUnknown).toBeUndefined()
    })
  )

  it.effect("of a removal is known when the last one finds nothing there, alone and in a batch", () =>
    Effect.gen(function* () {
      const both = [
        yield* ending(alone([errorResponse(504, {}), errorResponse(404, {})], "DELETE")),
        yield* ending(among([504, 404], "DELETE"))
      ]
      for (const result of both) expect(result).toMatchObject({ _tag: "Success", success: { status: 204 } })
    })
  )
})
