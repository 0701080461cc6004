import {
  Device,
  type DeviceUpdate,
  type Issue,
  KeyedDevice,
  type PropertyName,
  parseDeviceUpdate,
  property,
  unknownPropertyIssue
} from "@workanywhere/domain"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import * as Stream from "effect/Stream"
import * as HttpClient from "effect/http/HttpClient"
import { GraphError, Invalid, type Sent } from "./graph-error.ts"
import { type GraphClientOptions, InvalidOptions, type Settings, settingsOf } from "./options.ts"
import { pages } from "./pages.ts"
import { makeSend } from "./send.ts"

/** What names a device: the metric (`allDevices`, `devicePerformance`) and the device's `id` in it. */
export interface DeviceKey {
  readonly metricId: string
  readonly deviceId: string
}

/** Narrows a list. */
export interface ListOptions {
  /** Properties to fetch; all by default. */
  readonly select?: ReadonlyArray<PropertyName>
  /** Ends the list after this many devices, a whole number from 1. */
  readonly top?: number
}

/** Most that callers ask Graph to put on a page (reference 3). */
const largestPage = 999

const metrics = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics"

/** Stricter than `encodeURIComponent`: a quote or bracket would be read as OData's key syntax and name another route. */
const encoded = (key: string): string =>
  encodeURIComponent(key).replaceAll(/[!'()*]/g, (sign) => `%${sign.codePointAt(0)?.toString(16).toUpperCase()}`)

const keyIssues = (path: string, key: string): ReadonlyArray<Issue> => {
  if (typeof key === "string" && key.isWellFormed() && !["", ".", ".."].includes(key)) return []
  const received = typeof key === "string" ? JSON.stringify(key) : typeof key
  const expected = "a key that is not empty, . or .."
  const message = `${path}: ${received} cannot be a key; expected ${expected}`
  return [{ path, code: "malformedText", message, expected, received }]
}

const deviceIssues = ({ deviceId, metricId }: DeviceKey): ReadonlyArray<Issue> => [
  ...keyIssues("metricId", metricId),
  ...keyIssues("deviceId", deviceId)
]

const listIssues = (metricId: string, { select = [], top }: ListOptions): ReadonlyArray<Issue> => {
  const issues = [
    ...keyIssues("metricId", metricId),
    ...select.filter((name) => property(name) === undefined).map(unknownPropertyIssue)
  ]
  if (top === undefined || (Number.isInteger(top) && top >= 1)) return issues
  const expected = "a whole number from 1"
  const message = `top: ${top} is not ${expected}`
  return [...issues, { path: "top", code: "wrongType", message, expected, received: String(top) }]
}

const listQuery = ({ select = [], top }: ListOptions): string => {
  const options = [
    ...(select.length === 0 ? [] : [`$select=${[...new Set(select)].join(",")}`]),
    ...(top === undefined ? [] : [`$top=${Math.min(top, largestPage)}`])
  ]
  return options.length === 0 ? "" : `?${options.join("&")}`
}

const devicePath = `${metrics}/{metricId}/metricDevices/{deviceId}`

const invalid = (method: Sent["method"], path: string, issues: ReadonlyArray<Issue>): GraphError =>
  new GraphError({
    method,
    path,
    clientRequestId: crypto.randomUUID(),
    attempts: 0,
    message: issues.map((issue) => issue.message).join("; "),
    reason: new Invalid({ issues })
  })

const withoutWrapping = (body: unknown): unknown => {
  const isWrapped = typeof body === "object" && body !== null && "value" in body && !("id" in body)
  return isWrapped ? body.value : body
}

/** Graph's pages on single resources show them inside `{"value": …}`, where OData has them bare; either is read. */
const entity = <A>(schema: StandardSchemaV1<unknown, A>): StandardSchemaV1<unknown, A> => {
  const { validate } = schema["~standard"]
  return { "~standard": { version: 1, vendor: "workanywhere", validate: (body) => validate(withoutWrapping(body)) } }
}

const device = entity(KeyedDevice)

const make = (settings: Settings, http: HttpClient.HttpClient): GraphClient["Service"] => {
  const send = makeSend(settings, http)
  const collection = (metricId: string) => `${settings.root}${metrics}/${encoded(metricId)}/metricDevices`
  const pathOf = ({ deviceId, metricId }: DeviceKey) => `${collection(metricId)}/${encoded(deviceId)}`

  return GraphClient.of({
    updateDevice: Effect.fn("GraphClient.updateDevice")(function* (key, update) {
      const body = parseDeviceUpdate(update)
      const issues = [...deviceIssues(key), ...(body.success ? [] : body.issues)]
      if (!body.success || issues.length > 0) return yield* invalid("PATCH", settings.root + devicePath, issues)
      const request = { method: "PATCH", path: pathOf(key), query: "", body: body.data } as const
      return (yield* send(request, device)).value
    }),

    getDevice: Effect.fn("GraphClient.getDevice")(function* (key) {
      const issues = deviceIssues(key)
      if (issues.length > 0) return yield* invalid("GET", settings.root + devicePath, issues)
      return (yield* send({ method: "GET", path: pathOf(key), query: "" }, device)).value
    }),

    listDevices: (metricId, options = {}) => {
      const issues = listIssues(metricId, options)
      const template = `${settings.root}${metrics}/{metricId}/metricDevices`
      if (issues.length > 0) return Stream.fail(invalid("GET", template, issues))
      const devices = pages(send, settings.origin, { path: collection(metricId), query: listQuery(options) }, Device)
      const wanted = options.top === undefined ? devices : Stream.take(devices, options.top)
      return Stream.withSpan(wanted, "GraphClient.listDevices")
    }
  })
}

/**
 * The work-from-anywhere devices of one Graph: Microsoft's, or anything that speaks like it. Every failure is a
 * {@link GraphError}; interruption closes the connection at once.
 */
export class GraphClient extends Context.Service<
  GraphClient,
  {
    /**
     * Changes the named properties of a device and gives the whole device as it is then. The update is checked before
     * it is sent. A repeat after a lost connection is safe, because the update sets absolute values (reference 9).
     */
    readonly updateDevice: (key: DeviceKey, update: DeviceUpdate) => Effect.Effect<KeyedDevice, GraphError>
    /** Reads one device. */
    readonly getDevice: (key: DeviceKey) => Effect.Effect<KeyedDevice, GraphError>
    /** Reads the devices of a metric, a page at a time; fails rather than end early. */
    readonly listDevices: (metricId: string, options?: ListOptions) => Stream.Stream<Device, GraphError>
  }
>()("@workanywhere/graph-client/GraphClient") {
  /** A client for one root and token, over any `HttpClient`, such as `FetchHttpClient.layer`. */
  static readonly layer = (
    options: GraphClientOptions
  ): Layer.Layer<GraphClient, InvalidOptions, HttpClient.HttpClient> =>
    Layer.effect(
      GraphClient,
      Effect.gen(function* () {
        const settings = settingsOf(options)
        if (settings instanceof InvalidOptions) return yield* settings
        return make(settings, yield* HttpClient.HttpClient)
      })
    )
}
