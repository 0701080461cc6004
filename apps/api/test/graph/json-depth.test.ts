import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isDeeperThan } from "../../src/graph/json-depth.ts"

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

describe("the depth of JSON", () => {
  it("is that of what it parses to, whatever its texts and names hold", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 6, stringUnit: fc.constantFrom("{", "[", "]", "}", '"', "\\", "a") }),
        fc.nat(8),
        fc.nat(2),
        (value, most, spaces) => {
          expect(isDeeperThan(most, JSON.stringify(value, undefined, spaces))).toBe(depthOf(value) > most)
        }
      )
    )
  })

  it("is found out of texts that are very deep, or very long and flat", () => {
    expect(isDeeperThan(64, "[".repeat(1_000_000))).toBe(true)
    expect(isDeeperThan(64, `[${"[],".repeat(300_000)}[]]`)).toBe(false)
    expect(isDeeperThan(64, `["${"[".repeat(1_000_000)}"]`)).toBe(false)
  })

  it.for([63, 64])("of %i is not deeper than 64", (depth) => {
    expect(isDeeperThan(64, "[".repeat(depth) + "]".repeat(depth))).toBe(false)
  })
})
