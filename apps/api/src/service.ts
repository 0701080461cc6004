import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { type ServerOptions, createServer } from "node:http"
import { Server as HttpsServer, createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { resolve } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import envPaths from "env-paths"
import type { Hono } from "hono"
import { appOver, createApp } from "./app.ts"
import type { Gateway } from "./gateway/open.ts"
import { type Identity, identityFor, trustLines } from "./http/certificate.ts"
import { type ConnectionLimits, type Server, limitConnections, oneAtATime } from "./http/connections.ts"
import { type Env, sharedTenant } from "./http/env.ts"
import { type Log, silent } from "./http/observation.ts"
import { seedFleet } from "./local/backend.ts"
import { type FaultScript, parseFaultScript } from "./rehearsal/fault-script.ts"
import { createRehearsal } from "./rehearsal/rehearsal.ts"
import { isLoopback, isLoopbackUrl } from "./settings/loopback.ts"
import { type Settings, StartError, storeName } from "./settings/settings.ts"
import { databaseTrouble } from "./store/database-trouble.ts"
import { type DeviceStore, standingCollection } from "./store/device-store.ts"
import { openDeviceStore } from "./store/open-device-store.ts"
import { type Watching, startWatching } from "./watch/watching.ts"

/** A running service. */
export interface Service {
  /** Its root, such as `http://127.0.0.1:4010`; Graph's versions are below it. */
  readonly url: string
  /** What whoever started it may want to know, line by line. */
  readonly notices: ReadonlyArray<string>
  /** Takes no more requests, finishes those in flight (five seconds at most), and closes the store. */
  readonly close: () => Promise<void>
}

const graceMs = 5_000

/** What callers can hold of a server, and for how long. */
export const serverLimits = {
  /** Room for the longest URL and the longest token that are accepted, and as much again. */
  maxHeaderSize: 49_152,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
  /**
   * A client that sends a thousand requests at once is served, also Node's `fetch`, which then opens some 1,500 and more; a
   * quarter is left to others when one address has its all.
   */
  connections: 4_000,
  connectionsOfAddress: 3_000,
  /** No client that is known sends a request before it has read the last answer; a script that does sends a few. */
  waitingRequests: 16,
  /** Eighty pages of 999 whole devices. */
  unreadBytes: 128 * 1_048_576,
  /** Half a mebibit a second is enough, after ten seconds for whatever the caller has to do first. */
  unreadMillis: 10_000,
  unreadMillisOfMebibyte: 16_000
} satisfies ServerOptions & ConnectionLimits

const idleMs = 60_000

const handshakeMs = 10_000

/** A server for the app, with limits on what a slow or unreasonable caller can hold; it speaks TLS when it has an identity. */
export const httpServer = (
  app: Hono<Env>,
  limits: ServerOptions & ConnectionLimits = serverLimits,
  identity?: Identity
): Server => {
  const answer = oneAtATime(getRequestListener(app.fetch), limits.waitingRequests)
  const server =
    identity === undefined
      ? createServer(limits, answer)
      : createTlsServer(
          { ...limits, cert: identity.cert, key: identity.key, handshakeTimeout: handshakeMs, minVersion: "TLSv1.2" },
          answer
        )
  limitConnections(server, limits)
  return server.setTimeout(idleMs)
}

/** As many connections as whoever runs the service allows, three quarters of them for one address at most. */
const limitsFor = ({ maxConnections }: Settings): typeof serverLimits => ({
  ...serverLimits,
  connections: maxConnections,
  connectionsOfAddress: Math.ceil(maxConnections * 0.75)
})

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const unusable = (store: Settings["store"], error: unknown): StartError =>
  new StartError(`cannot use the store ${storeName(store)}: ${reasonOf(error)}`, { cause: error })

const openStore = async (store: Settings["store"]): Promise<DeviceStore> => {
  try {
    return await openDeviceStore(store)
  } catch (error) {
    throw unusable(store, error)
  }
}

const faultsFrom = async (path: string): Promise<{ readonly faults?: FaultScript }> => {
  if (path === "none") return {}
  let body: unknown
  try {
    body = JSON.parse(await readFile(path, "utf8"))
  } catch (error) {
    throw new StartError(`cannot read the fault script ${path}: ${reasonOf(error)}`, { cause: error })
  }
  const script = parseFaultScript(body)
  if (script.success) return { faults: script.data }
  const problems = script.problems.map(({ path: place, message }) => `${place || "the whole"}: ${message}`)
  throw new StartError(`the fault script ${path} does not fit: ${problems.join("; ")}`)
}

const listenErrors: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use; set WFA_PORT to another port, or to 0 for a free one",
  EACCES: "this user may not; set WFA_PORT to a port above 1023"
}

/** Listens, and gives the root under which the server is reached. */
export const listen = async (server: Server, { host, port }: Pick<Settings, "host" | "port">): Promise<string> => {
  server.listen(port, host)
  try {
    await once(server, "listening")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : ""
    throw new StartError(`cannot listen on port ${port} of ${host}: ${listenErrors[code] ?? reasonOf(error)}`, {
      cause: error
    })
  }
  // A server that was told a host and a port has an address of this kind.
  const address = server.address() as AddressInfo
  return `${server instanceof HttpsServer ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${address.port}`
}

/** Takes no more connections, and waits for those that there are: five seconds at most. */
export const closed = async (server: Server): Promise<void> => {
  const force = setTimeout(() => server.closeAllConnections(), graceMs)
  // Closing ends only what is idle at that moment: a connection whose last answer is still to come would be kept alive.
  const sweep = setInterval(() => server.closeIdleConnections(), 20)
  server.close()
  await once(server, "close")
  clearTimeout(force)
  clearInterval(sweep)
}

/** Imported when needed: it would be a good part of the time that a start takes. */
const authenticationFor = async (settings: Settings) =>
  settings.auth === "none" ? undefined : (await import("./http/auth.ts")).entraAuthentication(settings)

const identityOf = (settings: Settings): Promise<Identity | undefined> =>
  identityFor(settings, envPaths("workanywhere", { suffix: "" }).data)

const trustNotices = (identity: Identity | undefined, url: string): ReadonlyArray<string> =>
  identity?.made === undefined ? [] : trustLines(identity.made, url)

/** Answers requests by passing them on, until it is closed. */
const startGateway = async (settings: Settings, upstream: string, log: Log): Promise<Service> => {
  const { openGateway } = await import("./gateway/open.ts")
  const { observers, exposition, tracer, close: stopWatching } = await startWatching(settings, log)
  let gateway: Gateway | undefined
  try {
    const authentication = await authenticationFor(settings)
    gateway = await openGateway({ ...settings, upstream }, { log, authentication, tracer })
    const { backend, close } = gateway
    const identity = await identityOf(settings)
    const app = appOver(backend, { log, authentication, reach: settings, observers, exposition })
    const server = httpServer(app, limitsFor(settings), identity)
    const url = await listen(server, settings)
    if (isLoopbackUrl(upstream) && new URL(upstream).port === new URL(url).port) {
      await closed(server)
      throw new StartError(`WFA_UPSTREAM is ${upstream}, where this service itself listens: name another one's address`)
    }
    return {
      url,
      notices: trustNotices(identity, url),
      close: async () => {
        await closed(server)
        await stopWatching()
        await close()
      }
    }
  } catch (error) {
    await stopWatching()
    await gateway?.close()
    throw error
  }
}

const counted = (devices: number): string => `${devices.toLocaleString("en")} device${devices === 1 ? "" : "s"}`

/** Which file the devices are in, and whether a fleet that was asked for was made. */
const storeNotices = async (
  store: DeviceStore,
  { auth, fleet, store: setting }: Settings,
  isNew: boolean
): Promise<ReadonlyArray<string>> => {
  // Of a service for several tenants, the number of one's devices is nobody else's business.
  if (auth !== "none" || !setting.startsWith("sqlite:")) return []
  const path = resolve(setting.slice("sqlite:".length))
  if (isNew) return [`the devices are in ${path}: a new file, with ${counted(fleet)} made up`]
  const devices = counted(await store.count(standingCollection(sharedTenant), undefined))
  const idle = fleet === 0 ? "" : `; WFA_FLEET=${fleet} did nothing, because it fills only an empty store`
  return [`the devices are in ${path}: ${devices} from before${idle}`]
}

/** Opens the store, fills it when it is empty and a fleet is wanted, and answers requests until it is closed. */
export const startService = async (
  settings: Settings,
  { log = silent }: { readonly log?: Log } = {}
): Promise<Service> => {
  const isOpen = settings.auth === "none"
  if (isOpen && settings.expose === "off" && !isLoopback(settings.host)) {
    throw new StartError(`may not listen on ${settings.host}: without auth, only a loopback address is allowed`)
  }
  if (settings.upstream !== undefined) return startGateway(settings, settings.upstream, log)
  const { budget, profile, readOnly } = settings
  const rehearsal = createRehearsal({
    budget,
    profile,
    readOnly,
    hasControls: isOpen,
    ...(await faultsFrom(settings.faults))
  })
  const store = await openStore(settings.store)
  let watching: Watching | undefined
  try {
    if (settings.expose === "synthetic" && !(await store.isEmpty())) {
      throw new StartError(
        `WFA_EXPOSE=synthetic lets everyone in: it is for a store that is empty at the start, and ${storeName(settings.store)} is not`
      )
    }
    const fleet = { size: settings.fleet, seed: settings.fleetSeed }
    const isNew = settings.store.startsWith("sqlite:") && (await store.isEmpty())
    for (const tenant of isOpen ? [sharedTenant] : settings.tenants) {
      await store.fillEmpty(standingCollection(tenant), syntheticFleet(fleet)).catch((error: unknown) => {
        throw databaseTrouble(error) === undefined ? error : unusable(settings.store, error)
      })
    }
    const authentication = await authenticationFor(settings)
    const restore = () => seedFleet(store, fleet)
    watching = await startWatching(settings, log)
    const { observers, exposition, traced, close: stopWatching } = watching
    const identity = await identityOf(settings)
    const server = httpServer(
      createApp({
        store: traced(store),
        log,
        authentication,
        reach: settings,
        etag: settings.etag === "on",
        rehearsal,
        observers,
        exposition,
        restore
      }),
      limitsFor(settings),
      identity
    )
    const notices = await storeNotices(store, settings, isNew)
    const url = await listen(server, settings)
    return {
      url,
      notices: [...notices, ...trustNotices(identity, url)],
      close: async () => {
        rehearsal.close()
        await closed(server)
        await stopWatching()
        await store.close()
      }
    }
  } catch (error) {
    await watching?.close()
    await store.close()
    throw error
  }
}
