import { type Page, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { documentedId, failureOf, jsonRequest, metricsPath, openedApp, storeKinds } from "../opened.ts"

const collection = `/beta${metricsPath}`

const metricType = "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereMetric"

const context = `http://localhost/beta/$metadata#${metricsPath.slice(1)}`

type App = Awaited<ReturnType<typeof openedApp>>["app"]

const create = async (app: App, body: unknown, headers: Record<string, string> = {}) => {
  const request = jsonRequest("POST", body)
  return app.request(collection, { ...request, headers: { ...request.headers, ...headers } })
}

const devices = (metric: string) => `${collection}/${metric}/metricDevices`

const idsAt = async (app: App, path: string) => {
  const page = (await (await app.request(path)).json()) as Page<{ readonly id: string }>
  return [page.value.map(({ id }) => id), page["@odata.nextLink"]] as const
}

describe.each(storeKinds)("metrics, with the store in %s", (kind) => {
  it("are two from the start", async () => {
    await using opened = await openedApp(kind, [])
    const response = await opened.app.request(collection)
    expect(await response.json()).toEqual({
      "@odata.context": context,
      value: [{ id: "allDevices" }, { id: "devicePerformance" }]
    })
  })

  it("can be created with an id, read, updated to no effect, and deleted with their devices", async () => {
    await using opened = await openedApp(kind, ["a"])
    const entity = { "@odata.context": `${context}/$entity`, "@odata.type": metricType, id: "o'brien/1" }
    const created = await create(opened.app, { "@odata.type": metricType, id: "o'brien/1" })
    expect([created.status, await created.json()]).toEqual([201, entity])
    const location = created.headers.get("location") ?? ""
    expect(location).toBe(`http://localhost${collection}('o''brien%2F1')`)

    const read = await opened.app.request(location)
    expect([read.status, await read.json()]).toEqual([200, entity])
    const updated = await opened.app.request(location, jsonRequest("PATCH", { "@odata.type": metricType }))
    expect([updated.status, await updated.json()]).toEqual([200, entity])

    const device = await opened.app.request(`${location}/metricDevices`, jsonRequest("POST", { id: "a", model: "X" }))
    expect(device.status).toBe(201)
    const deleted = await opened.app.request(location, { method: "DELETE" })
    expect([deleted.status, await deleted.text()]).toEqual([204, ""])
    for (const path of [location, `${location}/metricDevices`, `${location}/metricDevices/a`]) {
      const gone = await opened.app.request(path)
      expect([gone.status, (await failureOf(gone)).code]).toEqual([404, "ResourceNotFound"])
    }
    await create(opened.app, { id: "o'brien/1" })
    expect((await idsAt(opened.app, `${location}/metricDevices`))[0]).toEqual([])
    expect((await idsAt(opened.app, `${collection}/allDevices/metricDevices`))[0]).toEqual(["a"])
  })

  it("hold their own devices, while the two that are always there show the same ones", async () => {
    await using opened = await openedApp(kind, ["a"])
    await create(opened.app, { id: "mine" })
    await opened.app.request(devices("mine"), jsonRequest("POST", { id: "a", model: "mine" }))
    await opened.app.request(devices("devicePerformance"), jsonRequest("POST", { id: "b", model: "shared" }))
    await opened.app.request(`${devices("mine")}/a`, jsonRequest("PATCH", { deviceName: "N" }))
    expect((await idsAt(opened.app, devices("allDevices")))[0]).toEqual(["a", "b"])
    expect((await idsAt(opened.app, devices("devicePerformance")))[0]).toEqual(["a", "b"])
    expect(await (await opened.app.request(`${devices("mine")}/$count`)).text()).toBe("1")
    const page = (await (await opened.app.request(devices("mine"))).json()) as Page<unknown>
    expect(page.value).toEqual([{ ...wholeDevice({ id: "a" }), model: "mine", deviceName: "N" }])
    expect((await opened.app.request(`${devices("mine")}/b`)).status).toBe(404)
    const unchanged = await opened.app.request(`${devices("allDevices")}/a`)
    expect(await unchanged.json()).toMatchObject({ deviceName: null })
  })

  it("are created once under an id, whoever comes first", async () => {
    await using opened = await openedApp(kind, [])
    const answers = await Promise.all([1, 2, 3].map(() => create(opened.app, { id: "mine" })))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409])
    const clash = answers.find(({ status }) => status === 409)!
    expect(await failureOf(clash)).toMatchObject({
      code: "nameAlreadyExists",
      message: expect.stringContaining("mine")
    })
    expect((await create(opened.app, { id: "allDevices" })).status).toBe(409)
  })

  it("leave no device behind that is created while they are being deleted", async () => {
    await using opened = await openedApp(kind, [])
    await create(opened.app, { id: "mine" })
    const inside = devices("mine")
    const [deleted, ...posted] = await Promise.all([
      opened.app.request(`${collection}/mine`, { method: "DELETE" }),
      ...["a", "b"].map((id) => opened.app.request(inside, jsonRequest("POST", { id })))
    ])
    expect(deleted?.status).toBe(204)
    for (const { status } of posted) expect([201, 404]).toContain(status)
    await create(opened.app, { id: "mine" })
    expect((await idsAt(opened.app, inside))[0]).toEqual([])
  })

  it("are listed in the order of their ids, page by page", async () => {
    await using opened = await openedApp(kind, [])
    // The last one sorts behind the one before it by code points, and before it by UTF-16 units.
    for (const id of ["zeta", "beta", "\u{ff5e}", "\u{1F4BB}"]) await create(opened.app, { id })
    const seen: Array<string> = []
    for (let next: string | undefined = `${collection}?$top=1`; next !== undefined;) {
      const [ids, link]: Awaited<ReturnType<typeof idsAt>> = await idsAt(opened.app, next)
      expect(ids).toHaveLength(1)
      seen.push(...ids)
      next = link
    }
    expect(seen).toEqual(["allDevices", "beta", "devicePerformance", "zeta", "\u{ff5e}", "\u{1F4BB}"])
  })

  it("of another tenant are not there", async () => {
    await using opened = await openedApp(kind, [])
    expect(await opened.store.metrics.create("other", "theirs")).toBe(true)
    expect((await opened.app.request(`${collection}/theirs/metricDevices`)).status).toBe(404)
    expect((await opened.app.request(`${collection}/theirs`, { method: "DELETE" })).status).toBe(404)
    expect((await idsAt(opened.app, collection))[0]).not.toContain("theirs")
    expect((await create(opened.app, { id: "theirs" })).status).toBe(201)
  })

  it("of the same id in two tenants have nothing in common", async () => {
    await using opened = await openedApp(kind, [])
    const theirs = { tenant: "other", metric: "shared" }
    for (const tenant of ["other", "local"]) {
      await opened.store.metrics.create(tenant, "shared")
      await opened.store.create({ tenant, metric: "shared" }, wholeDevice({ id: "a" }))
    }
    await opened.app.request(`${devices("shared")}/a`, { method: "DELETE" })
    expect(await opened.store.find(theirs, "a")).toBeDefined()
    await opened.app.request(`${collection}/shared`, { method: "DELETE" })
    expect(await opened.store.metrics.has("other", "shared")).toBe(true)
    expect(await opened.store.find(theirs, "a")).toBeDefined()
  })
})

describe("a metric", () => {
  it("gets a GUID for an id when it is created without one", async () => {
    await using opened = await openedApp("memory", [])
    const response = await create(opened.app, {})
    expect(await response.json()).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    })
  })

  it("may be asked to be created without a body in the answer, which then names it in its headers", async () => {
    await using opened = await openedApp("memory", [])
    const response = await create(opened.app, { id: "mine" }, { prefer: "return=minimal" })
    const address = `http://localhost${collection}('mine')`
    expect([response.status, await response.text()]).toEqual([204, ""])
    expect(Object.fromEntries(response.headers)).toMatchObject({
      location: address,
      "odata-entityid": address,
      "preference-applied": "return=minimal"
    })
  })

  it("is not continued behind a place that the caller made up, or with other options", async () => {
    await using opened = await openedApp("memory", [])
    const [, link = ""] = await idsAt(opened.app, `${collection}?$top=1`)
    const made = Buffer.from('["a"]').toString("base64url")
    for (const path of [`${collection}?$skiptoken=${made}`, link.replace("$top=1", "$top=2"), `${link}A`]) {
      const response = await opened.app.request(path)
      expect([response.status, (await failureOf(response)).message]).toEqual([
        400,
        expect.stringContaining("$skiptoken")
      ])
    }
  })

  it.for(["allDevices", "devicePerformance"])("%s cannot be deleted, and says why", async (id) => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(`${collection}/${id}`, { method: "DELETE" })
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD, PATCH"])
    expect((await failureOf(response)).message).toBe(
      `The metric '${id}' belongs to every tenant and cannot be deleted.`
    )
    expect((await opened.app.request(`${collection}/${id}/metricDevices/${documentedId}`)).status).toBe(200)
  })

  it("can be narrowed with $select to the only property it has", async () => {
    await using opened = await openedApp("memory", [])
    const one = (await (await opened.app.request(`${collection}/allDevices?$select=id`)).json()) as object
    expect(one).toEqual({ "@odata.context": `${context}(id)/$entity`, "@odata.type": metricType, id: "allDevices" })
    expect(await (await opened.app.request(`${collection}?$select=id&$top=1`)).json()).toMatchObject({
      "@odata.context": `${context}(id)`,
      value: [{ id: "allDevices" }]
    })
    const refused = await opened.app.request(`${collection}?$select=name`)
    expect((await failureOf(refused)).message).toContain("'name'")
    expect(
      (await failureOf(await opened.app.request(`${collection}/allDevices?$expand=metricDevices`))).message
    ).toContain("$expand")
  })

  it.for([
    ["another property", { id: "mine", displayName: "x" }, "displayName"],
    ["devices inside of it", { metricDevices: [] }, "metricDevices"],
    ["names that every object inherits", '{"__proto__":{},"id":"mine"}', "__proto__"],
    ["another type", { "@odata.type": "#microsoft.graph.managedDevice" }, "@odata.type"],
    ["an empty id", { id: "" }, "id"],
    ["an id that is not a text", { id: 7 }, "id"],
    ["null for an id", { id: null }, "id"],
    ["an id that is too long for an address", { id: "x".repeat(257) }, "id"],
    ["an id that cannot be stored", '{"id":"\\ud800"}', "id"]
  ] as const)("is not created with %s; the answer names it", async ([, body, target]) => {
    await using opened = await openedApp("memory", [])
    const response = await create(opened.app, body)
    const { code, details } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "ModelValidationFailure"])
    expect(details?.map((detail) => detail.target)).toEqual([target])
    expect((await idsAt(opened.app, collection))[0]).toEqual(["allDevices", "devicePerformance"])
  })

  it.for(["[]", "null", "7", "{"])("is not created from %s", async (body) => {
    await using opened = await openedApp("memory", [])
    const response = await create(opened.app, body)
    expect([response.status, (await failureOf(response)).code]).toEqual([400, "BadRequest"])
  })

  it("that does not exist is not updated, and not deleted", async () => {
    await using opened = await openedApp("memory", [])
    const updated = await opened.app.request(`${collection}/none`, jsonRequest("PATCH", {}))
    const deleted = await opened.app.request(`${collection}/none`, { method: "DELETE" })
    for (const response of [updated, deleted]) {
      expect([response.status, (await failureOf(response)).code]).toEqual([404, "ResourceNotFound"])
    }
  })
})
