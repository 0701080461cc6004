import {
  type Device,
  type GraphVersion,
  type PropertyName,
  type WholeDevice,
  deviceODataType,
  inParentheses,
  parseDeviceUpdate,
  wholeDevice
} from "@workanywhere/domain"
import { type Context, Hono } from "hono"
import { metricsPath } from "../graph/address.ts"
import { acceptedOf, jsonType } from "../graph/content-type.ts"
import { type Writing, isAsStored, writtenDevice } from "../graph/written-device.ts"
import { filterOf } from "../graph/device-filter.ts"
import { deviceOrder, positionOf } from "../graph/device-order.ts"
import { pageTokens } from "../graph/page-token.ts"
import { type Preferences, includeUnknownMembers, preferencesOf } from "../graph/preferences.ts"
import {
  continuedOptions,
  countWanted,
  nextLink,
  pageSize,
  queryOptions,
  selectedProperties,
  skippedRows,
  startOfPage
} from "../graph/query.ts"
import { ApiError } from "../http/api-error.ts"
import { jsonBody, newDeviceIn } from "../http/body.ts"
import { type Entity, changed, created, deleted, found } from "../http/entity.ts"
import type { Env } from "../http/env.ts"
import { reply, replyJson } from "../http/reply.ts"
import { acceptOf, addressOf, requireTextAccepted, rootOf } from "../http/request-target.ts"
import { otherMethods, patternOf } from "../http/router.ts"
import {
  type Collection,
  type DeviceStore,
  type Expectation,
  type Written,
  collectionOf
} from "../store/device-store.ts"
import { type EtagOf, expectation, noEtag, unexpected } from "./etag.ts"
import { noMetric, requireMetric } from "./metrics.ts"
import { readOnly } from "./read-only.ts"
import { type ListAnswer, recentAnswers } from "./recent-answers.ts"

const contextOf = (
  c: Context<Env>,
  version: GraphVersion,
  metricId: string,
  selected: ReadonlyArray<PropertyName> | undefined
): string => {
  const projection = selected === undefined ? "" : `(${selected.join(",")})`
  return `${rootOf(c, version)}/$metadata#${devicesOf(metricId)}${projection}`
}

const devicesOf = (metricId: string): string => `${metricsPath}${inParentheses(metricId)}/metricDevices`

const writingFor = (
  c: Context<Env>,
  version: GraphVersion,
  metricId: string,
  preferences: Preferences,
  selected?: ReadonlyArray<PropertyName>
): Writing => ({
  ...acceptedOf(acceptOf(c)),
  unknownMembers: preferences.has(includeUnknownMembers),
  selected,
  address: () => `${rootOf(c, version)}/${devicesOf(metricId)}`
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

/** All of a request that changes its list, and no more: what else a caller sends makes no other answer. */
const askedOf = (c: Context<Env>): string => {
  const { level, ieee754Compatible } = acceptedOf(acceptOf(c))
  const preferences = preferencesOf(c.req.header("prefer"))
  const { size, preferenceApplied } = pageSize(undefined, preferences)
  return JSON.stringify([
    addressOf(c),
    level,
    ieee754Compatible,
    preferenceApplied ? size : null,
    preferences.has(includeUnknownMembers)
  ])
}

const collectionFor = async (c: Context<Env>, store: DeviceStore, metricId: string): Promise<Collection> => {
  await requireMetric(store, c.get("tenant"), metricId)
  return collectionOf(c.get("tenant"), metricId)
}

const noDevice = (metricId: string, deviceId: string): ApiError =>
  new ApiError("ResourceNotFound", `There is no device with the id '${deviceId}' in the metric '${metricId}'.`)

/** The JSON of a device with other members in front of its own. */
const withHead = (head: object, json: string): string => {
  const front = JSON.stringify(head).slice(0, -"}".length)
  return front === "{" ? json : `${front},${json.slice("{".length)}`
}

const asNewDevice = async (c: Context<Env>): Promise<WholeDevice> => {
  const { id = crypto.randomUUID(), ...device } = await newDeviceIn(c)
  return wholeDevice({ ...device, id })
}

/** The routes of metric devices under one root. */
export const deviceRoutes = (version: GraphVersion, store: DeviceStore, etagOf: EtagOf = noEtag): Hono<Env> => {
  const recent = recentAnswers(store.version)

  /** A device as it stands in a body, with its etag if it has one. */
  const tagged = (writing: Writing, device: WholeDevice): Device & { readonly "@odata.etag"?: string } => {
    const etag = writing.level === "none" ? undefined : etagOf(device)
    const written = writtenDevice(writing, device)
    return etag === undefined ? written : { "@odata.etag": etag, ...written }
  }

  const isStoredJson = (writing: Writing): boolean => isAsStored(writing) && etagOf === noEtag

  /** A device, or its JSON from the store, as the body of an answer. */
  const entity = (c: Context<Env>, metricId: string, writing: Writing, device: WholeDevice | string): Entity => {
    const head =
      writing.level === "none"
        ? {}
        : {
            "@odata.context": `${contextOf(c, version, metricId, writing.selected)}/$entity`,
            "@odata.type": deviceODataType
          }
    return {
      body: typeof device === "string" ? withHead(head, device) : { ...head, ...tagged(writing, device) },
      contentType: jsonType(writing),
      etag: typeof device === "string" ? undefined : etagOf(device),
      applied: writing.unknownMembers ? [includeUnknownMembers] : []
    }
  }

  const entityWriting = (c: Context<Env>, metricId: string, selected?: ReadonlyArray<PropertyName>): Writing =>
    writingFor(c, version, metricId, preferencesOf(c.req.header("prefer")), selected)

  const writtenTo = (written: Written, metricId: string, deviceId: string): Exclude<Written, undefined | "changed"> => {
    if (written === undefined) throw noDevice(metricId, deviceId)
    if (written === "changed") throw unexpected(etagOf)
    return written
  }

  /** What an update would find that is not to be made. */
  const unwritten = async (collection: Collection, deviceId: string, expected?: Expectation): Promise<Written> => {
    const device = await store.find(collection, deviceId)
    if (device === undefined) return undefined
    return expected === undefined || expected(device) ? { device, json: undefined } : "changed"
  }

  const list = async (c: Context<Env, ReturnType<typeof patternOf<"devices">>>): Promise<ListAnswer> => {
    const metricId = c.req.param("metricId")
    const collection = await collectionFor(c, store, metricId)
    const options = queryOptions(c.req.url, ["count", "filter", "orderby", "select", "skip", "skiptoken", "top"])
    const preferences = preferencesOf(c.req.header("prefer"))
    const selected = selectedProperties(options.select)
    const filter = filterOf(options.filter, preferences)
    const order = deviceOrder(options.orderby)
    const { size, preferenceApplied } = pageSize(options.top, preferences)
    const tokens = pageTokens(store.pageTokenKey, [c.get("tenant"), metricId, ...continuedOptions(options)])
    const query = { filter, order, after: startOfPage(options.skiptoken, tokens), skip: skippedRows(options) }
    const caller = () => c.req.raw.signal
    const total = countWanted(options.count) ? await store.count(collection, filter, caller) : undefined
    const writing = writingFor(c, version, metricId, preferences, selected)

    const page = await store.search(collection, query, size, caller)
    const { last } = page
    const link =
      page.more && last !== undefined ? nextLink(addressOf(c), tokens.seal(positionOf(order, last))) : undefined
    const head = {
      ...(writing.level === "none" ? {} : { "@odata.context": contextOf(c, version, metricId, selected) }),
      ...(total === undefined ? {} : { "@odata.count": writing.ieee754Compatible ? String(total) : total }),
      ...(link === undefined ? {} : { "@odata.nextLink": link })
    }
    const stored = isStoredJson(writing) ? page.json : undefined
    const value = stored ?? page.devices.map((device) => JSON.stringify(tagged(writing, device))).join(",")
    const front = JSON.stringify({ ...head, value: [] }).slice(0, -"]}".length)
    return {
      body: `${front}${value}]}`,
      headers: headersFor(writing, preferenceApplied ? size : undefined),
      nextLink: link
    }
  }

  return new Hono<Env>()
    .get(patternOf("devices"), async (c) => {
      const { body, headers, nextLink: link } = await recent(c.get("tenant"), askedOf(c), () => list(c))
      if (link !== undefined) c.set("nextLink", link)
      return replyJson(c, 200, body, headers)
    })
    .post(patternOf("devices"), async (c) => {
      const metricId = c.req.param("metricId")
      const collection = await collectionFor(c, store, metricId)
      queryOptions(c.req.url, [])
      const device = await asNewDevice(c)
      const outcome = await store.create(collection, device)
      if (outcome === "noMetric") throw noMetric(metricId)
      if (outcome === "exists") {
        const message = `There is a device with the id '${device.id}' in the metric '${metricId}' already.`
        throw new ApiError("nameAlreadyExists", message)
      }
      const address = `${rootOf(c, version)}/${devicesOf(metricId)}${inParentheses(device.id)}`
      return created(c, address, entity(c, metricId, entityWriting(c, metricId), device))
    })
    .all(patternOf("devices"), otherMethods("devices"))

    .get(patternOf("count"), async (c) => {
      const collection = await collectionFor(c, store, c.req.param("metricId"))
      const { filter } = queryOptions(c.req.url, ["filter", "format"])
      const preferences = preferencesOf(c.req.header("prefer"))
      requireTextAccepted(c)
      const total = await store.count(collection, filterOf(filter, preferences), () => c.req.raw.signal)
      const applied = preferences.has(includeUnknownMembers) ? { "preference-applied": includeUnknownMembers } : {}
      return reply(c, 200, total, { "content-type": "text/plain", ...applied })
    })
    .all(patternOf("count"), otherMethods("count"))

    .get(patternOf("device"), async (c) => {
      const { metricId, deviceId } = c.req.param()
      const collection = await collectionFor(c, store, metricId)
      const selected = selectedProperties(queryOptions(c.req.url, ["select"]).select)
      const writing = entityWriting(c, metricId, selected)
      const json = isStoredJson(writing) ? await store.findJson(collection, deviceId) : undefined
      const device = json ?? (await store.find(collection, deviceId))
      if (device === undefined) throw noDevice(metricId, deviceId)
      return found(c, entity(c, metricId, writing, device))
    })
    .patch(patternOf("device"), async (c) => {
      const { metricId, deviceId } = c.req.param()
      const collection = await collectionFor(c, store, metricId)
      queryOptions(c.req.url, [])
      const update = await jsonBody(c, parseDeviceUpdate)
      const expected = expectation(c, etagOf)
      const writing = entityWriting(c, metricId)
      if (c.get("readOnly") !== "accept") {
        const before = writtenTo(await unwritten(collection, deviceId, expected), metricId, deviceId)
        if (c.get("readOnly") === "reject") throw readOnly(c, update)
        return changed(c, entity(c, metricId, writing, before.device))
      }
      const after = writtenTo(await store.update(collection, deviceId, update, expected), metricId, deviceId)
      // The device is read from its JSON only where it has to be.
      return changed(c, entity(c, metricId, writing, (isStoredJson(writing) ? after.json : undefined) ?? after.device))
    })
    .delete(patternOf("device"), async (c) => {
      const { metricId, deviceId } = c.req.param()
      const collection = await collectionFor(c, store, metricId)
      queryOptions(c.req.url, [])
      writtenTo(await store.remove(collection, deviceId, expectation(c, etagOf)), metricId, deviceId)
      return deleted(c)
    })
    .all(patternOf("device"), otherMethods("device"))
}
