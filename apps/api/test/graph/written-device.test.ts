import { deviceODataType, propertyNames, unknownFutureValue, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { devicesPath, failureOf, jsonRequest, metricsPath, openedApp, standing } from "../opened.ts"

const root = `http://localhost/beta`
const devices = `${metricsPath.slice(1)}('allDevices')/metricDevices`

const typeAt = (level: string, ieee754Compatible = false) =>
  `application/json;odata.metadata=${level};odata.streaming=true;IEEE754Compatible=${ieee754Compatible};charset=utf-8`

type App = Awaited<ReturnType<typeof openedApp>>["app"]

const asked = async (app: App, path: string, headers: Record<string, string>) => {
  const response = await app.request(path, { headers })
  const body = (await response.json()) as Record<string, unknown>
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    applied: response.headers.get("preference-applied"),
    body
  }
}

const list = `${devicesPath}?$top=1&$count=true&$select=id,healthStatus`

describe("the metadata level", () => {
  it("none keeps the count, the next link and the values", async () => {
    await using opened = await openedApp("memory", ["a", "b"])
    const { type, body } = await asked(opened.app, list, { accept: "application/json;odata.metadata=none" })
    expect(type).toBe(typeAt("none"))
    expect(body).toEqual({
      "@odata.count": 2,
      "@odata.nextLink": expect.stringContaining("$skiptoken="),
      value: [{ id: "a", healthStatus: "unknown" }]
    })
    const one = await asked(opened.app, `${devicesPath}/a`, { accept: "application/json;odata.metadata=none" })
    expect(one.body).toEqual(wholeDevice({ id: "a" }))
  })

  it("full adds type, id and edit link of each device, and the types of its enums", async () => {
    await using opened = await openedApp("memory", ["a'b/c"])
    const { type, body } = await asked(opened.app, list, { accept: "application/json;odata.metadata=full" })
    const itself = `${root}/${devices}('a''b%2Fc')`
    const described = {
      "@odata.type": deviceODataType,
      "@odata.id": itself,
      "@odata.editLink": itself,
      "healthStatus@odata.type": "#microsoft.graph.userExperienceAnalyticsHealthState",
      id: "a'b/c",
      healthStatus: "unknown"
    }
    expect(type).toBe(typeAt("full"))
    expect(body).toEqual({
      "@odata.context": `${root}/$metadata#${devices}(id,healthStatus)`,
      "@odata.count": 1,
      value: [described]
    })
    const one = await asked(opened.app, itself, { accept: "application/json;odata.metadata=full" })
    expect(one.body).toEqual({
      ...described,
      ...wholeDevice({ id: "a'b/c" }),
      "@odata.context": `${root}/$metadata#${devices}/$entity`,
      "upgradeEligibility@odata.type": "#microsoft.graph.operatingSystemUpgradeEligibility"
    })
  })

  it.for([
    ["application/json", "minimal"],
    ["*/*", "minimal"],
    ["text/html", "minimal"],
    ["application/json;odata.metadata=minimal", "minimal"],
    ["application/json;odata.metadata=other", "minimal"],
    ["application/json; ODATA.Metadata=NONE ; charset=utf-8", "none"],
    ["application/json;metadata=full", "full"],
    ["text/html, application/json;odata.metadata=none;q=0.5, application/json;odata.metadata=full;q=0.9", "full"],
    ["application/json;odata.metadata=none;q=0, */*", "minimal"]
  ])("that follows from Accept: %s is %s, and the content type says so", async ([accept = "", level = ""]) => {
    await using opened = await openedApp("memory", ["a"])
    expect((await asked(opened.app, devicesPath, { accept })).type).toBe(typeAt(level))
    expect((await asked(opened.app, `${devicesPath}/a`, { accept })).type).toBe(typeAt(level))
  })

  it("goes for the answer to an update as well", async () => {
    await using opened = await openedApp("memory", ["a"])
    const request = jsonRequest("PATCH", { model: "X" })
    const accept = "application/json;odata.metadata=none"
    const response = await opened.app.request(`${devicesPath}/a`, {
      ...request,
      headers: { ...request.headers, accept }
    })
    expect(response.headers.get("content-type")).toBe(typeAt("none"))
    expect(await response.json()).toEqual({ ...wholeDevice({ id: "a" }), model: "X" })
  })

  it("comes with counts as text when IEEE754Compatible is true, and with doubles as numbers all the same", async () => {
    await using opened = await openedApp("memory", ["a"])
    await opened.store.update(standing, "a", { windowsScore: 6.5 })
    const accept = "application/json;IEEE754Compatible=true"
    const { type, body } = await asked(opened.app, `${devicesPath}?$count=true&$select=windowsScore`, { accept })
    expect(type).toBe(typeAt("minimal", true))
    expect(body).toMatchObject({ "@odata.count": "1", value: [{ windowsScore: 6.5 }] })
  })
})

const seen = async (app: App, query: string, headers: Record<string, string> = {}) => {
  const { body } = await asked(app, `${devicesPath}?$select=id,upgradeEligibility,healthStatus&${query}`, headers)
  return (body["value"] as ReadonlyArray<Record<string, string>> | undefined)?.map((row) =>
    Object.values(row).join(" ")
  )
}

async function* newerDevices() {
  yield { ...wholeDevice({ id: "a" }), upgradeEligibility: "paused" as "unknown" }
  yield { ...wholeDevice({ id: "b" }), healthStatus: "retired" as "unknown" }
  yield wholeDevice({ id: "c", upgradeEligibility: "capable" })
}

const newer = async () => {
  const opened = await openedApp("memory", [])
  await opened.store.fillEmpty(standing, newerDevices())
  return opened
}

describe("enum members that came after the sentinel", () => {
  const prefer = "include-unknown-enum-members"

  it("are shown as the sentinel, in lists, alone and after an update", async () => {
    await using opened = await newer()
    expect(await seen(opened.app, "")).toEqual([
      `a ${unknownFutureValue} unknown`,
      `b unknown ${unknownFutureValue}`,
      "c capable unknown"
    ])
    const one = await asked(opened.app, `${devicesPath}/a`, {})
    expect(one.body["upgradeEligibility"]).toBe(unknownFutureValue)
    expect(one.applied).toBeNull()
    expect(Object.keys(one.body)).toEqual(["@odata.context", "@odata.type", ...propertyNames])
    const updated = await opened.app.request(`${devicesPath}/b`, jsonRequest("PATCH", { model: "X" }))
    expect(await updated.json()).toMatchObject({ model: "X", healthStatus: unknownFutureValue })
  })

  it("are shown to callers that ask for them, and kept by an update that says unknownFutureValue", async () => {
    await using opened = await newer()
    expect(await seen(opened.app, "", { prefer })).toEqual([
      "a paused unknown",
      "b unknown retired",
      "c capable unknown"
    ])
    await opened.app.request(`${devicesPath}/a`, jsonRequest("PATCH", { upgradeEligibility: unknownFutureValue }))
    const one = await asked(opened.app, `${devicesPath}/a`, { prefer })
    expect([one.body["upgradeEligibility"], one.applied]).toEqual(["paused", prefer])
  })

  it("are what the sentinel finds in a filter, but not for callers that see them", async () => {
    await using opened = await newer()
    const sentinel = `$filter=upgradeEligibility eq '${unknownFutureValue}'`
    expect(await seen(opened.app, sentinel)).toEqual([`a ${unknownFutureValue} unknown`])
    expect(await seen(opened.app, sentinel, { prefer })).toEqual([])
    const others = `$filter=upgradeEligibility ne '${unknownFutureValue}'`
    expect(await seen(opened.app, others)).toHaveLength(2)
    expect(await seen(opened.app, others, { prefer })).toHaveLength(3)
  })

  it("can be named in a filter by callers that see them, and by nobody else", async () => {
    await using opened = await newer()
    expect(await seen(opened.app, "$filter=upgradeEligibility eq 'paused'", { prefer })).toEqual(["a paused unknown"])
    expect(await seen(opened.app, "$filter=upgradeEligibility ne 'paused'", { prefer })).toHaveLength(2)
    expect(await seen(opened.app, "$filter=upgradeEligibility in ('paused','capable')", { prefer })).toHaveLength(2)
    for (const [query, headers] of [
      ["$filter=upgradeEligibility eq 'paused'", {}],
      ["$filter=upgradeEligibility gt 'paused'", { prefer }]
    ] as const) {
      const { status, body } = await asked(opened.app, `${devicesPath}?${query}`, headers)
      expect([status, JSON.stringify(body).includes("paused")]).toEqual([400, false])
    }
  })

  it("are sorted behind all others", async () => {
    await using opened = await newer()
    const ordered = async (orderby: string) => (await seen(opened.app, `$orderby=${orderby}`))?.map((row) => row[0])
    expect(await ordered("upgradeEligibility")).toEqual(["b", "c", "a"])
    expect(await ordered("healthStatus desc")).toEqual(["b", "c", "a"])
  })
})

describe("Prefer", () => {
  it.for([
    ["odata.maxpagesize=5, include-unknown-enum-members", "include-unknown-enum-members, odata.maxpagesize=5"],
    ["Include-Unknown-Enum-Members,MaxPageSize = 7", "include-unknown-enum-members, odata.maxpagesize=7"],
    ['x="a, odata.maxpagesize=3", odata.maxpagesize="4"; y=z', "odata.maxpagesize=4"],
    ["odata.maxpagesize=5, odata.maxpagesize=6", "odata.maxpagesize=5"],
    ["odata.maxpagesize=-5", null],
    [', ;=,"', null]
  ])("%s is applied as %s", async ([prefer, applied]) => {
    await using opened = await openedApp("memory", ["a"])
    expect((await asked(opened.app, devicesPath, { prefer: prefer ?? "" })).applied).toBe(applied)
  })
})

describe("$count", () => {
  it.for(["true", "TRUE"])("=%s adds the number of all matches to every page", async (value) => {
    await using opened = await openedApp("memory", ["a", "b", "c", "d"])
    const first = await asked(opened.app, `${devicesPath}?$count=${value}&$top=2&$filter=id ne 'b'`, {})
    expect(first.body["@odata.count"]).toBe(3)
    const second = await asked(opened.app, String(first.body["@odata.nextLink"]), {})
    expect(second.body).toMatchObject({ "@odata.count": 3, value: [{ id: "d" }] })
  })

  it("=false adds nothing, and anything else is refused", async () => {
    await using opened = await openedApp("memory", ["a"])
    expect((await asked(opened.app, `${devicesPath}?$count=false`, {})).body["@odata.count"]).toBeUndefined()
    for (const value of ["", "1", "yes"]) {
      const response = await opened.app.request(`${devicesPath}?$count=${value}`)
      expect([response.status, (await failureOf(response)).message]).toEqual([400, expect.stringContaining("'$count'")])
    }
  })
})

const counted = async (app: App, query = "", headers: Record<string, string> = {}) => {
  const response = await app.request(`${devicesPath}/$count${query}`, { headers })
  return [response.status, response.headers.get("content-type"), await response.text()]
}

describe("the segment /$count", () => {
  it("is the number of devices as plain text, of those that match with a filter", async () => {
    await using opened = await openedApp("memory", ["a", "b", "c"])
    expect(await counted(opened.app)).toEqual([200, "text/plain", "3"])
    expect(await counted(opened.app, "?$filter=id gt 'a'")).toEqual([200, "text/plain", "2"])
    expect(await counted(opened.app, "", { accept: "application/json, text/plain;q=0.1" })).toEqual([
      200,
      "text/plain",
      "3"
    ])
    expect(await counted(opened.app, "", { accept: "*/*" })).toEqual([200, "text/plain", "3"])
    expect(await (await opened.app.request(`/v1.0${metricsPath}('allDevices')/metricDevices/%24COUNT`)).text()).toBe(
      "3"
    )
  })

  it("is 415 for callers that take JSON only", async () => {
    await using opened = await openedApp("memory", ["a"])
    for (const accept of ["application/json", "application/json;odata.metadata=none, text/plain;q=0"]) {
      const response = await opened.app.request(`${devicesPath}/$count`, { headers: { accept } })
      expect([response.status, (await failureOf(response)).code]).toEqual([415, "notSupported"])
    }
  })

  it.for(["$top=1", "$skip=1", "$orderby=id", "$select=id", "$count=true"])("refuses %s", async (option) => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`${devicesPath}/$count?${option}`)
    expect([response.status, (await failureOf(response)).message]).toEqual([
      400,
      expect.stringContaining(option.split("=", 1)[0] ?? "")
    ])
  })

  it("is not mistaken for a device with that key, and cannot be written to", async () => {
    await using opened = await openedApp("memory", ["$count"])
    expect((await asked(opened.app, `${devicesPath}('$count')`, {})).body["id"]).toBe("$count")
    const response = await opened.app.request(`${devicesPath}/$count`, jsonRequest("PATCH", { model: "X" }))
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"])
  })
})
