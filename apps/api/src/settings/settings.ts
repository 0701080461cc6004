import type { Profile, ReadOnlyPolicy, RequestBudgetSetting } from "./behaviour.ts"
import type { Authority } from "./clouds.ts"
import type { TraceSettings } from "./traces.ts"
import type { UpstreamSettings } from "./upstream.ts"

/** Everything the service can be told, checked. */
export interface Settings extends UpstreamSettings {
  /** Address or name to listen on. */
  readonly host: string
  /** TCP port; 0 takes a free one. */
  readonly port: number
  /** How many connections are served at a time. */
  readonly maxConnections: number
  /** Where the devices are: in memory, in the SQLite file behind the colon, or in the PostgreSQL database of a URL. */
  readonly store: "memory" | `sqlite:${string}` | `postgres://${string}`
  /** Whether the service speaks TLS itself, and with which certificate; `auto` has one made for loopback names. */
  readonly tls: "off" | "auto" | { readonly certificate: string; readonly key: string }
  /** The root under which callers know the service, without a slash at its end, for links. */
  readonly publicUrl: string | undefined
  /** Addresses, and networks with their prefix, of proxies that are believed about the address that was asked. */
  readonly trustedProxies: ReadonlyArray<string>
  /** Origins of pages that may call from a browser. */
  readonly cors: ReadonlyArray<string>
  /** Whether others may reach a service without authentication: `synthetic`, over synthetic data only. */
  readonly expose: "off" | "synthetic"
  /** How callers prove who they are; `none` is for loopback only. */
  readonly auth: "none" | "entra"
  /** What tokens have to be for: client ids or id URIs of this service's registration in Entra. */
  readonly audience: ReadonlyArray<string>
  /** Ids of the tenants that are served, in lower case. */
  readonly tenants: ReadonlyArray<string>
  /** Where callers sign in, which decides whose tokens are taken. */
  readonly authority: Authority
  /** Where the keys are that tokens are signed with, when not where the authority has them. */
  readonly jwksUrl: string | undefined
  /** Which behaviour of Graph is shown; `documented` is that of Microsoft's pages. */
  readonly profile: Profile
  /** What becomes of an update of properties that the pages call read-only. */
  readonly readOnly: ReadOnlyPolicy
  /** Which limits on requests are kept. */
  readonly budget: RequestBudgetSetting
  /** Path of a fault script; `none` for no faults. */
  readonly faults: string
  /** Whether devices have etags, which Graph's rows were never seen with. */
  readonly etag: "off" | "on"
  /** Synthetic devices to create in an empty store. */
  readonly fleet: number
  /** Which synthetic fleet: the same seed makes the same devices. */
  readonly fleetSeed: number
  /** Who may read `/metrics`: callers on this machine, nobody, or whoever reaches the service. */
  readonly exposition: "loopback" | "off" | "on"
  /** What is logged: every request, only what failed for a reason of ours, or nothing. */
  readonly log: "info" | "error" | "off"
  /** Where traces go; nowhere when `undefined`. Read from OpenTelemetry's own variables. */
  readonly traces: TraceSettings | undefined
}

/** The settings that have a variable of ours each. */
export type Named = Omit<Settings, "traces">

/** How a store is called where others can read it: without the user, the password and the parameters of a URL. */
export const storeName = (store: Settings["store"]): string => {
  if (!store.startsWith("postgres:")) return store
  const { host, pathname } = new URL(store)
  return `postgres://${host}${pathname}`
}

/** The service cannot start as it was told to; the message says in one line what to change. */
export class StartError extends Error {
  override readonly name = "StartError"
}
