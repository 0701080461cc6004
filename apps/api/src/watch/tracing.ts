import { AsyncLocalStorage } from "node:async_hooks"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import { type Log, type Observer, methodOf, routeOf } from "../http/observation.ts"
import { batchItemOf } from "../http/request-target.ts"
import { packageVersion } from "../settings/package-version.ts"
import type { Sampler, TraceSettings } from "../settings/traces.ts"
import type { DeviceStore } from "../store/device-store.ts"

/** Makes a span of each request and sends them to a collector. */
export interface Tracing {
  readonly observer: Observer
  /** For spans of others, which join the trace of a request by the span on its context. */
  readonly tracer: Tracer.Tracer
  /** A store whose work is seen as part of the request that it is done for. */
  readonly traced: (store: DeviceStore) => DeviceStore
  /** Sends what is left, for three seconds at most. */
  readonly close: () => Promise<void>
}

/** Spans in one delivery, and deliveries under way: what is more than these is dropped, so that memory stays bounded. */
const mostSpans = 512
const mostDeliveries = 4

const shutdownMillis = 3_000

/** A collector that stays away is no news. */
const tellAgainMillis = 60_000

/**
 * Delivers a batch within one time limit, retries included, or gives it up. The exporter behind which it stands would
 * retry by itself, but with neither a limit on time nor one on how many batches wait meanwhile.
 */
const deliveryOf = ({ url, timeoutMillis }: TraceSettings, log: Log) => {
  const collector = new URL(url).origin
  let underWay = 0
  let toldAt = -Infinity
  const tell = (message: string): void => {
    const now = performance.now()
    if (now < toldAt + tellAgainMillis) return
    toldAt = now
    log.error({ collector }, message)
  }
  return HttpClient.HttpClient.use((fetching) => {
    const sender = fetching.pipe(
      HttpClient.filterStatusOk,
      HttpClient.retryTransient({ times: 2, schedule: Schedule.spaced("1 second") })
    )
    return Effect.succeed(
      HttpClient.make((request) => {
        const done = HttpClientResponse.fromWeb(request, new Response(null))
        if (underWay >= mostDeliveries) {
          tell("traces are dropped: the collector is slower than they come")
          return Effect.succeed(done)
        }
        underWay += 1
        return sender.execute(request).pipe(
          Effect.flatMap((response) => response.arrayBuffer),
          Effect.timeout(timeoutMillis),
          Effect.as(done),
          // The error holds the request and with it the headers, which may be secret: it goes no further than here.
          Effect.catch(() => {
            tell("traces cannot be delivered and are dropped; others are sent again in a minute")
            return Effect.die(new Error("the collector cannot be reached"))
          }),
          Effect.ensuring(Effect.sync(() => (underWay -= 1)))
        )
      })
    )
  })
}

const layerOf = (settings: TraceSettings, log: Log) =>
  OtlpTracer.layer({
    url: settings.url,
    headers: settings.headers(),
    maxBatchSize: mostSpans,
    shutdownTimeout: shutdownMillis,
    resource: {
      serviceName: settings.serviceName,
      serviceVersion: packageVersion(),
      attributes: settings.attributes
    }
  }).pipe(
    Layer.provide(Layer.effect(HttpClient.HttpClient, deliveryOf(settings, log))),
    Layer.provide(FetchHttpClient.layer),
    // Headers must not follow a redirection to another origin.
    Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "error" })),
    Layer.provide(settings.protocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf),
    // The environment is read in one place, which is not here.
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({})))
  )

/** Whether a trace is kept. Ids are random, so that a share of them is as good as a share of their numbers. */
const isSampled = (sampler: Sampler, ratio: number, parent: Tracer.AnySpan | undefined): boolean => {
  const drawn = (): boolean =>
    parent === undefined ? Math.random() < ratio : Number.parseInt(parent.traceId.slice(-8), 16) / 2 ** 32 < ratio
  switch (sampler) {
    case "always_on":
      return true
    case "always_off":
      return false
    case "traceidratio":
      return drawn()
    case "parentbased_always_on":
      return parent?.sampled ?? true
    case "parentbased_always_off":
      return parent?.sampled ?? false
    case "parentbased_traceidratio":
      return parent?.sampled ?? drawn()
  }
}

const nowNanos = (): bigint => BigInt(Date.now()) * 1_000_000n

const endOf = ({ status }: Tracer.Span, seconds: number): bigint => status.startTime + BigInt(Math.round(seconds * 1e9))

/** Says that a request failed, without a stack, which would be ours and not that of what failed. */
const failed = (status: number) => Exit.fail(`answered with ${status}`)

/** The caller's span, by the W3C's header. */
const parentOf = (traceparent: string | undefined): Tracer.AnySpan | undefined =>
  traceparent === undefined
    ? undefined
    : Option.getOrUndefined(HttpTraceContext.w3c(Headers.fromInput({ traceparent })))

const isPromise = (value: unknown): value is Promise<unknown> => value instanceof Promise

/** Starts to trace. */
export const startTracing = async (settings: TraceSettings, log: Log): Promise<Tracing> => {
  const runtime = ManagedRuntime.make(layerOf(settings, log))
  const tracer = await runtime.runPromise(Effect.service(Tracer.Tracer))

  const current = new AsyncLocalStorage<Tracer.Span>()

  /** Does work within a span of its own; an answer that has to be waited for is part of the work. */
  const within =
    <Arguments extends ReadonlyArray<unknown>, Result>(name: string, work: (...args: Arguments) => Result) =>
    (...args: Arguments): Result => {
      const parent = current.getStore()
      if (parent?.sampled !== true) return work(...args)
      const started = performance.now()
      const span = tracer.span({
        name,
        kind: "internal",
        parent: Option.some(parent),
        annotations: Context.empty(),
        links: [],
        startTime: nowNanos(),
        root: false,
        sampled: true
      })
      const end = (exit: Exit.Exit<void, string>) => span.end(endOf(span, (performance.now() - started) / 1000), exit)
      const result = work(...args)
      if (isPromise(result)) {
        void result.then(
          () => end(Exit.void),
          () => end(Exit.fail("failed"))
        )
      } else end(Exit.void)
      return result
    }

  const observer: Observer = (c) => {
    const item = batchItemOf(c)
    const parent = item === undefined ? parentOf(c.req.header("traceparent")) : item.span
    const route = routeOf(c)
    const method = methodOf(c)
    const span = tracer.span({
      name: route === undefined ? method : `${method} ${route}`,
      kind: item === undefined ? "server" : "internal",
      parent: Option.fromUndefinedOr(parent),
      annotations: Context.empty(),
      links: [],
      startTime: nowNanos(),
      root: parent === undefined,
      sampled: item?.span?.sampled ?? isSampled(settings.sampler, settings.ratio, parent)
    })
    c.set("span", span)
    // Whatever follows in this request, or this item of a batch, finds its span here.
    current.enterWith(span)
    return ({ seconds }) => {
      if (!span.sampled) return
      const { status } = c.res
      span.attribute("http.request.method", method)
      span.attribute("url.scheme", "http")
      span.attribute("http.response.status_code", status)
      span.attribute("wfa.request_id", c.get("requestId"))
      span.attribute("wfa.client_request_id", c.get("clientRequestId"))
      if (route !== undefined) span.attribute("http.route", route)
      if (status >= 500) span.attribute("error.type", String(status))
      const disturbance = c.get("disturbance")
      if (disturbance !== undefined) span.attribute("wfa.disturbance", disturbance)
      span.end(endOf(span, seconds), status >= 500 ? failed(status) : Exit.void)
    }
  }

  const traced = (store: DeviceStore): DeviceStore => ({
    ...store,
    count: within("store count", store.count),
    create: within("store create", store.create),
    find: within("store find", store.find),
    findJson: within("store find", store.findJson),
    remove: within("store remove", store.remove),
    search: within("store search", store.search),
    update: within("store update", store.update)
  })

  return { observer, tracer, traced, close: () => runtime.dispose() }
}
