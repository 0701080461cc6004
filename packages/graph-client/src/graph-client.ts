import {
  type DeviceUpdate,
  type GraphRouteName,
  type Issue,
  type NewDevice,
  type PropertyName,
  Device,
  KeyedDevice,
  applyUpdate,
  parseDeviceUpdate,
  parseNewDevice,
  pathOf,
  property,
  routes,
  unknownPropertyIssue
} from "@workanywhere/domain"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import * as Stream from "effect/Stream"
import * as HttpClient from "effect/http/HttpClient"
import { type GraphRequest, withoutTokens } from "./send/attempt.ts"
import {
  type Answered,
  type BatchOptions,
  type BatchOutcome,
  type BatchRequest,
  type SingleRequest,
  batchIssues,
  deadlineIssues,
  makeBatch,
  singleIssues
} from "./many/batch.ts"
import type { Lane } from "./facts/budget.ts"
import type { DeviceChange } from "./many/device-outcome.ts"
import { GraphError, Invalid, type Sent } from "./facts/graph-error.ts"
import {
  type ListOptions,
  type PageOptions,
  listIssues,
  listQuery,
  pageSizeOf,
  queryOf,
  selectQuery
} from "./list/list-options.ts"
import { type GraphClientOptions, InvalidOptions, type Settings, settingsOf } from "./send/options.ts"
import { type ListPage, type Row, pages, partsOf, placeOf } from "./list/pages.ts"
import {
  DevicesSummary,
  HardwareReadiness,
  Metric,
  type MetricBody,
  ModelPerformance,
  type ModelPropertyName,
  metricIssues,
  modelPropertyNames
} from "./facts/reports.ts"
import { type Keys, keyIssues } from "./facts/keys.ts"
import type { Pacing } from "./pace/gate.ts"
import { observeGates, pacingOf } from "./pace/pacing.ts"
import { makePostBatch } from "./many/post-batch.ts"
import { type Received, makeSend } from "./send/send.ts"
import { spanned } from "./send/spanned.ts"
import { type Transport, overFetch, overHttpClient } from "./send/transport.ts"
import { type UpdateDevices, makeUpdateDevices } from "./many/update-devices.ts"

/** What names a device: the metric (`allDevices`, `devicePerformance`) and the device's `id` in it. */
export interface DeviceKey {
  readonly metricId: string
  readonly deviceId: string
}

/** A device as a write left it. */
export type WrittenDevice = KeyedDevice & {
  /**
   * The write was acknowledged, but neither its answer nor a reading shows the device: here is what was sent, and nothing
   * else of it is known.
   */
  readonly notReadBack?: true
}

/** Narrows the list of model performance, whose rows have other properties than devices. */
export type ModelListOptions<Name extends ModelPropertyName = ModelPropertyName> = ListOptions<Name, ModelPropertyName>

/** Narrows one device. */
export interface SelectOptions<Name extends PropertyName = PropertyName> {
  /** Properties to fetch; all by default. `id` always comes too. */
  readonly select?: ReadonlyArray<Name>
}

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
const metric = entity(Metric)
const hardwareReadiness = entity(HardwareReadiness)
const devicesSummary = entity(DevicesSummary)
const anything: StandardSchemaV1<unknown, unknown> = {
  "~standard": { version: 1, vendor: "workanywhere", validate: (value) => ({ value }) }
}
const nothing: StandardSchemaV1<unknown, void> = {
  "~standard": { version: 1, vendor: "workanywhere", validate: () => ({ value: undefined }) }
}

/**
 * Without it Graph shows members that it added to an enum later as `unknownFutureValue` ("Best practices for working
 * with Microsoft Graph").
 */
const unknownMembers = "include-unknown-enum-members"

const preferences = (pageSize?: number) => ({
  prefer: pageSize === undefined ? unknownMembers : `${unknownMembers}, odata.maxpagesize=${pageSize}`
})

/** A list is proven by its keys, so they are fetched with every row, and taken out again where nobody asked for them. */
const selectedOf = <A extends object>(
  schema: StandardSchemaV1<unknown, A>,
  select: ReadonlyArray<string> = []
): StandardSchemaV1<unknown, A> => {
  if (select.length === 0 || select.includes("id")) return schema
  const validate = (row: unknown) => {
    const result = schema["~standard"].validate(row)
    if (result instanceof Promise || result.issues !== undefined) return result
    const { id: _, ...rest } = result.value as A & { readonly id?: unknown }
    return { value: rest as A }
  }
  return { "~standard": { version: 1, vendor: "workanywhere", validate } }
}

/** Unreadable rows have made the stream of pages fail at its end, so that none is lost in silence. */
const readRows = <A>(rows: ReadonlyArray<Row<A>>): ReadonlyArray<A> =>
  rows.flatMap((row) => (row.kind === "row" ? [row.value] : []))

/** The key of what was created, from the address that the answer names: it may have no body. */
const keyIn = (headers: Readonly<Record<string, string>>): { readonly id?: string } => {
  const address = headers["location"] ?? headers["odata-entityid"] ?? ""
  const id = partsOf(address.split(/[?#]/)[0] ?? "").at(-1)
  return id === undefined || id === "" ? {} : { id }
}

interface Call {
  readonly method: Sent["method"]
  readonly route: GraphRouteName
  readonly keys?: Keys
  readonly query?: string
  readonly body?: unknown
  readonly known?: GraphRequest["known"]
}

interface Listing<A> {
  readonly route: GraphRouteName
  readonly keys?: Keys
  readonly row: StandardSchemaV1<unknown, A>
  readonly options: ListOptions<string, string>
  readonly names?: ReadonlyArray<string>
  readonly refuseUnreadable: boolean
}

const make = (settings: Settings, transport: Transport): GraphClient["Service"] => {
  const send = makeSend(settings, transport)
  const templateOf = (route: GraphRouteName) => settings.root + routes[route].path
  const addressOf = (route: GraphRouteName, keys: Keys = {}) => settings.root + pathOf(route, keys)

  const invalid = (method: Sent["method"], below: string, issues: ReadonlyArray<Issue>): GraphError =>
    new GraphError({
      method,
      path: settings.root + below,
      template: settings.root + below,
      clientRequestId: crypto.randomUUID(),
      attempts: 0,
      waitedMillis: 0,
      message: issues.map((issue) => issue.message).join("; "),
      reason: new Invalid({ issues })
    })

  const exchange = <A>(
    { body, keys = {}, known, method, query = "", route }: Call,
    schema: StandardSchemaV1<unknown, A>,
    bodyIssues: ReadonlyArray<Issue> = []
  ): Effect.Effect<Received<A>, GraphError> => {
    const issues = [...keyIssues(keys), ...bodyIssues]
    if (issues.length > 0) return Effect.fail(invalid(method, routes[route].path, issues))
    const address = { method, template: templateOf(route), path: addressOf(route, keys), query }
    const request = {
      ...address,
      headers: preferences(),
      ...(body === undefined ? {} : { body }),
      ...(known === undefined ? {} : { known })
    }
    return send(request, schema)
  }

  const call = <A>(
    request: Call,
    schema: StandardSchemaV1<unknown, A>,
    bodyIssues?: ReadonlyArray<Issue>
  ): Effect.Effect<A, GraphError> => Effect.map(exchange(request, schema, bodyIssues), ({ value }) => value)

  const write = (request: Call, bodyIssues?: ReadonlyArray<Issue>): Effect.Effect<WrittenDevice, GraphError> =>
    Effect.map(exchange(request, device, bodyIssues), ({ notReadBack, value }) =>
      notReadBack === true ? { ...value, notReadBack } : value
    )

  const list = <A extends object>({ keys = {}, names, options, refuseUnreadable, route, row }: Listing<A>) => {
    const issues = [...keyIssues(keys), ...listIssues(options, names)]
    if (issues.length > 0) return Stream.fail(invalid("GET", routes[route].path, issues))
    const place = { path: addressOf(route, keys), query: listQuery(options) }
    const { count = false, expectedCount, resumeFrom, top } = options
    const isCountAsked = count !== false
    const { countDuplicates = isCountAsked || expectedCount !== undefined } = options
    const from = resumeFrom === undefined ? undefined : placeOf(resumeFrom.nextLink, settings.origin, place)
    if (resumeFrom !== undefined && from === undefined) {
      const expected = "a checkpoint of the same list"
      const message = `resumeFrom: it is not ${expected}`
      const issue = {
        path: "resumeFrom",
        code: "malformedText",
        message,
        expected,
        received: "another address"
      } as const
      return Stream.fail(invalid("GET", routes[route].path, [issue]))
    }
    return pages(send, settings, {
      request: { ...place, template: templateOf(route), headers: preferences(pageSizeOf(options)) },
      row: selectedOf(row, options.select),
      top,
      isCountAsked,
      queryWithoutCount: count === "whereServed" ? listQuery({ ...options, count: false }) : undefined,
      expectedCount,
      countDuplicates,
      refuseUnreadable,
      resume: from && { ...from, rowsSeen: resumeFrom?.rowsSeen ?? 0 }
    })
  }

  const rows = <A extends object>(name: string, listing: Omit<Listing<A>, "refuseUnreadable">) =>
    list({ ...listing, refuseUnreadable: true }).pipe(
      Stream.flatMap((page) => Stream.fromIterable(readRows(page.rows))),
      Stream.withSpan(`GraphClient.${name}`)
    )

  const changeRequest =
    (optionIssues: ReadonlyArray<Issue>) =>
    ({ deviceId, metricId, update }: DeviceChange): GraphRequest | GraphError => {
      const keys = { metricId, deviceId }
      const body = parseDeviceUpdate(update)
      const issues = [...optionIssues, ...keyIssues(keys), ...(body.success ? [] : body.issues)]
      if (!body.success || issues.length > 0) return invalid("PATCH", routes.device.path, issues)
      const address = {
        method: "PATCH",
        template: templateOf("device"),
        path: addressOf("device", keys)
      } as const
      const known = () => ({ id: deviceId })
      return { ...address, query: "", headers: preferences(), body: body.data, isReadBack: false, known }
    }

  const postBatch = makePostBatch(settings, send)
  const sendBatch = makeBatch(settings, postBatch)

  return GraphClient.of({
    updateDevices: (changes, options = {}) => {
      const requestOf = changeRequest(deadlineIssues(options.deadline))
      return makeUpdateDevices({ settings, send, postBatch, device }, requestOf)(changes, options)
    },

    request: spanned("GraphClient.request", (single) => {
      const { template = "/{path}", url, ...rest } = single
      const issues = singleIssues(single)
      if (issues.length > 0) return Effect.fail(invalid(rest.method, template, issues))
      const [path = ""] = url.split("?")
      const address = { template: settings.root + template, path: settings.root + path, query: url.slice(path.length) }
      return Effect.map(send({ ...rest, ...address, takesAnyType: true }, anything), (received) => ({
        status: received.answer.status,
        headers: withoutTokens(settings, received.headers()),
        body: received.value,
        ...(received.notReadBack === true && rest.method === "PATCH" ? { notReadBack: true } : {})
      }))
    }),

    batch: (requests, options) => {
      const issues = batchIssues(requests, options)
      return issues.length > 0 ? Effect.fail(invalid("POST", routes.batch.path, issues)) : sendBatch(requests, options)
    },

    pacing: (lane, every) => pacingOf(settings.gates, lane, every),

    updateDevice: spanned("GraphClient.updateDevice", ({ deviceId, metricId }, update) => {
      const body = parseDeviceUpdate(update)
      const request = { method: "PATCH", route: "device", keys: { metricId, deviceId } } as const
      if (!body.success) return write(request, body.issues)
      return write({ ...request, body: body.data, known: () => applyUpdate({ id: deviceId }, body.data) })
    }),

    getDevice: spanned("GraphClient.getDevice", ({ deviceId, metricId }: DeviceKey, options?: SelectOptions) => {
      const select = options?.select ?? []
      const issues = select.filter((name) => property(name) === undefined).map(unknownPropertyIssue)
      const query = queryOf(selectQuery(select))
      return call({ method: "GET", route: "device", keys: { metricId, deviceId }, query }, device, issues)
    }),

    createDevice: spanned("GraphClient.createDevice", (metricId, newDevice) => {
      const body = parseNewDevice(newDevice)
      const request = { method: "POST", route: "devices", keys: { metricId } } as const
      if (!body.success) return write(request, body.issues)
      return write({ ...request, body: body.data, known: (headers) => ({ ...body.data, ...keyIn(headers) }) })
    }),

    deleteDevice: spanned("GraphClient.deleteDevice", ({ deviceId, metricId }) =>
      Effect.asVoid(call({ method: "DELETE", route: "device", keys: { metricId, deviceId } }, nothing))
    ),

    listDevices: (metricId, options = {}) =>
      rows("listDevices", { route: "devices", keys: { metricId }, row: Device, options }),

    listDevicePages: (metricId, options = {}) =>
      list({
        route: "devices",
        keys: { metricId },
        row: Device,
        options,
        refuseUnreadable: options.refuseUnreadable === true
      }).pipe(Stream.withSpan("GraphClient.listDevicePages")),

    listMetrics: () => rows("listMetrics", { route: "metrics", row: Metric, options: {} }),

    getMetric: spanned("GraphClient.getMetric", (metricId) =>
      call({ method: "GET", route: "metric", keys: { metricId } }, metric)
    ),

    createMetric: spanned("GraphClient.createMetric", (body = {}) =>
      call({ method: "POST", route: "metrics", body, known: keyIn }, metric, metricIssues(body))
    ),

    updateMetric: spanned("GraphClient.updateMetric", (metricId, body = {}) =>
      call(
        { method: "PATCH", route: "metric", keys: { metricId }, body, known: () => ({ id: metricId }) },
        metric,
        metricIssues(body)
      )
    ),

    deleteMetric: spanned("GraphClient.deleteMetric", (metricId) =>
      Effect.asVoid(call({ method: "DELETE", route: "metric", keys: { metricId } }, nothing))
    ),

    getHardwareReadiness: spanned("GraphClient.getHardwareReadiness", () =>
      call({ method: "GET", route: "readiness" }, hardwareReadiness)
    ),

    listModelPerformance: (options = {}) =>
      rows("listModelPerformance", {
        route: "models",
        row: ModelPerformance,
        options,
        names: modelPropertyNames
      }),

    summarizeDevices: spanned("GraphClient.summarizeDevices", () =>
      call({ method: "GET", route: "summary" }, devicesSummary)
    )
  })
}

const clientOver = Effect.fnUntraced(function* (options: GraphClientOptions, transport: Transport) {
  const settings = settingsOf(options)
  if (settings instanceof InvalidOptions) return yield* settings
  yield* observeGates(settings.gates, settings.labels)
  return make(settings, transport)
})

/**
 * The work-from-anywhere devices of one Graph: Microsoft's, or anything that speaks like it. Every failure is a
 * {@link GraphError}; interruption closes the connection at once.
 */
export class GraphClient extends Context.Service<
  GraphClient,
  {
    /**
     * Changes the named properties of a device and gives the whole device as it is then, read back where the answer does
     * not show it; `notReadBack` says where neither does. The update is checked before it is sent. A repeat after a lost
     * connection is safe, because the update sets absolute values.
     */
    readonly updateDevice: (key: DeviceKey, update: DeviceUpdate) => Effect.Effect<WrittenDevice, GraphError>
    /**
     * Changes many devices, in batches or one by one, as fast as the budget lets it, and gives one outcome for each
     * change. Changes to the same device keep their order. What comes back with an error in an outcome does not make the
     * stream fail.
     */
    readonly updateDevices: UpdateDevices
    /**
     * Sends any request below the root, paced and repeated like all others, and gives the answer as it came. A PATCH that
     * is answered without a body is read back.
     */
    readonly request: (request: SingleRequest) => Effect.Effect<Answered, GraphError>
    /**
     * Sends any requests in batches, and gives an outcome for each, in their order. Repeated is what is safe to repeat,
     * as with single requests.
     */
    readonly batch: (
      requests: ReadonlyArray<BatchRequest>,
      options?: BatchOptions
    ) => Effect.Effect<ReadonlyArray<BatchOutcome>, GraphError>
    /** How reads or writes get on at the gate, now and then every so often (a second by default). */
    readonly pacing: (lane: Lane, every?: Duration.Input) => Stream.Stream<Pacing>
    /** Reads one device, or the selected properties of it. */
    readonly getDevice: {
      (key: DeviceKey): Effect.Effect<KeyedDevice, GraphError>
      <Name extends PropertyName>(
        key: DeviceKey,
        options: SelectOptions<Name>
      ): Effect.Effect<Pick<KeyedDevice, Name | "id">, GraphError>
    }
    /**
     * Adds a device to a metric. Not repeated when an answer is lost, because it would add a second one: the error then
     * has `outcomeUnknown`.
     */
    readonly createDevice: (metricId: string, device: NewDevice) => Effect.Effect<WrittenDevice, GraphError>
    /** Removes a device. Repeats are safe; one that finds it gone after a lost answer is a success. */
    readonly deleteDevice: (key: DeviceKey) => Effect.Effect<void, GraphError>
    /**
     * Reads the devices of a metric, a page at a time; fails rather than end early. A device that cannot be read does
     * not stop the list, but makes it `Incomplete` at its end: `listDevicePages` shows it.
     */
    readonly listDevices: <Name extends PropertyName = PropertyName>(
      metricId: string,
      options?: ListOptions<Name>
    ) => Stream.Stream<Pick<Device, Name>, GraphError>
    /** The same list by pages, with devices that cannot be read as their JSON, and a checkpoint to resume from. */
    readonly listDevicePages: <Name extends PropertyName = PropertyName>(
      metricId: string,
      options?: PageOptions<Name>
    ) => Stream.Stream<ListPage<Pick<Device, Name>>, GraphError>
    /** Reads the metrics. Microsoft's service refuses it (docs/fidelity.md, F43): expect `RouteUnsupported` there. */
    readonly listMetrics: () => Stream.Stream<Metric, GraphError>
    /** Reads one metric. Microsoft's service refuses that too. */
    readonly getMetric: (metricId: string) => Effect.Effect<Metric, GraphError>
    /** Adds a metric; like `createDevice` not repeated when an answer is lost. */
    readonly createMetric: (body?: MetricBody) => Effect.Effect<Metric, GraphError>
    /** Updates a metric, which has nothing to change but its type annotation. */
    readonly updateMetric: (metricId: string, body?: MetricBody) => Effect.Effect<Metric, GraphError>
    /** Removes a metric; repeats are safe. */
    readonly deleteMetric: (metricId: string) => Effect.Effect<void, GraphError>
    /** How many devices are ready for Windows 11, and which share fails which check. */
    readonly getHardwareReadiness: () => Effect.Effect<HardwareReadiness, GraphError>
    /** Reads the scores of each model, a page at a time; fails rather than end early. */
    readonly listModelPerformance: <Name extends ModelPropertyName = ModelPropertyName>(
      options?: ModelListOptions<Name>
    ) => Stream.Stream<Pick<ModelPerformance, Name>, GraphError>
    /** Counts over all devices. It only reads, but needs a permission to write, as Microsoft's page has it. */
    readonly summarizeDevices: () => Effect.Effect<DevicesSummary, GraphError>
  }
>()("@workanywhere/graph-client/GraphClient") {
  /** A client for one root and token, over any `HttpClient`, such as `FetchHttpClient.layer`. */
  static readonly layer = (
    options: GraphClientOptions
  ): Layer.Layer<GraphClient, InvalidOptions, HttpClient.HttpClient> =>
    Layer.effect(
      GraphClient,
      Effect.flatMap(HttpClient.HttpClient, (http) => clientOver(options, overHttpClient(http)))
    )

  /** The same straight over `fetch`, the platform's by default: a request costs half as much as over an `HttpClient`. */
  static readonly layerFetch = (
    options: GraphClientOptions,
    fetch: typeof globalThis.fetch = globalThis.fetch
  ): Layer.Layer<GraphClient, InvalidOptions> => Layer.effect(GraphClient, clientOver(options, overFetch(fetch)))
}
