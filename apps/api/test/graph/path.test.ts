import { pathOf as pathOfRoute, routeNames, routes } from "@workanywhere/domain"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { addressed, odataPath, unknownSegment } from "../../src/graph/path.ts"
import { metricsPath, summaryPath } from "../opened.ts"

const pathOf = (path: string) => odataPath(new Request(`http://localhost${path}`))

const canonical = `/beta${metricsPath}/allDevices/metricDevices/d1`

describe("a path", () => {
  it.for([
    `/beta${metricsPath}/allDevices/metricDevices/d1`,
    `/beta${metricsPath}('allDevices')/metricDevices('d1')`,
    `/beta${metricsPath}(%27allDevices%27)/metricDevices(%27d1%27)`,
    `/beta${metricsPath}%28%27allDevices%27%29/metricDevices/d1`,
    `/beta${metricsPath}(allDevices)/metricDevices( 'd1' )`,
    `/BETA${metricsPath.toLowerCase()}/allDevices/METRICDEVICES/d1/`,
    `/beta${metricsPath}('allDevices')/metricDevices/d1?$select=id`,
    `/beta${metricsPath}(id='allDevices')/metricDevices(id='d1')`,
    `/beta${metricsPath}(%20id%20=%20%27allDevices%27)/metricDevices/d1`,
    `//beta/${metricsPath}//allDevices//metricDevices//d1//`
  ])("is the same place when it is written %s", (path) => {
    expect(pathOf(path)).toBe(canonical)
  })

  it.for([
    summaryPath,
    `${summaryPath}()`,
    `${summaryPath.replace("/user", "/Microsoft.Graph.User")}()`,
    summaryPath.replace("/user", "/graph.user")
  ])("of a function is the same when it is called as %s", (path) => {
    expect(pathOf(`/v1.0${path}`)).toBe(`/v1.0${summaryPath}`)
  })

  it.for(["/beta/$batch", "/Beta/%24BATCH/", "/beta/$Batch"])("%s is that of batches", (path) => {
    expect(pathOf(path)).toBe("/beta/$batch")
  })

  it("keeps the case of its keys", () => {
    expect(pathOf(`/beta${metricsPath}/ALLdevices/metricDevices/D1`)).toBe(
      `/beta${metricsPath}/ALLdevices/metricDevices/D1`
    )
  })

  it("means the same key in both ways to write one, whatever the key is", () => {
    const key = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/^\.\.?$/.test(text))
    fc.assert(
      fc.property(key, (id) => {
        const devices = `/beta${metricsPath}/m/metricDevices`
        const quoted = encodeURIComponent(id.replaceAll("'", "''"))
        const inParentheses = pathOf(`${devices}('${quoted}')`)
        expect(pathOf(`${devices}/${encodeURIComponent(id)}`)).toBe(inParentheses)
        expect(decodeURIComponent(inParentheses.slice(devices.length + 1))).toBe(id)
      })
    )
  })

  it("may hold a bare percent sign in a key", () => {
    expect(pathOf(`/beta${metricsPath}/100%/metricDevices`)).toBe(`/beta${metricsPath}/100%25/metricDevices`)
  })

  it.for([
    ["/gamma/deviceManagement", "gamma"],
    ["/beta/deviceManagment", "deviceManagment"],
    [`/beta${metricsPath}/allDevices/devices`, "devices"],
    [`/beta${metricsPath}/allDevices/metricDevices/d1/owner`, "owner"],
    [`/beta${metricsPath}('allDevices')/devices('d1')`, "devices('d1')"],
    [`/beta/deviceManagement('x')`, "deviceManagement('x')"],
    [`/beta${summaryPath}('x')`, "userExperienceAnalyticsSummarizeWorkFromAnywhereDevices('x')"],
    [`/beta${summaryPath}/x`, "x"],
    [`/beta${metricsPath}('')/metricDevices`, "userExperienceAnalyticsWorkFromAnywhereMetrics('')"],
    [
      `/beta${metricsPath}(deviceName='x')/metricDevices`,
      "userExperienceAnalyticsWorkFromAnywhereMetrics(deviceName='x')"
    ],
    [`/beta${metricsPath}/allDevices/metricDevices/d1/$value`, "$value"],
    [`/beta${metricsPath}/allDevices/metricDevices/%24ref`, "$ref"],
    [`/beta${metricsPath}/allDevices/metricDevices/$filter(id eq 'a')`, "$filter(id eq 'a')"],
    [`/beta${metricsPath}/allDevices/metricDevices/microsoft.graph.device`, "microsoft.graph.device"],
    [`/beta${metricsPath}/allDevices/metricDevices/graph.device('x')`, "graph.device('x')"],
    [`/beta${metricsPath}/allDevices/metricDevices/d1/graph.device`, "graph.device"],
    ["/beta/__proto__", "__proto__"],
    ["/constructor", "constructor"]
  ])("%s leads nowhere from the segment %j on", ([path = "", segment]) => {
    expect(unknownSegment(pathOf(path))).toBe(segment)
  })

  it("of a resource has no unknown segment", () => {
    expect(unknownSegment(canonical)).toBeUndefined()
  })
})

const named = (path: string) => addressed(pathOf(path))

describe("what a path names", () => {
  it.for(routeNames)("is the route %s, with its keys", (route) => {
    const keys = Object.fromEntries(
      [...routes[route].path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => [name, `a ${name}`])
    )
    expect(named(`/beta${pathOfRoute(route, keys)}`)).toEqual({ version: "beta", route, keys })
  })

  it.for([
    "$batch",
    "$count",
    "$metadata",
    "a/$batch",
    "('x')",
    "a'b",
    "%24count",
    "$value",
    "graph.device",
    "Microsoft.Graph.x",
    "d.x"
  ])("is a device, whose key may be %s, and no other route", (deviceId) => {
    const path = pathOfRoute("device", { metricId: "allDevices", deviceId })
    expect(named(`/v1.0${path}`)).toEqual({
      version: "v1.0",
      route: "device",
      keys: { metricId: "allDevices", deviceId }
    })
  })

  it.for(["/healthz", "/docs/start.js", "/_local/calls", "/", "/beta/deviceManagement/nothing"])(
    "is nothing of Graph for %s",
    (path) => {
      expect(named(path)).toBeUndefined()
    }
  )
})
