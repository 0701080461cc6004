import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { type BatchOptions, type BatchRequest, GraphClient, type GraphClientOptions } from "../../src/index.ts"
import { type FakeAnswer, type FakeGraph, errorResponse, fakeGraph } from "../../src/testing.ts"
import { advance, clientOf, devicePath, key } from "../fixtures.ts"

interface Item {
  readonly id: string
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }

/** Answers each item by itself, the last one first; `undefined` is an answer that is missing. */
const answering = (answerTo: (item: Item, index: number) => Answer | FakeAnswer | undefined) =>
  fakeGraph(({ body }, index) => {
    const { requests } = body as { readonly requests: ReadonlyArray<Item> }
    const responses: Array<object> = []
    for (const item of requests) {
      const answer = answerTo(item, index)
      if (answer instanceof Response || typeof answer === "string") return answer
      if (answer !== undefined) responses.unshift({ id: item.id.toUpperCase(), ...answer })
    }
    return Response.json({ responses })
  })

const urlsIn = ({ requests }: FakeGraph) =>
  requests.map(({ body }) => (body as { readonly requests: ReadonlyArray<Item> }).requests.map(({ url }) => url))

const batch = Effect.fnUntraced(function* (
  graph: FakeGraph,
  requests: ReadonlyArray<BatchRequest>,
  options: BatchOptions = {},
  client: Partial<GraphClientOptions> = {}
) {
  const sending = GraphClient.use((it) => it.batch(requests, options)).pipe(Effect.provide(clientOf(graph, client)))
  const running = yield* Effect.forkChild(sending)
  for (let turn = 0; turn < 200 && running.pollUnsafe() === undefined; turn++) yield* advance("1 second")
  return yield* Fiber.join(running)
})

const get = (url: string): BatchRequest => ({ method: "GET", url })

const ok = ({ url }: Item): Answer => ({ status: 200, headers: { ETag: "x" }, body: { url } })

describe("any batch", () => {
  it.effect("goes out in groups of twenty, and has an outcome for each request, in their order", () =>
    Effect.gen(function* () {
      const graph = answering(ok)
      const urls = Array.from({ length: 45 }, (_, index) => `/any/${index}?$top=${index}`)
      const outcomes = yield* batch(graph, urls.map(get))
      expect(urlsIn(graph).map((group) => group.length)).toEqual([20, 20, 5])
      expect(outcomes).toEqual(
        urls.map((url) => ({ kind: "answered", status: 200, headers: { etag: "x" }, body: { url } }))
      )
    })
  )

  it.effect("of nothing sends nothing", () =>
    Effect.gen(function* () {
      const graph = answering(ok)
      expect(yield* batch(graph, [])).toEqual([])
      expect(graph.requests).toEqual([])
    })
  )

  it.effect("has a body with its content type, and the headers that were given", () =>
    Effect.gen(function* () {
      const graph = answering(({ body, headers, method }) => ({ status: 201, body: { body, headers, method } }))
      const request = { method: "POST", url: "/any", headers: { "if-match": "y" }, body: { a: [1] } } as const
      expect(yield* batch(graph, [request])).toMatchObject([
        {
          kind: "answered",
          status: 201,
          body: { method: "POST", body: { a: [1] }, headers: { "if-match": "y", "content-type": "application/json" } }
        }
      ])
    })
  )

  it.effect("sends only those again that failed, as long as it can help", () =>
    Effect.gen(function* () {
      const first: Readonly<Record<string, Answer>> = {
        "/throttled": { status: 429, headers: { "Retry-After": "2" } },
        "/later": { status: 503 },
        "/dependent": { status: 424 },
        "/refused": { status: 403, body: { error: { code: "Forbidden", message: "No." } } }
      }
      const graph = answering((item, index) =>
        index > 0 ? ok(item) : item.url === "/missing" ? undefined : (first[item.url] ?? ok(item))
      )
      const urls = ["/fine", "/throttled", "/later", "/dependent", "/missing", "/refused"]
      const outcomes = yield* batch(graph, urls.map(get))
      expect(urlsIn(graph)).toEqual([urls, ["/throttled", "/later", "/dependent", "/missing"]])
      expect(outcomes.map(({ kind }) => kind)).toEqual([...Array(5).fill("answered"), "failed"])
      expect(outcomes[5]).toMatchObject({
        error: { method: "GET", path: "/beta/refused", status: 403, code: "Forbidden", reason: { _tag: "Forbidden" } }
      })
    })
  )

  it.effect("gives up after the attempts of the client", () =>
    Effect.gen(function* () {
      const graph = answering(() => ({ status: 503 }))
      const [outcome] = yield* batch(graph, [get("/a")], {}, { attempts: 3 })
      expect(outcome).toMatchObject({ kind: "failed", error: { attempts: 3, reason: { _tag: "Unavailable" } } })
      expect(graph.requests.length).toBe(3)
    })
  )

  it.effect("does not repeat a POST whose answer was lost, and says that its outcome is unknown", () =>
    Effect.gen(function* () {
      for (const answer of [undefined, { status: 504 }, "connectionLost"] as const) {
        const graph = answering(() => answer)
        const [outcome] = yield* batch(graph, [{ method: "POST", url: "/a", body: {} }])
        expect(outcome).toMatchObject({ kind: "failed", error: { method: "POST", outcomeUnknown: true } })
        expect(graph.requests.length).toBe(1)
      }
    })
  )

  it.effect("is halved after 413, 429 and 5xx, and nothing counts as an attempt of 413", () =>
    Effect.gen(function* () {
      for (const status of [413, 429, 500, 503]) {
        const graph = answering((item, index) =>
          index === 0 ? errorResponse(status, {}, { "retry-after": "1" }) : ok(item)
        )
        const outcomes = yield* batch(
          graph,
          Array.from({ length: 20 }, (_, index) => get(`/${status}/${index}`))
        )
        expect(outcomes.every(({ kind }) => kind === "answered")).toBe(true)
        expect(urlsIn(graph).map((group) => group.length)).toEqual([20, 10, 10])
      }
    })
  )

  it.effect("renews a token that is refused, once", () =>
    Effect.gen(function* () {
      let count = 0
      const token = () => Effect.sync(() => ({ token: Redacted.make(`t${++count}`) }))
      const graph = answering((item, index) => (index === 0 ? errorResponse(401, {}) : ok(item)))
      expect((yield* batch(graph, [get("/a")], {}, { token }))[0]?.kind).toBe("answered")
      expect(graph.requests.map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer t1", "Bearer t2"])
    })
  )
})

const bodilessly = (item: Item): Answer =>
  item.method === "GET" ? ok(item) : item.url === "/whole" ? { status: 200, body: "whole" } : { status: 204 }
const patch = (url: string): BatchRequest => ({ method: "PATCH", url, headers: { "If-Match": "1" }, body: {} })

describe("an update that is answered without a body", () => {
  const requests = [
    patch("/a?x=1"),
    get("/read"),
    patch("/whole"),
    { method: "DELETE", url: "/b" },
    patch("/c")
  ] as const

  it.effect("is read back where that is asked for, once all is sent, without what it was conditional on", () =>
    Effect.gen(function* () {
      const graph = answering(bodilessly)
      const outcomes = yield* batch(graph, requests, { readBack: true })
      expect(outcomes.map((outcome) => outcome.kind === "answered" && [outcome.status, outcome.body])).toEqual([
        [200, { url: "/a" }],
        [200, { url: "/read" }],
        [200, "whole"],
        [204, undefined],
        [200, { url: "/c" }]
      ])
      const [, reads] = graph.requests.map(({ body }) => (body as { requests: ReadonlyArray<Item> }).requests)
      expect(reads?.map(({ headers, method, url }) => [method, url, headers])).toEqual([
        ["GET", "/a", {}],
        ["GET", "/c", {}]
      ])
    })
  )

  it.effect("is answered as it came by default", () =>
    Effect.gen(function* () {
      const graph = answering(bodilessly)
      const outcomes = yield* batch(graph, requests)
      expect(outcomes[0]).toEqual({ kind: "answered", status: 204, headers: {}, body: undefined })
      expect(graph.requests.length).toBe(1)
    })
  )

  it.effect("was made all the same when reading it back fails, and what depends on it is sent", () =>
    Effect.gen(function* () {
      const graph = answering((item) =>
        item.method === "GET" ? { status: 403, body: { error: { message: "No." } } } : { status: 204 }
      )
      const outcomes = yield* batch(graph, [patch("/a"), { method: "DELETE", url: "/b", dependsOn: [0] }], {
        readBack: true
      })
      expect(outcomes).toMatchObject([
        { kind: "answered", status: 204, body: undefined, notReadBack: true },
        { kind: "answered", status: 204 }
      ])
      expect(outcomes[1]).not.toHaveProperty("notReadBack")
    })
  )

  it.effect("is read back within the deadline of all", () =>
    Effect.gen(function* () {
      const graph = answering((item) => (item.method === "GET" ? "hang" : { status: 204 }))
      const sending = GraphClient.use((it) => it.batch([patch("/a")], { readBack: true, deadline: "10 seconds" }))
      const running = yield* Effect.forkChild(Effect.provide(sending, clientOf(graph)))
      yield* advance("10 seconds")
      expect(yield* Fiber.join(running)).toMatchObject([{ kind: "answered", status: 204, notReadBack: true }])
    })
  )
})

describe("the same server", () => {
  const empty = [200, 201, 202, 204].map((status) => ({ status }))

  it.effect("gives an update that it acknowledges the same outcome alone, in a batch and among many", () =>
    Effect.gen(function* () {
      for (const { status } of empty) {
        for (const reading of [{ status: 403 }, { status: 404 }]) {
          const responseTo = (method: string) => (method === "GET" ? reading : { status })
          const graph = fakeGraph(({ body, method, url }) => {
            if (url.pathname.endsWith("$batch")) {
              const { requests } = body as { readonly requests: ReadonlyArray<{ id: string; method: string }> }
              return Response.json({ responses: requests.map((item) => ({ id: item.id, ...responseTo(item.method) })) })
            }
            const answer = responseTo(method)
            return new Response(answer.status === 204 ? null : "", answer)
          })
          const client = yield* Effect.provide(GraphClient, clientOf(graph))
          const change = { ...key, update: { model: "X" } }
          const request = { method: "PATCH", url: devicePath.replace("/beta", ""), body: change.update } as const
          expect(yield* client.updateDevice(key, change.update)).toMatchObject({ model: "X", notReadBack: true })
          expect(yield* client.request(request)).toMatchObject({ status, body: undefined, notReadBack: true })
          const [item] = yield* client.batch([request], { readBack: true })
          expect(item).toMatchObject({ kind: "answered", status, notReadBack: true })
          for (const mode of ["single", "batch"] as const) {
            const outcomes = yield* Stream.runCollect(client.updateDevices(Stream.make(change), { mode }))
            expect([mode, outcomes]).toMatchObject([mode, [{ kind: "updated", attempts: 1, notReadBack: true }]])
          }
        }
      }
    })
  )

  it.effect("is asked again after 500 and 502 as often in a batch as alone, and a read by the code of its 500", () =>
    Effect.gen(function* () {
      for (const method of ["GET", "PATCH"] as const) {
        for (const [status, code] of [
          [500, "InternalServerError"],
          [500, "Odd"],
          [502, ""],
          [520, ""]
        ] as const) {
          const error = { error: { code, message: "Oh." } }
          const graph = fakeGraph(({ url }) =>
            url.pathname.endsWith("$batch")
              ? Response.json({ responses: [{ id: "1", status, body: error }] })
              : Response.json(error, { status })
          )
          const client = yield* Effect.provide(GraphClient, clientOf(graph, { attempts: 3 }))
          const request = { method, url: "/x", ...(method === "PATCH" ? { body: {} } : {}) } as const
          const alone = yield* Effect.forkChild(Effect.flip(client.request(request)))
          const among = yield* Effect.forkChild(client.batch([request]))
          for (let turn = 0; turn < 10; turn++) yield* advance("10 seconds")
          const failure = yield* Fiber.join(alone)
          const attempts = method === "GET" && code === "Odd" ? 1 : 3
          expect([method, status, code, failure.attempts]).toEqual([method, status, code, attempts])
          const { outcomeUnknown, reason } = failure
          expect(outcomeUnknown).toBe(method === "PATCH" ? true : undefined)
          const [outcome] = yield* Fiber.join(among)
          expect(outcome).toMatchObject({ kind: "failed", error: { attempts, reason: { _tag: reason._tag } } })
          expect(outcome?.kind === "failed" && outcome.error.outcomeUnknown).toBe(outcomeUnknown)
        }
      }
    })
  )
})

describe("requests that depend on others", () => {
  it.effect("are sent after them, and not at all where one of them failed", () =>
    Effect.gen(function* () {
      const graph = answering((item) => (item.url === "/refused" ? { status: 409 } : ok(item)))
      const outcomes = yield* batch(graph, [
        get("/first"),
        { ...get("/second"), dependsOn: [0] },
        get("/refused"),
        { ...get("/never"), dependsOn: [1, 2] },
        { ...get("/nor"), dependsOn: [3] }
      ])
      expect(urlsIn(graph)).toEqual([["/first", "/refused"], ["/second"]])
      expect(outcomes.map(({ kind }) => kind)).toEqual(["answered", "answered", "failed", "failed", "failed"])
      expect(outcomes[4]).toMatchObject({
        error: {
          attempts: 0,
          message: "it was not sent, because a request that has to succeed before it failed",
          reason: { _tag: "Rejected" }
        }
      })
    })
  )

  it.effect("may not depend on later ones, themselves or none", () =>
    Effect.gen(function* () {
      for (const dependsOn of [[0], [1], [-1], [0.5]]) {
        const graph = answering(ok)
        const error = yield* Effect.flip(batch(graph, [{ ...get("/a"), dependsOn }]))
        expect(error).toMatchObject({ reason: { _tag: "Invalid", issues: [{ path: "requests[0].dependsOn" }] } })
        expect(graph.requests).toEqual([])
      }
    })
  )
})

describe("the deadline of a batch", () => {
  it.effect("ends what is under way, and nothing is sent after it", () =>
    Effect.gen(function* () {
      const graph = answering(() => "hang")
      const requests = Array.from({ length: 30 }, (_, index): BatchRequest => ({ method: "PATCH", url: `/${index}` }))
      const sending = GraphClient.use((it) => it.batch(requests, { deadline: "10 seconds" }))
      const running = yield* Effect.forkChild(Effect.provide(sending, clientOf(graph)))
      yield* advance(9_999)
      expect(running.pollUnsafe()).toBeUndefined()
      yield* advance(1)
      const outcomes = yield* Fiber.join(running)
      expect(graph.requests.length).toBe(1)
      expect(outcomes[0]).toMatchObject({ kind: "failed", error: { outcomeUnknown: true, attempts: 1 } })
      expect(outcomes[29]).toMatchObject({ kind: "failed", error: { attempts: 0, reason: { _tag: "Unavailable" } } })
      expect(outcomes[29]).not.toHaveProperty("error.outcomeUnknown")
    })
  )

  it.effect("that does not reach as far as the service asks to wait is told at once, with that time", () =>
    Effect.gen(function* () {
      const graph = answering(() => ({ status: 429, headers: { "Retry-After": "60" } }))
      const sending = GraphClient.use((it) => it.batch([get("/a")], { deadline: "30 seconds" }))
      const running = yield* Effect.forkChild(Effect.provide(sending, clientOf(graph)))
      yield* advance(1)
      expect(yield* Fiber.join(running)).toMatchObject([
        { kind: "failed", error: { reason: { _tag: "Throttled", retryAfterSeconds: expect.closeTo(60, 0) } } }
      ])
      expect(graph.requests.length).toBe(1)
    })
  )
})

it.effect.each(["TRACE", "get", "", "GET\r\nX: y"])("%j is no method, and is not sent", (method) =>
  Effect.gen(function* () {
    const graph = answering(ok)
    const request = { method: method as "GET", url: "/a" }
    expect(yield* Effect.flip(batch(graph, [get("/fine"), request]))).toMatchObject({
      reason: { _tag: "Invalid", issues: [{ path: "requests[1].method" }] }
    })
    const single = GraphClient.use((client) => client.request(request)).pipe(Effect.provide(clientOf(graph)))
    expect(yield* Effect.flip(single)).toMatchObject({ reason: { _tag: "Invalid", issues: [{ path: "method" }] } })
    expect(graph.requests).toEqual([])
  })
)

it.effect.each([
  "any",
  "//elsewhere.example/a",
  "/\\elsewhere.example",
  "https://elsewhere.example/a",
  "/a/../b",
  "/a/%2e%2e/b",
  "/a%2F..%2Fb",
  "/..?a",
  "/a b",
  "/a#b",
  "/",
  "",
  `/${"a".repeat(9_000)}`
])("%s is no address below the root, and is not sent", (url) =>
  Effect.gen(function* () {
    const graph = answering(ok)
    const error = yield* Effect.flip(batch(graph, [get("/fine"), get(url)]))
    expect(error).toMatchObject({ reason: { _tag: "Invalid", issues: [{ path: "requests[1].url" }] } })
    expect(error.message.length).toBeLessThan(200)
    expect(graph.requests).toEqual([])
  })
)

it.effect("a deadline that is no duration, and what is no request, are Invalid and not sent", () =>
  Effect.gen(function* () {
    const graph = answering(ok)
    // As a program without a compiler may give them.
    const requests = [get("/fine"), null] as ReadonlyArray<BatchRequest>
    const error = yield* Effect.flip(batch(graph, requests, { deadline: "soon" as "1 second" }))
    const issues = [{ path: "deadline" }, { path: "requests[1]" }]
    expect(error).toMatchObject({ reason: { _tag: "Invalid", issues } })
    expect(graph.requests).toEqual([])
  })
)
