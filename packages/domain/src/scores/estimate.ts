import type { Device } from "../device/device.ts"
import { type SubScore, isAvailable, subScores } from "../device/score.ts"
import type { SupportQuestion } from "../windows/support.ts"
import { type ScoreModel, overallScore } from "./model.ts"
import type { ScoreReason } from "./rules.ts"

/** Name of a score: the overall one or a sub-score. */
export type ScoreName = "workFromAnywhereScore" | SubScore

/** One estimated score with what it rests on; never a number when the facts are missing. */
export type ScoreEstimate =
  | { readonly available: true; readonly score: number; readonly reasons: ReadonlyArray<ScoreReason> }
  | { readonly available: false; readonly reasons: ReadonlyArray<ScoreReason> }

/** The estimated scores of a device, with the model and the day they stand for. */
export interface ScoreEstimates extends SupportQuestion, Pick<ScoreModel, "weights" | "decimals"> {
  /** Nothing here is Microsoft's: wherever a score is shown, say that it is an estimate. */
  readonly estimate: true
  /** Name and version, such as `equal-mean@1`. */
  readonly model: string
  readonly scores: { readonly [Name in ScoreName]: ScoreEstimate }
}

const estimateOf = (score: number | undefined, reasons: ReadonlyArray<ScoreReason>): ScoreEstimate =>
  isAvailable(score) ? { available: true, score, reasons } : { available: false, reasons }

const overallReasons = (
  scores: { readonly [Name in SubScore]: ScoreEstimate },
  { weights }: ScoreModel
): ReadonlyArray<ScoreReason> =>
  subScores.map((name) => {
    const estimate = scores[name]
    return estimate.available
      ? { code: "counted", facts: {}, sentence: `${name} ${estimate.score}, weight ${weights[name]}: counted` }
      : { code: "leftOut", facts: {}, sentence: `${name} is not available: left out` }
  })

/**
 * Estimates the scores of a device from its other facts, for a day and, where the caller knows it, an edition of
 * Windows. Checks of hardware readiness play no part, as in Microsoft's own scores (Microsoft: "Work from anywhere
 * report in Endpoint analytics"). Throws a RangeError when `asOf` is not a day.
 */
export const estimateScores = (device: Device, model: ScoreModel, question: SupportQuestion): ScoreEstimates => {
  const of = (name: SubScore): ScoreEstimate => {
    const { score, reasons } = model.rules[name](device, question)
    return estimateOf(score, reasons)
  }
  const scores = {
    windowsScore: of("windowsScore"),
    cloudManagementScore: of("cloudManagementScore"),
    cloudIdentityScore: of("cloudIdentityScore"),
    cloudProvisioningScore: of("cloudProvisioningScore")
  }
  const available: { [Name in SubScore]?: number } = {}
  for (const name of subScores) {
    const estimate = scores[name]
    if (estimate.available) available[name] = estimate.score
  }
  return {
    estimate: true,
    model: `${model.name}@${model.version}`,
    weights: model.weights,
    decimals: model.decimals,
    ...question,
    scores: {
      workFromAnywhereScore: estimateOf(overallScore(model, available), overallReasons(scores, model)),
      ...scores
    }
  }
}
