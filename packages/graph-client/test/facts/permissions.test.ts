import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import { expect, test } from "vitest"
import { operationPermissions, permissions } from "../../src/index.ts"
import { createGraphClient } from "../../src/promise.ts"
import { baseUrl } from "../fixtures.ts"

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

const tokenWith = (claims: object) => `${encoded({ alg: "RS256" })}.${encoded(claims)}.c2lnbmF0dXJl`

const allowed = (claims: object, version?: "beta" | "v1.0"): ReadonlyArray<string> =>
  Object.entries(permissions(tokenWith(claims), version)?.allows ?? {})
    .filter(([, isAllowed]) => isAllowed)
    .map(([operation]) => operation)
    .toSorted()

const all = Object.keys(operationPermissions).toSorted()
const reads = ["getDevice", "getMetric", "listDevices", "listMetrics", "listModelPerformance"]

test("a person's token and a program's are told apart", () => {
  const scopes = "DeviceManagementManagedDevices.ReadWrite.All openid"
  const claims = { tid: "t", aud: "https://graph.microsoft.com", exp: 1_800_000_000 }
  expect(permissions(Redacted.make(tokenWith({ ...claims, scp: scopes, roles: ["Role"], azp: "app" })))).toMatchObject({
    kind: "delegated",
    granted: ["DeviceManagementManagedDevices.ReadWrite.All", "openid"],
    tenantId: "t",
    clientId: "app",
    audience: "https://graph.microsoft.com",
    expiresAtMillis: 1_800_000_000_000
  })
  expect(permissions(tokenWith({ roles: ["DeviceManagementConfiguration.Read.All", 7], appid: "app" }))).toMatchObject({
    kind: "application",
    granted: ["DeviceManagementConfiguration.Read.All"],
    clientId: "app"
  })
})

test.each([
  { granted: "DeviceManagementManagedDevices.ReadWrite.All", beta: all, v1: all },
  {
    granted: "DeviceManagementConfiguration.ReadWrite.All",
    beta: all.filter((name) => !["getHardwareReadiness", "updateMetric"].includes(name)),
    v1: ["createDevice", "createMetric", "deleteDevice", "deleteMetric", "summarizeDevices", "updateDevice"]
  },
  {
    granted: "DeviceManagementManagedDevices.Read.All",
    beta: ["getDevice", "getHardwareReadiness", "getMetric", "listDevices", "listMetrics", "listModelPerformance"],
    v1: ["getDevice", "getHardwareReadiness", "getMetric", "listDevices", "listMetrics", "listModelPerformance"]
  },
  { granted: "devicemanagementconfiguration.read.all", beta: reads, v1: [] },
  { granted: "User.Read", beta: [], v1: [] }
])("$granted allows what the documentation says", ({ beta, granted, v1 }) => {
  for (const claims of [{ scp: granted }, { roles: [granted] }]) {
    expect(allowed(claims)).toEqual(beta)
    expect(allowed(claims, "v1.0")).toEqual(v1)
  }
})

test("every operation of the client has its permissions", async () => {
  const client = createGraphClient({ baseUrl })
  expect(Object.keys(client)).toEqual(expect.arrayContaining(all))
  await client.close()
})

test("no text, however broken, is more than unreadable", () => {
  for (const token of ["", "opaque", "a.b", "a.b.c.d", "a.!.c", `a.${encoded("text")}.c`, `a.${encoded(null)}.c`]) {
    expect(permissions(token)).toBeUndefined()
  }
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map((json) => `a.${Buffer.from(json).toString("base64url")}.c`)
      ),
      (token) => {
        expect(() => permissions(token)).not.toThrow()
      }
    )
  )
  expect(permissions(tokenWith({ scp: 7, roles: "all", tid: 7, exp: "soon" }))).toMatchObject({ granted: [] })
})
