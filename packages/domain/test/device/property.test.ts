import { expect, it } from "vitest"
import {
  enumOf,
  healthState,
  isNullable,
  properties,
  property,
  propertyNames,
  upgradeEligibility
} from "../../src/index.ts"

it("the table has its properties in the documented order", () => {
  expect(propertyNames.slice(0, 8)).toEqual([
    "id",
    "deviceId",
    "deviceName",
    "serialNumber",
    "manufacturer",
    "model",
    "ownership",
    "managedBy"
  ])
  expect(propertyNames.slice(-6)).toEqual([
    "workFromAnywhereScore",
    "windowsScore",
    "cloudManagementScore",
    "cloudIdentityScore",
    "cloudProvisioningScore",
    "healthStatus"
  ])
})

it("only the key and the two enums are not nullable", () => {
  expect(properties.filter((row) => !isNullable(row)).map(({ name }) => name)).toEqual([
    "id",
    "upgradeEligibility",
    "healthStatus"
  ])
})

it("names and labels are unique, and every meaning is one sentence", () => {
  expect(new Set(propertyNames).size).toBe(properties.length)
  expect(new Set(properties.map(({ label }) => label)).size).toBe(properties.length)
  for (const { meaning } of properties) expect(meaning).toMatch(/^[A-Z].*[^.]\.$/)
})

it("every boolean of the readiness group is a check, and there are five scores and two enums", () => {
  for (const { name, kind, group } of properties) {
    expect(group === "readiness" && kind === "boolean").toBe(name.endsWith("CheckFailed"))
  }
  expect(properties.filter(({ kind }) => kind === "score")).toHaveLength(5)
  expect(properties.filter(({ kind }) => enumOf(kind) !== undefined)).toHaveLength(2)
})

it("a row is found by its name in Graph's spelling only", () => {
  expect(property("autoPilotRegistered")?.label).toBe("Autopilot registered")
  for (const name of ["autopilotRegistered", "", "__proto__", "constructor", "toString"]) {
    expect(property(name)).toBeUndefined()
  }
})

it("the two enum kinds know their members, the others have none", () => {
  expect(enumOf("upgradeEligibility")).toBe(upgradeEligibility)
  expect(enumOf("healthState")).toBe(healthState)
  expect([enumOf("string"), enumOf("boolean"), enumOf("score")]).toEqual([undefined, undefined, undefined])
})
