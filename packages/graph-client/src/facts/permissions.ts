import type { GraphVersion } from "./clouds.ts"
import * as Redacted from "effect/Redacted"

const managedDevices = ["DeviceManagementManagedDevices.Read.All", "DeviceManagementManagedDevices.ReadWrite.All"]
const read = [
  "DeviceManagementConfiguration.Read.All",
  "DeviceManagementConfiguration.ReadWrite.All",
  ...managedDevices
]
const write = ["DeviceManagementConfiguration.ReadWrite.All", "DeviceManagementManagedDevices.ReadWrite.All"]

/** What each operation needs: any one of these, as a delegated or an application permission (reference 2). */
export const operationPermissions = {
  listMetrics: read,
  getMetric: read,
  createMetric: write,
  updateMetric: ["DeviceManagementManagedDevices.ReadWrite.All"],
  deleteMetric: write,
  listDevices: read,
  getDevice: read,
  createDevice: write,
  updateDevice: write,
  deleteDevice: write,
  getHardwareReadiness: managedDevices,
  listModelPerformance: read,
  // It only reads, but this is what the documentation asks for.
  summarizeDevices: write
} as const satisfies Readonly<Record<string, ReadonlyArray<string>>>

/** An operation of the client. */
export type Operation = keyof typeof operationPermissions

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

/** On v1.0 reading devices is documented for the ManagedDevices permissions only (reference 1.6). */
const neededFor = (operation: Operation, version: GraphVersion): ReadonlyArray<string> =>
  version === "v1.0" && operationPermissions[operation] === read ? managedDevices : operationPermissions[operation]

/**
 * Tells which operations a token allows, by reading it **without verifying it**: good for advice, never for a decision
 * about who may do what. Microsoft may encrypt or change its tokens at any time (reference 7): `undefined` when this
 * one cannot be read.
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
  const operations = Object.keys(operationPermissions) as ReadonlyArray<Operation>
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
