import * as fc from "fast-check"
import { expect, test } from "vitest"
import { isDeeperThan, mostLevels, readable } from "../../src/facts/levels.ts"

const brackets = fc.array(fc.constantFrom("[", '{"a":', "[1,", '["}]\\"[",'), { minLength: 60, maxLength: 140 })

/** JSON nested as the openings say, with more beside it; the last two levels are the object and what is empty inside. */
const nestedBy = (openings: ReadonlyArray<string>): string => {
  const closings = openings.map((opening) => (opening.startsWith("{") ? "}" : "]")).toReversed()
  return `{"before":"[[[{{","deep":${openings.join("")}null${closings.join("")},"after":[["\\\\"]]}`
}

const canBeRead = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** More brackets than are read without a look at each. */
const many = "[],".repeat(100_001)

test("levels are counted as they are nested, whatever stands in texts", () => {
  fc.assert(
    fc.property(brackets, (openings) => {
      const read: unknown = JSON.parse(nestedBy(openings))
      expect(isDeeperThan(openings.length + 1, read)).toBe(false)
      expect(isDeeperThan(openings.length, read)).toBe(true)
    })
  )
})

test("of JSON with very many brackets nothing is left below the most levels, and all else is as it was", () => {
  fc.assert(
    fc.property(brackets, (openings) => {
      const [inside, text] = [nestedBy(openings), `[${many}${nestedBy(openings)}]`]
      const levels = openings.length + 2
      expect(readable(text) === text).toBe(levels <= mostLevels + 1)
      expect(readable(inside)).toBe(inside)
      const read: ReadonlyArray<unknown> = JSON.parse(readable(text))
      expect(isDeeperThan(mostLevels, read)).toBe(levels > mostLevels)
      expect(isDeeperThan(mostLevels + 1, read)).toBe(false)
      expect(read).toHaveLength(100_002)
      expect(read.at(-1)).toMatchObject({ before: "[[[{{", after: [["\\"]] })
    }),
    { numRuns: 20 }
  )
})

test("no text makes it throw, and what is no JSON does not become some", () => {
  const unit = fc.constantFrom("[", "]", "{", "}", '"', "\\", "a")
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 500 }), (end) => {
      const text = `[${many}${end}]`
      expect(canBeRead(readable(text))).toBe(canBeRead(text))
    }),
    { numRuns: 20 }
  )
  expect(canBeRead(readable("[".repeat(1_000_000)))).toBe(false)
})
