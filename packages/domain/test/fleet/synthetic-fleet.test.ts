import { createHash } from "node:crypto"
import { expect, it } from "vitest"
import { type FleetOptions, type FleetProfile, syntheticFleet } from "../../src/fleet.ts"
import {
  type PropertyName,
  type ReadinessCheck,
  type WholeDevice,
  equalMean,
  estimateScores,
  overallScore,
  parseNewDevice,
  propertyNames,
  readiness,
  readinessChecks
} from "../../src/index.ts"
import { windowsSupport } from "../../src/lifecycle.ts"

const all = async (devices: AsyncIterable<WholeDevice>): Promise<ReadonlyArray<WholeDevice>> => {
  const found: Array<WholeDevice> = []
  for await (const device of devices) found.push(device)
  return found
}

const fleet = (options: FleetOptions): Promise<ReadonlyArray<WholeDevice>> => all(syntheticFleet(options))

const clean = { missingFacts: 0, dirtyRows: 0, unavailableScores: 0 } satisfies FleetProfile

const modelChecks: ReadonlyArray<ReadinessCheck> = readinessChecks.filter(
  (check) => !["tpmCheckFailed", "secureBootCheckFailed", "osCheckFailed"].includes(check)
)

/** The properties that devices had when their seeds were first given: what joins them later must not change these. */
const firstProperties = [
  "id",
  "deviceId",
  "deviceName",
  "serialNumber",
  "manufacturer",
  "model",
  "ownership",
  "managedBy",
  "autoPilotRegistered",
  "autoPilotProfileAssigned",
  "azureAdRegistered",
  "azureAdDeviceId",
  "azureAdJoinType",
  "osDescription",
  "osVersion",
  "tenantAttached",
  "compliancePolicySetToIntune",
  "otherWorkloadsSetToIntune",
  "isCloudManagedGatewayEnabled",
  "upgradeEligibility",
  "ramCheckFailed",
  "storageCheckFailed",
  "processorCoreCountCheckFailed",
  "processorSpeedCheckFailed",
  "tpmCheckFailed",
  "secureBootCheckFailed",
  "processorFamilyCheckFailed",
  "processor64BitCheckFailed",
  "osCheckFailed",
  "workFromAnywhereScore",
  "windowsScore",
  "cloudManagementScore",
  "cloudIdentityScore",
  "cloudProvisioningScore",
  "healthStatus"
] as const satisfies ReadonlyArray<PropertyName>

const digestOf = (devices: ReadonlyArray<WholeDevice>): string => {
  const known = devices.map((device) => Object.fromEntries(firstProperties.map((name) => [name, device[name]])))
  return createHash("sha256").update(JSON.stringify(known)).digest("hex")
}

it("the same seed gives the same fleet on every machine", async () => {
  const devices = await fleet({ size: 5000, seed: 1 })
  expect(devices).toEqual(await fleet({ size: 5000, seed: 1 }))
  expect(digestOf(devices)).toMatchInlineSnapshot(`"602319a19b0a5f550999224868c714c4fd6b02e411e0e9085f1af491ca497ade"`)
})

it.each([
  [2, "30715fc85fb41eae4f8a80f571a7041f96c4067f4ccf53188443a9e7ec3ced58"],
  [20260601, "3284e89bcfa4423f42b4db149c2212665b9ddab314556b335f33c415d81453e6"]
])("the devices of seed %d stay what they were, whatever properties join them", async (seed, digest) => {
  const profile = { unknown: 0.3, unavailableScores: 0.3, missingFacts: 0.3, dirtyRows: 0.2 }
  expect(digestOf(await fleet({ size: 400, seed, profile }))).toBe(digest)
})

it("a fleet may be read more than once", async () => {
  const devices = syntheticFleet({ size: 3, seed: 9 })
  expect(await all(devices)).toEqual(await all(devices))
})

it("device number n of a seed is the same in a fleet of any size", async () => {
  const large = await fleet({ size: 500, seed: 7 })
  for (const size of [0, 1, 2, 499]) expect(await fleet({ size, seed: 7 })).toEqual(large.slice(0, size))
})

it.each([0, 2, -1, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER])("seed %d is another fleet than seed 1", async (seed) => {
  const [one, other] = [await fleet({ size: 50, seed: 1 }), await fleet({ size: 50, seed })]
  expect(other.map(({ model }) => model)).not.toEqual(one.map(({ model }) => model))
})

it.each([1, 2, 99])("the first device of seed %d has the id of Microsoft's update page", async (seed) => {
  const [first, second] = await fleet({ size: 2, seed })
  expect(first?.id).toBe("83d5adfc-adfc-83d5-fcad-d583fcadd583")
  expect(second?.id).not.toBe(first?.id)
})

it("every device is whole and could be created as it is", async () => {
  for (const device of await fleet({ size: 3000, seed: 2, profile: { dirtyRows: 0.5, missingFacts: 0.5 } })) {
    expect(Object.keys(device)).toEqual(propertyNames)
    expect(parseNewDevice(device)).toEqual({ success: true, data: device })
  }
})

it("ids are GUIDs and unique, and so are names", async () => {
  const devices = await fleet({ size: 50_000, seed: 3 })
  expect(new Set(devices.map(({ id }) => id)).size).toBe(50_000)
  expect(new Set(devices.map(({ deviceName }) => deviceName)).size).toBe(50_000)
  expect(devices.every(({ id }) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))).toBe(true)
})

it("names are clearly invented", async () => {
  for (const device of await fleet({ size: 500, seed: 4, profile: clean })) {
    expect(device.serialNumber).toMatch(/^SYNTHETIC-/)
    expect(device.manufacturer).toMatch(/^(Contoso|Fabrikam|Northwind|Adventure Works|Tailspin|Proseware|Litware)$/)
  }
})

const lacksFacts = (device: WholeDevice): boolean =>
  [
    device.deviceId,
    device.serialNumber,
    device.ownership,
    device.managedBy,
    device.autoPilotRegistered,
    device.autoPilotProfileAssigned,
    device.azureAdDeviceId,
    device.azureAdJoinType,
    device.osVersion,
    device.tenantAttached,
    device.isCloudManagedGatewayEnabled
  ].includes(null)

it("shares come out as the profile asks", async () => {
  const size = 20_000
  const profile = {
    capable: 0.3,
    notCapable: 0.25,
    unknown: 0.1,
    unavailableScores: 0.4,
    missingFacts: 0.2,
    dirtyRows: 0
  }
  const devices = await fleet({ size, seed: 5, profile })
  const share = (holds: (device: WholeDevice) => boolean): number => devices.filter(holds).length / size
  expect(share(({ upgradeEligibility }) => upgradeEligibility === "capable")).toBeCloseTo(0.3, 1)
  expect(share(({ upgradeEligibility }) => upgradeEligibility === "notCapable")).toBeCloseTo(0.25, 1)
  expect(share(({ upgradeEligibility }) => upgradeEligibility === "unknown")).toBeCloseTo(0.1, 1)
  expect(share(({ upgradeEligibility }) => upgradeEligibility === "upgraded")).toBeCloseTo(0.35, 1)
  const withVerdict = devices.filter(({ upgradeEligibility }) => upgradeEligibility !== "unknown")
  const lacking = withVerdict.filter(({ cloudProvisioningScore }) => (cloudProvisioningScore ?? -1) < 0)
  expect(lacking.length / withVerdict.length).toBeCloseTo(0.4, 1)
  expect(share(lacksFacts)).toBeCloseTo(0.2, 1)
})

it("without dirty rows, verdicts, checks and Windows agree", async () => {
  for (const device of await fleet({ size: 5000, seed: 6, profile: clean })) {
    const { verdict, blockers, contradictions, unknown } = readiness(device)
    expect(contradictions).toEqual([])
    expect(verdict === "notCapable").toBe(blockers.length > 0)
    expect(device.upgradeEligibility === "unknown").toBe(unknown.length > 0)
  }
})

it("every dirty row contradicts itself", async () => {
  for (const device of await fleet({ size: 2000, seed: 6, profile: { ...clean, dirtyRows: 1 } })) {
    const isProfileWithoutRegistration =
      device.autoPilotProfileAssigned === true && device.autoPilotRegistered === false
    expect(readiness(device).contradictions.length > 0).toBe(device.upgradeEligibility !== "unknown")
    expect(isProfileWithoutRegistration).toBe(device.upgradeEligibility === "unknown")
  }
})

it("the model decides processor, memory and storage", async () => {
  const verdictsOf = new Map<string | null, string>()
  for (const device of await fleet({ size: 10_000, seed: 8, profile: { ...clean, unknown: 0 } })) {
    const verdicts = JSON.stringify(modelChecks.map((check) => device[check]))
    expect(verdictsOf.get(device.model) ?? verdicts).toBe(verdicts)
    verdictsOf.set(device.model, verdicts)
  }
  expect(verdictsOf.size).toBeGreaterThan(15)
  expect(new Set(verdictsOf.values()).size).toBeGreaterThan(4)
})

it("join type, agent, workloads and Autopilot go together", async () => {
  for (const device of await fleet({ size: 5000, seed: 10, profile: { ...clean, unknown: 0 } })) {
    expect(device.autoPilotProfileAssigned === true && device.autoPilotRegistered === false).toBe(false)
    const isIntune = device.managedBy === "mdm"
    expect(device.azureAdJoinType === "hybridAzureADJoined" && isIntune).toBe(false)
    expect(device.tenantAttached === true && isIntune).toBe(false)
    expect(device.ownership === "Personal").toBe(device.azureAdJoinType === "azureADRegistered")
    expect(device.azureAdDeviceId === "00000000-0000-0000-0000-000000000000").toBe(device.azureAdRegistered === false)
  }
})

const question = { asOf: "2026-06-01", edition: "enterprise" } as const

it("recorded Windows scores are right for the stated day and edition", async () => {
  for (const device of await fleet({ size: 3000, seed: 11, profile: { ...clean, unknown: 0 } })) {
    const { status } = windowsSupport(device.osVersion, question)
    expect([status, device.windowsScore]).toEqual(device.windowsScore === 100 ? ["supported", 100] : ["unsupported", 0])
  }
})

it("the overall score is the mean of the available sub-scores, as equal-mean@1 has it", async () => {
  for (const device of await fleet({ size: 10_000, seed: 14, profile: { unavailableScores: 0.5 } })) {
    expect(device.workFromAnywhereScore ?? undefined).toBe(overallScore(equalMean, device))
  }
})

it("most recorded scores are as the facts suggest, and some are not", async () => {
  const devices = await fleet({ size: 5000, seed: 12, profile: { ...clean, unknown: 0 } })
  const equal = devices.filter((device) => {
    const estimate = estimateScores(device, equalMean, question).scores.workFromAnywhereScore
    return estimate.available && estimate.score === device.workFromAnywhereScore
  })
  expect(equal.length / devices.length).toBeGreaterThan(0.85)
  expect(equal.length / devices.length).toBeLessThan(0.99)
})

it("a profile of nothing but one verdict gives nothing else", async () => {
  const devices = await fleet({ size: 300, seed: 13, profile: { capable: 0, notCapable: 1, unknown: 0 } })
  expect(new Set(devices.map(({ upgradeEligibility }) => upgradeEligibility))).toEqual(new Set(["notCapable"]))
})

it.each([
  [{ size: -1, seed: 1 }, "size: -1 is not a number of devices; expected a whole number from 0 to 4294967295"],
  [{ size: 1.5, seed: 1 }, "size: 1.5 is not a number of devices; expected a whole number from 0 to 4294967295"],
  [
    { size: 2 ** 32, seed: 1 },
    "size: 4294967296 is not a number of devices; expected a whole number from 0 to 4294967295"
  ],
  [{ size: Number.NaN, seed: 1 }, "size: NaN is not a number of devices; expected a whole number from 0 to 4294967295"],
  [{ size: 1, seed: 0.5 }, "seed: 0.5 is not a seed; expected a safe integer"],
  [{ size: 1, seed: Infinity }, "seed: Infinity is not a seed; expected a safe integer"],
  [
    { size: 1, seed: 1, profile: { dirtyRows: 1.1 } },
    "profile.dirtyRows: 1.1 is not a share; expected a number from 0 to 1"
  ],
  [
    { size: 1, seed: 1, profile: { missingFacts: Number.NaN } },
    "profile.missingFacts: NaN is not a share; expected a number from 0 to 1"
  ],
  [
    { size: 1, seed: 1, profile: { unavailableScores: -0.1 } },
    "profile.unavailableScores: -0.1 is not a share; expected a number from 0 to 1"
  ],
  [
    { size: 1, seed: 1, profile: { capable: 0.75, notCapable: 0.5, unknown: 0 } },
    "profile: capable, notCapable and unknown add up to 1.25; expected at most 1"
  ],
  [{ size: 1, seed: 1, profile: { dirty: 0.5 } as FleetProfile }, "profile.dirty: a profile has no such share"]
])("%j is refused at once", (options, message) => {
  expect(() => syntheticFleet(options)).toThrow(new RangeError(message))
})
