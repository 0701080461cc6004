import { type DeviceUpdate, propertyNames, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import {
  devicesPath,
  documentedId,
  documentedUpdate,
  failureOf,
  jsonRequest,
  metricsPath,
  openedApp,
  standing,
  storeKinds
} from "../opened.ts"

const devicePath = `${devicesPath}/${documentedId}`

const addressOf = (id: string) => `http://localhost/beta${metricsPath}('allDevices')/metricDevices('${id}')`

const context = `http://localhost/beta/$metadata#${metricsPath.slice(1)}('allDevices')/metricDevices/$entity`

const preferring = (method: string, body: unknown, prefer: string) => {
  const request = jsonRequest(method, body)
  return { ...request, headers: { ...request.headers, prefer } }
}

describe.each(storeKinds)("creating a device, with the store in %s", (kind) => {
  it("gives 201, its address and every property, and it is there afterwards", async () => {
    await using opened = await openedApp(kind, [])
    const body = { ...(JSON.parse(await documentedUpdate()) as DeviceUpdate), id: documentedId }
    const response = await opened.app.request(devicesPath, jsonRequest("POST", body))
    const answer = (await response.json()) as object
    expect(response.status).toBe(201)
    expect(answer).toEqual({ ...wholeDevice({ id: documentedId }), ...body, "@odata.context": context })
    expect(Object.keys(answer)).toEqual(["@odata.context", "@odata.type", ...propertyNames])
    const location = response.headers.get("location") ?? ""
    expect(location).toBe(addressOf(documentedId))
    expect(await (await opened.app.request(location)).json()).toEqual(answer)
  })

  it("needs no property: the id is made, the rest has its default", async () => {
    await using opened = await openedApp(kind, [])
    const response = await opened.app.request(devicesPath, jsonRequest("POST", { model: "X" }))
    const { id } = (await response.json()) as { readonly id: string }
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(await opened.store.find(standing, id)).toEqual({ ...wholeDevice({ id }), model: "X" })
  })

  it("under an id that is taken is a conflict and changes nothing", async () => {
    await using opened = await openedApp(kind, ["a"])
    const answers = await Promise.all(
      ["a", "b", "b"].map(async (id) => opened.app.request(devicesPath, jsonRequest("POST", { id, model: "X" })))
    )
    const [taken, ...others] = answers.map(({ status }) => status)
    expect(taken).toBe(409)
    // Which of two that come at the same time is first is for the store to say.
    expect(others.toSorted((a, b) => a - b)).toEqual([201, 409])
    expect((await failureOf(answers[0]!)).code).toBe("nameAlreadyExists")
    expect(await opened.store.find(standing, "a")).toEqual(wholeDevice({ id: "a" }))
  })
})

describe.each(storeKinds)("deleting a device, with the store in %s", (kind) => {
  it("gives 204 and nothing else, and it is gone", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const response = await opened.app.request(`${devicesPath}/a`, { method: "DELETE" })
    expect([response.status, await response.text()]).toEqual([204, ""])
    expect(response.headers.get("content-type")).toBeNull()
    expect(response.headers.get("request-id")).toMatch(/^[0-9a-f-]{36}$/)
    for (const request of [{}, { method: "DELETE" }, jsonRequest("PATCH", { model: "X" })]) {
      const gone = await opened.app.request(`${devicesPath}/a`, request)
      expect([gone.status, (await failureOf(gone)).code]).toEqual([404, "ResourceNotFound"])
    }
    expect((await opened.app.request(`${devicesPath}/b`)).status).toBe(200)
  })
})

describe("creating a device", () => {
  it.for([
    ["an unknown property", { id: "a", colour: "red" }, "colour"],
    ["the member that stands for later ones", { id: "a", healthStatus: "unknownFutureValue" }, "healthStatus"],
    ["null where none may be", { upgradeEligibility: null }, "upgradeEligibility"],
    ["an empty id", { id: "" }, "id"],
    ["an id that is too long for an address", { id: "x".repeat(257) }, "id"],
    ["a text that is longer than is kept", { model: "x".repeat(16_385) }, "model"],
    ["null for an id", { id: null }, "id"]
  ] as const)("with %s is refused, naming it", async ([, body, target]) => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request(devicesPath, jsonRequest("POST", body))
    const { code, details } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "ModelValidationFailure"])
    expect(details?.map((detail) => detail.target)).toEqual([target])
    expect((await opened.store.page(standing, "", 1)).devices).toEqual([])
  })

  it("in a metric that does not exist is not found", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request(`/beta${metricsPath}/none/metricDevices`, jsonRequest("POST", {}))
    expect([response.status, (await failureOf(response)).code]).toEqual([404, "ResourceNotFound"])
  })

  it("takes no query options", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request(`${devicesPath}?$select=id`, jsonRequest("POST", {}))
    expect((await failureOf(response)).message).toContain("$select")
  })
})

describe("a caller's preference", () => {
  it("for no body is followed: 204, with the address in the headers when the device is new", async () => {
    await using opened = await openedApp("memory", [documentedId])
    const created = await opened.app.request(devicesPath, preferring("POST", { id: "new" }, "return=minimal"))
    expect([created.status, await created.text()]).toEqual([204, ""])
    const address = addressOf("new")
    expect(Object.fromEntries(created.headers)).toMatchObject({
      location: address,
      "odata-entityid": address,
      "preference-applied": "return=minimal"
    })
    const updated = await opened.app.request(devicePath, preferring("PATCH", { model: "X" }, "return=minimal"))
    expect([updated.status, await updated.text()]).toEqual([204, ""])
    expect(updated.headers.get("preference-applied")).toBe("return=minimal")
    expect(updated.headers.has("odata-entityid")).toBe(false)
    expect((await opened.store.find(standing, documentedId))?.model).toBe("X")
  })

  it.for([
    ["return=representation", 200, "return=representation"],
    ["Return = Representation", 200, "return=representation"],
    ['include-unknown-enum-members, return="minimal"; x=1', 204, "return=minimal"],
    ["return=representation, return=minimal", 200, "return=representation"],
    ["return=representation, include-unknown-enum-members", 200, "include-unknown-enum-members, return=representation"],
    ["return=other, return=minimal", 200, null],
    ["respond-async", 200, null],
    ["return=minimalistic", 200, null],
    ["x-return=minimal", 200, null]
  ] as const)("%s is answered with %s", async ([prefer, status, applied]) => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(devicePath, preferring("PATCH", { model: "X" }, prefer))
    expect([response.status, response.headers.get("preference-applied")]).toEqual([status, applied])
  })

  it("does not matter when the write is refused", async () => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(devicePath, preferring("PATCH", { windowsScore: 101 }, "return=minimal"))
    expect([response.status, (await failureOf(response)).code]).toEqual([400, "ModelValidationFailure"])
  })
})
