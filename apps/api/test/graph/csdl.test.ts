import { type Device, healthState, isNullable, properties, upgradeEligibility } from "@workanywhere/domain"
import { DOMParser, type Document, type Element } from "@xmldom/xmldom"
import { describe, expect, it } from "vitest"
import { devicesPath, failureOf, jsonRequest, modelsPath, openedApp, readinessPath, summaryPath } from "../opened.ts"

const edm = "http://docs.oasis-open.org/odata/ns/edm"

const onError = (level: string, message: string) => expect.unreachable(`${level}: ${message}`)

const metadataOf = async (version = "beta") => {
  await using opened = await openedApp("memory", [])
  const response = await opened.app.request(`/${version}/$metadata`)
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/xml"])
  return new DOMParser({ onError }).parseFromString(await response.text(), "application/xml")
}

const elements = (within: Document | Element, kind: string): ReadonlyArray<Element> => [
  ...within.getElementsByTagNameNS(edm, kind)
]

const byName = (within: Document | Element, kind: string): ReadonlyMap<string, Element> =>
  new Map(elements(within, kind).map((element) => [element.getAttribute("Name") ?? "", element]))

const declared = (type: Element | undefined) =>
  Object.fromEntries(
    elements(type!, "Property").map((property) => [
      property.getAttribute("Name"),
      [property.getAttribute("Type"), property.getAttribute("Nullable") ?? "true"]
    ])
  )

const kindOfValue = { string: "Edm.String", boolean: "Edm.Boolean", number: /^Edm\.(Int32|Double)$/ } as const

describe("$metadata", () => {
  it("declares every property of a device with its type, and whether it may be null", async () => {
    const device = byName(await metadataOf(), "EntityType").get("userExperienceAnalyticsWorkFromAnywhereDevice")
    const types = {
      string: "Edm.String",
      boolean: "Edm.Boolean",
      score: "Edm.Double",
      upgradeEligibility: "graph.operatingSystemUpgradeEligibility",
      healthState: "graph.userExperienceAnalyticsHealthState"
    }
    const expected = properties
      .filter(({ name }) => name !== "id")
      .map((row) => [row.name, [types[row.kind], String(isNullable(row))]])
    expect(expected).toHaveLength(properties.length - 1)
    expect(declared(device)).toEqual(Object.fromEntries(expected))
    expect(device?.getAttribute("BaseType")).toBe("graph.entity")
  })

  it("has the key in the type that all entities are based on", async () => {
    const entities = byName(await metadataOf(), "EntityType")
    const base = entities.get("entity")
    expect(elements(base!, "PropertyRef").map((key) => key.getAttribute("Name"))).toEqual(["id"])
    expect(declared(base)).toEqual({ id: ["Edm.String", "false"] })
    const others = [...entities.values()].filter((entity) => entity !== base)
    expect(new Set(others.map((entity) => entity.getAttribute("BaseType")))).toEqual(new Set(["graph.entity"]))
  })

  it("gives the members of the enums Graph's numbers", async () => {
    const enums = byName(await metadataOf(), "EnumType")
    const members = (name: string) =>
      Object.fromEntries(
        elements(enums.get(name)!, "Member").map((member) => [
          member.getAttribute("Name"),
          Number(member.getAttribute("Value"))
        ])
      )
    expect(members("operatingSystemUpgradeEligibility")).toEqual(upgradeEligibility)
    expect(members("userExperienceAnalyticsHealthState")).toEqual(healthState)
  })

  it("refers only to types that it declares", async () => {
    const document = await metadataOf()
    const names = ["EntityType", "ComplexType", "EnumType"].flatMap((kind) => Array.from(byName(document, kind).keys()))
    const used = [...document.getElementsByTagName("*")].flatMap((element) =>
      ["Type", "BaseType"].flatMap((attribute) => element.getAttribute(attribute) ?? [])
    )
    const ours = used
      .map((type) => type.replace(/^Collection\((.*)\)$/, "$1"))
      .filter((type) => !type.startsWith("Edm."))
    expect(ours.length).toBeGreaterThan(15)
    expect(ours.filter((type) => !names.some((name) => type === `graph.${name}`))).toEqual([])
    expect(new Set(names).size).toBe(names.length)
  })

  it("declares what the reports really answer with", async () => {
    const document = await metadataOf()
    const types = new Map([...byName(document, "EntityType"), ...byName(document, "ComplexType")])
    await using opened = await openedApp("memory", ["a"])
    const answer = async (path: string) =>
      (await (await opened.app.request(`/beta${path}`)).json()) as Record<string, unknown>

    /** What in a row is not as the type says. */
    const misfits = (type: string, row: Record<string, unknown>): ReadonlyArray<string> => {
      const declarations = declared(types.get(type))
      const own = Object.entries(row).filter(([name]) => !name.startsWith("@odata.") && name !== "id")
      const absent = Object.keys(declarations).filter((name) => !(name in row))
      const wrong = own.flatMap(([name, value]) => {
        const [declaredType = "none", nullable] = declarations[name] ?? []
        if (value === null) return nullable === "true" ? [] : [`${name} is null`]
        if (typeof value === "object") return misfits(declaredType.slice("graph.".length), { ...value })
        const enums = declaredType.startsWith("graph.") && typeof value === "string"
        const fits = enums || declaredType.match(kindOfValue[typeof value as keyof typeof kindOfValue]) !== null
        return fits ? [] : [`${name} is no ${declaredType}`]
      })
      return [...absent, ...wrong]
    }
    const models = (await answer(modelsPath))["value"] as ReadonlyArray<Record<string, unknown>>
    const under = "userExperienceAnalyticsWorkFromAnywhere"
    expect(misfits(`${under}HardwareReadinessMetric`, await answer(readinessPath))).toEqual([])
    expect(misfits(`${under}ModelPerformance`, models[0] ?? {})).toEqual([])
    expect(misfits(`${under}DevicesSummary`, await answer(summaryPath))).toEqual([])
  })

  it("leads from the container to the devices, and to the function", async () => {
    const document = await metadataOf("v1.0")
    const singleton = byName(document, "Singleton").get("deviceManagement")
    expect(singleton?.getAttribute("Type")).toBe("graph.deviceManagement")
    const entities = byName(document, "EntityType")
    const leadsTo = (type: string) =>
      elements(entities.get(type)!, "NavigationProperty").map((property) => [
        property.getAttribute("Name"),
        property.getAttribute("Type"),
        property.getAttribute("ContainsTarget")
      ])
    expect(leadsTo("deviceManagement")).toContainEqual([
      "userExperienceAnalyticsWorkFromAnywhereMetrics",
      "Collection(graph.userExperienceAnalyticsWorkFromAnywhereMetric)",
      "true"
    ])
    expect(leadsTo("userExperienceAnalyticsWorkFromAnywhereMetric")).toEqual([
      ["metricDevices", "Collection(graph.userExperienceAnalyticsWorkFromAnywhereDevice)", "true"]
    ])
    const summarize = byName(document, "Function").get("userExperienceAnalyticsSummarizeWorkFromAnywhereDevices")
    expect(summarize?.getAttribute("IsBound")).toBe("true")
    expect(elements(document, "Schema").map((schema) => schema.getAttribute("Namespace"))).toEqual(["microsoft.graph"])
  })

  it("takes no query options", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request("/beta/$metadata?$format=json")
    expect((await failureOf(response)).message).toContain("$format")
  })
})

describe("the service document", () => {
  it.for(["/beta", "/beta/", "/v1.0", "/BETA"])("at %s leads to what is served", async (path) => {
    await using opened = await openedApp("memory", [])
    const version = path.replaceAll("/", "").toLowerCase()
    const response = await opened.app.request(path)
    expect(await response.json()).toEqual({
      "@odata.context": `http://localhost/${version}/$metadata`,
      value: [{ name: "deviceManagement", kind: "Singleton", url: "deviceManagement" }]
    })
    const singleton = await opened.app.request(`/${version}/deviceManagement`)
    expect(await singleton.json()).toEqual({
      "@odata.context": `http://localhost/${version}/$metadata#deviceManagement/$entity`,
      id: "local"
    })
  })

  it("leaves an id alone that is spelled like one of its routes", async () => {
    await using opened = await openedApp("memory", [])
    const created = await opened.app.request(devicesPath, jsonRequest("POST", { id: "$metadata" }))
    const device = (await (await opened.app.request(created.headers.get("location") ?? "")).json()) as Device
    expect(device.id).toBe("$metadata")
  })
})
