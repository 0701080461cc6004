import { type KeyedDevice, wholeDevice } from "@workanywhere/domain"
import { createApp } from "./app.ts"
import { type Connection, sharedTenant } from "./http/env.ts"
import { type Log, silent } from "./http/observation.ts"
import { seedFleet } from "./local/backend.ts"
import { type CallerVerdict, callerVerdictOf, junitOf } from "./rehearsal/caller-verdict.ts"
import type { Call } from "./rehearsal/calls.ts"
import { Fleet } from "./rehearsal/control-routes.ts"
import { type FaultScriptInput, parseFaultScript } from "./rehearsal/fault-script.ts"
import { type RehearsalOptions, createRehearsal } from "./rehearsal/rehearsal.ts"
import { closed, httpServer, listen } from "./service.ts"
import { defaultSettings } from "./settings/config.ts"
import type { Settings } from "./settings/settings.ts"
import type { DeviceStore } from "./store/device-store.ts"
import { openDeviceStore } from "./store/open-device-store.ts"

/** What a local Graph starts with. */
export interface LocalGraphOptions extends Pick<RehearsalOptions, "profile" | "readOnly" | "budget" | "clock"> {
  /** The devices it has; what they leave out is null or `unknown`. None when not given. */
  readonly devices?: Iterable<KeyedDevice>
  /** Synthetic devices, in the place of `devices`. */
  readonly fleet?: { readonly size: number; readonly seed?: number }
  /** What goes wrong. */
  readonly faults?: FaultScriptInput
  /** Where the devices are kept: in memory, unless a file is named. */
  readonly store?: Settings["store"]
  readonly log?: Log
}

/** A Graph of a test's own: nothing is shared with another one. */
export interface LocalGraph {
  /** Answers as the service does, without a port, whatever host the address names. A path alone is taken as well. */
  readonly fetch: typeof globalThis.fetch
  /** Opens a port of 127.0.0.1, once, and gives the root: Graph's versions are below it. */
  readonly url: () => Promise<string>
  /** Brings back the devices and faults it started with, and forgets all calls. */
  readonly reset: () => Promise<void>
  /** Puts a synthetic fleet in the place of all devices. */
  readonly seed: (fleet: { readonly size: number; readonly seed?: number }) => Promise<void>
  /** Starts a fault script from its beginning, in the place of the one before. */
  readonly faults: (script: FaultScriptInput) => void
  /** What callers did, the oldest first. */
  readonly calls: () => ReadonlyArray<Call>
  /** Judges what callers did. */
  readonly verdict: () => CallerVerdict & { readonly junit: () => string }
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

const scriptOf = (input: FaultScriptInput) => {
  const script = parseFaultScript(input)
  if (script.success) return script.data
  throw new TypeError(`faults: ${script.problems.map(({ path, message }) => `${path}: ${message}`).join("; ")}`)
}

const fleetOf = (input: { readonly size: number; readonly seed?: number }): Fleet => {
  const fleet = Fleet.safeParse(input)
  if (fleet.success) return fleet.data
  const problems = fleet.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`)
  throw new TypeError(`fleet: ${problems.join("; ")}`)
}

async function* whole(devices: Iterable<KeyedDevice>) {
  for (const device of devices) yield wholeDevice(device)
}

const connectionLost = (): TypeError =>
  new TypeError("fetch failed", { cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }) })

type Fetch = (request: Request, env: object) => Response | Promise<Response>

/** What the global `fetch` would do if the service were at the other end of a connection. */
const fetchThrough =
  (answer: Fetch): typeof globalThis.fetch =>
  async (input, init) => {
    const address = typeof input === "string" && input.startsWith("/") ? `https://graph.microsoft.com${input}` : input
    const request = new Request(address, init)
    const signal = init?.signal ?? request.signal
    signal.throwIfAborted()

    const lost = Promise.withResolvers<never>()
    const given = Promise.withResolvers<never>()
    // Either may never be waited for again.
    lost.promise.catch(() => {})
    given.promise.catch(() => {})
    const giveUp = () => given.reject(signal.reason)
    signal.addEventListener("abort", giveUp, { once: true })
    const lose = () => lost.reject(connectionLost())
    try {
      const connection: Connection = { reset: lose, end: (body) => body.error(new TypeError("terminated")) }
      return await Promise.race([answer(request, { connection }), lost.promise, given.promise])
    } finally {
      signal.removeEventListener("abort", giveUp)
    }
  }

/**
 * Makes a Graph for one test or one file of tests, in memory and without a port until {@link LocalGraph.url} is called.
 * Throws a `TypeError` for a fault script or a fleet that does not fit.
 */
export const createLocalGraph = async ({
  devices = [],
  fleet,
  faults,
  store: where = "memory",
  log = silent,
  ...behaviour
}: LocalGraphOptions = {}): Promise<LocalGraph> => {
  const first = fleet && fleetOf(fleet)
  const rehearsal = createRehearsal({
    ...behaviour,
    hasControls: true,
    ...(faults === undefined ? {} : { faults: scriptOf(faults) })
  })
  const store: DeviceStore = await openDeviceStore(where)
  const kept = [...devices]
  const restore = () => (first === undefined ? store.refill(sharedTenant, whole(kept)) : seedFleet(store, first))
  await restore()
  const app = createApp({ store, log, rehearsal, restore })

  const serve = async () => {
    const server = httpServer(app)
    return { server, url: await listen(server, { host: defaultSettings.host, port: 0 }) }
  }
  let served: ReturnType<typeof serve> | undefined
  let closing: Promise<void> | undefined

  const close = (): Promise<void> => {
    closing ??= (async () => {
      rehearsal.close()
      if (served !== undefined) await closed((await served).server)
      await store.close()
    })()
    return closing
  }

  return {
    fetch: fetchThrough((request, env) => app.fetch(request, env)),
    url: async () => {
      served ??= serve()
      return (await served).url
    },
    reset: async () => {
      await restore()
      rehearsal.reset()
    },
    seed: async (wanted) => seedFleet(store, fleetOf(wanted)),
    faults: (script) => rehearsal.play(scriptOf(script)),
    calls: rehearsal.calls.kept,
    verdict: () => {
      const verdict = callerVerdictOf(rehearsal.calls.kept(), rehearsal.calls.forgotten())
      return { ...verdict, junit: () => junitOf(verdict) }
    },
    close,
    [Symbol.asyncDispose]: close
  }
}
