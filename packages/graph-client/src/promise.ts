import type { Device, DeviceUpdate, KeyedDevice, NewDevice, PropertyName } from "@workanywhere/domain"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { Lane } from "./facts/budget.ts"
import type { GraphError } from "./facts/graph-error.ts"
import type {
  DevicesSummary,
  HardwareReadiness,
  Metric,
  MetricBody,
  ModelPerformance,
  ModelPropertyName
} from "./facts/reports.ts"
import {
  type DeviceKey,
  GraphClient,
  type ModelListOptions,
  type SelectOptions,
  type WrittenDevice
} from "./graph-client.ts"
import type { ListOptions, PageOptions } from "./list/list-options.ts"
import type { ListPage } from "./list/pages.ts"
import type { Answered, BatchOptions, BatchOutcome, BatchRequest, SingleRequest } from "./many/batch.ts"
import type { DeviceChange, DeviceOutcome } from "./many/device-outcome.ts"
import { largestBatch } from "./many/post-batch.ts"
import type { UpdateDevicesOptions as EffectUpdateDevicesOptions } from "./many/update-devices.ts"
import { CurrentFlow, type Flow, type Pacing } from "./pace/gate.ts"
import { type AccessToken, type TokenNeed, type TokenSource, TokenUnavailable } from "./send/credentials.ts"
import type { GraphClientOptions, Repeat } from "./send/options.ts"

export * from "./exports.ts"

/** What a client is made from; see {@link GraphClientOptions}. */
export interface PromiseClientOptions extends Omit<GraphClientOptions, "token" | "onRepeat"> {
  /** A token, or where tokens come from; see `tokenFrom`. */
  readonly token?: string | Redacted.Redacted | TokenSource
  /** What requests go through; the platform's by default. */
  readonly fetch?: typeof globalThis.fetch
  /** Called before each wait for a repeat; with `false` there is none. */
  readonly onRepeat?: (repeat: Repeat) => void | false
}

/** Stops a call, and says whose it is. */
export interface Stoppable {
  /** The call rejects with the signal's reason, and its connection is closed. */
  readonly signal?: AbortSignal
  /** Who the call is for, where a program sends for several callers: they share the gate alike. */
  readonly flow?: Flow
}

/** How `updateDevices` goes about it; see {@link EffectUpdateDevicesOptions}. */
export interface UpdateDevicesOptions<C extends DeviceChange = DeviceChange> extends Omit<
  EffectUpdateDevicesOptions<C>,
  "onInterrupt"
> {
  /** Called, when the loop is left early, with the changes that were sent and not answered, as `unknown`. */
  readonly onInterrupt?: (outcomes: ReadonlyArray<DeviceOutcome<C>>) => void | Promise<void>
}

/** How often `pacing` tells how a gate stands. */
export interface PacingOptions extends Stoppable {
  /** A second by default. */
  readonly every?: Duration.Input
}

/** The operations of {@link GraphClient} as promises, which reject with the same {@link GraphError}. */
export interface PromiseClient {
  /** Changes the named properties of a device and gives it as it is then; `notReadBack` where that is not known. */
  readonly updateDevice: (key: DeviceKey, update: DeviceUpdate, options?: Stoppable) => Promise<WrittenDevice>
  /** Reads one device, or the selected properties of it. */
  readonly getDevice: {
    (key: DeviceKey, options?: Stoppable): Promise<KeyedDevice>
    <Name extends PropertyName>(
      key: DeviceKey,
      options: SelectOptions<Name> & Stoppable
    ): Promise<Pick<KeyedDevice, Name | "id">>
  }
  /**
   * Changes many devices, as fast as the budget lets it, and gives one outcome for each change. An error of `changes`
   * itself ends the loop with it.
   */
  readonly updateDevices: <C extends DeviceChange>(
    changes: Iterable<C> | AsyncIterable<C>,
    options?: UpdateDevicesOptions<C> & Stoppable
  ) => AsyncIterable<DeviceOutcome<C>>
  /** Sends any request below the root, and gives the answer as it came. */
  readonly request: (request: SingleRequest, options?: Stoppable) => Promise<Answered>
  /** Sends any requests in batches, and gives an outcome for each, in their order. */
  readonly batch: (
    requests: ReadonlyArray<BatchRequest>,
    options?: BatchOptions & Stoppable
  ) => Promise<ReadonlyArray<BatchOutcome>>
  /** How reads or writes get on at the gate, now and then every so often; for progress bars. */
  readonly pacing: (lane: Lane, options?: PacingOptions) => AsyncIterable<Pacing>
  /** Adds a device to a metric; not repeated when an answer is lost. */
  readonly createDevice: (metricId: string, device: NewDevice, options?: Stoppable) => Promise<WrittenDevice>
  /** Removes a device; repeats are safe. */
  readonly deleteDevice: (key: DeviceKey, options?: Stoppable) => Promise<void>
  /** Reads the devices of a metric, a page at a time as the loop asks for them; rejects rather than end early. */
  readonly listDevices: <Name extends PropertyName = PropertyName>(
    metricId: string,
    options?: ListOptions<Name> & Stoppable
  ) => AsyncIterable<Pick<Device, Name>>
  /** The same list by pages, with devices that cannot be read as their JSON, and a checkpoint to resume from. */
  readonly listDevicePages: <Name extends PropertyName = PropertyName>(
    metricId: string,
    options?: PageOptions<Name> & Stoppable
  ) => AsyncIterable<ListPage<Pick<Device, Name>>>
  /** Reads the metrics; Microsoft's service refuses it. */
  readonly listMetrics: (options?: Stoppable) => AsyncIterable<Metric>
  /** Reads one metric; Microsoft's service refuses that too. */
  readonly getMetric: (metricId: string, options?: Stoppable) => Promise<Metric>
  /** Adds a metric; not repeated when an answer is lost. */
  readonly createMetric: (body?: MetricBody, options?: Stoppable) => Promise<Metric>
  /** Updates a metric. */
  readonly updateMetric: (metricId: string, body?: MetricBody, options?: Stoppable) => Promise<Metric>
  /** Removes a metric; repeats are safe. */
  readonly deleteMetric: (metricId: string, options?: Stoppable) => Promise<void>
  /** How many devices are ready for Windows 11, and which share fails which check. */
  readonly getHardwareReadiness: (options?: Stoppable) => Promise<HardwareReadiness>
  /** Reads the scores of each model. */
  readonly listModelPerformance: <Name extends ModelPropertyName = ModelPropertyName>(
    options?: ModelListOptions<Name> & Stoppable
  ) => AsyncIterable<Pick<ModelPerformance, Name>>
  /** Counts over all devices. */
  readonly summarizeDevices: (options?: Stoppable) => Promise<DevicesSummary>
  /** Stops all calls that are under way; later ones are refused. */
  readonly close: () => Promise<void>
}

const aborted = (signal: AbortSignal): Effect.Effect<never> =>
  Effect.callback((resume) => {
    const abort = () => resume(Effect.die(signal.reason))
    signal.addEventListener("abort", abort, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", abort))
  })

const until = <A, E>(signal: AbortSignal, stream: Stream.Stream<A, E>): Stream.Stream<A, E> =>
  Stream.suspend(() => (signal.aborted ? Stream.die(signal.reason) : Stream.interruptWhen(stream, aborted(signal))))

const flowing = <A, E>(call: Effect.Effect<A, E>, { flow }: Stoppable): Effect.Effect<A, E> =>
  flow === undefined ? call : Effect.provideService(call, CurrentFlow, flow)

/**
 * Makes a source of tokens from a function that fetches one. What it rejects with may hold anything, so only its name
 * is shown; reject with a `TokenUnavailable` to say more.
 */
export const tokenFrom =
  (fetchToken: (need: TokenNeed) => Promise<string | AccessToken>): TokenSource =>
  (need) =>
    Effect.tryPromise({
      try: () => fetchToken(need),
      catch: (error) =>
        error instanceof TokenUnavailable
          ? error
          : new TokenUnavailable({
              message: `the token source failed${error instanceof Error ? ` (${error.name})` : ""}`
            })
    }).pipe(Effect.map((token) => (typeof token === "string" ? { token: Redacted.make(token) } : token)))

/** A batch at a time: a generator is asked for no more than what is sent next. */
const streamOf = <A>(items: Iterable<A> | AsyncIterable<A>): Stream.Stream<A, unknown> =>
  Symbol.asyncIterator in items
    ? Stream.fromAsyncIterable(items, (error) => error)
    : Stream.fromIterable(items, { chunkSize: largestBatch })

/** Makes a client for one root and token; throws `InvalidOptions` when they cannot be used. */
export const createGraphClient = ({ fetch, onRepeat, token, ...options }: PromiseClientOptions): PromiseClient => {
  const secret = typeof token === "string" ? Redacted.make(token) : token
  const live = GraphClient.layerFetch(
    {
      ...options,
      ...(secret === undefined ? {} : { token: secret }),
      ...(onRepeat === undefined ? {} : { onRepeat: (repeat) => Effect.sync(() => onRepeat(repeat)) })
    },
    fetch
  )
  const runtime = ManagedRuntime.make(live)
  const client = runtime.runSync(GraphClient)
  const closing = new AbortController()

  const signalOf = ({ signal }: Stoppable): AbortSignal =>
    signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal])

  const runFork = Effect.runForkWith(runtime.runSync(Effect.context<GraphClient>()))
  const calls = new Set<Fiber.Fiber<unknown, unknown>>()

  /** By fibers of its own: to listen to a signal of the client for each call would be a tenth of what a call costs. */
  const run = <A>(call: Effect.Effect<A, GraphError>, options: Stoppable = {}): Promise<A> =>
    new Promise((resolve, reject) => {
      const { signal } = options
      closing.signal.throwIfAborted()
      signal?.throwIfAborted()
      const fiber = runFork(flowing(call, options), signal === undefined ? {} : { signal })
      calls.add(fiber)
      fiber.addObserver((exit) => {
        calls.delete(fiber)
        if (Exit.isSuccess(exit)) return resolve(exit.value)
        const stopped = [closing.signal, signal].find((one) => one?.aborted)
        const isStopped = stopped !== undefined && Cause.hasInterruptsOnly(exit.cause)
        reject(isStopped ? stopped.reason : Cause.squash(exit.cause))
      })
    })

  const iterable = <A, E>(rows: Stream.Stream<A, E>, options: Stoppable): AsyncIterable<A> => {
    const stoppable = until(signalOf(options), rows)
    const { flow } = options
    return Stream.toAsyncIterable(flow === undefined ? stoppable : Stream.provideService(stoppable, CurrentFlow, flow))
  }

  return {
    updateDevices: <C extends DeviceChange>(
      changes: Iterable<C> | AsyncIterable<C>,
      { onInterrupt, ...options }: UpdateDevicesOptions<C> & Stoppable = {}
    ) => {
      const told =
        onInterrupt === undefined
          ? {}
          : {
              onInterrupt: (outcomes: ReadonlyArray<DeviceOutcome<C>>) =>
                Effect.promise(async () => onInterrupt(outcomes))
            }
      return iterable(client.updateDevices(streamOf(changes), { ...options, ...told }), options)
    },
    request: (request, options) => run(client.request(request), options),
    batch: (requests, options) => run(client.batch(requests, options), options),
    pacing: (lane, options = {}) => iterable(client.pacing(lane, options.every), options),
    updateDevice: (key, update, options) => run(client.updateDevice(key, update), options),
    getDevice: (key: DeviceKey, options: SelectOptions & Stoppable = {}) =>
      run(client.getDevice(key, options), options) as Promise<KeyedDevice>,
    createDevice: (metricId, device, options) => run(client.createDevice(metricId, device), options),
    deleteDevice: (key, options) => run(client.deleteDevice(key), options),
    listDevices: (metricId, options = {}) => iterable(client.listDevices(metricId, options), options),
    listDevicePages: (metricId, options = {}) => iterable(client.listDevicePages(metricId, options), options),
    listMetrics: (options = {}) => iterable(client.listMetrics(), options),
    getMetric: (metricId, options) => run(client.getMetric(metricId), options),
    createMetric: (body, options) => run(client.createMetric(body), options),
    updateMetric: (metricId, body, options) => run(client.updateMetric(metricId, body), options),
    deleteMetric: (metricId, options) => run(client.deleteMetric(metricId), options),
    getHardwareReadiness: (options) => run(client.getHardwareReadiness(), options),
    listModelPerformance: (options = {}) => iterable(client.listModelPerformance(options), options),
    summarizeDevices: (options) => run(client.summarizeDevices(), options),
    close: () => {
      closing.abort(new Error("the client was closed"))
      for (const call of calls) call.interruptUnsafe()
      return runtime.dispose()
    }
  }
}
