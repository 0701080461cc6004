import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { type DeviceChange, GraphClient } from "../src/index.ts"
import { type FakeGraph, errorResponse, fakeGraph } from "../src/testing.ts"
import { batchService } from "./batch-service.ts"
import { advance, clientOf, device, devicePath, key } from "./fixtures.ts"

const template = devicePath.replace("allDevices", "{metricId}").replace(device.id, "{deviceId}")

const traced = <A, E>(graph: FakeGraph, call: (client: GraphClient["Service"]) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const running = yield* Effect.forkChild(
      Effect.exit(GraphClient.use(call).pipe(Effect.withTracer(tracer), Effect.provide(clientOf(graph))))
    )
    yield* advance("1 minute")
    yield* Fiber.join(running)
    return spans
  })

const attributesOf = (spans: ReadonlyArray<Tracer.NativeSpan>, name: string) =>
  spans.filter((span) => span.name === name).map(({ attributes }) => Object.fromEntries(attributes))

it.effect("each attempt is a client span with the attributes of the HTTP conventions, and each wait a span", () =>
  Effect.gen(function* () {
    const graph = fakeGraph([errorResponse(503, {}, { "retry-after": "2" }), "connectionLost", Response.json(device)])
    const spans = yield* traced(graph, (client) => client.getDevice(key))
    const always = {
      "http.request.method": "GET",
      "url.template": template,
      "server.address": "graph.example",
      "server.port": 443
    }
    expect(attributesOf(spans, "GraphClient.attempt")).toEqual([
      { ...always, "http.response.status_code": 503, "error.type": "503" },
      { ...always, "http.request.resend_count": 1, "error.type": "Unavailable" },
      { ...always, "http.request.resend_count": 2, "http.response.status_code": 200 }
    ])
    expect(spans.filter(({ name }) => name === "GraphClient.attempt").map(({ kind }) => kind)).toEqual([
      "client",
      "client",
      "client"
    ])
    expect(attributesOf(spans, "GraphClient.wait")).toHaveLength(2)
    expect(attributesOf(spans, "GraphClient.getDevice")).toHaveLength(1)
  })
)

it.effect.each([
  { what: "a request", call: (client: GraphClient["Service"]) => client.getDevice(key), body: device },
  {
    what: "a batch",
    call: (client: GraphClient["Service"]) => client.batch([{ method: "GET", url: "/a" }]),
    body: { responses: [{ id: "1", status: 200, headers: {}, body: {} }] }
  }
])("the wait of $what at a gate that was closed is a span, as long as the wait", ({ body, call }) =>
  Effect.gen(function* () {
    const graph = fakeGraph([errorResponse(429, {}, { "retry-after": "7" }), Response.json(body)])
    const spans = yield* traced<unknown, unknown>(graph, call)
    const waits = spans.filter(({ name }) => name === "GraphClient.wait")
    const millis = waits.map(({ status }) =>
      status._tag === "Ended" ? Number(status.endTime - status.startTime) / 1e6 : "not ended"
    )
    expect(millis).toEqual([7_000])
    expect(graph.requests.length).toBe(2)
  })
)

it.effect("no span holds a key: they are the same for every device", () =>
  Effect.gen(function* () {
    const graph = fakeGraph((request) =>
      request.url.pathname.endsWith("metricDevices") ? Response.json({ value: [device] }) : errorResponse(404, {})
    )
    const spans = yield* traced(graph, (client) =>
      Effect.all([
        Stream.runDrain(client.listDevices("secretMetric")),
        Effect.exit(client.updateDevice({ metricId: "secretMetric", deviceId: "secretDevice" }, { model: "X" }))
      ])
    )
    const attributes = spans.map((span) => Object.fromEntries(span.attributes))
    expect(attributes.length).toBeGreaterThan(4)
    expect(JSON.stringify([attributes, spans.map(({ name }) => name)])).not.toContain("secret")
  })
)

const changes: ReadonlyArray<DeviceChange> = ["a", "b", "c"].map((deviceId) => ({
  metricId: "secretMetric",
  deviceId,
  update: { model: "X" }
}))

const updateAll = (client: GraphClient["Service"]) =>
  Stream.runDrain(client.updateDevices(Stream.fromIterable(changes), { mode: "batch" }))

it.effect("each item of a batch is a span, below that of the batch, with its own status, and each wait too", () =>
  Effect.gen(function* () {
    const service = batchService({
      item: ({ deviceId, index }) => {
        if (index > 0 || deviceId === "a") return undefined
        return deviceId === "b" ? { status: 503, retryAfter: "2" } : "missing"
      }
    })
    const spans = yield* traced(service.graph, updateAll)
    const always = { "http.request.method": "PATCH", "url.template": template }
    expect(attributesOf(spans, "GraphClient.item")).toEqual([
      { ...always, "http.response.status_code": 200 },
      { ...always, "http.response.status_code": 503, "error.type": "503" },
      { ...always, "error.type": "Unavailable" },
      { ...always, "http.response.status_code": 200 },
      { ...always, "http.response.status_code": 200 }
    ])
    const batches = spans.filter(({ name }) => name === "GraphClient.postBatch")
    for (const { name, parent, status } of spans) {
      if (name !== "GraphClient.item") continue
      expect(status._tag).toBe("Ended")
      expect(batches.map(({ spanId }) => spanId)).toContain(Option.getOrThrow(parent).spanId)
    }
    expect(attributesOf(spans, "GraphClient.wait").length).toBeGreaterThan(0)
    expect(JSON.stringify(spans.map(({ attributes }) => Object.fromEntries(attributes)))).not.toContain("secret")
  })
)

it.effect("items of a batch that came back with nothing end with what became of the batch", () =>
  Effect.gen(function* () {
    const service = batchService({
      envelope: (index) => (index === 0 ? { answer: errorResponse(503, {}, { "retry-after": "1" }) } : undefined)
    })
    const spans = yield* traced(service.graph, updateAll)
    expect(attributesOf(spans, "GraphClient.item").map((attributes) => attributes["error.type"])).toEqual([
      "Unavailable",
      "Unavailable",
      "Unavailable"
    ])
  })
)
