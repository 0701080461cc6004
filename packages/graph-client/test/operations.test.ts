import { describe, expect, it } from "@effect/vitest"
import { deviceODataType } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { expectTypeOf } from "vitest"
import { GraphClient, type GraphError, Invalid } from "../src/index.ts"
import { type FakeAnswer, type FakeGraph, errorResponse, fakeGraph } from "../src/testing.ts"
import { advance, clientOf, collectionPath, device, devicePath, key, metricsPath } from "./fixtures.ts"

type Client = GraphClient["Service"]

const use = <A>(graph: FakeGraph, call: (client: Client) => Effect.Effect<A, GraphError>) =>
  GraphClient.use(call).pipe(Effect.provide(clientOf(graph)))

const metric = { id: "allDevices" }
const readiness = { id: "r", totalDeviceCount: 10, tpmCheckFailedPercentage: 12.5 }
const model = { id: "m", model: "Standard", modelDeviceCount: 3, windowsScore: -1, healthStatus: "later member" }
const summary = {
  totalDevices: 4,
  cloudManagementDevicesSummary: { intuneDeviceCount: 4 },
  autopilotDevicesSummary: null
}
const reports = "/beta/deviceManagement/userExperienceAnalytics"
const metricODataType = "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereMetric"

interface Case {
  readonly call: (client: Client) => Effect.Effect<unknown, GraphError>
  readonly request: string
  readonly answer: () => Response
  readonly value: unknown
  readonly body?: unknown
}

const cases: Record<string, Case> = {
  getDevice: {
    call: (client) => client.getDevice(key),
    request: `GET ${devicePath}`,
    answer: () => Response.json(device),
    value: device
  },
  createDevice: {
    call: (client) => client.createDevice("allDevices", { "@odata.type": deviceODataType, deviceName: "New" }),
    request: `POST ${collectionPath}`,
    body: { "@odata.type": deviceODataType, deviceName: "New" },
    answer: () => Response.json(device, { status: 201 }),
    value: device
  },
  deleteDevice: {
    call: (client) => client.deleteDevice(key),
    request: `DELETE ${devicePath}`,
    answer: () => new Response(null, { status: 204 }),
    value: undefined
  },
  listMetrics: {
    call: (client) => Stream.runCollect(client.listMetrics()),
    request: `GET ${metricsPath}`,
    answer: () => Response.json({ value: [metric] }),
    value: [metric]
  },
  getMetric: {
    call: (client) => client.getMetric("allDevices"),
    request: `GET ${metricsPath}/allDevices`,
    answer: () => Response.json({ value: metric }),
    value: metric
  },
  createMetric: {
    call: (client) => client.createMetric({ "@odata.type": metricODataType, id: "mine" }),
    request: `POST ${metricsPath}`,
    body: { "@odata.type": metricODataType, id: "mine" },
    answer: () => Response.json({ id: "mine" }, { status: 201 }),
    value: { id: "mine" }
  },
  updateMetric: {
    call: (client) => client.updateMetric("mine", { "@odata.type": metricODataType }),
    request: `PATCH ${metricsPath}/mine`,
    body: { "@odata.type": metricODataType },
    answer: () => Response.json({ id: "mine" }),
    value: { id: "mine" }
  },
  deleteMetric: {
    call: (client) => client.deleteMetric("mine"),
    request: `DELETE ${metricsPath}/mine`,
    answer: () => new Response(null, { status: 204 }),
    value: undefined
  },
  getHardwareReadiness: {
    call: (client) => client.getHardwareReadiness(),
    request: `GET ${reports}WorkFromAnywhereHardwareReadinessMetric`,
    answer: () => Response.json(readiness),
    value: readiness
  },
  listModelPerformance: {
    call: (client) => Stream.runCollect(client.listModelPerformance({ orderBy: ["modelDeviceCount desc"] })),
    request: `GET ${reports}WorkFromAnywhereModelPerformance?$orderby=modelDeviceCount%20desc`,
    answer: () => Response.json({ value: [model] }),
    value: [model]
  },
  summarizeDevices: {
    call: (client) => client.summarizeDevices(),
    request: `GET ${reports}SummarizeWorkFromAnywhereDevices`,
    answer: () => Response.json({ value: summary }),
    value: summary
  }
}

describe("every operation", () => {
  for (const [name, { answer, body, call, request, value }] of Object.entries(cases)) {
    it.effect(`${name} is one ${request.split(" ")[0]} and gives what the service answered`, () =>
      Effect.gen(function* () {
        const graph = fakeGraph([answer()])
        expect(yield* use(graph, call)).toEqual(value)
        const sent = graph.requests.map(({ method, url }) => `${method} ${url.pathname}${url.search}`)
        expect(sent).toEqual([request])
        expect(graph.requests[0]?.body).toEqual(body)
        expect(graph.requests[0]?.headers.get("prefer")).toBe("include-unknown-enum-members")
      })
    )

    it.effect(`${name} fails with the reason and the path template`, () =>
      Effect.gen(function* () {
        const graph = fakeGraph([errorResponse(403, { code: "Forbidden", message: "No." })])
        const error = yield* Effect.flip(use(graph, call))
        expect(error).toMatchObject({ method: request.split(" ")[0], status: 403, reason: { _tag: "Forbidden" } })
        const filled = error.template.replace("{metricId}", "allDevices").replace("{deviceId}", device.id)
        expect(error.path.replace("/mine", "/allDevices")).toBe(filled)
      })
    )
  }

  it.effect.each([
    { what: "a metric without a key", call: (client: Client) => client.getMetric("x"), body: {} },
    { what: "a metric whose key is a number", call: (client: Client) => client.getMetric("x"), body: { id: 7 } },
    { what: "readiness of anything", call: (client: Client) => client.getHardwareReadiness(), body: { hello: 1 } },
    { what: "a summary of text", call: (client: Client) => client.summarizeDevices(), body: { totalDevices: "7" } },
    {
      what: "a summary with a list inside",
      call: (client: Client) => client.summarizeDevices(),
      body: { cloudIdentityDevicesSummary: [] }
    },
    { what: "null", call: (client: Client) => client.summarizeDevices(), body: null }
  ])("$what is Unreadable", ({ body, call }) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(use<unknown>(fakeGraph([Response.json(body)]), call))
      expect(error.reason._tag).toBe("Unreadable")
    })
  )

  it.effect.each([
    { what: "a new device", call: (client: Client) => client.createDevice("m", { windowScore: 1 } as object) },
    {
      what: "a new device with the sentinel",
      call: (client: Client) => client.createDevice("m", { healthStatus: "unknownFutureValue" })
    },
    { what: "the metric of a new device", call: (client: Client) => client.createDevice("..", {}) },
    { what: "a new metric", call: (client: Client) => client.createMetric({ name: "x" } as object) },
    { what: "a metric that is a list", call: (client: Client) => client.createMetric([] as object) },
    { what: "a metric that is null", call: (client: Client) => client.updateMetric("m", null as unknown as object) },
    { what: "a deleted key", call: (client: Client) => client.deleteDevice({ metricId: "m", deviceId: "" }) },
    { what: "an endless key", call: (client: Client) => client.deleteMetric("x".repeat(10_240)) },
    { what: "a selected name", call: (client: Client) => client.getDevice(key, { select: ["modle" as "model"] }) }
  ])("$what that is wrong is Invalid and not sent", ({ call }) =>
    Effect.gen(function* () {
      const graph = fakeGraph([])
      const error = yield* Effect.flip(use<unknown>(graph, call))
      expect(error).toMatchObject({ attempts: 0, waitedMillis: 0 })
      expect(error.reason).toBeInstanceOf(Invalid)
      expect(error.message.length).toBeLessThan(500)
      expect(graph.requests).toEqual([])
    })
  )

  it.effect("selected properties narrow the type of a device, whose key always comes", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([Response.json({ id: "1", model: "X" })])
      const found = yield* use(graph, (client) => client.getDevice(key, { select: ["model"] }))
      expectTypeOf(found).toEqualTypeOf<{ readonly id: string; readonly model?: string | null }>()
      expect(graph.requests[0]?.url.search).toBe("?$select=id,model")
    })
  )
})

const attempted = (answers: ReadonlyArray<FakeAnswer>, call: Case["call"]) =>
  Effect.gen(function* () {
    const graph = fakeGraph(answers)
    const running = yield* Effect.forkChild(Effect.result(use(graph, call)))
    yield* advance("60 seconds")
    return { result: yield* Fiber.join(running), requests: graph.requests.length }
  })

const create = (client: Client) => client.createDevice("allDevices", { deviceName: "New" })
const remove = (client: Client) => client.deleteDevice(key)

const refusedConnection = () => {
  const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
  return new Response(new ReadableStream({ pull: (body) => body.error(new TypeError("failed", { cause })) }))
}

describe("repeats of a create", () => {
  it.effect.each<{ what: string; answer: () => FakeAnswer }>([
    { what: "429", answer: () => errorResponse(429, {}, { "retry-after": "1" }) },
    { what: "503", answer: () => errorResponse(503, {}, { "retry-after": "1" }) },
    { what: "a connection that was never made", answer: refusedConnection }
  ])("it is repeated after $what, which changed nothing", ({ answer }) =>
    Effect.gen(function* () {
      const { requests, result } = yield* attempted([answer(), Response.json(device, { status: 201 })], create)
      expect(result).toMatchObject({ _tag: "Success", success: device })
      expect(requests).toBe(2)
    })
  )

  it.effect.each<{ what: string; answer: () => FakeAnswer }>([
    { what: "a lost connection", answer: () => "connectionLost" },
    { what: "504", answer: () => errorResponse(504, {}) },
    { what: "no answer before the deadline", answer: () => "hang" },
    { what: "an answer that is no device", answer: () => new Response("<html>") }
  ])("it is not repeated after $what, and says that the outcome is unknown", ({ answer }) =>
    Effect.gen(function* () {
      const graph = fakeGraph([answer(), Response.json(device, { status: 201 })])
      const running = yield* Effect.forkChild(Effect.flip(use(graph, create)))
      yield* advance("2 minutes")
      expect(yield* Fiber.join(running)).toMatchObject({ method: "POST", outcomeUnknown: true })
      expect(graph.requests.length).toBe(1)
    })
  )

  it.effect("a refusal after a throttled attempt leaves nothing unknown", () =>
    Effect.gen(function* () {
      const { result } = yield* attempted([errorResponse(429, {}), errorResponse(409, {})], create)
      expect(result).toMatchObject({ failure: { status: 409, attempts: 2 } })
      expect(result).not.toHaveProperty("failure.outcomeUnknown")
    })
  )
})

describe("repeats of a delete", () => {
  it.effect.each<{ what: string; answer: () => FakeAnswer }>([
    { what: "a lost connection", answer: () => "connectionLost" },
    { what: "504", answer: () => errorResponse(504, {}) }
  ])("404 after $what means that it is done", ({ answer }) =>
    Effect.gen(function* () {
      const { requests, result } = yield* attempted([answer(), errorResponse(404, {})], remove)
      expect(result._tag).toBe("Success")
      expect(requests).toBe(2)
    })
  )

  it.effect.each<{ what: string; before: ReadonlyArray<FakeAnswer> }>([
    { what: "at once", before: [] },
    { what: "after 429", before: [errorResponse(429, {})] },
    { what: "after 503", before: [errorResponse(503, {})] }
  ])("404 $what is NotFound", ({ before }) =>
    Effect.gen(function* () {
      const { result } = yield* attempted([...before, errorResponse(404, {})], remove)
      expect(result).toMatchObject({ failure: { reason: { _tag: "NotFound" } } })
    })
  )
})

it.effect("an update whose answers were all lost says that the outcome is unknown, a read does not", () =>
  Effect.gen(function* () {
    const lost = Array.from({ length: 5 }, () => "connectionLost" as const)
    const update = yield* attempted(lost, (client) => client.updateDevice(key, { model: "X" }))
    expect(update.result).toMatchObject({ failure: { attempts: 5, outcomeUnknown: true } })
    const read = yield* attempted(lost, (client) => client.getDevice(key))
    expect(read.result).not.toHaveProperty("failure.outcomeUnknown")
  })
)

it.effect("an error tells how long its waits were together", () =>
  Effect.gen(function* () {
    const answers = [errorResponse(429, {}, { "retry-after": "2" }), errorResponse(429, {}, { "retry-after": "3" })]
    const { result } = yield* attempted([...answers, errorResponse(403, {})], (client) => client.getDevice(key))
    expect(result).toMatchObject({ failure: { attempts: 3, waitedMillis: 5_000 } })
  })
)
