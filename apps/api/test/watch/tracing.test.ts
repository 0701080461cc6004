import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { describe, expect, it } from "vitest"
import type { Log } from "../../src/http/observation.ts"
import { startService } from "../../src/service.ts"
import { defaultSettings, readSettings } from "../../src/settings/config.ts"
import type { Settings } from "../../src/settings/settings.ts"
import { devicesPath, jsonRequest, metricsPath } from "../opened.ts"
import { ended, running } from "../process.ts"

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: Readonly<Record<string, unknown>> }>
  readonly status: { readonly code: number }
}

interface Export {
  readonly resourceSpans: ReadonlyArray<{
    readonly resource: { readonly attributes: Span["attributes"] }
    readonly scopeSpans: ReadonlyArray<{ readonly spans: ReadonlyArray<Span> }>
  }>
}

const valuesIn = (attributes: Span["attributes"]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

/** A collector on a free port; what it was sent is in the open. */
const collector = async (answer: { status: number; isSilent?: boolean } = { status: 200 }) => {
  const received: Array<{
    readonly path: string
    readonly headers: NodeJS.Dict<string | Array<string>>
    readonly body: Buffer
  }> = []
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    received.push({ path: request.url ?? "", headers: request.headers, body })
    if (answer.isSilent !== true) response.writeHead(answer.status, { "content-type": "application/json" }).end("{}")
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const exports = () => received.map(({ body }) => JSON.parse(body.toString()) as Export)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    exports,
    spans: () =>
      exports().flatMap(({ resourceSpans }) =>
        resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
      ),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}

const settingsFrom = (env: Readonly<Record<string, string>>): Settings => {
  const settings = readSettings({ WFA_PORT: "0", OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", ...env })
  if (!settings.success) throw new Error(settings.problems.join("; "))
  return settings.data
}

/** A service that traces to a collector; what it logs is in the open. */
const traced = async (endpoint: string, env: Readonly<Record<string, string>> = {}) => {
  const lines: Array<Readonly<Record<string, unknown>>> = []
  const log: Log = {
    info: (facts, message) => lines.push({ ...facts, message }),
    error: (facts, message) => lines.push({ ...facts, message, isError: true })
  }
  const service = await startService(settingsFrom({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...env }), { log })
  return { ...service, lines }
}

const traceId = "0af7651916cd43dd8448eb211c80319c"
const parentId = "b7ad6b7169203331"
const deviceRoute =
  "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/{metricId}/metricDevices/{deviceId}"

describe("a request", () => {
  it("has a span that goes on with the caller's trace, by the conventions for HTTP, sent when the service closes", async () => {
    await using collecting = await collector()
    const service = await traced(collecting.url, {
      OTEL_SERVICE_NAME: "devices",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=a%20test"
    })
    const response = await fetch(`${service.url}${devicesPath}/x`, {
      headers: { traceparent: `00-${traceId}-${parentId}-01`, "client-request-id": "mine" }
    })
    await response.text()
    await service.close()

    expect(collecting.received.map(({ path }) => path)).toEqual(["/v1/traces"])
    const [span, ...others] = collecting.spans().filter(({ kind }) => kind === 2)
    expect(others).toEqual([])
    expect(span).toMatchObject({ traceId, parentSpanId: parentId, name: `GET ${deviceRoute}`, kind: 2 })
    expect(valuesIn(span?.attributes ?? [])).toEqual({
      "http.request.method": "GET",
      "http.route": deviceRoute,
      "http.response.status_code": expect.toSatisfy((value: unknown) => Number(value) === 404),
      "url.scheme": "http",
      "wfa.request_id": response.headers.get("request-id"),
      "wfa.client_request_id": "mine"
    })
    expect(BigInt(span?.endTimeUnixNano ?? 0)).toBeGreaterThan(BigInt(span?.startTimeUnixNano ?? 0))
    const resource = valuesIn(collecting.exports()[0]?.resourceSpans[0]?.resource.attributes ?? [])
    expect(resource).toMatchObject({
      "service.name": "devices",
      "service.version": "0.0.0",
      "deployment.environment.name": "a test"
    })
    expect(service.lines.find(({ message }) => message === "request")).toMatchObject({ traceId, spanId: span?.spanId })
  })

  it("begins a trace of its own when it brings none, or one that is not well-formed", async () => {
    await using collecting = await collector()
    const service = await traced(collecting.url)
    for (const traceparent of ["", "00-canary-canary-01", `00-${"0".repeat(32)}-${parentId}-01`]) {
      await (await fetch(`${service.url}/healthz`, { headers: { traceparent } })).text()
    }
    await service.close()
    const spans = collecting.spans()
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(3)
    expect(spans.map(({ parentSpanId }) => parentSpanId)).toEqual([undefined, undefined, undefined])
  })

  it("has a child for each item of a batch", async () => {
    await using collecting = await collector()
    const service = await traced(collecting.url)
    const requests = ["1", "2"].map((id) => ({
      id,
      method: "GET",
      url: `${metricsPath}/allDevices/metricDevices/${id}`,
      headers: { traceparent: `00-${traceId}-${parentId}-01` }
    }))
    await (await fetch(`${service.url}/beta/$batch`, jsonRequest("POST", { requests }))).text()
    await service.close()
    const batch = collecting.spans().find(({ name }) => name === "POST /beta/$batch")
    const items = collecting.spans().filter(({ name }) => name === `GET ${deviceRoute}`)
    expect(items).toHaveLength(2)
    for (const item of items)
      expect(item).toMatchObject({ traceId: batch?.traceId, parentSpanId: batch?.spanId, kind: 1 })
  })

  it("has a child for the store's work, which belongs to that request or item and to no other at the same time", async () => {
    await using collecting = await collector()
    const service = await traced(collecting.url, { WFA_FLEET: "3" })
    const page = (await (await fetch(`${service.url}${devicesPath}`)).json()) as {
      readonly value: ReadonlyArray<{ readonly id: string }>
    }
    const requests = page.value.map(({ id }, index) => ({
      id: String(index),
      method: "PATCH",
      url: `${metricsPath}/allDevices/metricDevices/${id}`,
      headers: { "Content-Type": "application/json" },
      body: { model: "X" }
    }))
    const [first] = page.value
    await Promise.all([
      fetch(`${service.url}/beta/$batch`, jsonRequest("POST", { requests })).then((response) => response.text()),
      fetch(`${service.url}${devicesPath}/${first?.id}`).then((response) => response.text()),
      fetch(`${service.url}${devicesPath}/$count`).then((response) => response.text())
    ])
    await service.close()
    const spans = new Map(collecting.spans().map((span) => [span.spanId, span]))
    const work = collecting
      .spans()
      .filter(({ name }) => name.startsWith("store "))
      .map(({ name, parentSpanId = "" }) => [name, spans.get(parentSpanId)?.name, parentSpanId] as const)
    expect(work.map(([name, parent]) => `${name} < ${parent}`).toSorted()).toEqual([
      `store count < GET ${deviceRoute.replace("{deviceId}", "$count")}`,
      `store find < GET ${deviceRoute}`,
      `store search < GET ${deviceRoute.replace("/{deviceId}", "")}`,
      `store update < PATCH ${deviceRoute}`,
      `store update < PATCH ${deviceRoute}`,
      `store update < PATCH ${deviceRoute}`
    ])
    expect(new Set(work.map(([, , parent]) => parent)).size).toBe(6)
  })

  it("that fails for a reason of ours is an error in its span, without a word of why", async () => {
    await using collecting = await collector()
    const service = await traced(collecting.url)
    await fetch(`${service.url}/_local/faults`, jsonRequest("PUT", { rules: [{ effect: { kind: "unavailable" } }] }))
    await (await fetch(`${service.url}${devicesPath}/x`)).text()
    await service.close()
    const span = collecting.spans().find(({ name }) => name === `GET ${deviceRoute}`)
    expect(span?.status).toMatchObject({ code: 2 })
    expect(valuesIn(span?.attributes ?? [])).toMatchObject({ "error.type": "503", "wfa.disturbance": "unavailable" })
    expect(JSON.stringify(span)).not.toMatch(/node_modules|\.ts\b|\/src\//)
  })

  it("leaves nothing of its path, query, headers or body in what is sent", async () => {
    await using collecting = await collector()
    const service = await traced(collecting.url)
    for (const path of ["/canary", `${devicesPath}/canary?canary=1`, `/beta${metricsPath}('canary')`]) {
      const request = jsonRequest("PATCH", { model: "canary", canary: 1 })
      await (
        await fetch(service.url + path, {
          ...request,
          headers: { ...request.headers, authorization: "Bearer canary", "user-agent": "canary", traceparent: "canary" }
        })
      ).text()
    }
    await service.close()
    expect(collecting.spans()).toHaveLength(3)
    expect(collecting.received.map(({ body }) => body.toString()).join("")).not.toContain("canary")
  })
})

describe("a process", () => {
  it("sends what is left when it is told to end", async () => {
    await using collecting = await collector()
    await using service = await running({
      OTEL_EXPORTER_OTLP_ENDPOINT: collecting.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json"
    })
    await (await fetch(`${service.url}/healthz`)).text()
    service.child.kill("SIGTERM")
    expect(await ended(service.child)).toEqual({ code: 0, signal: null })
    expect(collecting.spans().map(({ name }) => name)).toEqual(["GET /healthz"])
  })
})

const keptOf = async (env: Readonly<Record<string, string>>) => {
  await using collecting = await collector()
  const service = await traced(collecting.url, env)
  const kept: Array<string> = []
  for (const flags of ["00", "01"]) {
    await (
      await fetch(`${service.url}/healthz`, { headers: { traceparent: `00-${traceId}-${parentId}-${flags}` } })
    ).text()
  }
  await (await fetch(`${service.url}/readyz`)).text()
  await service.close()
  for (const { name, parentSpanId } of collecting.spans())
    kept.push(parentSpanId === undefined ? "new" : name.replace("GET ", ""))
  return kept
}

describe("which traces are kept", () => {
  it.for([
    ["always_on", "1", ["/healthz", "/healthz", "new"]],
    ["always_off", "1", []],
    ["traceidratio", "1", ["/healthz", "/healthz", "new"]],
    ["traceidratio", "0", []],
    ["parentbased_always_on", "1", ["/healthz", "new"]],
    ["parentbased_always_off", "1", ["/healthz"]],
    ["parentbased_traceidratio", "0", ["/healthz"]]
  ] as const)("follows OTEL_TRACES_SAMPLER=%s with %s", async ([sampler, ratio, expected]) => {
    expect(await keptOf({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: ratio })).toEqual(expected)
  })
})

describe("the collector", () => {
  it("gets the headers that it wants, and nobody else does: not the log, nor one that it redirects to", async () => {
    await using elsewhere = await collector()
    await using collecting = await collector()
    const env = { OTEL_EXPORTER_OTLP_HEADERS: "api-key=canary%20key", OTEL_EXPORTER_OTLP_TIMEOUT: "200" }
    const service = await traced(`${collecting.url}/base/`, env)
    await (await fetch(`${service.url}/healthz`)).text()
    await service.close()
    expect(collecting.received.map(({ path, headers }) => [path, headers["api-key"]])).toEqual([
      ["/base/v1/traces", "canary key"]
    ])

    const redirecting = createServer(
      (_, response) => void response.writeHead(307, { location: elsewhere.url }).end()
    ).listen(0, "127.0.0.1")
    await once(redirecting, "listening")
    const redirected = await traced(`http://127.0.0.1:${(redirecting.address() as AddressInfo).port}`, env)
    await (await fetch(`${redirected.url}/healthz`)).text()
    await redirected.close()
    redirecting.closeAllConnections()
    redirecting.close()
    expect(elsewhere.received).toEqual([])
    expect(redirected.lines.filter(({ isError }) => isError)).toHaveLength(1)
    expect(JSON.stringify([service.lines, redirected.lines])).not.toContain("canary")
    expect(JSON.stringify(settingsFrom({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1", ...env }))).not.toContain(
      "canary"
    )
  })

  it("is sent protobuf unless JSON is asked for", async () => {
    await using collecting = await collector()
    const service = await traced(collecting.url, { OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" })
    await (await fetch(`${service.url}/healthz`)).text()
    await service.close()
    expect(collecting.received.map(({ headers }) => headers["content-type"])).toEqual(["application/x-protobuf"])
    expect(collecting.received[0]?.body.includes("GET /healthz")).toBe(true)
  })

  it.for(["that cannot be reached", "that answers 400", "that never answers"])(
    "%s costs no request, and the log says so once",
    async (which) => {
      const answer = which === "that never answers" ? { status: 200, isSilent: true } : { status: 400 }
      await using collecting = await collector(answer)
      if (which === "that cannot be reached") await collecting[Symbol.asyncDispose]().catch(() => {})
      const service = await traced(collecting.url, { OTEL_EXPORTER_OTLP_TIMEOUT: "100" })
      // More than a delivery holds, several times: what is not taken is dropped.
      const statuses = new Set<number>()
      for (let round = 0; round < 60; round++) {
        const responses = await Promise.all(Array.from({ length: 50 }, () => fetch(`${service.url}/healthz`)))
        for (const response of responses) {
          statuses.add(response.status)
          await response.text()
        }
      }
      await service.close()
      expect(statuses).toEqual(new Set([200]))
      const told = service.lines.filter(({ isError }) => isError)
      expect(told).toHaveLength(1)
      expect(told[0]).toMatchObject({ collector: collecting.url })
    }
  )

  it.for([{}, { OTEL_EXPORTER_OTLP_ENDPOINT: "" }, { OTEL_SDK_DISABLED: "true" }, { OTEL_TRACES_EXPORTER: "none" }])(
    "is sent nothing with %o",
    async (env) => {
      await using collecting = await collector()
      const set: Readonly<Record<string, string>> = Object.keys(env).some(
        (name) => name !== "OTEL_EXPORTER_OTLP_ENDPOINT"
      )
        ? { OTEL_EXPORTER_OTLP_ENDPOINT: collecting.url, ...env }
        : env
      expect(settingsFrom(set).traces).toBeUndefined()
      const service = await startService(settingsFrom(set))
      await (await fetch(`${service.url}/healthz`)).text()
      await service.close()
      expect(collecting.received).toEqual([])
    }
  )
})

const problemsOf = (env: Readonly<Record<string, string>>) => {
  const settings = readSettings({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.example:4318", ...env })
  return settings.success ? [] : settings.problems
}

const urlOf = (env: Readonly<Record<string, string>>) => settingsFrom(env).traces?.url

describe("the settings of traces", () => {
  it("are refused with every problem at once, and without their values", () => {
    const problems = problemsOf({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://user:canary@collector.example",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_HEADERS: "canary",
      OTEL_EXPORTER_OTLP_TIMEOUT: "canary",
      OTEL_RESOURCE_ATTRIBUTES: "%=canary",
      OTEL_TRACES_SAMPLER: "jaeger_remote",
      OTEL_TRACES_SAMPLER_ARG: "2"
    })
    expect(problems).toEqual([
      "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: expected an http or https URL without a user and password",
      "OTEL_EXPORTER_OTLP_PROTOCOL: expected one of http/protobuf, http/json",
      "OTEL_EXPORTER_OTLP_HEADERS: expected name=value pairs, comma separated and percent-encoded",
      "OTEL_EXPORTER_OTLP_TIMEOUT: expected a number from 1 to 600000",
      "OTEL_RESOURCE_ATTRIBUTES: expected name=value pairs, comma separated and percent-encoded",
      expect.stringMatching(/^OTEL_TRACES_SAMPLER: expected one of parentbased_always_on, /),
      "OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1"
    ])
    expect(problemsOf({ OTEL_EXPORTER_OTLP_HEADERS: "a=b%0Ac" })).toEqual([
      "OTEL_EXPORTER_OTLP_HEADERS: expected names and values that headers may have"
    ])
  })

  it("take the address for traces as it is, and put the path of traces behind the one for everything", () => {
    expect(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c.example:4318" })).toBe("http://c.example:4318/v1/traces")
    expect(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://c.example/otlp/" })).toBe("http://c.example/otlp/v1/traces")
    expect(
      urlOf({
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://c.example",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://t.example/in"
      })
    ).toBe("https://t.example/in")
  })

  it("are the defaults of OpenTelemetry where nothing is set", () => {
    const { traces } = settingsFrom({
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://c.example",
      OTEL_EXPORTER_OTLP_PROTOCOL: ""
    })
    expect(traces).toMatchObject({
      protocol: "http/protobuf",
      timeoutMillis: 10_000,
      serviceName: "wfa-api",
      sampler: "parentbased_always_on",
      ratio: 1
    })
    expect(defaultSettings.traces).toBeUndefined()
  })
})

describe("a request to a gateway", () => {
  it("has what the client does at the upstream below it, by templates and not by keys or queries", async () => {
    await using collecting = await collector()
    const upstream = await startService({ ...defaultSettings, port: 0, fleet: 3 })
    const gateway = await traced(collecting.url, { WFA_UPSTREAM: upstream.url })
    const headers = { traceparent: `00-${traceId}-${parentId}-01` }
    const response = await fetch(`${gateway.url}${devicesPath}?$top=1&$filter=model ne 'secret'`, { headers })
    expect(response.status).toBe(200)
    await response.text()
    await gateway.close()
    await upstream.close()

    const spans = collecting.spans()
    expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceId]))
    const byId = new Map(spans.map((span) => [span.spanId, span]))
    const call = spans.find(({ kind }) => kind === 3)
    const way: Array<Span> = []
    for (let span = call; span !== undefined; span = byId.get(span.parentSpanId ?? "")) way.push(span)
    expect(way.at(-1)).toMatchObject({ kind: 2, parentSpanId: parentId })
    expect(valuesIn(call?.attributes ?? [])).toMatchObject({
      "http.request.method": "GET",
      "server.address": "127.0.0.1",
      "url.template": "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/{metricId}/metricDevices"
    })
    expect(JSON.stringify(spans)).not.toContain("secret")
  })
})
