import type { Device } from "../device/device.ts"
import { type ScoreEncoding, readScore, subScores } from "../device/score.ts"
import { windowsSupport } from "../windows/support.ts"
import { decimalMean } from "./decimal-mean.ts"
import type { ScoreEstimates, ScoreName } from "./estimate.ts"
import { overallScore } from "./model.ts"

/** Why a recorded score may differ from the estimate; `unexplained` when the record does not tell. */
export interface DifferenceExplanation {
  readonly code: "updatesEnded" | "subScoresDiffer" | "unexplained"
  /** One sentence. */
  readonly sentence: string
}

/** A recorded score against the estimate of it. */
export type ScoreComparison =
  | { readonly outcome: "equal"; readonly recorded: number; readonly estimated: number }
  | {
      readonly outcome: "differs"
      readonly recorded: number
      readonly estimated: number
      /** Recorded less estimated. */
      readonly difference: number
      readonly explanation: DifferenceExplanation
    }
  | { readonly outcome: "notEstimated"; readonly recorded: number }
  | { readonly outcome: "notRecorded"; readonly encoding: ScoreEncoding; readonly estimated: number | undefined }

/** A comparison for each of the five scores. */
export type ScoreComparisons = { readonly [Name in ScoreName]: ScoreComparison }

const unexplained: DifferenceExplanation = {
  code: "unexplained",
  sentence: "The difference is unexplained: the facts of the record do not account for it."
}

const explainWindows = (device: Device, recorded: number, question: ScoreEstimates): DifferenceExplanation => {
  const { status, releases } = windowsSupport(device.osVersion, question)
  const lastDay = releases
    .map(({ lastDayOfUpdates }) => lastDayOfUpdates)
    .toSorted()
    .at(-1)
  if (recorded !== 100 || status !== "unsupported" || lastDay === undefined) return unexplained
  return {
    code: "updatesEnded",
    sentence: `Updates ended on ${lastDay}; the recorded score may be from before that day.`
  }
}

const explainOverall = (
  device: Device,
  recorded: number,
  estimates: ScoreEstimates,
  differing: ReadonlyArray<string>
): DifferenceExplanation => {
  const ofRecorded = overallScore(estimates, device)
  // Recorded sub-scores are rounded themselves, so that the mean of them may be off by one in the last place.
  const tolerance = 1.01 * 10 ** -estimates.decimals
  if (ofRecorded === undefined || Math.abs(ofRecorded - recorded) > tolerance || differing.length === 0) {
    return unexplained
  }
  return {
    code: "subScoresDiffer",
    sentence: `The recorded score is the mean of the recorded sub-scores, which are not as estimated: ${differing.join(", ")}.`
  }
}

/** Holds a device's recorded scores against estimates, and says for each difference what explains it, if anything. */
export const compareScores = (device: Device, estimates: ScoreEstimates): ScoreComparisons => {
  const compare = (name: ScoreName, explain?: (recorded: number) => DifferenceExplanation): ScoreComparison => {
    const reading = readScore(device[name])
    const estimate = estimates.scores[name]
    const estimated = estimate.available ? estimate.score : undefined
    if (!reading.available) return { outcome: "notRecorded", encoding: reading.encoding, estimated }
    const recorded = reading.score
    if (estimated === undefined) return { outcome: "notEstimated", recorded }
    const rounded = decimalMean([{ value: recorded, weight: 1 }], estimates.decimals)
    if (rounded === estimated || recorded === estimated) return { outcome: "equal", recorded, estimated }
    const difference = Number((recorded - estimated).toFixed(6))
    return { outcome: "differs", recorded, estimated, difference, explanation: explain?.(recorded) ?? unexplained }
  }
  const ofSubScores = {
    windowsScore: compare("windowsScore", (recorded) => explainWindows(device, recorded, estimates)),
    cloudManagementScore: compare("cloudManagementScore"),
    cloudIdentityScore: compare("cloudIdentityScore"),
    cloudProvisioningScore: compare("cloudProvisioningScore")
  }
  const differing = subScores.filter((name) => ofSubScores[name].outcome !== "equal")
  return {
    workFromAnywhereScore: compare("workFromAnywhereScore", (recorded) =>
      explainOverall(device, recorded, estimates, differing)
    ),
    ...ofSubScores
  }
}
