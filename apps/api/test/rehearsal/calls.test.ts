import { expect, it } from "vitest"
import { type Call, createCalls } from "../../src/rehearsal/calls.ts"

const call = (number: number): Call => ({
  number,
  caller: { tenant: "t", app: "a" },
  method: "GET",
  route: "other",
  path: "/beta",
  sentMillis: 0,
  answeredMillis: 0,
  newestThen: number,
  status: 200,
  requestId: "",
  hasClientRequestId: true,
  hasSelect: true,
  isOverBudget: false
})

it("a record of calls keeps the last ones, in the order they came, and says how many it forgot", () => {
  const calls = createCalls(10)
  const numbers = Array.from({ length: 23 }, () => calls.start())
  // The answers do not come in the order of the calls.
  for (const number of numbers.toReversed()) calls.end(call(number))
  expect(calls.newest()).toBe(23)
  expect(calls.kept().map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(calls.forgotten()).toBe(15)
  calls.reset()
  expect([calls.kept(), calls.forgotten(), calls.start()]).toEqual([[], 0, 1])
})
