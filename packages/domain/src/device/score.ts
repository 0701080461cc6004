import type { HealthState } from "./evolvable-enum.ts"

/** The four scores that the overall one is made of, in the documented order. */
export const subScores = [
  "windowsScore",
  "cloudManagementScore",
  "cloudIdentityScore",
  "cloudProvisioningScore"
] as const

/** Name of a sub-score. */
export type SubScore = (typeof subScores)[number]

/**
 * What a caller sends to say that there is no score (Microsoft: "userExperienceAnalyticsWorkFromAnywhereDevice resource
 * type").
 */
export const unavailableScore = -1

/** What the portal's files have in its place as well; nobody may send it. */
export const portalUnavailableScore = -2

/** Whether a value is a score: a number from 0 to 100. Anything else, the encodings of "no score" included, is not. */
export const isAvailable = (score: unknown): score is number => typeof score === "number" && score >= 0 && score <= 100

/**
 * How a record says that there is no score, in four ways with one meaning: Graph's pages have -1, the portal's CSV
 * files -2 as well, and rows were seen with null or without the property. `outOfRange` is a number that is neither a
 * score nor one of these.
 */
export type ScoreEncoding = "null" | "absent" | "-1" | "-2" | "outOfRange"

/** A score as it was read; where there is none, `encoding` keeps how the record says so. */
export type ScoreReading =
  | { readonly available: true; readonly score: number }
  | { readonly available: false; readonly encoding: ScoreEncoding }

/** Reads a score property of a device; total over whatever the property may hold. */
export const readScore = (value: number | null | undefined): ScoreReading => {
  if (value === undefined) return { available: false, encoding: "absent" }
  if (value === null) return { available: false, encoding: "null" }
  if (value === -1 || value === -2) return { available: false, encoding: `${value}` }
  return isAvailable(value) ? { available: true, score: value } : { available: false, encoding: "outOfRange" }
}

/** Whether a number may be written as a score: {-1} ∪ [0, 100] (null is decided by the property). */
export const isWritableScore = (value: number): boolean => value === unavailableScore || isAvailable(value)

/** From which score on a device meets its goals; 0 to 100. Microsoft publishes no number. */
export interface HealthThresholds {
  readonly meetingGoalsFrom: number
}

/**
 * The health state that a score has under thresholds of the caller's own; `unknown` where there is no score. Throws a
 * RangeError when the threshold is no score.
 */
export const healthFromScore = (
  score: number | null | undefined,
  { meetingGoalsFrom }: HealthThresholds
): HealthState => {
  if (!(meetingGoalsFrom >= 0 && meetingGoalsFrom <= 100)) {
    throw new RangeError(`meetingGoalsFrom: ${meetingGoalsFrom} is no score; expected a number from 0 to 100`)
  }
  if (!isAvailable(score)) return "unknown"
  return score >= meetingGoalsFrom ? "meetingGoals" : "needsAttention"
}
