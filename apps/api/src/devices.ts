import {
  type Device,
  type Page,
  type PropertyName,
  type WholeDevice,
  deviceODataType,
  parseDeviceUpdate
} from "@workanywhere/domain"
import { type Context, type Handler, Hono } from "hono"
import { type Collection, type DeviceStore, collectionOf } from "./device-store.ts"
import { ApiError, jsonBody } from "./errors.ts"
import { nextLink, pageSize, queryOptions, selectedProperties, startOfPage } from "./odata-query.ts"
import { type Env, reply } from "./reply.ts"

/** The roots that the resource is served under, alike in both (reference 1.6). */
export type Version = "beta" | "v1.0"

const metrics = "deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics"

const originOf = (url: string): string => url.slice(0, url.indexOf("/", url.indexOf("//") + 2))

const contextOf = (
  c: Context<Env>,
  version: Version,
  metricId: string,
  selected: ReadonlyArray<PropertyName> | undefined
): string => {
  const key = encodeURIComponent(metricId.replaceAll("'", "''"))
  const projection = selected === undefined ? "" : `(${selected.join(",")})`
  return `${originOf(c.req.url)}/${version}/$metadata#${metrics}('${key}')/metricDevices${projection}`
}

const projected = (device: WholeDevice, selected: ReadonlyArray<PropertyName> | undefined): Device =>
  selected === undefined ? device : Object.fromEntries(selected.map((name) => [name, device[name]]))

const collectionFor = (c: Context<Env>, metricId: string): Collection => {
  const collection = collectionOf(c.get("tenant"), metricId)
  if (collection === undefined) throw new ApiError("ResourceNotFound", `There is no metric with the id '${metricId}'.`)
  return collection
}

const noDevice = (metricId: string, deviceId: string): ApiError =>
  new ApiError("ResourceNotFound", `There is no device with the id '${deviceId}' in the metric '${metricId}'.`)

const only =
  (allow: string): Handler<Env> =>
  (c) => {
    throw new ApiError("Request_BadRequest", `The method ${c.req.method} is not served here, only ${allow}.`, {
      headers: { allow }
    })
  }

/** The routes of metric devices under one root. */
export const deviceRoutes = (version: Version, store: DeviceStore): Hono<Env> => {
  const collectionPath = `/${metrics}/:metricId/metricDevices` as const
  const devicePath = `${collectionPath}/:deviceId` as const

  return new Hono<Env>()
    .get(collectionPath, async (c) => {
      const metricId = c.req.param("metricId")
      const collection = collectionFor(c, metricId)
      const options = queryOptions(c.req.url, ["select", "skiptoken", "top"])
      const selected = selectedProperties(options.select)
      const { size, preferenceApplied } = pageSize(options.top, c.req.header("prefer"))
      const { devices, more } = await store.page(collection, startOfPage(options.skiptoken), size)
      const last = devices.at(-1)
      const page: Page<Device> = {
        "@odata.context": contextOf(c, version, metricId, selected),
        ...(more && last !== undefined ? { "@odata.nextLink": nextLink(c.req.url, last.id) } : {}),
        value: selected === undefined ? devices : devices.map((device) => projected(device, selected))
      }
      return reply(c, 200, page, preferenceApplied ? { "preference-applied": `odata.maxpagesize=${size}` } : {})
    })
    .all(collectionPath, only("GET, HEAD"))

    .get(devicePath, async (c) => {
      const { metricId, deviceId } = c.req.param()
      const collection = collectionFor(c, metricId)
      const selected = selectedProperties(queryOptions(c.req.url, ["select"]).select)
      const device = await store.find(collection, deviceId)
      if (device === undefined) throw noDevice(metricId, deviceId)
      return reply(c, 200, {
        "@odata.context": `${contextOf(c, version, metricId, selected)}/$entity`,
        "@odata.type": deviceODataType,
        ...projected(device, selected)
      })
    })
    .patch(devicePath, async (c) => {
      const { metricId, deviceId } = c.req.param()
      const collection = collectionFor(c, metricId)
      queryOptions(c.req.url, [])
      const update = await jsonBody(c, parseDeviceUpdate)
      const device = await store.update(collection, deviceId, update)
      if (device === undefined) throw noDevice(metricId, deviceId)
      return reply(c, 200, {
        "@odata.context": `${contextOf(c, version, metricId, undefined)}/$entity`,
        "@odata.type": deviceODataType,
        ...device
      })
    })
    .all(devicePath, only("GET, HEAD, PATCH"))
}
