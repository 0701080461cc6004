import * as fc from "fast-check"
import { expect, it } from "vitest"
import { decimalMean } from "../../src/scores/decimal-mean.ts"

const alone = (value: number) => [{ value, weight: 1 }]

it.each([
  [86.625, 2, 86.62],
  [96.875, 2, 96.88],
  [1.005, 2, 1],
  [1.015, 2, 1.02],
  [1.025, 2, 1.02],
  [8.345, 2, 8.34],
  [0.125, 2, 0.12],
  [0.5, 0, 0],
  [1.5, 0, 2],
  [2.5, 0, 2],
  [99.995, 2, 100],
  [0.0000005, 6, 0],
  [0.0000015, 6, 0.000002],
  [5e-324, 2, 0],
  [-0, 2, 0]
] as const)("%d with %d places is %d, half to even as written in decimal", (value, decimals, rounded) => {
  expect(decimalMean(alone(value), decimals)).toBe(rounded)
})

const hundredAndNothing = (one: number, other: number) => [
  { value: 100, weight: one },
  { value: 0, weight: other }
]

it("weights count in relation to each other, however they are written", () => {
  expect(decimalMean(hundredAndNothing(3, 1), 2)).toBe(75)
  expect(decimalMean(hundredAndNothing(0.3, 0.1), 2)).toBe(75)
  expect(decimalMean(hundredAndNothing(3e-300, 1e-300), 2)).toBe(75)
  expect(decimalMean(hundredAndNothing(1.5e308, 0.5e308), 2)).toBe(75)
  expect(decimalMean(hundredAndNothing(1, 2), 2)).toBe(33.33)
  expect(decimalMean(hundredAndNothing(1, 0), 2)).toBe(100)
})

it("nothing, and nothing that weighs anything, has no mean", () => {
  expect(decimalMean([], 2)).toBeUndefined()
  expect(decimalMean([{ value: 50, weight: 0 }], 2)).toBeUndefined()
})

const hundredths = fc.integer({ min: 0, max: 10_000 })

it("agrees with whole-number arithmetic on hundredths", () => {
  fc.assert(
    fc.property(fc.array(hundredths, { minLength: 1, maxLength: 5 }), (values) => {
      const sum = values.reduce((total, value) => total + value, 0)
      const [down, rest] = [Math.floor(sum / values.length), (sum % values.length) * 2]
      const up = rest > values.length || (rest === values.length && down % 2 === 1)
      const mean = decimalMean(
        values.map((value) => ({ value: value / 100, weight: 1 })),
        2
      )
      expect(mean).toBe((up ? down + 1 : down) / 100)
    })
  )
})

const term = fc.record({
  value: fc.double({ min: 0, max: 100, noNaN: true }),
  weight: fc.double({ min: 0, max: 1e6, noNaN: true })
})

it("lies between the smallest and the largest value, does not depend on order or scale of weights", () => {
  fc.assert(
    fc.property(fc.array(term, { minLength: 1, maxLength: 5 }), (terms) => {
      const mean = decimalMean(terms, 2)
      fc.pre(mean !== undefined)
      const values = terms.filter(({ weight }) => weight > 0).map(({ value }) => value)
      expect(mean).toBeGreaterThanOrEqual(Math.min(...values) - 0.0051)
      expect(mean).toBeLessThanOrEqual(Math.max(...values) + 0.0051)
      expect(decimalMean(terms.toReversed(), 2)).toBe(mean)
    })
  )
})
