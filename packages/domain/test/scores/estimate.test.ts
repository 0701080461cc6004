import * as fc from "fast-check"
import { expect, it } from "vitest"
import {
  type Device,
  type ScoreName,
  type SubScore,
  equalMean,
  estimateScores,
  healthFromScore,
  readinessChecks,
  scoreModel,
  subScores
} from "../../src/index.ts"
import { device as anyDevice } from "../arbitrary.ts"

const on = { asOf: "2026-06-01" }

const rules: ReadonlyArray<
  readonly [name: SubScore, facts: Device, score: number | undefined, code: string, sentence: string]
> = [
  [
    "windowsScore",
    { osVersion: "10.0.26100.2033" },
    100,
    "supportedWindows",
    "Windows 11 24H2 (build 26100): last updates on 2027-10-12 (enterprise) and 2026-10-13 (pro); supported on 2026-06-01: credit"
  ],
  [
    "windowsScore",
    { osVersion: "10.0.19045.4291" },
    0,
    "unsupportedWindows",
    "Windows 10 22H2 (build 19045): last updates on 2025-10-14; not supported on 2026-06-01: no credit"
  ],
  [
    "windowsScore",
    { osVersion: "10.0.22631.3447" },
    undefined,
    "dependsOnEdition",
    "Windows 11 23H2 (build 22631): last updates on 2026-11-10 (enterprise) and 2025-11-11 (pro); the edition decides on 2026-06-01: unknown"
  ],
  [
    "windowsScore",
    { osVersion: "10.0.26120.1" },
    undefined,
    "unknownWindows",
    "Windows build 26120 is not listed: unknown"
  ],
  ["windowsScore", {}, undefined, "unknownWindows", "No Windows version recorded: unknown"],
  ["cloudManagementScore", { managedBy: "mdm" }, 100, "managedByIntune", "Managed by Intune: credit"],
  ["cloudManagementScore", { managedBy: "Co-managed" }, 100, "coManaged", "Co-managed: credit"],
  [
    "cloudManagementScore",
    { managedBy: "configurationManagerClient", tenantAttached: true },
    100,
    "tenantAttached",
    "Tenant attached: credit"
  ],
  ["cloudManagementScore", { tenantAttached: true }, 100, "tenantAttached", "Tenant attached: credit"],
  [
    "cloudManagementScore",
    { tenantAttached: false, otherWorkloadsSetToIntune: true },
    100,
    "workloadsSetToIntune",
    "Co-management workloads set to Intune: credit"
  ],
  [
    "cloudManagementScore",
    { managedBy: "ConfigurationManagerClient", tenantAttached: false, isCloudManagedGatewayEnabled: true },
    0,
    "notAttached",
    "Managed by Configuration Manager, not tenant attached: no credit"
  ],
  [
    "cloudManagementScore",
    { managedBy: "configurationManagerClient" },
    undefined,
    "unknownTenantAttach",
    "Managed by Configuration Manager, tenant attach not recorded: unknown"
  ],
  [
    "cloudManagementScore",
    { managedBy: "jamf", tenantAttached: false },
    undefined,
    "unknownAgent",
    "No management agent that is known, and no tenant attach, recorded: unknown"
  ],
  ["cloudIdentityScore", { azureAdJoinType: "azureADJoined" }, 100, "entraJoined", "Entra joined: credit"],
  [
    "cloudIdentityScore",
    { azureAdJoinType: "hybridAzureADJoined" },
    100,
    "hybridJoined",
    "Entra hybrid joined: credit"
  ],
  [
    "cloudIdentityScore",
    { azureAdJoinType: "azureADRegistered", managedBy: "configurationManagerClientMdm" },
    100,
    "enrolled",
    "Managed by Intune or co-managed, which counts as enrolled: credit"
  ],
  [
    "cloudIdentityScore",
    { azureAdJoinType: "azureADRegistered" },
    0,
    "onlyRegistered",
    "Only registered with Entra, not joined: no credit"
  ],
  ["cloudIdentityScore", { azureAdRegistered: false }, 0, "noCloudIdentity", "No device in Entra ID: no credit"],
  [
    "cloudIdentityScore",
    { azureAdDeviceId: "00000000-0000-0000-0000-000000000000" },
    0,
    "noCloudIdentity",
    "No device in Entra ID: no credit"
  ],
  [
    "cloudIdentityScore",
    { azureAdJoinType: "unknown", azureAdRegistered: true },
    undefined,
    "unknownJoin",
    "Join type not recorded, or none that is known: unknown"
  ],
  [
    "cloudProvisioningScore",
    { autoPilotRegistered: true, autoPilotProfileAssigned: true },
    100,
    "profileAssigned",
    "Autopilot registered, profile assigned: credit"
  ],
  [
    "cloudProvisioningScore",
    { autoPilotRegistered: true, autoPilotProfileAssigned: false },
    0,
    "noProfile",
    "Autopilot registered, no profile assigned: no credit"
  ],
  [
    "cloudProvisioningScore",
    { autoPilotProfileAssigned: false },
    0,
    "noProfile",
    "Autopilot registration not recorded, no profile assigned: no credit"
  ],
  [
    "cloudProvisioningScore",
    { autoPilotRegistered: false, autoPilotProfileAssigned: true },
    0,
    "notRegistered",
    "Not registered with Autopilot: no credit"
  ],
  [
    "cloudProvisioningScore",
    { autoPilotRegistered: true, autoPilotProfileAssigned: null },
    undefined,
    "unknownProfile",
    "Autopilot registered, profile not recorded: unknown"
  ],
  [
    "cloudProvisioningScore",
    { autoPilotProfileAssigned: true },
    undefined,
    "unknownRegistration",
    "Autopilot registration not recorded: unknown"
  ]
]

it.each(rules)("%s of %j is estimated at %s", (name, facts, score, code, sentence) => {
  const estimate = estimateScores(facts, equalMean, on).scores[name]
  expect(estimate).toMatchObject(score === undefined ? { available: false } : { available: true, score })
  expect(estimate.reasons).toMatchObject([{ code, sentence }])
})

it("the overall score is the mean of what is available, and says what was left out", () => {
  const facts = { osVersion: "10.0.26100.2033", managedBy: "mdm", autoPilotRegistered: false }
  const { scores } = estimateScores({ ...facts, azureAdJoinType: null }, equalMean, on)
  expect(scores.workFromAnywhereScore).toEqual({
    available: true,
    score: 75,
    reasons: [
      { code: "counted", facts: {}, sentence: "windowsScore 100, weight 1: counted" },
      { code: "counted", facts: {}, sentence: "cloudManagementScore 100, weight 1: counted" },
      { code: "counted", facts: {}, sentence: "cloudIdentityScore 100, weight 1: counted" },
      { code: "counted", facts: {}, sentence: "cloudProvisioningScore 0, weight 1: counted" }
    ]
  })
  const partly = estimateScores({ autoPilotRegistered: false }, equalMean, on).scores.workFromAnywhereScore
  expect(partly).toMatchObject({ available: true, score: 0 })
  expect(partly.reasons[0]?.sentence).toBe("windowsScore is not available: left out")
})

it("a record without facts has no score at all", () => {
  for (const estimate of Object.values(estimateScores({ id: "a" }, equalMean, on).scores)) {
    expect(estimate).toMatchObject({ available: false })
    expect(estimate.reasons).not.toEqual([])
  }
})

it("an estimate carries its model, day and edition, and is marked as an estimate", () => {
  const question = { ...on, edition: "enterprise" } as const
  const estimates = estimateScores({ osVersion: "10.0.22631.1" }, equalMean, question)
  expect(estimates).toMatchObject({ estimate: true, model: "equal-mean@1", decimals: 2, ...question })
  expect(estimates.scores.windowsScore).toMatchObject({ available: true, score: 100 })
})

it("weights and rules of another model are used", () => {
  const weights = { windowsScore: 3, cloudManagementScore: 1, cloudIdentityScore: 0, cloudProvisioningScore: 0 }
  const model = scoreModel({
    name: "ours",
    version: 2,
    weights,
    rules: { cloudManagementScore: () => ({ score: 50, reasons: [] }) }
  })
  const estimates = estimateScores({ osVersion: "10.0.26100.1" }, model, on)
  expect(estimates.model).toBe("ours@2")
  expect(estimates.scores.workFromAnywhereScore).toMatchObject({ available: true, score: 87.5 })
})

it("a rule that finds no score makes the score unavailable, whatever it returns", () => {
  for (const score of [undefined, -1, 101, Number.NaN]) {
    const model = scoreModel({ ...equalMean, rules: { windowsScore: () => ({ score, reasons: [] }) } })
    expect(estimateScores({}, model, on).scores.windowsScore).toEqual({ available: false, reasons: [] })
  }
})

it("a day that is none is refused", () => {
  expect(() => estimateScores({}, equalMean, { asOf: "today" })).toThrow(RangeError)
})

it("hardware readiness enters no score", () => {
  const eligibility = fc.constantFrom("upgraded", "capable", "notCapable", "unknown", "unknownFutureValue")
  const flags = fc.record(
    Object.fromEntries(readinessChecks.map((check) => [check, fc.constantFrom(true, false, null)])),
    { requiredKeys: [] }
  )
  fc.assert(
    fc.property(anyDevice, flags, eligibility, (device, checks, upgradeEligibility) => {
      const hardware: Device = { ...checks, upgradeEligibility }
      expect(estimateScores({ ...device, ...hardware }, equalMean, on)).toEqual(estimateScores(device, equalMean, on))
    })
  )
})

it("recorded scores and health enter no estimate", () => {
  fc.assert(
    fc.property(anyDevice, anyDevice, (device, other) => {
      const names: ReadonlyArray<ScoreName> = ["workFromAnywhereScore", ...subScores]
      const recorded = Object.fromEntries(names.map((name) => [name, other[name] ?? null]))
      expect(estimateScores({ ...device, ...recorded }, equalMean, on)).toEqual(estimateScores(device, equalMean, on))
    })
  )
})

it("every score comes with a reason, and every fact named is one of the record", () => {
  fc.assert(
    fc.property(anyDevice, (device) => {
      for (const { reasons } of Object.values(estimateScores(device, equalMean, on).scores)) {
        expect(reasons.length).toBeGreaterThan(0)
        const facts = reasons.flatMap((reason) => Object.entries(reason.facts))
        for (const [name, value] of facts) expect(value).toBe(device[name as keyof Device] ?? null)
      }
    })
  )
})

it.each([
  [80, "meetingGoals"],
  [79.99, "needsAttention"],
  [100, "meetingGoals"],
  [0, "needsAttention"],
  [-1, "unknown"],
  [-2, "unknown"],
  [null, "unknown"],
  [undefined, "unknown"],
  [101, "unknown"]
] as const)("with goals met from 80, a score of %s is %s", (score, health) => {
  expect(healthFromScore(score, { meetingGoalsFrom: 80 })).toBe(health)
})

it.each([-1, 101, Number.NaN, Infinity])("%d is refused as a threshold", (meetingGoalsFrom) => {
  expect(() => healthFromScore(50, { meetingGoalsFrom })).toThrow(
    new RangeError(`meetingGoalsFrom: ${meetingGoalsFrom} is no score; expected a number from 0 to 100`)
  )
})
