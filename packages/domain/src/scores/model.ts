import type { Device } from "../device/device.ts"
import { type SubScore, isAvailable, subScores } from "../device/score.ts"
import { decimalMean } from "./decimal-mean.ts"
import { type ScoreRule, cloudIdentityRule, cloudManagementRule, cloudProvisioningRule, windowsRule } from "./rules.ts"

/** How much each sub-score counts, in relation to the others. */
export type ScoreWeights = { readonly [Name in SubScore]: number }

/** What a score model is made from. */
export interface ScoreModelOptions {
  /** Letters, digits, dots and hyphens. */
  readonly name: string
  /** A whole number from 1; raise it whenever the same device could get another score. */
  readonly version: number
  /** Finite, not negative, not all zero. */
  readonly weights: ScoreWeights
  /** Places to which the overall score is rounded, half to even: 0 to 6, 2 by default. */
  readonly decimals?: number
  /** Rules that replace this package's own. */
  readonly rules?: { readonly [Name in SubScore]?: ScoreRule }
}

/**
 * A way to estimate scores. Microsoft publishes neither weights nor points: what a model gives is an estimate, and is
 * to be shown as one, with the model's name.
 */
export interface ScoreModel extends Required<ScoreModelOptions> {
  readonly rules: { readonly [Name in SubScore]: ScoreRule }
}

const ownRules: ScoreModel["rules"] = {
  windowsScore: windowsRule,
  cloudManagementScore: cloudManagementRule,
  cloudIdentityScore: cloudIdentityRule,
  cloudProvisioningScore: cloudProvisioningRule
}

const isWithin = (value: number, least: number, most: number): boolean =>
  Number.isSafeInteger(value) && value >= least && value <= most

/** Checks and completes a model. Throws a RangeError that names the option that is wrong. */
export const scoreModel = ({ name, version, weights, decimals = 2, rules = {} }: ScoreModelOptions): ScoreModel => {
  if (!/^[A-Za-z0-9.-]{1,64}$/.test(name)) {
    throw new RangeError(`name: ${JSON.stringify(name)} is no name; expected 1 to 64 letters, digits, dots or hyphens`)
  }
  if (!isWithin(version, 1, Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`version: ${version} is no version; expected a whole number from 1`)
  }
  if (!isWithin(decimals, 0, 6)) {
    throw new RangeError(`decimals: ${decimals} is no number of places; expected a whole number from 0 to 6`)
  }
  for (const subScore of subScores) {
    const weight = weights[subScore]
    if (!Number.isFinite(weight) || weight < 0) {
      throw new RangeError(`weights.${subScore}: ${weight} is no weight; expected a finite number, not negative`)
    }
  }
  const unknown = Object.keys(weights).find((weighed) => !subScores.some((subScore) => subScore === weighed))
  if (unknown !== undefined) throw new RangeError(`weights.${unknown}: there is no such sub-score`)
  if (subScores.every((subScore) => weights[subScore] === 0)) {
    throw new RangeError("weights: all are zero; expected at least one that is not")
  }
  return { name, version, weights, decimals, rules: { ...ownRules, ...rules } }
}

/**
 * The mean of the sub-scores that are available, rounded to two places, half to even: what fits the few overall scores
 * that were seen (docs/fidelity.md, source P1). Inferred, not Microsoft's formula.
 */
export const equalMean: ScoreModel = {
  name: "equal-mean",
  version: 1,
  weights: { windowsScore: 1, cloudManagementScore: 1, cloudIdentityScore: 1, cloudProvisioningScore: 1 },
  decimals: 2,
  rules: ownRules
}

/**
 * The overall score that a model makes of a record's sub-scores: the weighted mean of those that are available;
 * `undefined` when none is, or none that weighs anything.
 */
export const overallScore = (
  { weights, decimals }: Pick<ScoreModel, "weights" | "decimals">,
  scores: Pick<Device, SubScore>
): number | undefined =>
  decimalMean(
    subScores.flatMap((subScore) => {
      const value = scores[subScore]
      return isAvailable(value) ? [{ value, weight: weights[subScore] }] : []
    }),
    decimals
  )
