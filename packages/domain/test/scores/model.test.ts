import * as fc from "fast-check"
import { expect, it } from "vitest"
import { type ScoreModelOptions, equalMean, overallScore, scoreModel, subScores } from "../../src/index.ts"
import { device } from "../arbitrary.ts"

const weights = { windowsScore: 1, cloudManagementScore: 1, cloudIdentityScore: 1, cloudProvisioningScore: 1 }
const options: ScoreModelOptions = { name: "ours", version: 1, weights }

it("equal-mean@1 gives 86.62 for components 100, 96.875 and 63", () => {
  const scores = { windowsScore: 100, cloudManagementScore: 96.875, cloudIdentityScore: 63, cloudProvisioningScore: -1 }
  expect(overallScore(equalMean, scores)).toBe(86.62)
})

it("equal-mean@1 gives 96.88 for components 93.75 and 100", () => {
  const scores = {
    windowsScore: 93.75,
    cloudManagementScore: 100,
    cloudIdentityScore: -1,
    cloudProvisioningScore: null
  }
  expect(overallScore(equalMean, scores)).toBe(96.88)
})

it("equal-mean@1 is what its name says, and what scoreModel makes of it", () => {
  expect([equalMean.name, equalMean.version, equalMean.decimals]).toEqual(["equal-mean", 1, 2])
  expect(scoreModel(equalMean)).toEqual(equalMean)
})

it("what is not available is left out, and nothing makes no score", () => {
  expect(overallScore(equalMean, { windowsScore: 80, cloudIdentityScore: -2, cloudManagementScore: 101 })).toBe(80)
  expect(overallScore(equalMean, {})).toBeUndefined()
  expect(overallScore(equalMean, { windowsScore: null, cloudIdentityScore: -1 })).toBeUndefined()
})

it("weights count in relation to each other, and only among the available", () => {
  const heavy = scoreModel({ ...options, weights: { ...weights, windowsScore: 3, cloudProvisioningScore: 0 } })
  expect(overallScore(heavy, { windowsScore: 100, cloudManagementScore: 0 })).toBe(75)
  expect(overallScore(heavy, { windowsScore: 100, cloudManagementScore: 0, cloudProvisioningScore: 0 })).toBe(75)
  expect(overallScore(heavy, { cloudProvisioningScore: 50 })).toBeUndefined()
})

it("decimals decide how far the overall score is rounded", () => {
  const scores = { windowsScore: 100, cloudManagementScore: 0, cloudIdentityScore: 0 }
  expect(overallScore(scoreModel({ ...options, decimals: 0 }), scores)).toBe(33)
  expect(overallScore(scoreModel({ ...options, decimals: 4 }), scores)).toBe(33.3333)
})

it("a rule may be replaced, the others stay", () => {
  const { windowsScore } = equalMean.rules
  const { rules } = scoreModel({ ...options, rules: { cloudIdentityScore: windowsScore } })
  expect(rules).toEqual({ ...equalMean.rules, cloudIdentityScore: windowsScore })
})

it.each([
  [{ name: "" }, 'name: "" is no name; expected 1 to 64 letters, digits, dots or hyphens'],
  [{ name: "a@b" }, 'name: "a@b" is no name; expected 1 to 64 letters, digits, dots or hyphens'],
  [{ version: 0 }, "version: 0 is no version; expected a whole number from 1"],
  [{ version: 1.5 }, "version: 1.5 is no version; expected a whole number from 1"],
  [{ decimals: -1 }, "decimals: -1 is no number of places; expected a whole number from 0 to 6"],
  [{ decimals: 7 }, "decimals: 7 is no number of places; expected a whole number from 0 to 6"],
  [
    { weights: { ...weights, cloudIdentityScore: -1 } },
    "weights.cloudIdentityScore: -1 is no weight; expected a finite number, not negative"
  ],
  [
    { weights: { ...weights, windowsScore: Number.NaN } },
    "weights.windowsScore: NaN is no weight; expected a finite number, not negative"
  ],
  [
    { weights: { ...weights, windowsScore: Infinity } },
    "weights.windowsScore: Infinity is no weight; expected a finite number, not negative"
  ],
  [
    { weights: { windowsScore: 1 } },
    "weights.cloudManagementScore: undefined is no weight; expected a finite number, not negative"
  ],
  [{ weights: { ...weights, windowScore: 1 } }, "weights.windowScore: there is no such sub-score"],
  [
    { weights: { windowsScore: 0, cloudManagementScore: 0, cloudIdentityScore: 0, cloudProvisioningScore: 0 } },
    "weights: all are zero; expected at least one that is not"
  ]
])("a model with %j is refused", (wrong, message) => {
  expect(() => scoreModel({ ...options, ...(wrong as Partial<ScoreModelOptions>) })).toThrow(new RangeError(message))
})

it("the overall score lies between the lowest and the highest available sub-score", () => {
  fc.assert(
    fc.property(device, (scores) => {
      const available = subScores.map((name) => scores[name] ?? -1).filter((score) => score >= 0)
      const overall = overallScore(equalMean, scores)
      fc.pre(available.length > 0)
      expect(overall).toBeGreaterThanOrEqual(Math.min(...available) - 0.0051)
      expect(overall).toBeLessThanOrEqual(Math.max(...available) + 0.0051)
    })
  )
})

it("multiplying every weight by the same number changes nothing", () => {
  const weight = fc.integer({ min: 0, max: 1000 })
  const some = fc.record({
    windowsScore: weight,
    cloudManagementScore: weight,
    cloudIdentityScore: weight,
    cloudProvisioningScore: weight
  })
  fc.assert(
    fc.property(device, some, fc.integer({ min: 1, max: 1000 }), (scores, one, factor) => {
      const scaled = {
        windowsScore: one.windowsScore * factor,
        cloudManagementScore: one.cloudManagementScore * factor,
        cloudIdentityScore: one.cloudIdentityScore * factor,
        cloudProvisioningScore: one.cloudProvisioningScore * factor
      }
      expect(overallScore({ weights: scaled, decimals: 2 }, scores)).toBe(
        overallScore({ weights: one, decimals: 2 }, scores)
      )
    })
  )
})
