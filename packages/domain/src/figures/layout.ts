import { healthState, upgradeEligibility } from "../device/evolvable-enum.ts"
import { properties, propertyNames } from "../device/property.ts"
import { type BlockerClass, type Contradiction, type Readiness, readinessChecks } from "../windows/readiness.ts"
import type { WindowsSupport } from "../windows/support.ts"

/** Whole numbers: sums of them do not depend on their order. */
export type Counters = Float64Array<ArrayBuffer>

/** Names for runs of places in an array of counters. */
const fields = <Name extends string>(sizes: Readonly<Record<Name, number>>) => {
  const at = {} as Record<Name, number>
  let size = 0
  for (const name of Object.keys(sizes) as Array<Name>) {
    at[name] = size
    size += sizes[name]
  }
  return { at: at as Readonly<Record<Name, number>>, size }
}

/** The verdicts of {@link Readiness}, as they are counted. */
export const verdicts = ["upgraded", "capable", "notCapable", "unknown"] as const satisfies ReadonlyArray<
  Readiness["verdict"]
>

/** The classes of blockers, from the heaviest; a set of them is a number with a bit for each. */
export const blockerClasses = ["replace", "part", "firmware", "update"] as const satisfies ReadonlyArray<BlockerClass>

/** The score properties, as they are counted. */
export const scoreNames = properties.flatMap((row) => (row.kind === "score" ? [row.name] : []))

/** Name of a score property. */
export type ScoreName = (typeof scoreNames)[number]

/** The ways in which there is no score, as they are counted. */
export const noScore = ["null", "absent", "-1", "-2", "outOfRange"] as const

/** What a record can contradict itself in, as it is counted. */
export const contradictionCodes = [
  "failedWhileCapable",
  "upgradedOnWindows10",
  "notCapableWithoutFailedCheck"
] as const satisfies ReadonlyArray<Contradiction["code"]>

/** What the table of Windows releases says about a device, as it is counted. */
export const supportStates = [
  "supported",
  "unsupported",
  "dependsOnEdition",
  "unknown"
] as const satisfies ReadonlyArray<WindowsSupport["status"]>

/** Bins of the score histogram in a point: a power of two, so that a bin's bounds are exact numbers. */
export const binsPerPoint = 8
/** All bins of a histogram; the last one includes 100. */
export const bins = 100 * binsPerPoint

/** A score is summed in millionths of a point, as a whole number. */
export const scoreUnitsPerPoint = 1_000_000

/** What is counted for a model. */
export const ofModel = fields({
  devices: 1,
  verdicts: verdicts.length,
  /** Failed checks, of devices that are not capable. */
  blockers: readinessChecks.length,
  /** Devices that are not capable, by the set of their blockers' classes. */
  classSets: 2 ** blockerClasses.length,
  scores: scoreNames.length,
  scoreSums: scoreNames.length
})

/** What is counted for the fleet only. */
export const ofFleet = fields({
  failedChecks: readinessChecks.length,
  eligibility: Object.keys(upgradeEligibility).length,
  health: Object.keys(healthState).length,
  coManaged: 1,
  intune: 1,
  tenantAttached: 1,
  windows10: 1,
  windows10WithoutTenantAttach: 1,
  withoutCloudIdentity: 1,
  notAutopilotRegistered: 1,
  withoutAutopilotProfile: 1,
  support: supportStates.length,
  withoutSupport: 1,
  missing: propertyNames.length,
  contradictions: contradictionCodes.length,
  noScore: scoreNames.length * noScore.length,
  histogram: scoreNames.length * bins,
  withoutIndex: 1,
  repeatedIds: 1,
  underAnotherAgent: 1
})
