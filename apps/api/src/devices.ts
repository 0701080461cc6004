import { type PropertyName, type WholeDevice, deviceODataType, parseDeviceUpdate } from "@workanywhere/domain"
import { type Context, type Handler, Hono } from "hono"
import { type Writing, acceptedOf, acceptsText, jsonType, writtenDevice } from "./device-body.ts"
import { type Filter, deviceFilter } from "./device-filter.ts"
import { deviceOrder, positionOf } from "./device-order.ts"
import { type Collection, type DeviceStore, collectionOf } from "./device-store.ts"
import { ApiError, jsonBody } from "./errors.ts"
import {
  continuedOptions,
  countWanted,
  nextLink,
  pageSize,
  queryOptions,
  selectedProperties,
  skippedRows,
  startOfPage
} from "./odata-query.ts"
import { pageTokens } from "./page-token.ts"
import { type Preferences, preferencesOf } from "./preferences.ts"
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
  const projection = selected === undefined ? "" : `(${selected.join(",")})`
  return `${originOf(c.req.url)}/${version}/$metadata#${devicesOf(metricId)}${projection}`
}

const devicesOf = (metricId: string): string =>
  `${metrics}('${encodeURIComponent(metricId.replaceAll("'", "''"))}')/metricDevices`

const includeUnknownMembers = "include-unknown-enum-members"

const writingFor = (
  c: Context<Env>,
  version: Version,
  metricId: string,
  preferences: Preferences,
  selected?: ReadonlyArray<PropertyName>
): Writing => ({
  ...acceptedOf(c.req.header("accept")),
  unknownMembers: preferences.has(includeUnknownMembers),
  selected,
  address: () => `${originOf(c.req.url)}/${version}/${devicesOf(metricId)}`
})

/** Headers that say how devices were written, and which preferences that followed. */
const headersFor = (writing: Writing, appliedPageSize?: number): Readonly<Record<string, string>> => {
  const applied = [
    ...(writing.unknownMembers ? [includeUnknownMembers] : []),
    ...(appliedPageSize === undefined ? [] : [`odata.maxpagesize=${appliedPageSize}`])
  ]
  return {
    "content-type": jsonType(writing),
    ...(applied.length === 0 ? {} : { "preference-applied": applied.join(", ") })
  }
}

/** The answer that shows one device. */
const replyDevice = (
  c: Context<Env>,
  version: Version,
  metricId: string,
  device: WholeDevice,
  selected?: ReadonlyArray<PropertyName>
): Response => {
  const writing = writingFor(c, version, metricId, preferencesOf(c.req.header("prefer")), selected)
  const head = {
    "@odata.context": `${contextOf(c, version, metricId, selected)}/$entity`,
    "@odata.type": deviceODataType
  }
  const body = { ...(writing.level === "none" ? {} : head), ...writtenDevice(writing, device) }
  return reply(c, 200, body, headersFor(writing))
}

const filterOf = (filter: string | undefined, preferences: Preferences): Filter | undefined =>
  filter === undefined ? undefined : deviceFilter(filter, { unknownMembers: preferences.has(includeUnknownMembers) })

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
      const options = queryOptions(c.req.url, ["count", "filter", "orderby", "select", "skip", "skiptoken", "top"])
      const preferences = preferencesOf(c.req.header("prefer"))
      const selected = selectedProperties(options.select)
      const filter = filterOf(options.filter, preferences)
      const order = deviceOrder(options.orderby)
      const { size, preferenceApplied } = pageSize(options.top, preferences)
      const tokens = pageTokens(store.pageTokenKey, [c.get("tenant"), metricId, ...continuedOptions(options)])
      const query = { filter, order, after: startOfPage(options.skiptoken, tokens), skip: skippedRows(options) }
      const total = countWanted(options.count) ? await store.count(collection, filter) : undefined
      const { devices, more } = await store.search(collection, query, size)
      const last = devices.at(-1)
      const writing = writingFor(c, version, metricId, preferences, selected)
      const page = {
        ...(writing.level === "none" ? {} : { "@odata.context": contextOf(c, version, metricId, selected) }),
        ...(total === undefined ? {} : { "@odata.count": writing.ieee754Compatible ? String(total) : total }),
        ...(more && last !== undefined
          ? { "@odata.nextLink": nextLink(c.req.url, tokens.seal(positionOf(order, last))) }
          : {}),
        value: devices.map((device) => writtenDevice(writing, device))
      }
      return reply(c, 200, page, headersFor(writing, preferenceApplied ? size : undefined))
    })
    .all(collectionPath, only("GET, HEAD"))

    .get(`${collectionPath}/$count`, async (c) => {
      const collection = collectionFor(c, c.req.param("metricId"))
      const { filter } = queryOptions(c.req.url, ["filter"])
      const preferences = preferencesOf(c.req.header("prefer"))
      if (!acceptsText(c.req.header("accept"))) {
        throw new ApiError("notSupported", "A count is text/plain, which the Accept header does not allow.")
      }
      const total = await store.count(collection, filterOf(filter, preferences))
      const applied = preferences.has(includeUnknownMembers) ? { "preference-applied": includeUnknownMembers } : {}
      return reply(c, 200, total, { "content-type": "text/plain", ...applied })
    })
    .all(`${collectionPath}/$count`, only("GET, HEAD"))

    .get(devicePath, async (c) => {
      const { metricId, deviceId } = c.req.param()
      const collection = collectionFor(c, metricId)
      const selected = selectedProperties(queryOptions(c.req.url, ["select"]).select)
      const device = await store.find(collection, deviceId)
      if (device === undefined) throw noDevice(metricId, deviceId)
      return replyDevice(c, version, metricId, device, selected)
    })
    .patch(devicePath, async (c) => {
      const { metricId, deviceId } = c.req.param()
      const collection = collectionFor(c, metricId)
      queryOptions(c.req.url, [])
      const update = await jsonBody(c, parseDeviceUpdate)
      const device = await store.update(collection, deviceId, update)
      if (device === undefined) throw noDevice(metricId, deviceId)
      return replyDevice(c, version, metricId, device)
    })
    .all(devicePath, only("GET, HEAD, PATCH"))
}
