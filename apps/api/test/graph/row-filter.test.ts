import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { deviceFilter } from "../../src/graph/device-filter.ts"
import { holdsFor } from "../../src/graph/row-filter.ts"
import { condition, device } from "../conditions.ts"

describe("a filter on rows in memory", () => {
  it("is true, false or neither where a model of it is, whatever functions it has", () => {
    fc.assert(
      fc.property(condition, fc.array(device, { minLength: 1, maxLength: 5 }), ({ text, holds }, rows) => {
        const filter = deviceFilter(text, { unknownMembers: false })
        for (const row of rows) expect([text, holdsFor(filter, row)]).toEqual([text, holds(row)])
      }),
      { numRuns: 2_000 }
    )
  })
})
