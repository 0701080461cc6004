import { GraphError, type PromiseClient, createGraphClient, filter } from "@workanywhere/graph-client/promise"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { defaultSettings } from "../src/settings/config.ts"
import { type Service, startService } from "../src/service.ts"
import { storeRoom } from "./opened.ts"

const fleet = 120

const collected = async <A>(rows: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const all: Array<A> = []
  for await (const row of rows) all.push(row)
  return all
}

const reasonOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "no failure",
    (error: unknown) => (error instanceof GraphError ? error.reason._tag : String(error))
  )

/** Each version over each store, but not all pairs of them: the versions differ in nothing that reaches a store. */
const places = [
  { version: "beta", kind: "memory" },
  { version: "v1.0", kind: "file" },
  { version: "beta", kind: "postgres" }
] as const

describe.each(places)("every operation of our client, under $version, with the store in $kind", ({ version, kind }) => {
  let room: Awaited<ReturnType<typeof storeRoom>>
  let service: Service
  let client: PromiseClient
  beforeAll(async () => {
    room = await storeRoom(kind)
    service = await startService({ ...defaultSettings, port: 0, fleet, store: room.store })
    client = createGraphClient({ baseUrl: `${service.url}/${version}` })
  })
  afterAll(async () => {
    await client.close()
    await service.close()
    await room[Symbol.asyncDispose]()
  })

  it("leads a metric and a device through their lives", async () => {
    const id = `mine (${version}) 'x'`
    expect(await client.createMetric({ id })).toMatchObject({ id })
    expect(await client.getMetric(id)).toMatchObject({ id })
    expect(await client.updateMetric(id)).toMatchObject({ id })
    expect((await collected(client.listMetrics())).map((metric) => metric.id)).toContain(id)

    const created = await client.createDevice(id, { deviceName: "PC-900", windowsScore: 50 })
    const key = { metricId: id, deviceId: created.id }
    expect(await client.getDevice(key, { select: ["deviceName"] })).toMatchObject({
      id: created.id,
      deviceName: "PC-900"
    })
    expect(await client.updateDevice(key, { windowsScore: 51 })).toMatchObject({ windowsScore: 51 })
    await client.deleteDevice(key)
    expect(await reasonOf(client.deleteDevice(key))).toBe("NotFound")

    await client.deleteMetric(id)
    expect(await reasonOf(client.getMetric(id))).toBe("NotFound")
  })

  it("reads the reports", async () => {
    expect(await client.getHardwareReadiness()).toMatchObject({ totalDeviceCount: fleet })
    expect(await client.summarizeDevices()).toMatchObject({ totalDevices: fleet })
    const models = await collected(client.listModelPerformance())
    expect(models.reduce((sum, { modelDeviceCount }) => sum + (modelDeviceCount ?? 0), 0)).toBe(fleet)
  })

  it("proves a list: ordered, paged, counted, and resumed in the middle", async () => {
    const options = { orderBy: ["windowsScore desc", "id"], pageSize: 50, count: true, countDuplicates: true } as const
    const pages = await collected(client.listDevicePages("allDevices", { ...options, select: ["windowsScore"] }))
    expect(pages.map(({ count, duplicates, rowsSeen }) => [count, duplicates, rowsSeen])).toEqual([
      [fleet, 0, 50],
      [fleet, 0, 100],
      [fleet, 0, fleet]
    ])
    const checkpoint = pages[1]?.checkpoint
    if (checkpoint === undefined) throw new Error("a page in the middle has a checkpoint")
    const rest = await collected(client.listDevicePages("allDevices", { ...options, resumeFrom: checkpoint }))
    expect(rest.map(({ rowsSeen }) => rowsSeen)).toEqual([fleet])
    expect((await collected(client.listDevices("allDevices", { top: 1_000 }))).length).toBe(fleet)
  })

  it.each(["O'Brien's", "50% & more + #1?", "Überbuch 🎈", "a' or 'a' eq 'a", "%27 %2F /"])(
    "finds exactly the device whose name is %s",
    async (deviceName) => {
      const created = await client.createDevice("allDevices", { deviceName })
      const key = { metricId: "allDevices", deviceId: created.id }
      const found = await collected(client.listDevices("allDevices", { filter: filter.eq("deviceName", deviceName) }))
      expect(found.map(({ id }) => id)).toEqual([created.id])
      await client.deleteDevice(key)
    }
  )

  it("every kind of condition is one that the service understands", async () => {
    const all = filter.or(
      filter.and(filter.in("upgradeEligibility", ["capable", "notCapable"]), filter.ne("healthStatus", "unknown")),
      filter.not(filter.eq("model", null)),
      filter.contains("deviceName", "'"),
      filter.startsWith("deviceName", "PC"),
      filter.endsWith("deviceName", "1"),
      filter.ge("windowsScore", -1),
      filter.eq("tpmCheckFailed", false)
    )
    expect((await collected(client.listDevices("allDevices", { filter: all }))).length).toBeGreaterThan(0)
  })

  it("a route that the service does not have is told from a device that it does not have", async () => {
    const elsewhere = createGraphClient({ baseUrl: `${service.url}/v7` })
    expect(await reasonOf(elsewhere.getHardwareReadiness())).toBe("RouteUnsupported")
    await elsewhere.close()
  })
})
