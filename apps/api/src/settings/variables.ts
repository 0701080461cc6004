import { authorities } from "./clouds.ts"
import type { Named } from "./settings.ts"
import { upstreamVariables } from "./upstream.ts"

interface Variable {
  readonly name: `WFA_${string}`
  /** The text that stands in for a variable that is not set. */
  readonly standard: string
  readonly meaning: string
  /** What is right, for the end of "expected …". */
  readonly expected: string
}

/** Each setting's variable, in the order in which help shows them. */
export const variables: { readonly [Name in keyof Named]: Variable } = {
  host: {
    name: "WFA_HOST",
    standard: "127.0.0.1",
    meaning: "address to listen on",
    expected:
      "a loopback address (127.0.0.1, ::1, localhost) while WFA_AUTH is none, which lets everyone in; any with WFA_EXPOSE=synthetic"
  },
  port: {
    name: "WFA_PORT",
    standard: "4010",
    meaning: "port to listen on",
    expected: "a whole number from 0 to 65535; 0 takes a free port"
  },
  maxConnections: {
    name: "WFA_MAX_CONNECTIONS",
    standard: "4000",
    meaning: "connections that are served at a time, three quarters of them for one address",
    expected: "a whole number from 1 to 100000"
  },
  tls: {
    name: "WFA_TLS",
    standard: "off",
    meaning: "whether it speaks https itself",
    expected:
      "off, auto (a certificate for loopback names, made and kept beside the store), or <certificate>,<key>: paths of two PEM files"
  },
  publicUrl: {
    name: "WFA_PUBLIC_URL",
    standard: "",
    meaning: "the root that links show",
    expected:
      "an http or https URL without query, such as https://graph.example; nothing for the address that was asked"
  },
  trustedProxies: {
    name: "WFA_TRUSTED_PROXIES",
    standard: "none",
    meaning: "whose Forwarded and X-Forwarded-* are believed",
    expected: "none, or addresses of proxies, or networks as in 10.0.0.0/8, comma separated; loopback for this machine"
  },
  cors: {
    name: "WFA_CORS",
    standard: "off",
    meaning: "pages that may call from a browser",
    expected: "off, or origins such as http://localhost:5173, comma separated"
  },
  expose: {
    name: "WFA_EXPOSE",
    standard: "off",
    meaning: "whether others may reach it without authentication",
    expected:
      "off, or with WFA_AUTH=none synthetic: reachable by others, without authentication, synthetic data only (WFA_STORE=memory, or a store that is still empty)"
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
    expected:
      "with WFA_AUTH=entra, ids (GUIDs) of organizations, comma separated, or @<file> with one on each line; else nothing"
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
  exposition: {
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

/** Every setting that has a variable of ours. */
export const settingNames = Object.keys(variables) as ReadonlyArray<keyof Named>

/** The names of their variables. */
export const variableNames: ReadonlyArray<string> = settingNames.map((setting) => variables[setting].name)

/** How wide a terminal is at least. */
const columns = 80

/** A text in lines that fit a terminal, each so far from its edge; a word that is too long for one has one. */
const wrapped = (text: string, indent: number): string =>
  text
    .split(" ")
    .reduce<ReadonlyArray<string>>((lines, word) => {
      const last = lines.at(-1)
      return last === undefined || indent + last.length + 1 + word.length > columns
        ? [...lines, word]
        : [...lines.slice(0, -1), `${last} ${word}`]
    }, [])
    .map((line) => `${" ".repeat(indent)}${line}`)
    .join("\n")

/** The settings for a terminal: each variable, what it is when not set, what it does, and what is right. */
export const settingsTable = (): string =>
  settingNames
    .map((setting) => variables[setting])
    .map(
      ({ name, standard, meaning, expected }) =>
        `  ${name}  ${standard === "" ? "(not set)" : standard}\n${wrapped(`${meaning}: ${expected}`, 6)}`
    )
    .join("\n")
