import { nearMiss } from "@workanywhere/domain"
import * as z from "zod"
import {
  type RequestBudgetSetting,
  type Profile,
  type ReadOnlyPolicy,
  requestBudgetSetting,
  profiles,
  readOnlyPolicies
} from "./behaviour.ts"
import { type Authority, authorities, isGraphAudience, personalTenant } from "./clouds.ts"
import { isLoopback, isLoopbackUrl } from "./loopback.ts"
import { type TraceSettings, readTraceSettings } from "./traces.ts"
import { type UpstreamSettings, isAuthorityFor, upstreamSchemas, upstreamVariables } from "./upstream.ts"

/** Everything the service can be told, checked. */
export interface Settings extends UpstreamSettings {
  /** Address or name to listen on. */
  readonly host: string
  /** TCP port; 0 takes a free one. */
  readonly port: number
  /** Where the devices are: in memory, in the SQLite file behind the colon, or in the PostgreSQL database of a URL. */
  readonly store: "memory" | `sqlite:${string}` | `postgres://${string}`
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
  readonly metrics: "loopback" | "off" | "on"
  /** What is logged: every request, only what failed for a reason of ours, or nothing. */
  readonly log: "info" | "error" | "off"
  /** Where traces go; nowhere when `undefined`. Read from OpenTelemetry's own variables. */
  readonly traces: TraceSettings | undefined
}

/** The settings that have a variable of ours each. */
type Named = Omit<Settings, "traces">

const wholeNumber = (largest: number) => z.string().regex(/^\d+$/).transform(Number).pipe(z.int().max(largest))

const listOf = (item: z.ZodType<string, string>) =>
  z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .pipe(z.array(item))

const audience = z
  .string()
  .regex(/^[^\s"]+$/)
  .refine((text) => !isGraphAudience(text))

const tenant = z
  .guid()
  .toLowerCase()
  .refine((id) => id !== personalTenant)

const jwksUrl = z.string().refine((text) => {
  const url = URL.parse(text)
  if (url === null || url.username !== "" || url.password !== "") return false
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackUrl(text))
})

/** Whoever says whose tokens to take expects them to be asked for. */
const notSet = z.literal("")

const schemaWith = (
  texts: Readonly<Record<string, string | undefined>>
): z.ZodType<Named, { readonly [Name in keyof Named]: string | undefined }> => {
  const { auth, upstream, upstreamAuth } = texts
  return z.object({
    host: auth === "entra" ? z.string().min(1) : z.string().refine(isLoopback),
    port: wholeNumber(65_535),
    store: z.union([
      z.literal("memory"),
      z.templateLiteral(["sqlite:", z.string().min(1)]),
      z.templateLiteral(["postgres://", z.string().min(1)]).refine((url) => URL.canParse(url))
    ]),
    auth: z.enum(["none", "entra"]),
    audience: auth === "entra" ? listOf(audience) : notSet.transform(() => []),
    tenants: auth === "entra" ? listOf(tenant) : notSet.transform(() => []),
    authority: z
      .enum(authorities)
      .refine((authority) => upstreamAuth === "none" || isAuthorityFor(authority, upstream)),
    jwksUrl: z.union([notSet.transform(() => undefined), auth === "entra" ? jwksUrl : z.never()]),
    profile: z.enum(profiles),
    readOnly: z.enum(readOnlyPolicies),
    budget: requestBudgetSetting,
    faults: z.string().min(1),
    etag: z.enum(["off", "on"]),
    fleet: wholeNumber(1_000_000),
    fleetSeed: wholeNumber(Number.MAX_SAFE_INTEGER),
    metrics: z.enum(["loopback", "off", "on"]),
    log: z.enum(["info", "error", "off"]),
    ...upstreamSchemas(texts)
  })
}

/** How a store is called where others can read it: without the user, the password and the parameters of a URL. */
export const storeName = (store: Settings["store"]): string => {
  if (!store.startsWith("postgres:")) return store
  const { host, pathname } = new URL(store)
  return `postgres://${host}${pathname}`
}

interface Variable {
  readonly name: `WFA_${string}`
  /** The text that stands in for a variable that is not set. */
  readonly standard: string
  readonly meaning: string
  /** What is right, for the end of "expected …". */
  readonly expected: string
}

const variables: { readonly [Name in keyof Named]: Variable } = {
  host: {
    name: "WFA_HOST",
    standard: "127.0.0.1",
    meaning: "address to listen on",
    expected: "a loopback address (127.0.0.1, ::1, localhost) while WFA_AUTH is none, which lets everyone in"
  },
  port: {
    name: "WFA_PORT",
    standard: "4010",
    meaning: "port to listen on",
    expected: "a whole number from 0 to 65535; 0 takes a free port"
  },
  store: {
    name: "WFA_STORE",
    standard: "memory",
    meaning: "where the devices are kept",
    expected: "memory, sqlite:<file>, or postgres://<user>:<password>@<host>/<database>"
  },
  auth: {
    name: "WFA_AUTH",
    standard: "none",
    meaning: "how callers prove who they are",
    expected: "none, or entra, with which WFA_HOST may be any address"
  },
  audience: {
    name: "WFA_AUDIENCE",
    standard: "",
    meaning: "what tokens are for",
    expected:
      "with WFA_AUTH=entra, client ids or id URIs of your own app registration (not Graph's), comma separated; else nothing"
  },
  tenants: {
    name: "WFA_TENANTS",
    standard: "",
    meaning: "the tenants that are served",
    expected: "with WFA_AUTH=entra, ids (GUIDs) of organizations, comma separated; else nothing"
  },
  authority: {
    name: "WFA_AUTHORITY",
    standard: authorities[0],
    meaning: "where callers sign in",
    expected: `one of ${authorities.join(", ")}; with WFA_UPSTREAM_AUTH, the one of WFA_UPSTREAM's cloud`
  },
  jwksUrl: {
    name: "WFA_JWKS_URL",
    standard: "",
    meaning: "where the keys of tokens are, if not at the authority",
    expected: "with WFA_AUTH=entra, an https URL, or http on a loopback address; else nothing"
  },
  profile: {
    name: "WFA_PROFILE",
    standard: "documented",
    meaning: "which behaviour of Graph is shown",
    expected: "documented (Microsoft's pages), or observed (what public probes saw)"
  },
  readOnly: {
    name: "WFA_READ_ONLY",
    standard: "accept",
    meaning: "what becomes of an update of read-only properties",
    expected: "accept, ignore (200, nothing changes), or reject (400)"
  },
  budget: {
    name: "WFA_BUDGET",
    standard: "off",
    meaning: "limits on requests",
    expected: "off, intune (the published limits), or intune*<k>, k times as fast, as in intune*10"
  },
  faults: {
    name: "WFA_FAULTS",
    standard: "none",
    meaning: "what goes wrong, for rehearsal",
    expected: "none, or the path of a fault script (JSON)"
  },
  etag: {
    name: "WFA_ETAG",
    standard: "off",
    meaning: "whether devices have etags, for If-Match",
    expected: "off, or on"
  },
  fleet: {
    name: "WFA_FLEET",
    standard: "0",
    meaning: "synthetic devices to create in an empty store",
    expected: "a whole number from 0 to 1000000"
  },
  fleetSeed: {
    name: "WFA_FLEET_SEED",
    standard: "1",
    meaning: "which synthetic fleet that is",
    expected: `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`
  },
  metrics: {
    name: "WFA_METRICS",
    standard: "loopback",
    meaning: "who may read /metrics",
    expected: "loopback (callers on this machine), off, or on (whoever reaches the service, without a token)"
  },
  log: {
    name: "WFA_LOG",
    standard: "info",
    meaning: "what is logged to stderr",
    expected: "info (each request), error (failures of the service only), or off"
  },
  ...upstreamVariables
}

const settingNames = Object.keys(variables) as ReadonlyArray<keyof Named>
const variableNames: ReadonlyArray<string> = settingNames.map((setting) => variables[setting].name)

/** What is about devices that the service keeps itself. */
const ofTheStore: ReadonlyArray<keyof Named> = [
  "store",
  "profile",
  "readOnly",
  "budget",
  "faults",
  "etag",
  "fleet",
  "fleetSeed"
]

/** Settings that a gateway has no use for: whoever sets one relies on what it does. */
const idleProblems = (env: Readonly<Record<string, string | undefined>>, upstream: string | undefined) =>
  upstream === "none"
    ? []
    : ofTheStore
        .map((setting) => variables[setting].name)
        .filter((name) => env[name] !== undefined)
        .map((name) => `${name}: expected nothing with WFA_UPSTREAM: a gateway shows what is there, and keeps nothing`)

/** `wfa` reads these two, so they may stand in the environment of the service as well. */
const ofTheCommandLine = new Set(["WFA_TARGET", "WFA_TOKEN"])

/** A misspelt or later setting is refused: whoever sets it relies on what it does. Its value may be secret: not shown. */
const strangerProblem = (name: string): string => {
  const meant = nearMiss(name, variableNames)
  return `${name} is not a setting of this service${meant === undefined ? "" : `; did you mean ${meant}?`}`
}

/** The settings that an environment holds, or every problem with them, each in one line that says what would be right. */
export const readSettings = (
  env: Readonly<Record<string, string | undefined>>
):
  | { readonly success: true; readonly data: Settings }
  | { readonly success: false; readonly problems: ReadonlyArray<string> } => {
  const strangers = Object.keys(env).filter(
    (name) =>
      name.startsWith("WFA_") &&
      !name.startsWith("WFA_TEST_") &&
      !variableNames.includes(name) &&
      !ofTheCommandLine.has(name)
  )
  const texts = Object.fromEntries(
    settingNames.map((setting) => [setting, env[variables[setting].name] ?? variables[setting].standard])
  )
  const parsed = schemaWith(texts).safeParse(texts)
  const idle = idleProblems(env, texts["upstream"])
  const { traces, problems } = readTraceSettings(env)
  if (parsed.success && strangers.length === 0 && idle.length === 0 && problems.length === 0) {
    return { success: true, data: { ...parsed.data, traces } }
  }
  const wrong = new Set(parsed.error?.issues.map(({ path }) => path[0]))
  return {
    success: false,
    problems: [
      ...settingNames
        .filter((setting) => wrong.has(setting))
        .map((setting) => `${variables[setting].name}: expected ${variables[setting].expected}`),
      ...idle,
      ...strangers.toSorted().map(strangerProblem),
      ...problems
    ]
  }
}

const standard = readSettings({})
if (!standard.success) throw new Error(`the standard settings are wrong: ${standard.problems.join("; ")}`)

/** The settings of an empty environment. */
export const defaultSettings: Settings = standard.data

/** The settings as a table for a terminal: variable, what it is when not set, what it does. */
export const settingsTable = (): string =>
  settingNames
    .map((setting) => variables[setting])
    .map(
      ({ name, standard, meaning, expected }) =>
        `  ${name.padEnd(15)} ${standard.padEnd(11)} ${meaning}\n${" ".repeat(30)}${expected}`
    )
    .join("\n")
