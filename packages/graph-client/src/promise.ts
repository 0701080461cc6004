import type { Device, DeviceUpdate, KeyedDevice } from "@workanywhere/domain"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { type DeviceKey, GraphClient, type ListOptions } from "./graph-client.ts"
import type { GraphError } from "./graph-error.ts"
import type { GraphClientOptions, Repeat } from "./options.ts"

export { GraphError, type GraphErrorReason } from "./graph-error.ts"
export { InvalidOptions, type Repeat } from "./options.ts"
export type { DeviceKey, ListOptions } from "./graph-client.ts"

/** What a client is made from; see {@link GraphClientOptions}. */
export interface PromiseClientOptions extends Omit<GraphClientOptions, "token" | "onRepeat"> {
  readonly token?: string | Redacted.Redacted
  /** What requests go through; the platform's by default. */
  readonly fetch?: typeof globalThis.fetch
  /** Called before each wait for a repeat. */
  readonly onRepeat?: (repeat: Repeat) => void
}

/** Stops a call. The call then rejects with the signal's reason, and its connection is closed. */
export interface Stoppable {
  readonly signal?: AbortSignal
}

/** The operations of {@link GraphClient} as promises, which reject with the same {@link GraphError}. */
export interface PromiseClient {
  /** Changes the named properties of a device and gives the whole device as it is then. */
  readonly updateDevice: (key: DeviceKey, update: DeviceUpdate, options?: Stoppable) => Promise<KeyedDevice>
  /** Reads one device. */
  readonly getDevice: (key: DeviceKey, options?: Stoppable) => Promise<KeyedDevice>
  /** Reads the devices of a metric, a page at a time as the loop asks for them; rejects rather than end early. */
  readonly listDevices: (metricId: string, options?: ListOptions & Stoppable) => AsyncIterable<Device>
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

/** Makes a client for one root and token; throws `InvalidOptions` when they cannot be used. */
export const createGraphClient = ({ fetch, onRepeat, token, ...options }: PromiseClientOptions): PromiseClient => {
  const secret = typeof token === "string" ? Redacted.make(token) : token
  const live = GraphClient.layer({
    ...options,
    ...(secret === undefined ? {} : { token: secret }),
    ...(onRepeat === undefined ? {} : { onRepeat: (repeat) => Effect.sync(() => onRepeat(repeat)) })
  })
  const http =
    fetch === undefined
      ? FetchHttpClient.layer
      : Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch))
  const runtime = ManagedRuntime.make(Layer.provide(live, http))
  const client = runtime.runSync(GraphClient)
  const closing = new AbortController()

  const signalOf = ({ signal }: Stoppable): AbortSignal =>
    signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal])

  const run = async <A>(call: Effect.Effect<A, GraphError>, options: Stoppable = {}): Promise<A> => {
    const signal = signalOf(options)
    signal.throwIfAborted()
    const exit = await runtime.runPromiseExit(call, { signal })
    if (Exit.isSuccess(exit)) return exit.value
    if (Cause.hasInterruptsOnly(exit.cause)) signal.throwIfAborted()
    throw Cause.squash(exit.cause)
  }

  return {
    updateDevice: (key, update, options) => run(client.updateDevice(key, update), options),
    getDevice: (key, options) => run(client.getDevice(key), options),
    listDevices: (metricId, options = {}) =>
      Stream.toAsyncIterable(until(signalOf(options), client.listDevices(metricId, options))),
    close: () => {
      closing.abort(new Error("the client was closed"))
      return runtime.dispose()
    }
  }
}
