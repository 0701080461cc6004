import { type GraphVersion, type OperationId, type RouteOperation, routeNames, routes } from "@workanywhere/domain"
import * as Redacted from "effect/Redacted"

/** The operations of the client, as the table of routes calls them. */
const operations = [
  "listMetrics",
  "getMetric",
  "createMetric",
  "updateMetric",
  "deleteMetric",
  "listDevices",
  "getDevice",
  "createDevice",
  "updateDevice",
  "deleteDevice",
  "getHardwareReadiness",
  "listModelPerformance",
  "summarizeDevices"
] as const satisfies ReadonlyArray<OperationId>

/** An operation of the client. */
export type Operation = (typeof operations)[number]

const rowOf: ReadonlyMap<string, RouteOperation> = new Map(
  routeNames.flatMap((name) => Object.values<RouteOperation>(routes[name].operations).map((row) => [row.id, row]))
)

const neededFor = (operation: Operation, version: GraphVersion): ReadonlyArray<string> =>
  rowOf.get(operation)?.permissions[version] ?? []

/** What each operation needs on `beta`: any one of these, as a delegated or an application permission. */
export const operationPermissions = Object.fromEntries(
  operations.map((operation) => [operation, neededFor(operation, "beta")])
) as Readonly<Record<Operation, ReadonlyArray<string>>>

/** What a token says of itself. */
export interface TokenPermissions {
  /** `delegated`: for a person, who needs a role in Intune as well. `application`: for a program by itself. */
  readonly kind: "delegated" | "application"
  /** The permissions in the token. */
  readonly granted: ReadonlyArray<string>
  /** Which operations they allow, as far as the documentation goes. */
  readonly allows: Readonly<Record<Operation, boolean>>
  readonly tenantId?: string
  readonly clientId?: string
  readonly audience?: string
  /** Milliseconds since the epoch. */
  readonly expiresAtMillis?: number
}

const claimsOf = (token: string): Readonly<Record<string, unknown>> | undefined => {
  const [, payload = "", ...rest] = token.split(".")
  if (rest.length !== 1) return undefined
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0))
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof claims === "object" && claims !== null ? (claims as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

const textIn = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/**
 * Tells which operations a token allows, by reading it **without verifying it**: good for advice, never for a decision
 * about who may do what. Microsoft may encrypt or change its tokens at any time ("Access tokens in the Microsoft
 * identity platform"): `undefined` when this one cannot be read.
 */
export const permissions = (
  token: Redacted.Redacted | string,
  version: GraphVersion = "beta"
): TokenPermissions | undefined => {
  const claims = claimsOf(typeof token === "string" ? token : Redacted.value(token))
  if (claims === undefined) return undefined
  const scopes = textIn(claims["scp"])
  const roles: ReadonlyArray<unknown> = Array.isArray(claims["roles"]) ? claims["roles"] : []
  // A person's token may carry roles too; they are the person's and grant nothing here.
  const granted =
    scopes === undefined ? roles.filter((role) => typeof role === "string") : scopes.split(" ").filter(Boolean)
  const held = new Set(granted.map((name) => name.toLowerCase()))
  const isAllowed = (operation: Operation) => neededFor(operation, version).some((name) => held.has(name.toLowerCase()))
  const [tenantId, audience] = [textIn(claims["tid"]), textIn(claims["aud"])]
  const clientId = textIn(claims["appid"]) ?? textIn(claims["azp"])
  const { exp } = claims
  return {
    kind: scopes === undefined ? "application" : "delegated",
    granted,
    allows: Object.fromEntries(operations.map((name) => [name, isAllowed(name)])) as Record<Operation, boolean>,
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(audience === undefined ? {} : { audience }),
    ...(typeof exp === "number" ? { expiresAtMillis: exp * 1_000 } : {})
  }
}
