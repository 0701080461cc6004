import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { limitPassed } from "../../src/graph/json-limits.ts"

const isDeeperThan = (depth: number, json: string) => limitPassed({ depth, values: Infinity }, json) === "depth"

const hasMoreThan = (values: number, json: string) => limitPassed({ depth: Infinity, values }, json) === "values"

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

/** One for each object and array, and one for each comma in it. */
const countOf = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  const inside: ReadonlyArray<unknown> = Object.values(value)
  return inside.reduce<number>((sum, each) => sum + countOf(each), 1 + Math.max(0, inside.length - 1))
}

const json = fc.jsonValue({ maxDepth: 6, stringUnit: fc.constantFrom("{", "[", "]", "}", '"', "\\", ",", "a") })

describe("the depth of JSON", () => {
  it("is that of what it parses to, whatever its texts and names hold", () => {
    fc.assert(
      fc.property(json, fc.nat(8), fc.nat(2), (value, most, spaces) => {
        expect(isDeeperThan(most, JSON.stringify(value, undefined, spaces))).toBe(depthOf(value) > most)
      })
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

describe("the number of values in JSON", () => {
  it("is that of what it parses to, whatever its texts and names hold", () => {
    fc.assert(
      fc.property(json, fc.nat(12), fc.nat(2), (value, most, spaces) => {
        expect(hasMoreThan(most, JSON.stringify(value, undefined, spaces))).toBe(countOf(value) > most)
      })
    )
  })

  it("is found out of very many names, and of texts that only hold what looks like them", () => {
    const names = Array.from({ length: 300_000 }, (_, at) => `"k${at}":0`).join(",")
    expect(hasMoreThan(10_000, `{${names}}`)).toBe(true)
    expect(hasMoreThan(10_000, JSON.stringify([names, "\\", '\\"', names]))).toBe(false)
  })
})
