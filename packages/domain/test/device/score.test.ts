import * as fc from "fast-check"
import { expect, it } from "vitest"
import { isAvailable, isWritableScore, readScore } from "../../src/index.ts"

it.each([
  [null, "null"],
  [undefined, "absent"],
  [-1, "-1"],
  [-2, "-2"]
] as const)("%s means no score, and the encoding is kept", (value, encoding) => {
  expect(readScore(value)).toEqual({ available: false, encoding })
})

it.each([0, -0, 0.01, 50, 96.875, 100])("%d is a score", (value) => {
  expect(isAvailable(value)).toBe(true)
  expect(readScore(value)).toEqual({ available: true, score: value })
  expect(isWritableScore(value)).toBe(true)
})

it.each([-0.5, -1.5, -3, 100.0001, 1e308, Number.NaN, Infinity, -Infinity])("%d is out of range", (value) => {
  expect(readScore(value)).toEqual({ available: false, encoding: "outOfRange" })
  expect(isWritableScore(value)).toBe(false)
})

it("-1 may be written, -2 may only be read", () => {
  expect([isWritableScore(-1), isWritableScore(-2)]).toEqual([true, false])
})

it("only numbers from 0 to 100 are available, whatever the value is", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      expect(isAvailable(value)).toBe(typeof value === "number" && value >= 0 && value <= 100)
    })
  )
})
