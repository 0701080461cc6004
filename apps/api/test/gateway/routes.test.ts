import { once } from "node:events"
import type { IncomingMessage, ServerResponse } from "node:http"
import { json } from "node:stream/consumers"
import { type KeyedDevice, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { createLocalGraph } from "../../src/local-graph.ts"
import { openedGateway } from "../gateways.ts"
import {
  devicesPath,
  documentedId,
  documentedUpdate,
  failureOf,
  jsonRequest,
  metricsPath,
  modelsPath,
  readinessPath,
  summaryPath
} from "../opened.ts"
import { served } from "../tokens.ts"

const devicePath = `${devicesPath}/${documentedId}`

interface Page {
  readonly value: ReadonlyArray<KeyedDevice>
  readonly "@odata.nextLink"?: string
}

/** A body without what differs each time. */
const comparable = async (response: Response, url: string) => {
  // One of the two ways to write a key is passed on.
  const text = (await response.text()).replaceAll(url, "").replaceAll(/(Metrics)\('allDevices'\)/g, "$1/allDevices")
  const [type, applied] = ["content-type", "preference-applied"].map((name) => response.headers.get(name))
  return [response.status, type, applied, text.replaceAll(/skiptoken=[^"&]+|"(?:date|[\w-]*request-id)":"[^"]+"/g, "")]
}

describe("a gateway to another local Graph", () => {
  it.for([
    devicesPath,
    `${devicesPath}?$top=3&$count=true&$select=id,model&$orderby=model desc`,
    `${devicesPath}?$filter=startswith(deviceName,'F') and windowsScore ge 0&top=2`,
    `${devicesPath}?$skip=40&dtFilter=all&=`,
    `/v1.0${metricsPath}('allDevices')/metricDevices?$top=1`,
    `${devicesPath}/$count?$filter=model ne null`,
    `${devicePath}?$select=id,healthStatus`,
    `/beta${metricsPath}('allDevices')/metricDevices('${documentedId}')`,
    `/beta${metricsPath}`,
    `/beta${metricsPath}/devicePerformance`,
    `/v1.0${readinessPath}`,
    `/beta${modelsPath}?$top=2`,
    `/beta${summaryPath}()?$select=totalDevices`,
    "/beta/$metadata",
    "/beta/deviceManagement"
  ])("[F90] shows what the upstream shows at %s, at addresses of its own", async (path) => {
    await using graph = await createLocalGraph({ fleet: { size: 50, seed: 3 } })
    await using gateway = await openedGateway(await graph.url())
    const upstream = await graph.url()
    const headers = { accept: "application/json;odata.metadata=full", prefer: "odata.maxpagesize=7" }
    for (const init of [{}, { headers }]) {
      const [here, there] = [await fetch(gateway.url + path, init), await fetch(upstream + path, init)]
      expect(await comparable(here, gateway.url)).toEqual(await comparable(there, upstream))
      expect(here.status).toBe(path.endsWith("$count?$filter=model ne null") && init.headers !== undefined ? 415 : 200)
    }
  })

  it("[F91] has links that lead through it to the last page, each device once", async () => {
    await using graph = await createLocalGraph({ fleet: { size: 60, seed: 3 } })
    await using gateway = await openedGateway(await graph.url())
    const ids: Array<string> = []
    let pages = 0
    for (let next: string | undefined = `${gateway.url}${devicesPath}?$top=7&$orderby=model`; next !== undefined;) {
      expect(next.startsWith(`${gateway.url}/beta/`)).toBe(true)
      const page = (await (await fetch(next)).json()) as Page
      ids.push(...page.value.map(({ id }) => id))
      next = page["@odata.nextLink"]
      pages += 1
    }
    expect(pages).toBe(9)
    expect(new Set(ids).size).toBe(60)
    expect(ids).toHaveLength(60)
  })

  it("makes every write that the service makes, and answers each as the upstream does", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: documentedId }] })
    await using gateway = await openedGateway(await graph.url())
    const metrics = `${gateway.url}/beta${metricsPath}`
    const created = await fetch(metrics, jsonRequest("POST", { id: "mine" }))
    expect([created.status, created.headers.get("location")]).toEqual([201, `${metrics}('mine')`])
    const inside = await fetch(`${metrics}/mine/metricDevices`, jsonRequest("POST", { id: "d'1", model: "X" }))
    expect([inside.status, inside.headers.get("location")]).toEqual([201, `${metrics}('mine')/metricDevices('d''1')`])
    expect(await inside.json()).toMatchObject({ id: "d'1", model: "X" })
    expect((await fetch(`${metrics}/mine`, jsonRequest("PATCH", {}))).status).toBe(200)
    expect((await fetch(`${metrics}/mine/metricDevices/d'1`, { method: "DELETE" })).status).toBe(204)
    expect((await fetch(`${metrics}/mine`, { method: "DELETE" })).status).toBe(204)

    const updated = await fetch(`${gateway.url}${devicePath}`, jsonRequest("PATCH", await documentedUpdate()))
    expect(updated.status).toBe(200)
    expect(await updated.json()).toMatchObject({ ...JSON.parse(await documentedUpdate()), id: documentedId })
    const patch = jsonRequest("PATCH", { model: "Y" })
    const minimal = { ...patch, headers: { ...patch.headers, prefer: "return=minimal" } }
    const quiet = await fetch(`${gateway.url}${devicePath}`, minimal)
    expect([quiet.status, quiet.headers.get("preference-applied")]).toEqual([204, "return=minimal"])
    expect(await (await fetch(`${gateway.url}${devicePath}`)).json()).toMatchObject({ model: "Y" })
  })

  it("reads an update back that the upstream answers without a body", async () => {
    const device = wholeDevice({ id: "a", model: "X" })
    await using graph = await served((request, response) => {
      response.writeHead(request.method === "PATCH" ? 204 : 200, { "content-type": "application/json" })
      response.end(request.method === "PATCH" ? undefined : JSON.stringify(device))
    })
    await using gateway = await openedGateway(graph.url)
    const updated = await fetch(`${gateway.url}${devicesPath}/a`, jsonRequest("PATCH", { model: "X" }))
    expect([updated.status, await updated.json()]).toEqual([200, device])
  })

  it("[F190] answers an update that was made with 204 where reading it back fails, alone and in a batch", async () => {
    for (const made of [200, 202, 204]) {
      await using graph = await served(async (request, response) => {
        if (!String(request.url).endsWith("$batch")) {
          response.writeHead(request.method === "PATCH" ? made : 403, { "content-type": "application/json" }).end()
          return
        }
        const { requests } = (await json(request)) as { requests: ReadonlyArray<{ id: string; method: string }> }
        const responses = requests.map(({ id, method }) => ({ id, status: method === "PATCH" ? made : 403 }))
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ responses }))
      })
      await using gateway = await openedGateway(graph.url)
      const patch = jsonRequest("PATCH", { model: "X" })
      const alone = await fetch(`${gateway.url}${devicesPath}/a`, patch)
      expect([alone.status, await alone.text()]).toEqual([204, ""])
      const requests = [
        {
          id: "1",
          method: "PATCH",
          url: `${devicesPath}/a`.replace("/beta", ""),
          body: { model: "X" },
          headers: patch.headers
        }
      ]
      const batched = await fetch(`${gateway.url}/beta/$batch`, jsonRequest("POST", { requests }))
      expect(await batched.json()).toMatchObject({ responses: [{ id: "1", status: 204 }] })
    }
  })

  it("answers a creation with the address that the upstream gives, where that is all it gives", async () => {
    await using graph = await served((request, response) => {
      const location = `http://${request.headers.host}${devicesPath}/new`
      response.writeHead(201, { location }).end()
    })
    await using gateway = await openedGateway(graph.url)
    const created = await fetch(`${gateway.url}${devicesPath}`, jsonRequest("POST", { model: "X" }))
    expect([created.status, created.headers.get("location")]).toEqual([204, `${gateway.url}${devicesPath}/new`])
  })

  it("passes conditions on, and says so when nothing is new", async () => {
    await using graph = await served((request, response) => {
      const { "if-match": match, "if-none-match": noneMatch } = request.headers
      response.writeHead(noneMatch === '"1"' ? 304 : match === '"0"' ? 412 : 200, {
        "content-type": "application/json",
        etag: '"1"'
      })
      response.end(noneMatch === '"1"' ? undefined : JSON.stringify({ id: "a" }))
    })
    await using gateway = await openedGateway(graph.url)
    const device = `${gateway.url}${devicesPath}/a`
    const read = await fetch(device)
    expect([read.status, read.headers.get("etag")]).toEqual([200, '"1"'])
    expect((await fetch(device, { headers: { "if-none-match": '"1"' } })).status).toBe(304)
    const conditional = { method: "DELETE", headers: { "if-match": '"0"' } }
    expect((await fetch(device, conditional)).status).toBe(412)
  })

  it("[F92] leaves what it does not know as it is: properties, members of enums, annotations", async () => {
    const row = {
      "@odata.etag": "W/1",
      id: "a",
      healthStatus: "aLaterMember",
      "healthStatus@odata.type": "#microsoft.graph.x",
      later: { nested: [1, null, "x", { "@odata.context": "http://elsewhere.example/$metadata" }] },
      windowsScore: -2,
      big: 1e300
    }
    await using graph = await served((request, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.end(
        JSON.stringify(
          request.url?.includes("/a") === true && !request.url.includes("allDevices?") && request.url.endsWith("/a")
            ? row
            : { value: [row], extra: "x" }
        )
      )
    })
    await using gateway = await openedGateway(graph.url)
    expect(await (await fetch(`${gateway.url}${devicesPath}/a`)).json()).toEqual(row)
    expect(await (await fetch(`${gateway.url}${devicesPath}`)).json()).toEqual({ value: [row], extra: "x" })
  })

  it("has nothing of its own under /_local, and stays up without its upstream", async () => {
    const graph = await createLocalGraph()
    await using gateway = await openedGateway(await graph.url())
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
    expect(graph.calls()).toHaveLength(1)
    await Promise.all([fetch(`${gateway.url}/readyz`), fetch(`${gateway.url}/readyz`)])
    expect(graph.calls()).toHaveLength(1)
    expect(await failureOf(await fetch(`${gateway.url}/_local/calls`))).toMatchObject({ code: "BadRequest" })
    await graph.close()
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
  })

  it.for([
    ["503 Service Unavailable", 503, 503],
    ["500", 500, 503],
    ["401, although it asked for no credentials", 401, 200],
    ["403", 403, 200],
    ["429", 429, 200]
  ] as const)("[F93] says whether the upstream answers, which it does with %s", async ([, status, ready]) => {
    await using graph = await served((_, response) => {
      response.writeHead(status, { "content-type": "application/json" })
      response.end("{}")
    })
    await using gateway = await openedGateway(graph.url)
    const response = await fetch(`${gateway.url}/readyz`)
    expect([response.status, await response.text()]).toEqual([
      ready,
      expect.stringContaining(ready === 503 ? '"serviceNotAvailable"' : '"ready"')
    ])
  })

  it("says that it is not ready while nobody listens there", async () => {
    const closed = await served(() => {})
    await closed[Symbol.asyncDispose]()
    await using gateway = await openedGateway(closed.url)
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503)
    expect(gateway.lines).toContainEqual(
      expect.objectContaining({ level: "error", message: "the upstream does not answer" })
    )
  })
})

const writes: ReadonlyArray<readonly [string, string, object?]> = [
  ["POST", `/beta${metricsPath}`, { id: "x" }],
  ["PATCH", `/beta${metricsPath}/allDevices`, {}],
  ["DELETE", `/beta${metricsPath}/mine`],
  ["POST", devicesPath, { id: "x" }],
  ["PATCH", devicePath, { model: "X" }],
  ["DELETE", devicePath]
]

const requestOf = (method: string, body: object | undefined) =>
  body === undefined ? { method } : jsonRequest(method, body)

describe("what a gateway refuses", () => {
  it.for(writes)("[F94] %s %s, until writes are on: 403, and nothing is sent", async ([method, path, body]) => {
    await using graph = await createLocalGraph({ devices: [{ id: documentedId }] })
    await using gateway = await openedGateway(await graph.url(), {
      settings: { upstreamWrites: "off", audit: undefined }
    })
    const response = await fetch(gateway.url + path, requestOf(method, body))
    expect([response.status, await failureOf(response)]).toMatchObject([
      403,
      { code: "Forbidden", message: expect.stringMatching(/only reads/) }
    ])
    const batch = {
      requests: [
        {
          id: "1",
          method,
          url: path.replace("/beta", ""),
          ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body })
        }
      ]
    }
    const batched = await fetch(`${gateway.url}/beta/$batch`, jsonRequest("POST", batch))
    expect(await batched.json()).toMatchObject({ responses: [{ id: "1", status: 403 }] })
    expect(graph.calls()).toEqual([])
  })

  const routes = {
    metrics: `/beta${metricsPath}`,
    metric: `/beta${metricsPath}/allDevices`,
    devices: devicesPath,
    device: devicePath,
    count: `${devicesPath}/$count`,
    readiness: `/beta${readinessPath}`,
    models: `/beta${modelsPath}`,
    summary: `/beta${summaryPath}`
  } as const

  it("[F95] routes that are not on its list, and no others", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: documentedId }] })
    for (const name of Object.keys(routes) as ReadonlyArray<keyof typeof routes>) {
      await using gateway = await openedGateway(await graph.url(), { settings: { upstreamRoutes: [name] } })
      for (const [other, path] of Object.entries(routes)) {
        const before = graph.calls().length
        const response = await fetch(gateway.url + path)
        const refused = (await response.text()).includes('"code":"Forbidden"')
        expect([other, response.status, refused]).toEqual([other, other === name ? 200 : 403, other !== name])
        expect(graph.calls().length - before).toBe(other === name ? 1 : 0)
      }
      const batch = jsonRequest("POST", { requests: [{ id: "1", method: "GET", url: "/deviceManagement" }] })
      expect((await fetch(`${gateway.url}/beta/$batch`, batch)).status).toBe(403)
    }
  })

  it.for<[string, string, RequestInit?]>([
    ["an unknown path", "/beta/deviceManagement/managedDevices"],
    ["an unknown version", "/v2/deviceManagement"],
    ["an option that is not served", `${devicesPath}?$expand=x`],
    ["a filter that is none", `${devicesPath}?$filter=model`],
    ["a filter by what there is not", `${devicesPath}?$filter=colour eq 'red'`],
    ["an order by what there is not", `${devicesPath}?$orderby=colour`],
    ["a selection of what there is not", `${devicePath}?$select=colour`],
    ["a size that is none", `${devicesPath}?$top=x`],
    ["an option given twice", `${devicesPath}?$top=1&top=2`],
    ["a count that is none", `${devicesPath}?$count=maybe`],
    ["another method", devicePath, { method: "PUT" }],
    ["a standing metric's deletion", `/beta${metricsPath}/allDevices`, { method: "DELETE" }],
    ["a body without a type", devicePath, { method: "PATCH", body: "{}", headers: { "content-type": "" } }],
    ["a body that is no JSON", devicePath, jsonRequest("PATCH", "{")],
    ["an empty update", devicePath, jsonRequest("PATCH", {})],
    ["an update that does not fit", devicePath, jsonRequest("PATCH", { windowsScore: 101, colour: "red", id: "x" })],
    ["null where it may not be", devicePath, jsonRequest("PATCH", { healthStatus: null })],
    ["a device that does not fit", devicesPath, jsonRequest("POST", { model: 1 })],
    ["an id that is no part of an address", devicesPath, jsonRequest("POST", { id: "" })],
    ["an option with a write", `${devicePath}?$select=id`, jsonRequest("PATCH", { model: "X" })],
    ["a body that is too large", devicePath, jsonRequest("PATCH", { model: "x".repeat(1_100_000) })],
    ["an address that is too long", `${devicesPath}?a=${"x".repeat(9_000)}`]
  ])("[F96] %s, in the words of the service itself, and nothing is sent", async ([, path, init = {}]) => {
    await using graph = await createLocalGraph({ devices: [{ id: documentedId }] })
    await using gateway = await openedGateway(await graph.url())
    const here = await comparable(await fetch(gateway.url + path, init), gateway.url)
    expect(graph.calls()).toEqual([])
    expect(here).toEqual(await comparable(await fetch((await graph.url()) + path, init), await graph.url()))
    expect(here[0]).toBeGreaterThanOrEqual(400)
  })

  it.for([".", "..", "%2e%2e", "a%2F..%2Fb", "%2E%2F"])("the key %s, which would lead elsewhere", async (key) => {
    await using graph = await createLocalGraph()
    await using gateway = await openedGateway(await graph.url())
    const response = await gateway.app.request(`http://127.0.0.1${devicesPath}('${key}')`)
    expect([response.status, graph.calls()]).toEqual([400, []])
  })

  it.for(["a%2Fb", "d'1", "%24count", "(a)", "%E2%82%AC", "a%3Fb%23c"])(
    "no key that is odd: %s stays one",
    async (key) => {
      await using graph = await createLocalGraph({ devices: [{ id: decodeURIComponent(key) }] })
      await using gateway = await openedGateway(await graph.url())
      const response = await fetch(`${gateway.url}${devicesPath}('${key.replaceAll("'", "''")}')`)
      expect(await response.json()).toMatchObject({ id: decodeURIComponent(key) })
    }
  )
})

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const failing =
  (status: number, error: object, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json", "request-id": "of-the-upstream", ...headers })
    response.end(JSON.stringify({ error }))
  }

const text =
  (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, { "content-type": "text/html", ...headers })
    response.end(body)
  }

const nested = JSON.stringify({
  _version: 3,
  Message: "Not here. - Operation ID (for customer support): 0 - Activity ID: 1"
})

describe("a failure of the upstream", () => {
  it.for<[string, Answer, object]>([
    [
      "400",
      failing(400, { code: "BadRequest", message: "Odd." }),
      { status: 400, code: "BadRequest", message: "Odd." }
    ],
    [
      "400 with details",
      failing(400, { code: "X", message: "Odd.", details: [{ code: "y", message: "Why.", target: "model" }] }),
      { status: 400, code: "X", details: [{ code: "y", message: "Why.", target: "model" }] }
    ],
    [
      "400 of a route that is not there",
      failing(400, { code: "No method match route template", message: "No method match." }),
      { status: 400, code: "No method match route template" }
    ],
    ["403", failing(403, { code: "Forbidden", message: "No." }), { status: 403, code: "Forbidden", message: "No." }],
    [
      "404 as Intune nests it",
      failing(404, { code: "ResourceNotFound", message: nested }),
      { status: 404, message: "Not here." }
    ],
    ["409 without a code", failing(409, { code: "", message: "Taken." }), { status: 409, code: "" }],
    ["410", failing(410, { code: "resyncRequired", message: "Again." }), { status: 410, code: "resyncRequired" }],
    ["a page of HTML with 418", text(418, "<html>"), { status: 502, code: "badGateway" }],
    [
      "500",
      failing(500, { code: "InternalServerError", message: "Oh." }, { "retry-after": "0" }),
      { status: 500, code: "InternalServerError" }
    ],
    ["501", failing(501, { code: "NotSupported", message: "No." }), { status: 501, code: "NotSupported" }],
    [
      "429",
      failing(429, { code: "TooManyRequests", message: "Slow." }, { "retry-after": "90" }),
      { status: 429, code: "TooManyRequests", message: "Slow.", retryAfter: "90" }
    ],
    [
      "500 that means 429",
      failing(
        500,
        { code: "x", message: "Rate limit reached: too many requests to query broker" },
        { "retry-after": "40" }
      ),
      { status: 429, code: "TooManyRequests", retryAfter: "40", innerError: { "upstream-status": "500" } }
    ],
    [
      "503",
      failing(503, { code: "serviceNotAvailable", message: "Later." }, { "retry-after": "100" }),
      { status: 503, code: "serviceNotAvailable", message: "Later.", retryAfter: "100" }
    ],
    ["401", failing(401, { code: "InvalidAuthenticationToken", message: "Bad." }), { status: 502, code: "badGateway" }],
    ["a redirect", text(302, "", { location: "http://127.0.0.1:1/" }), { status: 502, code: "badGateway" }],
    ["407", text(407, ""), { status: 502, code: "badGateway" }],
    ["a page of HTML", text(200, "<html>"), { status: 502, code: "badGateway" }],
    ["no body", text(200, ""), { status: 502, code: "badGateway" }],
    ["a list in place of an object", text(200, "[]"), { status: 502, code: "badGateway" }],
    [
      "a link to another origin",
      text(200, '{"value":[],"@odata.nextLink":"https://graph.example/beta/x"}'),
      { status: 502 }
    ],
    [
      "a link without its protocol",
      text(200, '{"value":[],"@odata.nextLink":"//graph.example/beta/x"}'),
      { status: 502 }
    ],
    ["a link that is none", text(200, '{"value":[],"@odata.nextLink":7}'), { status: 502 }]
  ])("[F97] of %s keeps its meaning for the caller", async ([, answer, expected]) => {
    await using graph = await served(answer)
    await using gateway = await openedGateway(graph.url)
    const response = await fetch(`${gateway.url}${devicesPath}`)
    const { code, details, innerError, message } = await failureOf(response)
    const retryAfter = response.headers.get("retry-after")
    expect({ status: response.status, code, details, innerError, message, retryAfter }).toMatchObject(expected)
    expect(innerError["request-id"]).toBe(response.headers.get("request-id"))
    expect(innerError["request-id"]).not.toBe("of-the-upstream")
    expect(["of-the-upstream", undefined]).toContain(innerError["upstream-request-id"])
    expect(response.headers.get("www-authenticate")).toBeNull()
  })

  it("[F98] is 502 when the connection breaks, and 504 when no answer comes in time; what is not known of a write is said", async () => {
    await using broken = await served((request) => request.socket.destroy())
    await using silent = await served(() => {})
    const update = jsonRequest("PATCH", { model: "X" })
    for (const [graph, status] of [
      [broken, 502],
      [silent, 504]
    ] as const) {
      await using gateway = await openedGateway(graph.url, { deadline: 300 })
      const read = await fetch(`${gateway.url}${devicesPath}`)
      expect([read.status, (await failureOf(read)).innerError["outcome"]]).toEqual([status, undefined])
    }
    for (const answer of [undefined, 504] as const) {
      await using graph = await served((request, response) => {
        if (request.method === "GET")
          return failing(404, { code: "ResourceNotFound", message: "No." })(request, response)
        return answer === undefined ? request.socket.destroy() : text(answer, "")(request, response)
      })
      await using gateway = await openedGateway(graph.url, { deadline: 300 })
      const written = await fetch(`${gateway.url}${devicesPath}/a`, update)
      expect([502, 504]).toContain(written.status)
      expect(await failureOf(written)).toMatchObject({
        message: expect.stringMatching(/not known: read before you repeat it/),
        innerError: { outcome: "unknown" }
      })
      expect((await gateway.audited()).map(({ outcome }) => outcome)).toEqual([undefined, "unknown"])
    }
  })

  it("is 502 when a body breaks off", async () => {
    await using graph = await served((_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" })
      response.write('{"value":[')
      setImmediate(() => response.destroy())
    })
    await using gateway = await openedGateway(graph.url, { deadline: 300 })
    expect((await fetch(`${gateway.url}${devicesPath}`)).status).toBe(502)
  })
})

describe("a caller that goes away", () => {
  it.for(["GET", "PATCH", "batch"])(
    "[F99] takes its %s along: the upstream sees the connection close",
    async (kind) => {
      const arrived = Promise.withResolvers<IncomingMessage>()
      await using graph = await served((request, response) => {
        if (request.method === "GET" && kind === "PATCH") return text(200, '{"id":"a"}')(request, response)
        return arrived.resolve(request)
      })
      await using gateway = await openedGateway(graph.url)
      const stop = new AbortController()
      const url = `${gateway.url}${devicesPath}/a`
      const get = { id: "1", method: "GET", url: devicesPath.replace("/beta", "") }
      const call =
        kind === "batch"
          ? fetch(`${gateway.url}/beta/$batch`, { ...jsonRequest("POST", { requests: [get] }), signal: stop.signal })
          : fetch(url, { ...(kind === "GET" ? {} : jsonRequest("PATCH", { model: "X" })), signal: stop.signal })
      const failed = call.catch((error: unknown) => error)
      const request = await arrived.promise
      const closing = once(request.socket, "close")
      stop.abort()
      await closing
      expect(await failed).toMatchObject({ name: "AbortError" })
      if (kind !== "PATCH") return
      // The outcome is written when the fiber has ended, which nobody waits for.
      while ((await gateway.audited()).length < 2) await new Promise((resolve) => setImmediate(resolve))
      expect((await gateway.audited()).map(({ outcome }) => outcome)).toEqual([undefined, "unknown"])
    }
  )
})
