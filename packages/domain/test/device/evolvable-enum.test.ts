import { expect, it } from "vitest"
import {
  healthState,
  knownMember,
  memberNumber,
  memberWithNumber,
  upgradeEligibility,
  writableMembers
} from "../../src/index.ts"

const enums = [
  ["upgradeEligibility", upgradeEligibility, ["upgraded", "unknown", "notCapable", "capable", "unknownFutureValue"]],
  ["healthState", healthState, ["unknown", "insufficientData", "needsAttention", "meetingGoals", "unknownFutureValue"]]
] as const

it.each(enums)("%s has Graph's numbers, in Graph's order", (_, members, documented) => {
  expect(Object.entries(members)).toEqual(documented.map((member, number) => [member, number]))
})

it.each(enums)("%s maps members to numbers and back", (_, members, documented) => {
  for (const [number, member] of documented.entries()) {
    expect(memberNumber(members, member)).toBe(number)
    expect(memberWithNumber(members, number)).toBe(member)
  }
})

it.each(enums)("%s has no member for other texts and numbers", (_, members) => {
  for (const text of ["", "Capable", "somethingNew", "__proto__", "constructor", "toString"]) {
    expect(memberNumber(members, text)).toBeUndefined()
  }
  for (const number of [-1, 5, 0.5, Number.NaN, Infinity]) expect(memberWithNumber(members, number)).toBeUndefined()
})

it.each(enums)("%s: all members but the sentinel may be written", (_, members, documented) => {
  expect(writableMembers(members)).toEqual(documented.slice(0, 4))
})

it("a member that Graph added later reads as the sentinel", () => {
  expect(knownMember(upgradeEligibility, "capable")).toBe("capable")
  for (const text of ["upgradePending", "Capable", "toString", "__proto__", "hasOwnProperty", ""]) {
    expect(knownMember(upgradeEligibility, text)).toBe("unknownFutureValue")
  }
})
