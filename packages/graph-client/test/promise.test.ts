import type { DeviceUpdate } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { expect, expectTypeOf, test } from "vitest"
import * as fromIndex from "../src/index.ts"
import * as fromPromise from "../src/promise.ts"
import {
  type DeviceOutcome,
  GraphError,
  InvalidOptions,
  type PromiseClient,
  createGraphClient
} from "../src/promise.ts"
import { type FakeGraph, type FakeRequest, errorResponse, fakeGraph } from "../src/testing.ts"
import { baseUrl, clientOf as effectClientOf, collectionPath, device, key } from "./fixtures.ts"

type EffectClient = fromIndex.GraphClient["Service"]

const clientOf = ({ fetch }: FakeGraph) => createGraphClient({ baseUrl, token: "t0ken", fetch })

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no failure",
    (error: unknown) => error
  )

const collected = async <A>(rows: AsyncIterable<A>): Promise<Array<A>> => {
  const all: Array<A> = []
  for await (const row of rows) all.push(row)
  return all
}

/** Lets a call get as far as its request. */
const requested = async (graph: FakeGraph, count = 1) => {
  while (graph.requests.length < count) await new Promise((resolve) => setImmediate(resolve))
}

test("update and get give the device", async () => {
  const graph = fakeGraph([Response.json(device), Response.json(device)])
  const client = clientOf(graph)
  expect(await client.updateDevice(key, { model: "X" })).toEqual(device)
  expect(await client.getDevice(key)).toEqual(device)
  expect(graph.requests.map((request) => request.headers.get("authorization"))).toEqual([
    "Bearer t0ken",
    "Bearer t0ken"
  ])
  await client.close()
})

test("any request goes out as it was given, and its answer comes back whole", async () => {
  const graph = fakeGraph([
    new Response("50"),
    Response.json({ value: [7.5], "@odata.etag": "x" }, { headers: { etag: "x", "preference-applied": "a=b" } }),
    new Response(null, { status: 204 }),
    errorResponse(412, { code: "resourceModified", message: "It was changed." })
  ])
  const client = clientOf(graph)
  const count = { method: "GET", url: "/any/$count", headers: { accept: "text/plain" } } as const
  expect(await client.request(count)).toMatchObject({ status: 200, body: 50 })
  const answer = await client.request({
    method: "PATCH",
    url: "/deviceManagement/any('x')?a=1&$skiptoken=%41",
    headers: { accept: "text/plain", "if-match": "y" },
    body: { a: null },
    clientRequestId: "of-the-caller.1"
  })
  expect(answer).toMatchObject({ status: 200, body: { value: [7.5], "@odata.etag": "x" } })
  expect(answer.headers).toMatchObject({ etag: "x", "preference-applied": "a=b" })
  expect(await client.request({ method: "DELETE", url: "/a" })).toMatchObject({ status: 204, body: undefined })
  const template = "/any/{id}"
  expect(await failure(client.request({ method: "DELETE", url: "/any/1", template }))).toMatchObject({
    status: 412,
    template: "/beta/any/{id}",
    path: "/beta/any/1"
  })
  const [, first] = graph.requests
  expect(first?.url.href).toBe("https://graph.example/beta/deviceManagement/any('x')?a=1&$skiptoken=%41")
  expect(first?.body).toEqual({ a: null })
  expect(Object.fromEntries(first?.headers ?? [])).toMatchObject({
    accept: "text/plain",
    "if-match": "y",
    "client-request-id": "of-the-caller.1"
  })
  for (const wrong of [{ url: "//elsewhere.example" }, { url: "/a/../b" }, { url: "/a", clientRequestId: "a b" }]) {
    expect(await failure(client.request({ method: "GET", ...wrong }))).toMatchObject({ reason: { _tag: "Invalid" } })
  }
  expect(graph.requests).toHaveLength(4)
  await client.close()
})

test("a list is an async iterable over its pages", async () => {
  const nextLink = `https://graph.example${collectionPath}?$skiptoken=x`
  const graph = fakeGraph([
    Response.json({ value: [{ id: "1" }], "@odata.nextLink": nextLink }),
    Response.json({ value: [{ id: "2" }] })
  ])
  const client = clientOf(graph)
  expect(await collected(client.listDevices("allDevices", { select: ["id"] }))).toEqual([{ id: "1" }, { id: "2" }])
  expect(graph.requests[0]?.url.search).toBe("?$select=id")
  await client.close()
})

test("a failure rejects with the same GraphError that Effect users get", async () => {
  const client = clientOf(fakeGraph(() => errorResponse(404, { code: "ResourceNotFound", message: "Not here." })))
  expect(GraphError).toBe(fromIndex.GraphError)
  for (const failed of [
    client.getDevice(key),
    client.updateDevice(key, { model: "X" }),
    collected(client.listDevices("allDevices"))
  ]) {
    const error = await failure(failed)
    expect(error).toBeInstanceOf(GraphError)
    expect(error).toMatchObject({ message: "Not here.", status: 404, reason: { _tag: "NotFound" } })
  }
  const body = { windowScore: 1 } as DeviceUpdate
  expect(await failure(client.updateDevice(key, body))).toMatchObject({ reason: { _tag: "Invalid" } })
  await client.close()
})

test("a signal stops a call, which rejects with the signal's reason", async () => {
  const graph = fakeGraph(() => "hang")
  const client = clientOf(graph)
  const reason = new Error("the user left")
  for (const call of [
    (signal: AbortSignal) => client.getDevice(key, { signal }),
    (signal: AbortSignal) => client.updateDevice(key, { model: "X" }, { signal }),
    (signal: AbortSignal) => collected(client.listDevices("allDevices", { signal }))
  ]) {
    const stop = new AbortController()
    const before = graph.requests.length
    const stopped = failure(call(stop.signal))
    await requested(graph, before + 1)
    stop.abort(reason)
    expect(await stopped).toBe(reason)
    expect(await failure(call(AbortSignal.abort(reason)))).toBe(reason)
    expect(graph.requests.length).toBe(before + 1)
  }
  await client.close()
})

test("a list that a loop leaves early fetches no more", async () => {
  const nextLink = `https://graph.example${collectionPath}?$skiptoken=x`
  const graph = fakeGraph([Response.json({ value: [{ id: "1" }, { id: "2" }], "@odata.nextLink": nextLink })])
  const client = clientOf(graph)
  for await (const { id } of client.listDevices("allDevices")) {
    expect(id).toBe("1")
    break
  }
  expect(graph.requests.length).toBe(1)
  await client.close()
})

test("close stops what is under way and refuses what comes later", async () => {
  const graph = fakeGraph(() => "hang")
  const client = clientOf(graph)
  const stopped = failure(client.getDevice(key))
  await requested(graph)
  await client.close()
  expect(await stopped).toMatchObject({ message: "the client was closed" })
  expect(await failure(client.getDevice(key))).toMatchObject({ message: "the client was closed" })
  expect(await failure(collected(client.listDevices("allDevices")))).toMatchObject({
    message: "the client was closed"
  })
  expect(graph.requests.length).toBe(1)
  await client.close()
})

test("options that cannot be used throw at once, and a token may already be redacted", () => {
  expect(() => createGraphClient({ baseUrl: "http://graph.example", token: "t0ken" })).toThrow(InvalidOptions)
  expect(() => createGraphClient({ baseUrl, token: Redacted.make("") })).toThrow(/^the options of the client are wrong/)
})

const seen = (graph: FakeGraph) =>
  graph.requests.map(({ body, headers, method, url }) => [method, url.href, headers.get("prefer"), body])

test("it has every operation, and each asks for the same and gives the same", async () => {
  const metric = { id: "m" }
  const answerTo = ({ method, url }: FakeRequest) => {
    if (method === "DELETE") return new Response(null, { status: 204 })
    if (url.pathname.endsWith("/$batch")) {
      return Response.json({ responses: [{ id: "1", status: 200, headers: {}, body: { id: "1" } }] })
    }
    if (/MetricDevices$|metricDevices$|Metrics$|ModelPerformance$/i.test(url.pathname) && method === "GET") {
      return Response.json({ value: [device] })
    }
    return Response.json(url.pathname.includes("Summarize") ? { totalDevices: 1 } : { ...device, ...metric })
  }
  type Calls = [
    (client: PromiseClient) => Promise<unknown> | AsyncIterable<unknown>,
    (client: EffectClient) => Effect.Effect<unknown, unknown> | Stream.Stream<unknown, unknown>
  ]
  const calls: Record<string, Calls> = {
    updateDevices: [
      (c) => c.updateDevices([{ ...key, update: { model: "X" } }], { mode: "single" }),
      (c) => c.updateDevices(Stream.make({ ...key, update: { model: "X" } }), { mode: "single" })
    ],
    request: [
      (c) => c.request({ method: "GET", url: "/deviceManagement/x?a=1" }),
      (c) => c.request({ method: "GET", url: "/deviceManagement/x?a=1" })
    ],
    batch: [
      (c) => c.batch([{ method: "GET", url: "/deviceManagement/x" }]),
      (c) => c.batch([{ method: "GET", url: "/deviceManagement/x" }])
    ],
    updateDevice: [(c) => c.updateDevice(key, { model: "X" }), (c) => c.updateDevice(key, { model: "X" })],
    getDevice: [(c) => c.getDevice(key, { select: ["model"] }), (c) => c.getDevice(key, { select: ["model"] })],
    createDevice: [(c) => c.createDevice("m", { model: "X" }), (c) => c.createDevice("m", { model: "X" })],
    deleteDevice: [(c) => c.deleteDevice(key), (c) => c.deleteDevice(key)],
    listDevices: [(c) => c.listDevices("m", { filter: "x" }), (c) => c.listDevices("m", { filter: "x" })],
    listDevicePages: [(c) => c.listDevicePages("m", { pageSize: 5 }), (c) => c.listDevicePages("m", { pageSize: 5 })],
    listMetrics: [(c) => c.listMetrics(), (c) => c.listMetrics()],
    getMetric: [(c) => c.getMetric("m"), (c) => c.getMetric("m")],
    createMetric: [(c) => c.createMetric(metric), (c) => c.createMetric(metric)],
    updateMetric: [(c) => c.updateMetric("m"), (c) => c.updateMetric("m")],
    deleteMetric: [(c) => c.deleteMetric("m"), (c) => c.deleteMetric("m")],
    getHardwareReadiness: [(c) => c.getHardwareReadiness(), (c) => c.getHardwareReadiness()],
    listModelPerformance: [(c) => c.listModelPerformance({ top: 3 }), (c) => c.listModelPerformance({ top: 3 })],
    summarizeDevices: [(c) => c.summarizeDevices(), (c) => c.summarizeDevices()]
  }
  for (const [name, [promised, effectful]] of Object.entries(calls)) {
    const [one, other] = [fakeGraph(answerTo), fakeGraph(answerTo)]
    const client = clientOf(one)
    const call = promised(client)
    const value = call instanceof Promise ? await call : await collected(call)
    const run = fromIndex.GraphClient.use((service) => {
      const made = effectful(service)
      return Effect.isEffect(made) ? made : Stream.runCollect(made)
    })
    expect([name, await Effect.runPromise(Effect.provide(run, effectClientOf(other)))]).toEqual([name, value])
    expect(seen(one)).toEqual(seen(other))
    expect(one.requests.length).toBe(1)
    await client.close()
  }
  const client = clientOf(fakeGraph([]))
  const service = await Effect.runPromise(Effect.provide(fromIndex.GraphClient, effectClientOf(fakeGraph([]))))
  expect(Object.keys(client).filter((name) => name !== "close")).toEqual(Object.keys(service))
  expect(Object.keys(service)).toEqual(expect.arrayContaining(Object.keys(calls)))
  await client.close()
})

test("it has whatever the Effect entry has, but for the client as a service and its flow", () => {
  const own = new Set(["createGraphClient", "tokenFrom"])
  const forEffect = new Set(["CurrentFlow", "GraphClient"])
  expect(
    Object.keys(fromPromise)
      .filter((name) => !own.has(name))
      .toSorted()
  ).toEqual(
    Object.keys(fromIndex)
      .filter((name) => !forEffect.has(name))
      .toSorted()
  )
})

test("a call says whose it is, and shares the gate with others like that", async () => {
  const graph = fakeGraph(() => errorResponse(429, {}, { "retry-after": "3600" }))
  const tenant = crypto.randomUUID()
  const client = createGraphClient({ baseUrl, fetch: graph.fetch, tenant, deadline: "2 hours" })
  const stop = new AbortController()
  const waiting = failure(client.getDevice(key, { signal: stop.signal }))
  await requested(graph)
  for await (const { closedForMillis } of client.pacing("read", { every: "1 milli" })) if (closedForMillis > 0) break

  const flow = { name: "one", mostWaiting: 0 }
  const isThrottled = { reason: { _tag: "Throttled" }, attempts: 0 }
  expect(await failure(client.getDevice(key, { flow }))).toMatchObject(isThrottled)
  expect(await failure(collected(client.listDevices("allDevices", { flow })))).toMatchObject(isThrottled)
  const other = failure(client.getDevice(key, { flow: { name: "two", mostWaiting: 1 }, signal: stop.signal }))
  for await (const { queued } of client.pacing("read", { every: "1 milli" })) if (queued === 2) break
  stop.abort(new Error("enough"))
  expect(await waiting).toMatchObject({ message: "enough" })
  expect(await other).toMatchObject({ message: "enough" })
  expect(graph.requests.length).toBe(1)
  await client.close()
})

test("a loop over many changes that is stopped early tells what was sent and not answered", async () => {
  const graph = fakeGraph(() => "hang")
  const client = clientOf(graph)
  const told: Array<DeviceOutcome> = []
  const stop = new AbortController()
  const onInterrupt = async (outcomes: ReadonlyArray<DeviceOutcome>) => {
    await Promise.resolve()
    told.push(...outcomes)
  }
  const many = [1, 2, 3].map((number) => ({ metricId: "m", deviceId: `d${number}`, update: { model: "X" } }))
  const stopped = failure(collected(client.updateDevices(many, { mode: "batch", onInterrupt, signal: stop.signal })))
  await requested(graph)
  stop.abort(new Error("the user left"))
  expect(await stopped).toMatchObject({ message: "the user left" })
  expect(told.map(({ change, kind }) => [change, kind])).toEqual(many.map((change) => [change, "unknown"]))
  await client.close()
})

function* generated() {
  yield { ...key, update: { model: "X" } }
  throw new Error("the file ended early")
}

async function* changes() {
  yield { ...key, update: { model: "X" } }
  await Promise.resolve()
  throw new Error("the file ended early")
}

test.each([
  ["an iterable", generated],
  ["an async iterable", changes]
] as const)("many changes may come from %s, and its error ends the loop", async (_, source) => {
  const client = clientOf(fakeGraph(() => Response.json(device)))
  expect(await failure(collected(client.updateDevices(source(), { mode: "single" })))).toMatchObject({
    message: "the file ended early"
  })
  await client.close()
})

test("a generator of changes is asked for few more than are sent, however many it has", async () => {
  const { fetch } = fakeGraph(() => Response.json(device))
  const client = createGraphClient({ baseUrl, fetch, budget: "unlimited", tenant: crypto.randomUUID() })
  let asked = 0
  function* endless() {
    for (;;) {
      asked += 1
      yield { metricId: "m", deviceId: `d${asked}`, update: { model: "X" } }
    }
  }
  for await (const { kind } of client.updateDevices(endless(), { mode: "single" })) {
    expect(kind).toBe("updated")
    break
  }
  expect(asked).toBeLessThan(400)
  await client.close()
})

test("pacing tells how a lane gets on", async () => {
  const client = clientOf(fakeGraph([]))
  for await (const { queued } of client.pacing("write")) {
    expect(queued).toBe(0)
    break
  }
  await client.close()
})

test("selected properties narrow what a promise and a loop give", async () => {
  const client = clientOf(fakeGraph(() => Response.json({ ...device, value: [device] })))
  expectTypeOf(client.getDevice(key, { select: ["model"] })).resolves.toEqualTypeOf<{
    readonly id: string
    readonly model?: string | null
  }>()
  for await (const row of client.listDevices("m", { select: ["model"] })) {
    expectTypeOf(row).toEqualTypeOf<{ readonly model?: string | null }>()
  }
  await client.close()
})
