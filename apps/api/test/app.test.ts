import { describe, expect, it } from "vitest"
import {
  devicesPath,
  documentedId,
  failureOf,
  jsonRequest,
  metricsPath,
  modelsPath,
  openedApp,
  readinessPath,
  summaryPath
} from "./opened.ts"
import { bearer, openedEntra, signed, signingKey, tenants, userClaims } from "./tokens.ts"

const devicePath = `${devicesPath}/${documentedId}`

const contentType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

describe("HEAD", () => {
  it("gives what GET gives, without a body", async () => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`${devicesPath}/a`, { method: "HEAD" })
    expect([response.status, await response.text()]).toEqual([200, ""])
    expect(response.headers.get("content-type")).toBe(contentType)
  })
})

describe("every answer", () => {
  it("has Graph's headers", async () => {
    await using opened = await openedApp("memory", ["a"])
    for (const path of [devicesPath, `${devicesPath}/a`, `${devicesPath}/b`, "/beta/nothing", "/healthz"]) {
      const { headers } = await opened.app.request(path)
      expect(headers.get("content-type")).toBe(contentType)
      expect(headers.get("odata-version")).toBe("4.0")
      expect(headers.get("cache-control")).toBe("no-cache")
      expect(headers.get("request-id")).toMatch(/^[0-9a-f-]{36}$/)
      expect(headers.get("client-request-id")).toBe(headers.get("request-id"))
    }
  })

  it.for(["0d9bf7c8-7b2c-4ca2-8d0a-0a3f0a8f1f6e", "job_7.step-2", "x".repeat(64)])(
    "echoes the client-request-id %s",
    async (id) => {
      await using opened = await openedApp("memory", [])
      const { headers } = await opened.app.request(devicesPath, { headers: { "client-request-id": id } })
      expect(headers.get("client-request-id")).toBe(id)
    }
  )

  it.for(["", "x".repeat(65), "a b", "<script>", "a;b"])("does not echo the client-request-id %j", async (id) => {
    await using opened = await openedApp("memory", [])
    const { headers } = await opened.app.request(devicesPath, { headers: { "client-request-id": id } })
    expect(headers.get("client-request-id")).toBe(headers.get("request-id"))
  })
})

describe("a failure", () => {
  it("has Graph's envelope with the ids of the answer and a date without a zone", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request(`${devicesPath}/a`, { headers: { "client-request-id": "mine" } })
    const { innerError } = await failureOf(response)
    expect(innerError).toEqual({
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
      "request-id": response.headers.get("request-id"),
      "client-request-id": "mine"
    })
  })

  it("of an unknown segment names it", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request("/beta/deviceManagement/userExperience")
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(message).toBe("Resource not found for the segment 'userExperience'.")
  })

  it.for([
    [`${devicesPath}/a/$value`, "the segment '$value'"],
    [`${devicesPath}/$value`, "the segment '$value'"],
    [`${devicesPath}/a/model/$value`, "The property 'model'"],
    [`${devicesPath}/%24ref`, "the segment '$ref'"],
    [`${devicesPath}/microsoft.graph.device`, "the segment 'microsoft.graph.device'"],
    [`${devicesPath}/a/graph.device`, "the segment 'graph.device'"],
    [
      `/beta${metricsPath}/microsoft.graph.userExperienceAnalyticsWorkFromAnywhereMetric/$count`,
      "the segment 'microsoft.graph.userExperienceAnalyticsWorkFromAnywhereMetric'"
    ]
  ])("that is one of OData's own names, or a cast, is refused by that name: %s", async ([path = "", named]) => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(path)
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(message).toContain(named)
  })

  it("of a method on a path that is not OData's says that there is no route", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request("/healthz", { method: "POST" })
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(message).toContain("No OData route")
  })

  it.for([
    ["PATCH", devicesPath, "GET, HEAD, POST"],
    ["DELETE", devicesPath, "GET, HEAD, POST"],
    ["POST", devicePath, "DELETE, GET, HEAD, PATCH"],
    ["PUT", devicePath, "DELETE, GET, HEAD, PATCH"],
    ["OPTIONS", devicePath, "DELETE, GET, HEAD, PATCH"],
    ["DELETE", `/beta${metricsPath}`, "GET, HEAD, POST"],
    ["PUT", `/beta${metricsPath}/mine`, "DELETE, GET, HEAD, PATCH"],
    ["DELETE", `/beta${metricsPath}/allDevices`, "GET, HEAD, PATCH"],
    ["PUT", `/beta${metricsPath}/devicePerformance`, "GET, HEAD, PATCH"],
    ["POST", `/beta${readinessPath}`, "GET, HEAD"],
    ["POST", `/beta${modelsPath}`, "GET, HEAD"],
    ["DELETE", `/beta${modelsPath}/a`, "GET, HEAD"],
    ["POST", `/beta${summaryPath}()`, "GET, HEAD"],
    ["POST", "/beta", "GET, HEAD"],
    ["POST", "/beta/$metadata", "GET, HEAD"],
    ["PATCH", "/beta/deviceManagement", "GET, HEAD"],
    ["GET", "/v1.0/$batch", "POST"]
  ])("of %s on %s is 405 with the methods that are served", async ([method = "", path = "", allow]) => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(path, { method })
    expect([response.status, (await failureOf(response)).code]).toEqual([405, "Request_BadRequest"])
    expect(response.headers.get("allow")).toBe(allow)
  })

  it("of ours is 500 in general words; the cause is in the log under the same request-id", async () => {
    await using opened = await openedApp("memory", [documentedId])
    await opened.store.close()
    const response = await opened.app.request(devicePath, jsonRequest("PATCH", { model: "X" }))
    const text = await response.clone().text()
    const requestId = response.headers.get("request-id")
    expect([response.status, (await failureOf(response)).code]).toEqual([500, "generalException"])
    expect(text).toContain(requestId)
    expect(text).not.toMatch(/destroyed|\.ts|at /)
    expect(opened.lines).toContainEqual(
      expect.objectContaining({
        level: "error",
        requestId,
        err: expect.objectContaining({ message: expect.stringContaining("destroyed") })
      })
    )
  })
})

describe("the probes", () => {
  it("say that the process is up and that the store answers", async () => {
    await using opened = await openedApp("file", [])
    expect((await opened.app.request("/healthz")).status).toBe(200)
    expect((await opened.app.request("/readyz")).status).toBe(200)
  })

  it("tell a store that does not answer from a process that is up", async () => {
    await using opened = await openedApp("file", [])
    await opened.store.close()
    const ready = await opened.app.request("/readyz")
    expect([ready.status, (await failureOf(ready)).code]).toEqual([503, "serviceNotAvailable"])
    expect((await opened.app.request("/healthz")).status).toBe(200)
  })
})

describe("the log", () => {
  it("has one line for each request, with ids, and without its query, headers or body", async () => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(`${devicePath}?dtFilter=canary1`, {
      ...jsonRequest("PATCH", { model: "canary2" }),
      headers: { "content-type": "application/json", authorization: "Bearer canary3", "client-request-id": "mine" }
    })
    expect(opened.lines).toEqual([
      {
        level: "info",
        message: "request",
        method: "PATCH",
        path: devicePath,
        route: devicePath.replace("allDevices", "{metricId}").replace(documentedId, "{deviceId}"),
        status: 200,
        durationMs: expect.any(Number),
        requestId: response.headers.get("request-id"),
        clientRequestId: "mine",
        tenant: "local"
      }
    ])
  })

  it("names the tenant of a caller that has proven who it is, and nothing else of its token", async () => {
    const key = await signingKey("key")
    await using opened = await openedEntra([key.jwk])
    const token = await signed(userClaims(), key)
    await opened.app.request(devicesPath, { headers: bearer(token) })
    await opened.app.request(devicesPath, { headers: bearer("canary") })
    expect(opened.lines.map(({ status, tenant }) => [status, tenant])).toEqual([
      [200, tenants[0]],
      [401, "local"]
    ])
    expect(JSON.stringify(opened.lines)).not.toMatch(/canary|eyJ/)
  })

  it("has a line for a request that was refused, too", async () => {
    await using opened = await openedApp("memory", [])
    await opened.app.request("/beta/nothing")
    expect(opened.lines.map(({ level, status }) => [level, status])).toEqual([["info", 400]])
  })
})
