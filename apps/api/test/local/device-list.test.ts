import { type Page, type WholeDevice, deviceODataType, propertyNames, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { devicesPath, failureOf, jsonRequest, metricsPath, openedApp, standing, storeKinds } from "../opened.ts"

const ids = Array.from({ length: 250 }, (_, index) => `d${String(index).padStart(3, "0")}`)

type App = Awaited<ReturnType<typeof openedApp>>["app"]

const pageAt = async (app: App, path: string, headers: Record<string, string> = {}) => {
  const response = await app.request(path, { headers })
  expect(response.status).toBe(200)
  return (await response.json()) as Page<Partial<WholeDevice>>
}

/** The ids on each page, following the links. */
const walked = async (app: App, path: string, headers: Record<string, string> = {}) => {
  const pages: Array<ReadonlyArray<string | undefined>> = []
  for (let next: string | undefined = path; next !== undefined;) {
    const page: Page<Partial<WholeDevice>> = await pageAt(app, next, headers)
    pages.push(page.value.map(({ id }) => id))
    next = page["@odata.nextLink"]
  }
  return pages
}

describe.each(storeKinds)("the list, with the store in %s", (kind) => {
  it("walks through all devices once, a hundred at a time", async () => {
    await using opened = await openedApp(kind, ids)
    const pages = await walked(opened.app, devicesPath)
    expect(pages.map((page) => page.length)).toEqual([100, 100, 50])
    expect(pages.flat()).toEqual(ids)
  })

  it("loses and repeats nothing while others write", async () => {
    await using opened = await openedApp(kind, ids)
    const first = await pageAt(opened.app, `${devicesPath}?$top=125`)
    await opened.app.request(`${devicesPath}/d000`, jsonRequest("PATCH", { model: "X" }))
    await opened.app.request(`${devicesPath}/d200`, jsonRequest("PATCH", { model: "X" }))
    const second = await pageAt(opened.app, first["@odata.nextLink"] ?? "")
    expect([...first.value, ...second.value].map(({ id }) => id)).toEqual(ids)
  })
})

describe("the list", () => {
  it("gives whole devices with their context, and no type annotation", async () => {
    await using opened = await openedApp("memory", ["a"])
    expect(await pageAt(opened.app, devicesPath)).toEqual({
      "@odata.context": `http://localhost/beta/$metadata#${metricsPath.slice(1)}('allDevices')/metricDevices`,
      value: [wholeDevice({ id: "a" })]
    })
  })

  it("of nothing is an empty page", async () => {
    await using opened = await openedApp("memory", [])
    expect((await pageAt(opened.app, devicesPath)).value).toEqual([])
  })

  it("gives the selected properties, each once, and says so in its context and its links", async () => {
    await using opened = await openedApp("memory", ["a", "b"])
    const page = await pageAt(opened.app, `${devicesPath}?$Select=id, deviceName,id&TOP=1&dtFilter=all&=`)
    expect(page["@odata.context"]).toMatch(/metricDevices\(id,deviceName\)$/)
    expect(page.value).toEqual([{ id: "a", deviceName: null }])
    const next = await pageAt(opened.app, page["@odata.nextLink"] ?? "")
    expect(next.value).toEqual([{ id: "b", deviceName: null }])
    expect(next["@odata.nextLink"]).toBeUndefined()
    expect(page["@odata.nextLink"]).toMatch(/\?\$Select=id,%20deviceName,id&TOP=1&dtFilter=all&=&\$skiptoken=[\w-]+$/)
  })

  it("selects everything with a star", async () => {
    await using opened = await openedApp("memory", ["a"])
    const page = await pageAt(opened.app, `${devicesPath}?$select=*,id`)
    expect(page["@odata.context"]).toMatch(/metricDevices$/)
    expect(Object.keys(page.value[0] ?? {})).toEqual(propertyNames)
  })

  it("takes $top as the size of a page, up to 999, and the caller's preference when that is smaller", async () => {
    const many = Array.from({ length: 1000 }, (_, index) => String(index))
    await using opened = await openedApp("memory", many)
    const sizes = async (query: string, headers: Record<string, string> = {}) =>
      (await walked(opened.app, `${devicesPath}${query}`, headers)).map((page) => page.length)
    expect(await sizes("?$top=999")).toEqual([999, 1])
    expect(await sizes("?$top=100000")).toEqual([999, 1])
    expect(await sizes("?$top=0")).toEqual([0])
    expect(await sizes("", { prefer: "odata.maxpagesize=600" })).toEqual([600, 400])
    expect(await sizes("", { prefer: "include-unknown-enum-members, maxpagesize=500" })).toEqual([500, 500])
    expect(await sizes("?$top=700", { prefer: "odata.maxpagesize=800" })).toEqual([700, 300])
    expect(await sizes("", { prefer: "odata.maxpagesize=0" })).toEqual(Array.from({ length: 10 }, () => 100))
  })

  it("says which page size it applied", async () => {
    await using opened = await openedApp("memory", [])
    const applied = async (prefer: string) =>
      (await opened.app.request(devicesPath, { headers: { prefer } })).headers.get("preference-applied")
    expect(await applied("odata.maxpagesize=20")).toBe("odata.maxpagesize=20")
    expect(await applied("odata.maxpagesize=5000")).toBe("odata.maxpagesize=999")
    expect(await applied("respond-async")).toBeNull()
  })

  it.for([
    ["?filter=id", "$filter"],
    ["?$expand=x", "$expand"],
    ["?$search=x", "$search"],
    ["?$colour=red", "$colour"],
    ["?%24filter=5", "$filter"],
    ["?$filter=id eq 'a'&filter=id eq 'a'", "$filter"],
    ["?$skip=-1", "$skip"],
    ["?$skip=", "$skip"],
    [`?$select=${"id,".repeat(2000)}id`, "$select"],
    ["?$top=-1", "$top"],
    ["?$top=ten", "$top"],
    ["?$top=", "$top"],
    ["?$top=1&top=2", "$top"],
    ["?$select=deviceNam", "'deviceNam'"],
    ["?$select=DeviceName", "'deviceName'"],
    ["?$select=", "''"],
    ["?$select=id,,deviceName", "''"],
    ["?$skiptoken=x", "$skiptoken"],
    ["?$skiptoken=", "$skiptoken"],
    ["?$skiptoken=a", "$skiptoken"],
    ["?$skiptoken=aZDE%3D", "$skiptoken"]
  ])("refuses %.60s, naming %s", async ([query = "", named = ""]) => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`${devicesPath}${query}`)
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(message).toContain(named)
  })

  it("of an unknown metric is not found", async () => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`/beta${metricsPath}/alldevices/metricDevices`)
    expect([response.status, (await failureOf(response)).code]).toEqual([404, "ResourceNotFound"])
  })
})

describe("a single device", () => {
  it("can be narrowed with $select, and with nothing else", async () => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`${devicesPath}/a?$select=model,id`)
    expect(await response.json()).toEqual({
      "@odata.context": `http://localhost/beta/$metadata#${metricsPath.slice(1)}('allDevices')/metricDevices(model,id)/$entity`,
      "@odata.type": deviceODataType,
      model: null,
      id: "a"
    })
    const refused = await opened.app.request(`${devicesPath}/a?$top=1`)
    expect((await failureOf(refused)).message).toContain("$top")
  })

  it("is found by a key with quotes, slashes, spaces and letters of any script", async () => {
    const odd = "d'1/2 (ä,=)%2F"
    await using opened = await openedApp("memory", [odd])
    const encoded = encodeURIComponent(odd)
    for (const path of [`${devicesPath}/${encoded}`, `${devicesPath}('${encoded.replaceAll("'", "''")}')`]) {
      expect(await (await opened.app.request(path)).json()).toMatchObject({ id: odd })
    }
  })
})

it.each(storeKinds)(
  "a page of long texts ends early, with a link to the rest, in each order, with the store in %s",
  async (kind) => {
    await using opened = await openedApp(kind, [])
    const long = "\u{1}".repeat(16_384)
    const all = Array.from({ length: 40 }, (_, index) => `d${String(index).padStart(2, "0")}`)
    // As JSON, each is some 200 kB.
    const devices = all.map((id, index) =>
      wholeDevice({ id, deviceName: String(10 + ((index * 7) % 40)), model: long, serialNumber: long })
    )
    const byName = devices.toSorted((a, b) => Number(a.deviceName) - Number(b.deviceName)).map(({ id }) => id)
    const expected: ReadonlyArray<readonly [query: string, ids: ReadonlyArray<string>]> = [
      ["?", all],
      ["?$filter=model ne 'x'&", all],
      ["?$orderby=osVersion,id&", all],
      ["?$orderby=deviceName&", byName],
      ["?$orderby=deviceName desc&", byName.toReversed()],
      ["?$skip=5&", all.slice(5)],
      ["?$orderby=deviceName desc&$skip=25&", byName.toReversed().slice(25)]
    ]
    await opened.store.put(standing, devices, "replace")
    for (const [query, ids] of expected) {
      const seen: Array<string> = []
      const sizes: Array<number> = []
      for (let link: string | undefined = `${devicesPath}${query}$top=999`; link !== undefined;) {
        const text = await (await opened.app.request(encodeURI(decodeURI(link)))).text()
        const page = JSON.parse(text) as Page<{ readonly id: string }>
        expect(text.length).toBeLessThan(5 * 1_048_576)
        seen.push(...page.value.map(({ id }) => id))
        sizes.push(page.value.length)
        link = page["@odata.nextLink"]?.replace("http://localhost", "")
      }
      expect([query, seen]).toEqual([query, ids])
      expect(sizes.length).toBeLessThan(5)
    }
  }
)
