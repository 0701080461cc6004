import * as fc from "fast-check"
import { expect, it } from "vitest"
import { type Device, compareScores, equalMean, estimateScores, scoreModel } from "../../src/index.ts"
import { device as anyDevice } from "../arbitrary.ts"

const on = { asOf: "2026-06-01" }
const facts: Device = {
  osVersion: "10.0.26100.2033",
  managedBy: "mdm",
  azureAdJoinType: "azureADJoined",
  autoPilotRegistered: true,
  autoPilotProfileAssigned: true
}
const compared = (device: Device) => compareScores(device, estimateScores(device, equalMean, on))

it("equal scores are equal, after rounding to the model's places", () => {
  const device = { ...facts, windowsScore: 100, cloudIdentityScore: 99.9999 }
  expect(compared(device).windowsScore).toEqual({ outcome: "equal", recorded: 100, estimated: 100 })
  expect(compared(device).cloudIdentityScore).toEqual({ outcome: "equal", recorded: 99.9999, estimated: 100 })
})

it.each([
  [undefined, "absent"],
  [null, "null"],
  [-1, "-1"],
  [-2, "-2"],
  [101, "outOfRange"]
] as const)("a recorded score of %s is none, and the estimate stands alone", (windowsScore, encoding) => {
  const device = windowsScore === undefined ? facts : { ...facts, windowsScore }
  expect(compared(device).windowsScore).toEqual({ outcome: "notRecorded", encoding, estimated: 100 })
})

it("a recorded score without an estimate stands alone", () => {
  expect(compared({ windowsScore: 63 }).windowsScore).toEqual({ outcome: "notEstimated", recorded: 63 })
})

it("neither recorded nor estimated is not recorded", () => {
  expect(compared({}).windowsScore).toEqual({ outcome: "notRecorded", encoding: "absent", estimated: undefined })
})

it("full credit for a Windows whose updates have ended is explained by the day", () => {
  const device = { ...facts, osVersion: "10.0.22621.1", windowsScore: 100 }
  expect(compared(device).windowsScore).toEqual({
    outcome: "differs",
    recorded: 100,
    estimated: 0,
    difference: 100,
    explanation: {
      code: "updatesEnded",
      sentence: "Updates ended on 2025-10-14; the recorded score may be from before that day."
    }
  })
})

it("the day explains full credit only, and only where updates have ended", () => {
  const ended = { ...facts, osVersion: "10.0.22621.1", windowsScore: 50 }
  expect(compared(ended).windowsScore).toMatchObject({ outcome: "differs", explanation: { code: "unexplained" } })
  const strict = scoreModel({ ...equalMean, rules: { windowsScore: () => ({ score: 0, reasons: [] }) } })
  const supported = { ...facts, windowsScore: 100 }
  expect(compareScores(supported, estimateScores(supported, strict, on)).windowsScore).toMatchObject({
    outcome: "differs",
    explanation: { code: "unexplained" }
  })
})

it("a difference that the facts do not account for is called unexplained", () => {
  const device = { ...facts, cloudManagementScore: 63, windowsScore: 0 }
  expect(compared(device).cloudManagementScore).toEqual({
    outcome: "differs",
    recorded: 63,
    estimated: 100,
    difference: -37,
    explanation: {
      code: "unexplained",
      sentence: "The difference is unexplained: the facts of the record do not account for it."
    }
  })
  expect(compared(device).windowsScore).toMatchObject({ explanation: { code: "unexplained" } })
})

it("an overall score that is the mean of the recorded sub-scores is explained by those that differ", () => {
  const recorded = {
    windowsScore: 100,
    cloudManagementScore: 96.88,
    cloudIdentityScore: 63,
    cloudProvisioningScore: -1
  }
  expect(compared({ ...facts, ...recorded, workFromAnywhereScore: 86.62 }).workFromAnywhereScore).toEqual({
    outcome: "differs",
    recorded: 86.62,
    estimated: 100,
    difference: -13.38,
    explanation: {
      code: "subScoresDiffer",
      sentence:
        "The recorded score is the mean of the recorded sub-scores, which are not as estimated: cloudManagementScore, cloudIdentityScore, cloudProvisioningScore."
    }
  })
})

it("an overall score that is not the mean of the recorded sub-scores is unexplained", () => {
  for (const workFromAnywhereScore of [80, 75.02, 74.98]) {
    const recorded = { windowsScore: 100, cloudManagementScore: 50, workFromAnywhereScore }
    expect(compared({ ...facts, ...recorded }).workFromAnywhereScore).toMatchObject({
      outcome: "differs",
      explanation: { code: "unexplained" }
    })
  }
})

it("a record that holds exactly the estimates is equal in everything that was estimated", () => {
  fc.assert(
    fc.property(anyDevice, (device) => {
      const estimates = estimateScores(device, equalMean, on)
      const recorded = Object.fromEntries(
        Object.entries(estimates.scores).map(([name, estimate]) => [name, estimate.available ? estimate.score : -1])
      )
      const outcomes = Object.values(compareScores({ ...device, ...recorded }, estimates)).map(({ outcome }) => outcome)
      const expected = Object.values(estimates.scores).map(({ available }) => (available ? "equal" : "notRecorded"))
      expect(outcomes).toEqual(expected)
    })
  )
})
