import { type KeyedDevice, type Page, wholeDevice } from "@workanywhere/domain"
import { fleetFigures } from "@workanywhere/domain/figures"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { createApp } from "../../src/app.ts"
import {
  devicesPath,
  failureOf,
  jsonRequest,
  metricsPath,
  modelsPath,
  openedApp,
  openedStore,
  readinessPath,
  standing,
  storeKinds,
  summaryPath
} from "../opened.ts"

const asOf = "2026-11-23"

// The summary counts what is out of support on the day it is asked for.
beforeEach(() => void vi.useFakeTimers({ now: new Date(`${asOf}T12:00:00Z`), toFake: ["Date"] }))
afterEach(() => void vi.useRealTimers())

const fleet = syntheticFleet({ size: 450, seed: 7 })

const expected = async () => {
  const figures = fleetFigures({ asOf })
  const tally = figures.empty()
  for await (const device of fleet) figures.add(tally, device)
  return figures.result(tally)
}

type App = Awaited<ReturnType<typeof openedApp>>["app"]

interface ModelRow {
  readonly id: string
  readonly manufacturer: string | null
  readonly model: string | null
}

const at = async (app: App, path: string) => {
  const response = await app.request(`/beta${path}`)
  expect(response.status).toBe(200)
  return (await response.json()) as Record<string, unknown>
}

const modelsAt = async (app: App, path: string) => (await at(app, path)) as unknown as Page<ModelRow>

const metadata = "http://localhost/beta/$metadata#"

const openedWith = async (devices: ReadonlyArray<KeyedDevice>) => {
  const opened = await openedApp("memory", [])
  for (const device of devices) await opened.store.create(standing, wholeDevice(device))
  return opened
}

describe.each(storeKinds)("the reports, with the store in %s", (kind) => {
  it("are the domain's figures of the devices in the standing metrics, in Graph's shapes", async () => {
    await using opened = await openedApp(kind, [])
    await opened.store.fillEmpty(standing, fleet)
    await opened.app.request(`/beta${metricsPath}`, jsonRequest("POST", { id: "mine" }))
    await opened.app.request(`/beta${metricsPath}/mine/metricDevices`, jsonRequest("POST", { model: "not counted" }))
    const { hardwareReadiness, modelPerformance, devicesSummary } = await expected()

    expect(await at(opened.app, readinessPath)).toEqual({
      "@odata.context": `${metadata}${readinessPath.slice(1)}/$entity`,
      "@odata.type": "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric",
      id: "allDevices",
      ...hardwareReadiness
    })
    expect(await at(opened.app, summaryPath)).toEqual({
      "@odata.context": `${metadata}microsoft.graph.userExperienceAnalyticsWorkFromAnywhereDevicesSummary`,
      "@odata.type": "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereDevicesSummary",
      ...devicesSummary
    })
    const { value, ...page } = await modelsAt(opened.app, `${modelsPath}?$top=999`)
    expect(page).toEqual({ "@odata.context": `${metadata}${modelsPath.slice(1)}` })
    expect(value).toHaveLength(modelPerformance.length)
    for (const row of modelPerformance) expect(value).toContainEqual({ id: expect.any(String), ...row })
  })

  it("count a write as soon as it is acknowledged", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const counted = async () => {
      const { totalDeviceCount, tpmCheckFailedPercentage } = await at(opened.app, readinessPath)
      return [totalDeviceCount, tpmCheckFailedPercentage]
    }
    expect(await counted()).toEqual([2, 0])
    await opened.app.request(`${devicesPath}/a`, jsonRequest("PATCH", { tpmCheckFailed: true }))
    expect(await counted()).toEqual([2, 50])
    await opened.app.request(`${devicesPath}/b`, { method: "DELETE" })
    expect(await counted()).toEqual([1, 100])
  })
})

describe("the reports", () => {
  it("of no devices are zeros and an empty list", async () => {
    await using opened = await openedApp("memory", [])
    expect(await at(opened.app, readinessPath)).toMatchObject({ totalDeviceCount: 0, ramCheckFailedPercentage: 0 })
    expect(await at(opened.app, modelsPath)).toMatchObject({ value: [] })
    expect(await at(opened.app, summaryPath)).toMatchObject({ totalDevices: 0, unsupportedOSversionDevices: 0 })
  })

  it("let others have their turn while they count", async () => {
    await using opened = await openedApp("memory", [])
    await opened.store.fillEmpty(standing, syntheticFleet({ size: 2000, seed: 1 }))
    const order: Array<string> = []
    const counting = at(opened.app, readinessPath)
    const turn = new Promise((resolve) => void setImmediate(resolve)).then(() => order.push("other"))
    await Promise.all([counting.then(() => order.push("report")), turn])
    expect(order).toEqual(["other", "report"])
  })

  it("are counted once for all who ask before somebody writes, in either version of Graph", async () => {
    await using opened = await openedApp("memory", ["a"])
    const all = vi.spyOn(opened.store, "all")
    const app = createApp({ store: opened.store })
    const ask = () =>
      Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const paths = [readinessPath, summaryPath, modelsPath]
          expect((await app.request(`/${index % 2 === 0 ? "beta" : "v1.0"}${paths[index % 3]}`)).status).toBe(200)
        })
      )
    await ask()
    await ask()
    expect(all).toHaveBeenCalledTimes(1)
    await opened.store.update(standing, "a", { tpmCheckFailed: true })
    expect(await at(app, readinessPath)).toMatchObject({ tpmCheckFailedPercentage: 100 })
    expect(all).toHaveBeenCalledTimes(2)
  })

  it("are counted one time after the other where nobody knows of writes, with what was written before each", async () => {
    await using opened = await openedApp("postgres", ["a"])
    const all = vi.spyOn(opened.store, "all")
    const app = createApp({ store: opened.store })
    const first = at(app, readinessPath)
    await opened.store.update(standing, "a", { tpmCheckFailed: true })
    const later = await Promise.all(Array.from({ length: 50 }, () => at(app, readinessPath)))
    await first
    for (const report of later) expect(report).toMatchObject({ tpmCheckFailedPercentage: 100 })
    expect(all.mock.calls.length).toBeLessThanOrEqual(3)
  })

  it("go on for those who wait when another caller goes away, and end with the last", async () => {
    await using opened = await openedApp("memory", [])
    await opened.store.fillEmpty(standing, syntheticFleet({ size: 2000, seed: 1 }))
    const ask = async (signal: AbortSignal) => (await opened.app.request(`/beta${readinessPath}`, { signal })).status
    const [first, second, third] = [new AbortController(), new AbortController(), new AbortController()]
    const asked = [ask(first.signal), ask(second.signal)]
    setImmediate(() => first.abort())
    expect(await Promise.all(asked)).toEqual([504, 200])
    await opened.store.create(standing, wholeDevice({ id: "new" }))
    const abandoned = ask(third.signal)
    setImmediate(() => third.abort())
    expect(await abandoned).toBe(504)
    expect(await at(opened.app, readinessPath)).toMatchObject({ totalDeviceCount: 2_001 })
  })

  it("that take longer than a query may are 504", async () => {
    const store = await openedStore("memory", {}, 0)
    await store.fillEmpty(standing, fleet)
    const response = await createApp({ store }).request(`/beta${readinessPath}`)
    expect([response.status, (await failureOf(response)).code]).toEqual([504, "gatewayTimeout"])
    await store.close()
  })

  it("do not show what another tenant has", async () => {
    await using opened = await openedApp("memory", ["a"])
    await opened.store.create({ ...standing, tenant: "other" }, wholeDevice({ id: "b", model: "theirs" }))
    expect(await at(opened.app, readinessPath)).toMatchObject({ totalDeviceCount: 1 })
    expect(JSON.stringify(await at(opened.app, modelsPath))).not.toContain("theirs")
  })

  it.for(
    ["", "()"].flatMap((end) => [
      `${summaryPath}${end}`,
      `${summaryPath.replace("/user", "/microsoft.graph.user")}${end}`
    ])
  )("answer the function as it is called: %s", async (path) => {
    await using opened = await openedApp("memory", ["a"])
    expect(await at(opened.app, path)).toMatchObject({ totalDevices: 1 })
  })

  it("can be narrowed with $select, and with no other option", async () => {
    await using opened = await openedApp("memory", ["a"])
    expect(await at(opened.app, `${readinessPath}?$select=totalDeviceCount,id&dtFilter=all`)).toEqual({
      "@odata.context": `${metadata}${readinessPath.slice(1)}(totalDeviceCount,id)/$entity`,
      "@odata.type": "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric",
      totalDeviceCount: 1,
      id: "allDevices"
    })
    expect(await at(opened.app, `${modelsPath}?$select=modelDeviceCount`)).toEqual({
      "@odata.context": `${metadata}${modelsPath.slice(1)}(modelDeviceCount)`,
      value: [{ modelDeviceCount: 1 }]
    })
    for (const [path, named] of [
      [`${readinessPath}?$top=1`, "$top"],
      [`${modelsPath}?$search=x`, "$search"],
      [`${modelsPath}?$orderby=modell`, "did you mean 'model'?"],
      [`${modelsPath}?$filter=tenantAttached`, "named 'tenantAttached' on type"],
      [`${summaryPath}?$filter=x`, "$filter"],
      [`${summaryPath}?$select=totalDevice`, "did you mean 'totalDevices'"]
    ] as const) {
      const response = await opened.app.request(`/beta${path}`)
      const { code, message } = await failureOf(response)
      expect([response.status, code]).toEqual([400, "BadRequest"])
      expect(message).toContain(named)
    }
  })
})

/** The names and the counts of all pages of models. */
const listed = async (app: App, query: string) => {
  const names: Array<string> = []
  const counts = new Set<unknown>()
  let next: string | undefined = `/beta${modelsPath}?${query}`
  while (next !== undefined) {
    const page = (await (await app.request(next)).json()) as Page<ModelRow>
    names.push(...page.value.map(({ manufacturer, model }) => `${manufacturer}${model}`))
    counts.add(page["@odata.count"])
    next = page["@odata.nextLink"]
  }
  return [names.join(" "), ...counts]
}

describe("the model performance", () => {
  it("is filtered, sorted, counted and paged as devices are", async () => {
    await using opened = await openedWith(models)
    for (const [query, ...expected] of [
      ["$count=true&$top=1", "nullnull A10 A2 B1", 4],
      ["$orderby=modelDeviceCount desc,model desc&$top=2", "A2 A10 B1 nullnull", undefined],
      ["$filter=manufacturer eq 'A' and length(model) gt 1&$count=true", "A10", 1],
      [
        "$filter=windowsScore ge 50 or manufacturer eq null&$orderby=windowsScore desc&$top=1&$count=true",
        "A2 nullnull",
        2
      ],
      ["$filter=healthStatus ne 'meetingGoals' and contains(tolower(manufacturer),'b')", "B1", undefined],
      ["$orderby=manufacturer desc,model&$skip=1&$top=2", "A10 A2 nullnull", undefined]
    ] as const) {
      expect([query, ...(await listed(opened.app, query))]).toEqual([query, ...expected])
    }
  })

  it("is counted by /$count, with a filter or without, and so are the metrics", async () => {
    await using opened = await openedWith(models)
    await opened.app.request(`/beta${metricsPath}`, jsonRequest("POST", { id: "mine" }))
    for (const [path, expected] of [
      [`${modelsPath}/$count`, "4"],
      [`${modelsPath}/$count?$filter=startswith(manufacturer,'A')`, "2"],
      [`${metricsPath}/$count`, "3"]
    ] as const) {
      const response = await opened.app.request(`/v1.0${path}`)
      expect(await response.text()).toBe(expected)
      expect(response.headers.get("content-type")).toBe("text/plain")
      const refused = await opened.app.request(`/v1.0${path}`, { headers: { accept: "application/json" } })
      expect([refused.status, (await failureOf(refused)).code]).toEqual([415, "notSupported"])
    }
  })

  const models = [
    { id: "1", manufacturer: "B", model: "1" },
    { id: "2", manufacturer: "A", model: "2", windowsScore: 50 },
    { id: "3", manufacturer: "A", model: "10" },
    { id: "4", manufacturer: "A", model: "2", windowsScore: 100 },
    { id: "5" }
  ]

  it("has a row for each model, by maker and model, whose id stays the same", async () => {
    await using opened = await openedWith(models)
    const { value } = await modelsAt(opened.app, modelsPath)
    expect(value.map(({ manufacturer, model }) => [manufacturer, model])).toEqual([
      [null, null],
      ["A", "10"],
      ["A", "2"],
      ["B", "1"]
    ])
    expect(value[2]).toMatchObject({ modelDeviceCount: 2, windowsScore: 75, cloudIdentityScore: -1 })
    expect(new Set(value.map(({ id }) => id)).size).toBe(4)
    await opened.app.request(`${devicesPath}/3`, { method: "DELETE" })
    expect((await modelsAt(opened.app, modelsPath)).value.map(({ id }) => id)).toEqual(
      value.flatMap(({ id, model }) => (model === "10" ? [] : [id]))
    )
  })

  it("comes page by page, each row once, while models come and go", async () => {
    await using opened = await openedWith(models)
    const first = await modelsAt(opened.app, `${modelsPath}?$top=2&$select=model`)
    expect(first.value).toEqual([{ model: null }, { model: "10" }])
    await opened.app.request(`${devicesPath}/3`, { method: "DELETE" })
    await opened.app.request(devicesPath, jsonRequest("POST", { manufacturer: "A", model: "1" }))
    const response = await opened.app.request(first["@odata.nextLink"] ?? "")
    expect(await response.json()).toEqual({
      "@odata.context": `${metadata}${modelsPath.slice(1)}(model)`,
      value: [{ model: "2" }, { model: "1" }]
    })
  })

  it("gives a single row by its id", async () => {
    await using opened = await openedWith(models)
    const { value } = await modelsAt(opened.app, modelsPath)
    expect(await at(opened.app, `${modelsPath}('${value[1]?.id}')`)).toEqual({
      "@odata.context": `${metadata}${modelsPath.slice(1)}/$entity`,
      "@odata.type": "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereModelPerformance",
      ...value[1]
    })
    const missing = await opened.app.request(`/beta${modelsPath}/none`)
    expect([missing.status, (await failureOf(missing)).code]).toEqual([404, "ResourceNotFound"])
  })
})
