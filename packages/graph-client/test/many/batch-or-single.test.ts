import { describe, expect, test } from "vitest"
import { type BatchOrSingle, batchOrSingle } from "../../src/many/batch-or-single.ts"

/** How many of so many groups of twenty went in batches, when each way always takes that long for each change. */
const batchesOf = (
  choice: BatchOrSingle,
  groups: number,
  millis: { readonly batch: number; readonly single: number }
) => {
  let batches = 0
  for (let group = 0; group < groups; group++) {
    if (choice.sizeFor(20) > 1) {
      batches += 1
      choice.batchTook(millis.batch)
    } else for (let index = 0; index < 20; index++) choice.singleTook(millis.single)
  }
  return batches
}

describe("left to itself", () => {
  test("it takes whichever way costs less, and measures the other one now and then", () => {
    const batches = batchesOf(batchOrSingle("auto", 200), 1_000, { batch: 5, single: 20 })
    expect(batches).toBeGreaterThan(950)
    expect(batches).toBeLessThan(1_000)
    const few = batchesOf(batchOrSingle("auto", 200), 1_000, { batch: 20, single: 5 })
    expect(few).toBeLessThan(50)
    expect(few).toBeGreaterThan(1)
  })

  test("it changes its mind when the costs change", () => {
    const choice = batchOrSingle("auto", 200)
    batchesOf(choice, 200, { batch: 5, single: 20 })
    batchesOf(choice, 200, { batch: 40, single: 20 })
    expect(batchesOf(choice, 100, { batch: 40, single: 20 })).toBeLessThan(10)
    batchesOf(choice, 1_000, { batch: 5, single: 20 })
    expect(batchesOf(choice, 100, { batch: 5, single: 20 })).toBeGreaterThan(90)
  })

  test("a change that comes alone is sent alone", () => {
    expect(batchOrSingle("auto", 200).sizeFor(1)).toBe(1)
  })
})

test("it can be forced, whatever it costs", () => {
  expect(batchesOf(batchOrSingle("batch", 200), 100, { batch: 50, single: 1 })).toBe(100)
  expect(batchesOf(batchOrSingle("single", 200), 100, { batch: 1, single: 50 })).toBe(0)
})

describe("the size of a batch", () => {
  test("is twenty, or what the budget allows at once", () => {
    expect(batchOrSingle("batch", 200).sizeFor(20)).toBe(20)
    expect(batchOrSingle("batch", 7).sizeFor(20)).toBe(7)
  })

  test("is half of what failed, however many of that size were under way, and doubles after four that went well", () => {
    const choice = batchOrSingle("batch", 200)
    choice.halve(20)
    choice.halve(20)
    expect(choice.sizeFor(20)).toBe(10)
    choice.halve(10)
    expect(choice.sizeFor(20)).toBe(5)
    for (let index = 0; index < 3; index++) choice.batchTook(1)
    expect(choice.sizeFor(20)).toBe(5)
    choice.batchTook(1)
    expect(choice.sizeFor(20)).toBe(10)
    for (let index = 0; index < 8; index++) choice.batchTook(1)
    expect(choice.sizeFor(20)).toBe(20)
  })

  test("is not changed by a failed batch of one", () => {
    const choice = batchOrSingle("auto", 200)
    choice.halve(1)
    expect(choice.sizeFor(20)).toBe(20)
  })

  test("grows again from one, once single requests went well", () => {
    const choice = batchOrSingle("auto", 200)
    for (const failed of [20, 10, 5, 2]) choice.halve(failed)
    expect(choice.sizeFor(20)).toBe(1)
    for (let index = 0; index < 4; index++) choice.singleTook(50)
    expect(choice.sizeFor(20)).toBe(2)
    for (let index = 0; index < 16; index++) choice.batchTook(1)
    expect(choice.sizeFor(20)).toBe(20)
  })
})

test("a service without batches is not asked for them again", () => {
  const choice = batchOrSingle("auto", 200)
  choice.forgetBatches()
  expect(batchesOf(choice, 100, { batch: 1, single: 50 })).toBe(0)
})
