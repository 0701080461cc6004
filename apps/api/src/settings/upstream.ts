import type { GraphRouteName } from "@workanywhere/domain"
import * as z from "zod"
import { type RequestBudgetSetting, requestBudgetSetting } from "./behaviour.ts"
import { type Authority, authoritiesFor } from "./clouds.ts"
import { isLoopbackUrl } from "./loopback.ts"

/** Under which name of its allow-list a gateway passes a route of Graph on; without one, it answers by itself. */
const passedOnAs = {
  metrics: "metrics",
  metricsCount: "metrics",
  metric: "metric",
  devices: "devices",
  device: "device",
  count: "count",
  readiness: "readiness",
  models: "models",
  modelsCount: "models",
  model: "models",
  summary: "summary",
  batch: "batch",
  serviceDocument: undefined,
  metadata: undefined,
  deviceManagement: undefined
} as const satisfies Readonly<Record<GraphRouteName, string | undefined>>

/** A name of the allow-list. */
export type UpstreamRoute = NonNullable<(typeof passedOnAs)[GraphRouteName]>

const upstreamRoutes: ReadonlyArray<UpstreamRoute> = [
  ...new Set(Object.values(passedOnAs).filter((name) => name !== undefined))
]

/** What a gateway is told. */
export interface UpstreamSettings {
  /** Origin of the Graph that requests are passed on to; without one the service keeps devices itself. */
  readonly upstream: string | undefined
  /** How the gateway proves to the upstream who it is. */
  readonly upstreamAuth: "none" | "client-credentials" | "on-behalf-of"
  /** Whether anything but reading is passed on. */
  readonly upstreamWrites: "off" | "on"
  /** What is passed on. */
  readonly upstreamRoutes: ReadonlyArray<UpstreamRoute>
  /** The tenant whose devices are asked for, where no token of a caller says it. */
  readonly upstreamTenant: string | undefined
  /** The gateway's own registration in Entra. */
  readonly upstreamClientId: string | undefined
  /** A function, so that what shows settings does not show it. */
  readonly upstreamClientSecret: (() => string) | undefined
  /** Path of a file that holds the secret. */
  readonly upstreamClientSecretFile: string | undefined
  /** Path of a PEM file with a certificate and its private key. */
  readonly upstreamCertificate: string | undefined
  /** How fast requests are passed on; `auto`: as fast as is published, and at will on this machine. */
  readonly upstreamBudget: "auto" | RequestBudgetSetting
  /** How long one `Retry-After` of the upstream may hold the requests of a tenant. */
  readonly upstreamLongestWaitSeconds: number
  /** Path of the log of writes. */
  readonly audit: string | undefined
}

type Texts = Readonly<Record<string, string | undefined>>

/** What is right depends on the other settings, so it is asked for by whether a text is right. */
const text = (isRight: (value: string) => boolean) =>
  z
    .string()
    .refine(isRight)
    .transform((value) => (value === "" ? undefined : value))

const isRoot = (value: string): boolean => {
  const url = URL.parse(value)
  if (url === null || (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopbackUrl(value)))) return false
  return url.username === "" && url.password === "" && url.pathname === "/" && !/[?#]/.test(value)
}

const isGuid = (value: string): boolean => z.guid().safeParse(value).success

const routeNames = z
  .string()
  .transform((value) => value.split(",").map((name) => name.trim()))
  .pipe(z.array(z.enum(upstreamRoutes)))

/** Whether the authority is where tokens for an upstream are made. */
export const isAuthorityFor = (authority: string, upstream: string | undefined): boolean => {
  const expected = authoritiesFor(upstream ?? "")
  return expected === undefined || expected.includes(authority as Authority)
}

/** The schemas of a gateway's settings, by what all settings say. */
export const upstreamSchemas = (texts: Texts) => {
  const { auth, tenants = "", upstream = "", upstreamAuth, upstreamWrites } = texts
  const isGateway = upstream !== "none"
  const hasCredentials = isGateway && (upstreamAuth === "client-credentials" || upstreamAuth === "on-behalf-of")
  const proofs = [
    texts["upstreamClientSecret"],
    texts["upstreamClientSecretFile"],
    texts["upstreamCertificate"]
  ].filter((proof) => proof !== "")
  // Without any, the first of the three says so.
  const proof = (isFirst: boolean) =>
    text((value) =>
      value === "" ? !isFirst || !hasCredentials || proofs.length > 0 : hasCredentials && proofs.length === 1
    )

  const isAuthRight = (value: string): boolean => {
    if (value === "on-behalf-of") return isGateway && auth === "entra"
    if (value === "client-credentials") return isGateway
    return !isGateway || (isLoopbackUrl(upstream) && (auth !== "entra" || !tenants.includes(",")))
  }

  return {
    upstream: z.union([
      z.literal("none").transform(() => undefined),
      z
        .string()
        .refine(isRoot)
        .transform((value) => new URL(value).origin)
    ]),
    upstreamAuth: z.enum(["none", "client-credentials", "on-behalf-of"]).refine(isAuthRight),
    upstreamWrites: z.enum(["off", "on"]).refine((value) => isGateway || value === "off"),
    upstreamRoutes: z.union([
      z.literal("all").transform((): ReadonlyArray<UpstreamRoute> => upstreamRoutes),
      isGateway ? routeNames : z.never()
    ]),
    upstreamTenant: text((value) => (hasCredentials && auth !== "entra" ? isGuid(value) : value === "")),
    upstreamClientId: text((value) => (hasCredentials ? isGuid(value) : value === "")),
    upstreamClientSecret: proof(true).transform((secret) => (secret === undefined ? undefined : () => secret)),
    upstreamClientSecretFile: proof(false),
    upstreamCertificate: proof(false),
    upstreamBudget: z.union([z.literal("auto"), isGateway ? requestBudgetSetting : z.never()]),
    upstreamLongestWaitSeconds: z
      .string()
      .regex(/^\d+$/)
      .refine((value) => isGateway || value === upstreamVariables.upstreamLongestWaitSeconds.standard)
      .transform(Number)
      .pipe(z.int().min(1).max(86_400)),
    audit: text((value) => (value === "" ? !isGateway || upstreamWrites !== "on" : isGateway))
  }
}

/** How a gateway's settings are named, and what is right for them. */
export const upstreamVariables = {
  upstream: {
    name: "WFA_UPSTREAM",
    standard: "none",
    meaning: "the Graph that a gateway passes requests on to",
    expected:
      "none, or the root of a Graph, such as https://graph.microsoft.com, without a version or path, because callers choose /beta or /v1.0; http on a loopback address only"
  },
  upstreamAuth: {
    name: "WFA_UPSTREAM_AUTH",
    standard: "none",
    meaning: "how the gateway signs in there",
    expected:
      "with WFA_UPSTREAM, client-credentials, or on-behalf-of with WFA_AUTH=entra; none for one tenant and a WFA_UPSTREAM on a loopback address only"
  },
  upstreamWrites: {
    name: "WFA_UPSTREAM_WRITES",
    standard: "off",
    meaning: "whether writes are passed on",
    expected: "off, or on (with WFA_UPSTREAM)"
  },
  upstreamRoutes: {
    name: "WFA_UPSTREAM_ROUTES",
    standard: "all",
    meaning: "which routes are passed on",
    expected: `all, or with WFA_UPSTREAM some of ${upstreamRoutes.join(", ")}, comma separated`
  },
  upstreamTenant: {
    name: "WFA_UPSTREAM_TENANT",
    standard: "",
    meaning: "the tenant to sign in to, when callers have no tokens",
    expected: "with WFA_UPSTREAM_AUTH=client-credentials and WFA_AUTH=none, the id (GUID) of a tenant; else nothing"
  },
  upstreamClientId: {
    name: "WFA_UPSTREAM_CLIENT_ID",
    standard: "",
    meaning: "the gateway's own app registration",
    expected: "with WFA_UPSTREAM_AUTH=client-credentials or on-behalf-of, its client id (GUID); else nothing"
  },
  upstreamClientSecret: {
    name: "WFA_UPSTREAM_CLIENT_SECRET",
    standard: "",
    meaning: "its client secret",
    expected:
      "with WFA_UPSTREAM_AUTH=client-credentials or on-behalf-of exactly one of WFA_UPSTREAM_CLIENT_SECRET, WFA_UPSTREAM_CLIENT_SECRET_FILE and WFA_UPSTREAM_CERTIFICATE; else nothing"
  },
  upstreamClientSecretFile: {
    name: "WFA_UPSTREAM_CLIENT_SECRET_FILE",
    standard: "",
    meaning: "path of a file with its client secret",
    expected: "a path, in place of WFA_UPSTREAM_CLIENT_SECRET; else nothing"
  },
  upstreamCertificate: {
    name: "WFA_UPSTREAM_CERTIFICATE",
    standard: "",
    meaning: "path of a PEM file with its certificate and key",
    expected: "a path, in place of WFA_UPSTREAM_CLIENT_SECRET; else nothing"
  },
  upstreamBudget: {
    name: "WFA_UPSTREAM_BUDGET",
    standard: "auto",
    meaning: "how fast requests are passed on",
    expected:
      "auto (the published limits; none on a loopback address), or with WFA_UPSTREAM off, intune, or intune*<k>, as in intune*0.5"
  },
  upstreamLongestWaitSeconds: {
    name: "WFA_UPSTREAM_LONGEST_WAIT",
    standard: "3600",
    meaning: "how long a Retry-After of the upstream is kept at most, in seconds",
    expected: "with WFA_UPSTREAM, a whole number of seconds from 1 to 86400"
  },
  audit: {
    name: "WFA_AUDIT",
    standard: "",
    meaning: "path of the log of writes",
    expected: "a path with WFA_UPSTREAM_WRITES=on; nothing without WFA_UPSTREAM"
  }
} as const
