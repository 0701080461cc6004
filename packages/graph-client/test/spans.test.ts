import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { GraphClient } from "../src/index.ts"
import { type FakeGraph, errorResponse, fakeGraph } from "../src/testing.ts"
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

it.effect("each item of a batch is a span below its batch, with its own outcome", () =>
  Effect.gen(function* () {
    const graph = fakeGraph([
      Response.json({
        responses: [
          { id: "3", status: 404, body: { error: { code: "ResourceNotFound", message: "gone" } } },
          { id: "1", status: 200, body: device }
        ]
      }),
      Response.json({ responses: [{ id: "1", status: 200, body: device }] }),
      errorResponse(403, {})
    ])
    const requests = ["a", "b", "c"].map((id) => ({ method: "GET" as const, url: `/devices/${id}` }))
    const spans = yield* traced(graph, (client) =>
      Effect.andThen(client.batch(requests), client.batch(requests.slice(0, 2)))
    )
    const always = { "http.request.method": "GET", "url.template": "/beta/$batch" }
    const items = spans.filter(({ name }) => name === "GraphClient.batchItem")
    expect(items.map(({ attributes }) => Object.fromEntries(attributes))).toEqual([
      { ...always, "http.response.status_code": 200 },
      { ...always, "error.type": "unanswered" },
      { ...always, "http.response.status_code": 404, "error.type": "404" },
      { ...always, "http.response.status_code": 200 },
      { ...always, "error.type": "403" },
      { ...always, "error.type": "403" }
    ])
    expect(items.map(({ parent, status }) => [Option.getOrUndefined(parent)?._tag, status._tag])).toEqual(
      items.map(() => ["Span", "Ended"])
    )
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
