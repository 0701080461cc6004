import { request as send } from "node:http"
import { text } from "node:stream/consumers"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { openApiDocument } from "../../src/describe/openapi.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { startService } from "../../src/service.ts"
import { defaultSettings } from "../../src/settings/config.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import { operationsOf } from "../described.ts"
import { devicesPath, failureOf, jsonRequest, metricsPath } from "../opened.ts"
import { openedEntra } from "../tokens.ts"

const started = async (settings: Partial<typeof defaultSettings> = {}) => {
  const { url, close } = await startService({ ...defaultSettings, port: 0, fleet: 2, ...settings })
  return { url, [Symbol.asyncDispose]: close }
}

type Sample = readonly [name: string, labels: Readonly<Record<string, string>>, value: number]

/** Reads Prometheus' text; a line that is no sample, comment or gap is a failure. */
const samplesIn = (exposition: string): ReadonlyArray<Sample> =>
  exposition
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line): Sample => {
      const [, name = "", inside = "", value = ""] = /^([a-z_]\w*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? []
      expect([line, name]).not.toContain("")
      const labels = [...inside.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/gi)].map(([, label = "", text = ""]) => [
        label,
        text
      ])
      return [name, Object.fromEntries(labels), value === "+Inf" ? Infinity : Number(value)]
    })

const scraped = async (url: string) => samplesIn(await (await fetch(`${url}/metrics`)).text())

const countOf = (samples: ReadonlyArray<Sample>, name: string, labels: Readonly<Record<string, string>>): number =>
  samples
    .filter(([sample, own]) => sample === name && Object.entries(labels).every(([label, text]) => own[label] === text))
    .reduce((sum, [, , value]) => sum + value, 0)

const count = "http_server_request_duration_seconds_count"
const deviceRoute =
  "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/{metricId}/metricDevices/{deviceId}"

describe("/metrics", () => {
  it("counts requests by method, route and status, in buckets that add up", async () => {
    await using service = await started()
    for (const key of ["/x", "/y", "('z')"]) await (await fetch(`${service.url}${devicesPath}${key}`)).text()
    await (await fetch(`${service.url}${devicesPath}/x`, jsonRequest("PATCH", { model: 1 }))).text()
    await (await fetch(`${service.url}${devicesPath}/$count`)).text()
    const samples = await scraped(service.url)
    const notFound = {
      http_request_method: "GET",
      http_response_status_code: "404",
      http_route: deviceRoute,
      url_scheme: "http"
    }
    expect(countOf(samples, count, notFound)).toBe(3)
    expect(
      countOf(samples, count, {
        http_request_method: "PATCH",
        http_response_status_code: "400",
        http_route: deviceRoute
      })
    ).toBe(1)
    expect(countOf(samples, count, { http_route: deviceRoute.replace("{deviceId}", "$count") })).toBe(1)
    const buckets = samples.filter(
      ([name, labels]) =>
        name.endsWith("seconds_bucket") &&
        labels["http_route"] === deviceRoute &&
        labels["http_response_status_code"] === "404"
    )
    const values = buckets.map(([, , value]) => value)
    expect(values).toEqual(values.toSorted((a, b) => a - b))
    expect(buckets.at(-1)?.[1]["le"]).toBe("+Inf")
    expect(values.at(-1)).toBe(3)
    expect(countOf(samples, "http_server_request_duration_seconds_sum", notFound)).toBeGreaterThan(0)
    expect(countOf(samples, "http_server_active_requests", {})).toBe(1)
    expect(countOf(samples, "wfa_build_info", {})).toBe(1)
    expect(countOf(samples, "process_resident_memory_bytes", {})).toBeGreaterThan(0)
    expect(countOf(samples, "nodejs_heap_size_used_bytes", {})).toBeGreaterThan(0)
  })

  it("has labels of routes, methods and statuses only, whatever is asked for", async () => {
    await using service = await started({ exposition: "on" })
    for (const path of [
      "/canary",
      "/beta/canary",
      `/beta${metricsPath}/canary`,
      `${devicesPath}/canary?canary=1`,
      "/docs/canary",
      "/_local/canary"
    ]) {
      for (const method of ["GET", "DELETE", "PROPFIND"]) {
        await (
          await fetch(service.url + path, {
            method,
            headers: { "client-request-id": "canary", authorization: "Bearer canary" }
          })
        ).text()
      }
    }
    const exposition = await (await fetch(`${service.url}/metrics`)).text()
    expect(exposition).not.toContain("canary")
    const routes = new Set(samplesIn(exposition).flatMap(([, { http_route: route }]) => route ?? []))
    const document = openApiDocument({
      isAuthenticated: false,
      hasControls: true,
      hasEtags: false,
      hasExposition: true
    })
    const known = new Set(operationsOf(document).flatMap(({ path }) => [path, `/beta${path}`, `/v1.0${path}`]))
    expect([...routes].filter((route) => route !== "" && !known.has(route))).toEqual([])
    expect(new Set(samplesIn(exposition).flatMap(([, { http_request_method: method }]) => method ?? []))).toEqual(
      new Set(["GET", "DELETE", "_OTHER"])
    )
  })

  it("counts the items of a batch by themselves, and what rehearsal disturbed", async () => {
    await using service = await started()
    await fetch(
      `${service.url}/_local/faults`,
      jsonRequest("PUT", { rules: [{ when: { batchItem: true, nth: 2 }, effect: { kind: "throttle" } }] })
    )
    const requests = ["1", "2", "3"].map((id) => ({
      id,
      method: "GET",
      url: `${metricsPath}/allDevices/metricDevices/${id}`
    }))
    await (await fetch(`${service.url}/beta/$batch`, jsonRequest("POST", { requests }))).text()
    const samples = await scraped(service.url)
    const items = "wfa_batch_item_duration_seconds_count"
    expect(countOf(samples, items, { http_route: deviceRoute, http_response_status_code: "404" })).toBe(2)
    expect(countOf(samples, items, { http_route: deviceRoute, http_response_status_code: "429" })).toBe(1)
    expect(countOf(samples, count, { http_route: deviceRoute })).toBe(0)
    expect(countOf(samples, count, { http_route: "/beta/$batch" })).toBe(1)
    expect(countOf(samples, "wfa_disturbed_requests_total", { kind: "throttle" })).toBe(1)
  })

  it("tells how many writes shared a commit", async () => {
    await using service = await started()
    const page = (await (await fetch(`${service.url}${devicesPath}`)).json()) as {
      readonly value: ReadonlyArray<{ readonly id: string }>
    }
    for (const { id } of page.value)
      await (await fetch(`${service.url}${devicesPath}/${id}`, jsonRequest("PATCH", { model: "X" }))).text()
    const samples = await scraped(service.url)
    expect(countOf(samples, "wfa_commit_writes_sum", {})).toBe(2)
    expect(countOf(samples, "wfa_commit_writes_bucket", { le: "1" })).toBe(2)
  })

  it("is shown to callers on this machine only, and not through a proxy, unless a setting says otherwise", async () => {
    await using service = await started()
    for (const name of ["forwarded", "x-forwarded-for", "via"]) {
      const response = await fetch(`${service.url}/metrics`, { headers: { [name]: "203.0.113.7" } })
      expect([name, response.status, (await failureOf(response)).code]).toEqual([name, 403, "Forbidden"])
    }
    await using shown = await started({ exposition: "on" })
    expect((await fetch(`${shown.url}/metrics`, { headers: { via: "1.1 proxy" } })).status).toBe(200)
  })

  it.for([
    ["127.0.0.1", 200],
    ["::1", 200],
    ["::ffff:127.0.0.1", 200],
    ["203.0.113.7", 403],
    ["::ffff:10.0.0.1", 403],
    [undefined, 403]
  ] as const)("answers a caller at %s with %i", async ([remoteAddress, status]) => {
    const store = await openDeviceStore("memory")
    const app = createApp({ store, exposition: { visibleTo: "loopback", text: async () => "" } })
    const response = await app.request("http://localhost/metrics", {}, { incoming: { socket: { remoteAddress } } })
    expect(response.status).toBe(status)
    await store.close()
  })

  it("is not shown to a page that gave its own name this machine's address, where tokens are wanted", async () => {
    await using tokens = await openedEntra([])
    const { authentication, store } = tokens
    const app = createApp({ store, authentication, exposition: { visibleTo: "loopback", text: async () => "" } })
    const bindings = { incoming: { socket: { remoteAddress: "127.0.0.1" } } }
    expect((await app.request("http://page.example/metrics", {}, bindings)).status).toBe(403)
    expect((await app.request("http://127.0.0.1:4010/metrics", {}, bindings)).status).toBe(200)
  })

  it("is shown over IPv6 as well", async () => {
    await using service = await started({ host: "::1" })
    const { port } = new URL(service.url)
    const exchange = send({ host: "::1", port, path: "/metrics" }).end()
    const status = await new Promise((resolve) =>
      exchange.on("response", (response) => resolve(text(response).then(() => response.statusCode)))
    )
    expect(status).toBe(200)
  })

  it("is not there when it is off, nor in a Graph of a test's own", async () => {
    await using service = await started({ exposition: "off" })
    await using graph = await createLocalGraph()
    for (const response of [await fetch(`${service.url}/metrics`), await graph.fetch("/metrics")]) {
      expect([response.status, (await failureOf(response)).code]).toEqual([400, "BadRequest"])
    }
    const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as { readonly paths: object }
    expect(document.paths).not.toHaveProperty("/metrics")
  })
})
