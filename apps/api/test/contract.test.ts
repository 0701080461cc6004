import { execFile } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { AnonymousAuthenticationProvider, HttpMethod, RequestInformation } from "@microsoft/kiota-abstractions"
import { FetchRequestAdapter, KiotaClientFactory, MiddlewareFactory } from "@microsoft/kiota-http-fetchlibrary"
import {
  BatchRequestContent,
  BatchResponseContent,
  Client,
  GraphError as MicrosoftError,
  type Middleware,
  PageIterator
} from "@microsoft/microsoft-graph-client"
import {
  type DeviceUpdate,
  type WholeDevice,
  deviceODataType,
  parseDeviceUpdate,
  propertyNames
} from "@workanywhere/domain"
import type { ModelPerformance } from "@workanywhere/domain/figures"
import { GraphError, createGraphClient } from "@workanywhere/graph-client/promise"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createApp } from "../src/app.ts"
import { defaultSettings } from "../src/settings/config.ts"
import { type Service, startService } from "../src/service.ts"
import {
  documentedId,
  documentedUpdate,
  metricsPath,
  modelsPath,
  openedApp,
  readinessPath,
  storeKinds,
  storeRoom,
  summaryPath,
  temporaryFolder
} from "./opened.ts"

const fleet = 250

const devices = `${metricsPath}/allDevices/metricDevices`

const json = { "content-type": "application/json" }

const rejection = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => expect.unreachable("the call was expected to fail"),
    (error: unknown) => error
  )

type Running = Pick<Service, "url" | "close">

/** A service over a store of a kind. */
const serviceOver = async (kind: (typeof storeKinds)[number]): Promise<Running> => {
  const room = await storeRoom(kind)
  const { url, close } = await startService({ ...defaultSettings, port: 0, fleet, store: room.store })
  return {
    url,
    close: async () => {
      await close()
      await room[Symbol.asyncDispose]()
    }
  }
}

/** A gateway to another service. */
const gatewayTo = async (upstream: Running): Promise<Running> => {
  const folder = await temporaryFolder()
  const settings = { ...defaultSettings, port: 0, upstream: upstream.url, upstreamWrites: "on" } as const
  const { url, close } = await startService({ ...settings, audit: join(folder.path, "audit.jsonl") })
  return {
    url,
    close: async () => {
      await close()
      await upstream.close()
      await folder[Symbol.asyncDispose]()
    }
  }
}

/** What is behind the same address. */
const targets = [
  ...storeKinds.map((kind) => ({ name: `the store in ${kind}`, kind, start: () => serviceOver(kind) })),
  { name: "a gateway to a service", kind: "memory" as const, start: async () => gatewayTo(await serviceOver("memory")) }
]

describe.each(targets)("with $name", ({ kind, start }) => {
  let service: Running
  beforeAll(async () => {
    service = await start()
  })
  afterAll(() => service.close())

  const microsoftClient = () =>
    Client.init({
      baseUrl: `${service.url}/`,
      defaultVersion: "beta",
      authProvider: (done) => done(null, "any token")
    })

  describe("Microsoft's JavaScript client", () => {
    it("updates a device with the body of Microsoft's page, and reads it back", async () => {
      const body = JSON.parse(await documentedUpdate()) as DeviceUpdate
      const before = (await microsoftClient().api(`${devices}/${documentedId}`).get()) as object
      const updated: unknown = await microsoftClient().api(`${devices}/${documentedId}`).patch(body)
      const context = `${service.url}/beta/$metadata#${metricsPath.slice(1)}('allDevices')/metricDevices/$entity`
      expect(updated).toEqual({ ...before, ...body, id: documentedId, "@odata.context": context })
      expect(await microsoftClient().api(`${devices}/${documentedId}`).get()).toEqual(updated)
    })

    it("filters, sorts, counts and selects", async () => {
      const page: unknown = await microsoftClient()
        .api(devices)
        .filter("upgradeEligibility eq 'capable' and startswith(deviceName,'P') eq false")
        .orderby("windowsScore desc")
        .select("id,windowsScore")
        .count(true)
        .top(5)
        .get()
      expect(page).toMatchObject({
        "@odata.count": expect.any(Number),
        "@odata.nextLink": expect.stringContaining("$skiptoken="),
        value: Array.from({ length: 5 }, () => ({ id: expect.any(String) }))
      })
    })

    // It follows no link that does not start with https, so a plain port is not enough for its iterator; the one below has https.
    it("iterates over all pages, with the options of the first, when its requests go to the app itself", async () => {
      await using opened = await openedApp(
        kind,
        Array.from({ length: fleet }, (_, index) => `d${index}`)
      )
      const middleware: Middleware = {
        execute: async (context) => {
          context.response = await opened.app.fetch(new Request(context.request, context.options))
        }
      }
      const client = Client.initWithMiddleware({ middleware })
      const first = await client.api(devices).version("beta").select(["id", "deviceName"]).top(60).get()
      const seen: Array<Record<string, unknown>> = []
      await new PageIterator(client, first, (device: Record<string, unknown>) => seen.push(device) > 0).iterate()
      expect(new Set(seen.map(({ id }) => id)).size).toBe(fleet)
      for (const device of seen) expect(Object.keys(device)).toEqual(["id", "deviceName"])
    })

    it("creates, lists and deletes", async () => {
      const client = microsoftClient()
      const metric: unknown = await client.api(metricsPath).post({ id: "contract" })
      expect(metric).toMatchObject({ id: "contract" })
      const inside = `${metricsPath}/contract/metricDevices`
      expect(await client.api(inside).post({ id: "new", model: "X" })).toMatchObject({ id: "new", model: "X" })
      expect(await client.api(inside).get()).toMatchObject({ value: [{ id: "new" }] })
      await client.api(`${inside}/new`).delete()
      expect(await client.api(inside).get()).toMatchObject({ value: [] })
      await client.api(`${metricsPath}/contract`).delete()
      expect(await rejection(client.api(inside).get())).toMatchObject({ statusCode: 404 })
    })

    it("reads the reports", async () => {
      const client = microsoftClient()
      expect(await client.api(readinessPath).get()).toMatchObject({ totalDeviceCount: fleet })
      expect(await client.api(`${summaryPath}()`).get()).toMatchObject({ totalDevices: fleet })
      const { value } = (await client.api(modelsPath).get()) as { readonly value: ReadonlyArray<ModelPerformance> }
      expect(value.reduce((sum, { modelDeviceCount }) => sum + modelDeviceCount, 0)).toBe(fleet)
    })

    it("counts what is in each collection, and asks of the models what it asks of devices", async () => {
      const client = microsoftClient()
      const { value } = (await client.api(modelsPath).top(999).get()) as {
        readonly value: ReadonlyArray<ModelPerformance>
      }
      const large = value.filter(({ modelDeviceCount }) => modelDeviceCount > 5)
      expect(await client.api(`${modelsPath}/$count`).header("accept", "text/plain").get()).toBe(String(value.length))
      expect(await client.api(`${metricsPath}/$count`).header("accept", "text/plain").get()).toBe("2")
      const page: unknown = await client
        .api(modelsPath)
        .filter("modelDeviceCount gt 5")
        .orderby("modelDeviceCount desc")
        .count(true)
        .top(1)
        .get()
      const most = Math.max(...large.map(({ modelDeviceCount }) => modelDeviceCount))
      expect(page).toMatchObject({ "@odata.count": large.length, value: [{ modelDeviceCount: most }] })
    })

    it("sends a batch and finds each answer", async () => {
      const address = (id: string) => `https://graph.microsoft.com${devices}/${id}`
      const patch = (id: string, body: object) =>
        new Request(address(id), { method: "PATCH", headers: json, body: JSON.stringify(body) })
      const content = new BatchRequestContent([
        { id: "1", request: patch(documentedId, { model: "batched" }) },
        { id: "2", request: new Request(address(documentedId)), dependsOn: ["1"] },
        { id: "3", request: patch("none", { model: "X" }), dependsOn: ["2"] },
        { id: "4", request: new Request(`https://graph.microsoft.com${devices}`), dependsOn: ["3"] }
      ])
      const body: unknown = await microsoftClient()
        .api("/$batch")
        .post(await content.getContent())
      const answers = new BatchResponseContent(body as ConstructorParameters<typeof BatchResponseContent>[0])
      expect(await answers.getResponseById("1").json()).toMatchObject({ id: documentedId, model: "batched" })
      expect(await answers.getResponseById("2").json()).toMatchObject({ model: "batched" })
      expect(await answers.getResponseById("3").json()).toMatchObject({ error: { code: "ResourceNotFound" } })
      expect([...answers.getResponses()].map(([id, { status }]) => [id, status])).toEqual([
        ["1", 200],
        ["2", 200],
        ["3", 404],
        ["4", 424]
      ])
    })

    it("understands a failure: status, code, ids and every field", async () => {
      const error = await rejection(
        microsoftClient().api(`${devices}/${documentedId}`).patch({ windowsScore: 101, colour: "red" })
      )
      expect(error).toBeInstanceOf(MicrosoftError)
      expect(error).toMatchObject({ statusCode: 400, code: "ModelValidationFailure", requestId: expect.any(String) })
      const { body, date } = error as MicrosoftError
      expect((JSON.parse(String(body)) as { readonly details: ReadonlyArray<unknown> }).details).toHaveLength(2)
      expect(date.getTime()).not.toBeNaN()
      expect(await rejection(microsoftClient().api(`${devices}/none`).get())).toMatchObject({
        statusCode: 404,
        code: "ResourceNotFound"
      })
    })
  })

  const sendByKiota = async (
    middlewares: ReturnType<typeof MiddlewareFactory.getDefaultMiddlewares>,
    method: HttpMethod,
    urlTemplate: string,
    parameters: Record<string, unknown>,
    body?: object
  ) => {
    const adapter = new FetchRequestAdapter(
      new AnonymousAuthenticationProvider(),
      undefined,
      undefined,
      KiotaClientFactory.create(undefined, middlewares)
    )
    adapter.baseUrl = `${service.url}/beta`
    const request = new RequestInformation(method, urlTemplate, parameters)
    request.headers.add("Accept", "application/json;q=1")
    if (body !== undefined) {
      const content = new TextEncoder().encode(JSON.stringify(body)).buffer
      request.setStreamContent(content, "application/json")
    }
    const answer = await adapter.sendPrimitive<ArrayBuffer>(request, "ArrayBuffer", {})
    return JSON.parse(new TextDecoder().decode(answer)) as Readonly<Record<string, unknown>>
  }

  const askedByGrid = async (query: string) => {
    const response = await fetch(`${service.url}/beta${devices}${query}`, {
      headers: { accept: "application/json, text/javascript, */*; q=0.01", "odata-version": "4.0" }
    })
    expect([query, response.status]).toEqual([query, 200])
    return (await response.json()) as { readonly "@odata.count": number; readonly value: ReadonlyArray<WholeDevice> }
  }
  describe("Kiota's adapter, which Microsoft's other clients are built on", () => {
    const device = `{+baseurl}${metricsPath}/{metric%2Did}/metricDevices/{device%2Did}`
    const key = { "metric%2Did": "allDevices", "device%2Did": documentedId }

    it.for([
      ["its usual middleware", () => MiddlewareFactory.getDefaultMiddlewares()],
      ["that which compresses bodies", () => MiddlewareFactory.getPerformanceMiddlewares()]
    ] as const)("updates and reads a device with %s", async ([, middlewares]) => {
      const updated = await sendByKiota(middlewares(), HttpMethod.PATCH, device, key, {
        model: "Kiota",
        windowsScore: 12.5
      })
      expect(updated).toMatchObject({ id: documentedId, model: "Kiota", windowsScore: 12.5 })
      expect(await sendByKiota(middlewares(), HttpMethod.GET, device, key)).toMatchObject({ model: "Kiota" })
    })

    it("lists with its options, whose names it percent-encodes", async () => {
      const template = `{+baseurl}${devices}{?%24count,%24filter,%24orderby,%24select,%24top}`
      const page = await sendByKiota(MiddlewareFactory.getDefaultMiddlewares(), HttpMethod.GET, template, {
        "%24count": true,
        "%24filter": "length(deviceName) gt 0",
        "%24orderby": ["windowsScore desc", "id"],
        "%24select": ["id", "windowsScore"],
        "%24top": 5
      })
      expect(page).toMatchObject({
        "@odata.count": fleet,
        "@odata.nextLink": expect.stringContaining("$skiptoken="),
        value: Array.from({ length: 5 }, () => ({ id: expect.any(String) }))
      })
    })
  })

  // The requests are written down by hand from the documentation of both, whose licences keep them out of here.
  describe("a grid that speaks OData 4", () => {
    it.for([
      // Syncfusion, ODataV4Adaptor: sorting, paging, filters of its filter bar, menu and Excel-like dialog, search in columns
      ["/?$count=true&$orderby=deviceName%20desc,model&$skip=0&$top=12", () => true],
      [
        "/?$count=true&$filter=startswith(tolower(deviceName),'p')&$skip=0&$top=12",
        (row: WholeDevice) => row.deviceName?.toLowerCase().startsWith("p") === true
      ],
      [
        "/?$count=true&$filter=(contains(tolower(model),'book'))%20or%20(endswith(tolower(manufacturer),'inc.'))&$top=5",
        (row: WholeDevice) =>
          row.model?.toLowerCase().includes("book") === true ||
          row.manufacturer?.toLowerCase().endsWith("inc.") === true
      ],
      [
        "/?$count=true&$filter=((tolower(manufacturer)%20eq%20'contoso')%20or%20(tolower(manufacturer)%20ne%20null))%20and%20(windowsScore%20ge%2050)",
        (row: WholeDevice) => row.manufacturer !== null && row.windowsScore !== null && row.windowsScore >= 50
      ],
      [
        "/?$count=true&$filter=not%20contains(tolower(deviceName),'1')&$select=id,deviceName",
        (row: WholeDevice) => row.deviceName !== null && !row.deviceName.includes("1")
      ],
      // Kendo UI, type "odata-v4"
      ["?%24format=json&%24count=true&%24top=20&%24skip=40&%24orderby=windowsScore+desc", () => true],
      [
        "?%24count=true&%24filter=indexof(tolower(deviceName)%2C%271%27)+eq+-1&%24top=20",
        (row: WholeDevice) => row.deviceName !== null && !row.deviceName.includes("1")
      ],
      [
        "?%24count=true&%24filter=(contains(deviceName%2C%272%27)+and+tenantAttached+eq+true)&%24top=20",
        (row: WholeDevice) => row.deviceName?.includes("2") === true && row.tenantAttached === true
      ],
      [
        "?%24count=true&%24filter=(serialNumber+eq+null+or+serialNumber+eq+%27%27)",
        (row: WholeDevice) => row.serialNumber === null || row.serialNumber === ""
      ],
      [
        "?%24count=true&%24filter=length(trim(model))+gt+8+and+substring(model%2C0%2C1)+ne+%27X%27",
        (row: WholeDevice) =>
          row.model !== null && Array.from(row.model.trim()).length > 8 && !row.model.startsWith("X")
      ]
    ] as const)("counts all matches of %s and shows some of them", async ([query, fits]) => {
      const expected = (await askedByGrid("?$top=999")).value.filter(fits)
      const page = await askedByGrid(query)
      expect(page["@odata.count"]).toBe(expected.length)
      const ids = new Set(expected.map(({ id }) => id))
      expect(page.value.filter(({ id }) => !ids.has(id))).toEqual([])
      expect(page.value.length > 0).toBe(expected.length > 0)
    })

    it("writes to a device by a key in parentheses, named or not", async () => {
      for (const key of [`('${documentedId}')`, `(id='${documentedId}')`, `(${documentedId})`]) {
        const response = await fetch(`${service.url}/beta${devices}${key}`, {
          method: "PATCH",
          headers: {
            ...json,
            accept: "application/json, text/javascript, */*; q=0.01",
            prefer: "return=representation"
          },
          body: JSON.stringify({ model: key })
        })
        expect(await response.json()).toMatchObject({ id: documentedId, model: key })
      }
    })
  })

  describe("our own client", () => {
    const key = { metricId: "allDevices", deviceId: documentedId }

    it("updates a device with the body of Microsoft's page, and reads it back", async () => {
      const client = createGraphClient({ baseUrl: `${service.url}/v1.0` })
      const body = parseDeviceUpdate(JSON.parse(await documentedUpdate()))
      if (!body.success) throw new Error("the documented body is one that may be sent")
      const updated = await client.updateDevice(key, body.data)
      expect(updated).toMatchObject({ ...body.data, id: documentedId, "@odata.type": deviceODataType })
      expect(propertyNames.filter((name) => !(name in updated))).toEqual([])
      expect(await client.getDevice(key)).toEqual(updated)
      await client.close()
    })

    it("lists every device once", async () => {
      const client = createGraphClient({ baseUrl: `${service.url}/beta` })
      const ids = new Set<unknown>()
      for await (const device of client.listDevices("devicePerformance", { select: ["id"] })) ids.add(device.id)
      expect(ids.size).toBe(fleet)
      await client.close()
    })

    it("tells what is missing from what is refused", async () => {
      const client = createGraphClient({ baseUrl: `${service.url}/beta` })
      const missing = await rejection(client.getDevice({ ...key, deviceId: "d'1/2 (none)" }))
      expect(missing).toBeInstanceOf(GraphError)
      expect(missing).toMatchObject({ reason: { _tag: "NotFound" }, code: "ResourceNotFound", status: 404 })
      await client.close()
    })

    it("works without a port, through the app's own fetch", async () => {
      await using opened = await openedApp(kind, [documentedId])
      const app = createApp({ store: opened.store })
      const client = createGraphClient({
        baseUrl: "http://localhost/beta",
        fetch: async (input, init) => app.fetch(new Request(input, init))
      })
      expect(await client.updateDevice(key, { model: "X" })).toMatchObject({ id: documentedId, model: "X" })
      await client.close()
    })
  })
})

it("Microsoft's JavaScript client iterates over all pages of a service that speaks https, unchanged", async () => {
  await using folder = await temporaryFolder()
  const store = `sqlite:${join(folder.path, "devices.sqlite")}` as const
  const { url, close } = await startService({ ...defaultSettings, port: 0, fleet, store, tls: "auto" })
  const script = fileURLToPath(new URL("./examples/page-iterator.ts", import.meta.url))
  const env = { NODE_EXTRA_CA_CERTS: join(folder.path, "tls/localhost.pem") }
  const run = promisify(execFile)
  expect(await run(process.execPath, [script, url], { env })).toMatchObject({ stdout: `${fleet} devices\n` })
  await expect(run(process.execPath, [script, url], { env: {} })).rejects.toMatchObject({ stdout: "" })
  await close()
})
