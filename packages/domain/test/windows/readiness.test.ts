import * as fc from "fast-check"
import { expect, it } from "vitest"
import { type Device, type ReadinessCheck, blocker, properties, readiness, readinessChecks } from "../../src/index.ts"
import { device as anyDevice } from "../arbitrary.ts"

const flags = (
  failing: boolean | null,
  ...others: ReadonlyArray<readonly [ReadinessCheck, boolean | null]>
): Device => ({
  ...Object.fromEntries(readinessChecks.map((check) => [check, failing])),
  ...Object.fromEntries(others)
})
const passing = flags(false)
const on10 = { osVersion: "10.0.19045.4291" }
const on11 = { osVersion: "10.0.26100.2033" }

it("the checks are the flags of the table, in its order", () => {
  const ofTable = properties.filter(({ group, kind }) => group === "readiness" && kind === "boolean")
  expect(readinessChecks).toEqual(ofTable.map(({ name }) => name))
})

it.each([
  ["ramCheckFailed", "part", "4 GB of RAM"],
  ["storageCheckFailed", "part", "64 GB of storage"],
  ["processorCoreCountCheckFailed", "replace", "2 cores"],
  ["processorSpeedCheckFailed", "replace", "1 GHz"],
  ["tpmCheckFailed", "firmware", "TPM 2.0"],
  ["secureBootCheckFailed", "firmware", "UEFI with Secure Boot capability"],
  ["processorFamilyCheckFailed", "replace", "a compatible 64-bit processor"],
  ["processor64BitCheckFailed", "replace", "a compatible 64-bit processor"],
  ["osCheckFailed", "update", "Windows 10 version 2004 with the security update of 14 September 2021"]
] as const)("%s is a blocker of class %s with minimum %s", (check, blockerClass, minimum) => {
  const found = readiness({ ...passing, [check]: true, upgradeEligibility: "notCapable" })
  expect(found.blockers).toEqual([{ check, class: blockerClass, minimum, action: blocker(check).action }])
  expect(blocker(check).action).toMatch(/^[A-Z].*\.$/)
})

it.each(["upgraded", "capable", "notCapable"] as const)(
  "Microsoft's verdict %s counts, whatever the checks say",
  (verdict) => {
    for (const facts of [passing, flags(true), flags(null), {}]) {
      expect(readiness({ ...facts, upgradeEligibility: verdict })).toMatchObject({ verdict, verdictFrom: "graph" })
    }
  }
)

it.each([
  ["all checks passed", { ...passing, ...on10 }, "capable"],
  ["one check failed", { ...flags(false, ["tpmCheckFailed", true]), ...on10 }, "notCapable"],
  [
    "one check failed and another is unknown",
    flags(false, ["tpmCheckFailed", true], ["ramCheckFailed", null]),
    "notCapable"
  ],
  ["one check is unknown", { ...flags(false, ["ramCheckFailed", null]), ...on10 }, "unknown"],
  ["every check is missing", {}, "unknown"],
  ["it runs Windows 11", { ...flags(null), ...on11 }, "upgraded"],
  ["all checks passed and the version is unreadable", { ...passing, osVersion: "OS Version value" }, "capable"]
] as const)("without Microsoft's verdict, a device of which %s is judged", (_, facts, verdict) => {
  expect(readiness(facts)).toMatchObject({ verdict, verdictFrom: "facts" })
  expect(readiness({ ...facts, upgradeEligibility: "unknown" })).toMatchObject({ verdict, verdictFrom: "facts" })
  expect(readiness({ ...facts, upgradeEligibility: "unknownFutureValue" })).toMatchObject({ verdict })
  expect(readiness({ ...facts, upgradeEligibility: "addedLater" } as unknown as Device)).toMatchObject({ verdict })
})

it("a failed check on a capable device is a contradiction", () => {
  const facts = flags(false, ["tpmCheckFailed", true], ["osCheckFailed", true])
  expect(readiness({ ...facts, upgradeEligibility: "capable" }).contradictions).toEqual([
    {
      code: "failedWhileCapable",
      properties: ["upgradeEligibility", "tpmCheckFailed", "osCheckFailed"],
      sentence: "The device is called capable, and failed tpmCheckFailed, osCheckFailed."
    }
  ])
})

it("an upgraded device on Windows 10 is a contradiction", () => {
  expect(readiness({ ...passing, ...on10, upgradeEligibility: "upgraded" }).contradictions).toEqual([
    {
      code: "upgradedOnWindows10",
      properties: ["upgradeEligibility", "osVersion"],
      sentence: "The device is called upgraded, and its version 10.0.19045.4291 is Windows 10."
    }
  ])
})

it("a device that is not capable and passed all checks is a contradiction", () => {
  expect(readiness({ ...passing, upgradeEligibility: "notCapable" }).contradictions).toEqual([
    {
      code: "notCapableWithoutFailedCheck",
      properties: ["upgradeEligibility", ...readinessChecks],
      sentence: `The device is called not capable, and passed all ${readinessChecks.length} checks.`
    }
  ])
})

it.each([
  ["capable, nothing failed", { ...flags(null), upgradeEligibility: "capable" }],
  ["capable, all passed", { ...passing, ...on10, upgradeEligibility: "capable" }],
  ["upgraded on Windows 11", { ...passing, ...on11, upgradeEligibility: "upgraded" }],
  ["upgraded on a version that cannot be read", { ...passing, osVersion: "eleven", upgradeEligibility: "upgraded" }],
  ["upgraded without a version", { ...passing, upgradeEligibility: "upgraded" }],
  ["not capable, a check failed", { ...flags(false, ["ramCheckFailed", true]), upgradeEligibility: "notCapable" }],
  ["not capable, a check unknown", { ...flags(false, ["ramCheckFailed", null]), upgradeEligibility: "notCapable" }],
  ["unknown, everything failed", { ...flags(true), upgradeEligibility: "unknown" }]
] as ReadonlyArray<readonly [string, Device]>)("%s is no contradiction", (_, facts) => {
  expect(readiness(facts).contradictions).toEqual([])
})

it("a check that is null or missing is unknown, and neither passed nor failed", () => {
  const found = readiness({ ...flags(false, ["tpmCheckFailed", null]), upgradeEligibility: "capable" })
  expect(found.unknown).toEqual(["tpmCheckFailed"])
  expect(found.blockers).toEqual([])
  expect(readiness({}).unknown).toEqual(readinessChecks)
})

it("each check is a blocker, unknown or passed, in the documented order", () => {
  fc.assert(
    fc.property(anyDevice, (device) => {
      const { blockers, unknown } = readiness(device)
      expect(blockers.map(({ check }) => check)).toEqual(readinessChecks.filter((check) => device[check] === true))
      expect(unknown).toEqual(readinessChecks.filter((check) => (device[check] ?? null) === null))
    })
  )
})

it("without Microsoft's verdict, one more failed check never improves the verdict", () => {
  fc.assert(
    fc.property(anyDevice, fc.constantFrom(...readinessChecks), (device, check) => {
      const facts = { ...device, upgradeEligibility: "unknown" } as const
      const worse = readiness({ ...facts, [check]: true }).verdict
      expect(worse).toBe(readiness(facts).verdict === "upgraded" ? "upgraded" : "notCapable")
    })
  )
})
