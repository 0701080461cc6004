import type { Page } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { devicesPath, failureOf, jsonRequest, openedApp, standing, storeKinds } from "../opened.ts"

const devicePath = `${devicesPath}/a`

type App = Awaited<ReturnType<typeof openedApp>>["app"]

interface Tagged {
  readonly "@odata.etag"?: string
}

const patch = async (app: App, body: unknown, conditions: Record<string, string> = {}) => {
  const request = jsonRequest("PATCH", body)
  return app.request(devicePath, { ...request, headers: { ...request.headers, ...conditions } })
}

const get = (app: App, conditions: Record<string, string> = {}) => app.request(devicePath, { headers: conditions })

const etagFrom = (response: Response) => response.headers.get("etag") ?? "none"

describe.each(storeKinds)("with etags on and the store in %s", (kind) => {
  it("a device has the same one wherever it stands, and another one after each change", async () => {
    await using opened = await openedApp(kind, ["a", "b"], { etag: true })
    const read = await get(opened.app)
    const etag = etagFrom(read)
    expect(etag).toMatch(/^W\/"[\w-]{22}"$/)
    expect(((await read.json()) as Tagged)["@odata.etag"]).toBe(etag)
    const list = (await (await opened.app.request(`${devicesPath}?$select=id`)).json()) as Page<Tagged>
    expect(list.value[0]).toEqual({ "@odata.etag": etag, id: "a" })
    expect(list.value[1]?.["@odata.etag"]).not.toBe(etag)
    const updated = await patch(opened.app, { model: "X" })
    expect(etagFrom(updated)).toMatch(/^W\//)
    expect(etagFrom(updated)).not.toBe(etag)
    expect(etagFrom(await get(opened.app))).toBe(etagFrom(updated))
    const created = await opened.app.request(devicesPath, jsonRequest("POST", { id: "c" }))
    expect(etagFrom(created)).toBe(etagFrom(await opened.app.request(`${devicesPath}/c`)))
  })

  it("an update of what another changed meanwhile is refused and writes nothing", async () => {
    await using opened = await openedApp(kind, ["a"], { etag: true })
    const etag = etagFrom(await get(opened.app))
    expect((await patch(opened.app, { model: "first" }, { "if-match": etag })).status).toBe(200)
    const late = await patch(opened.app, { model: "late", deviceName: "late" }, { "if-match": etag })
    expect([late.status, (await failureOf(late)).code]).toEqual([412, "resourceModified"])
    expect(await opened.store.find(standing, "a")).toMatchObject({ model: "first", deviceName: null })
  })

  it("one of several updates that come at the same time wins", async () => {
    await using opened = await openedApp(kind, ["a"], { etag: true })
    const etag = etagFrom(await get(opened.app))
    const answers = await Promise.all(
      ["x", "y", "z"].map((model) => patch(opened.app, { model }, { "if-match": etag }))
    )
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412, 412])
    const winner = (await answers.find(({ status }) => status === 200)?.json()) as { readonly model: string }
    expect(await opened.store.find(standing, "a")).toMatchObject({ model: winner.model })
  })

  it("a device that was changed meanwhile is not deleted", async () => {
    await using opened = await openedApp(kind, ["a"], { etag: true })
    const etag = etagFrom(await get(opened.app))
    await patch(opened.app, { model: "X" })
    const request = { method: "DELETE", headers: { "if-match": etag } }
    expect((await opened.app.request(devicePath, request)).status).toBe(412)
    const now = { method: "DELETE", headers: { "if-match": etagFrom(await get(opened.app)) } }
    expect((await opened.app.request(devicePath, now)).status).toBe(204)
  })
})

describe("with etags on", () => {
  it.for([
    [(etag: string) => ({ "if-match": etag }), 200],
    [(etag: string) => ({ "if-match": etag.slice(2) }), 200],
    [(etag: string) => ({ "if-match": `"other", ${etag}` }), 200],
    [() => ({ "if-match": "*" }), 200],
    [() => ({ "if-match": '"other"' }), 412],
    [(etag: string) => ({ "if-match": etag.replaceAll('"', "") }), 412],
    [() => ({ "if-match": "" }), 412],
    [() => ({ "if-none-match": "*" }), 412],
    [(etag: string) => ({ "if-none-match": etag }), 412],
    [() => ({ "if-none-match": '"other"' }), 200]
  ] as const)("the condition %# of an update is understood", async ([conditions, status]) => {
    await using opened = await openedApp("memory", ["a"], { etag: true })
    const etag = etagFrom(await get(opened.app))
    expect((await patch(opened.app, { model: "X" }, conditions(etag))).status).toBe(status)
  })

  it("a device that the caller has already is not sent again", async () => {
    await using opened = await openedApp("memory", ["a"], { etag: true })
    const etag = etagFrom(await get(opened.app))
    const again = await get(opened.app, { "if-none-match": etag })
    expect([again.status, await again.text(), etagFrom(again)]).toEqual([304, "", etag])
    await patch(opened.app, { model: "X" })
    expect((await get(opened.app, { "if-none-match": etag })).status).toBe(200)
  })

  it("a body without annotations has none; the header still says it", async () => {
    await using opened = await openedApp("memory", ["a"], { etag: true })
    const accept = "application/json;odata.metadata=none"
    const response = await get(opened.app, { accept })
    expect(etagFrom(response)).toMatch(/^W\//)
    expect(await response.text()).not.toContain("@odata")
    expect(await (await opened.app.request(devicesPath, { headers: { accept } })).text()).not.toContain("@odata")
  })

  it("a condition on a device that does not exist does not hide that", async () => {
    await using opened = await openedApp("memory", [], { etag: true })
    expect((await patch(opened.app, { model: "X" }, { "if-match": "*" })).status).toBe(404)
  })
})

describe("with etags off, as Graph's rows were seen", () => {
  it("no answer has one", async () => {
    await using opened = await openedApp("memory", ["a"])
    for (const response of [await get(opened.app), await patch(opened.app, { model: "X" })]) {
      expect(response.headers.has("etag")).toBe(false)
      expect(await response.json()).not.toHaveProperty(["@odata.etag"])
    }
    expect(await (await opened.app.request(devicesPath)).text()).not.toContain("@odata.etag")
  })

  it("a caller that relies on one is refused, because its condition cannot hold", async () => {
    await using opened = await openedApp("memory", ["a"])
    const response = await patch(opened.app, { model: "X" }, { "if-match": 'W/"abc"' })
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([412, "resourceModified"])
    expect(message).toContain("WFA_ETAG")
    expect(await opened.store.find(standing, "a")).toMatchObject({ model: null })
  })

  it("If-Match: * only asks that the device exists", async () => {
    await using opened = await openedApp("memory", ["a"])
    expect((await patch(opened.app, { model: "X" }, { "if-match": "*" })).status).toBe(200)
  })
})
