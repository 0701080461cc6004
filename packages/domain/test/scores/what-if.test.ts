import * as fc from "fast-check"
import { expect, it } from "vitest"
import {
  type Device,
  applyUpdate,
  equalMean,
  estimateScores,
  readiness,
  readinessChecks,
  whatIf
} from "../../src/index.ts"
import { keyedDevice, update as anyUpdate } from "../arbitrary.ts"

const on = { asOf: "2026-06-01" }
const blocked: Device = {
  ...Object.fromEntries(readinessChecks.map((check) => [check, false])),
  id: "a",
  osVersion: "10.0.19045.4291",
  managedBy: "mdm",
  autoPilotRegistered: true,
  autoPilotProfileAssigned: false,
  upgradeEligibility: "notCapable",
  tpmCheckFailed: true
}

it("switching on the TPM makes the device capable, since Microsoft's old verdict no longer counts", () => {
  const { before, after, changes } = whatIf(blocked, { tpmCheckFailed: false }, equalMean, on)
  expect(changes).toEqual([{ property: "tpmCheckFailed", from: true, to: false }])
  expect(before.readiness).toMatchObject({ verdict: "notCapable", verdictFrom: "graph" })
  expect(after.readiness).toMatchObject({ verdict: "capable", verdictFrom: "facts", blockers: [], contradictions: [] })
})

it("an update of Windows makes the device upgraded, and raises the Windows score", () => {
  const { before, after } = whatIf({ ...blocked, tpmCheckFailed: false }, { osVersion: "10.0.26200.1" }, equalMean, on)
  expect(after.readiness.verdict).toBe("upgraded")
  expect(before.estimates.scores.windowsScore).toMatchObject({ score: 0 })
  expect(after.estimates.scores.windowsScore).toMatchObject({ score: 100 })
})

it("assigning a profile raises the estimates and leaves the verdict", () => {
  const { before, after } = whatIf(blocked, { autoPilotProfileAssigned: true }, equalMean, on)
  expect(before.estimates.scores.workFromAnywhereScore).toMatchObject({ score: 50 })
  expect(after.estimates.scores.workFromAnywhereScore).toMatchObject({ score: 75 })
  expect(after.readiness).toEqual(before.readiness)
})

it("a verdict that the update states counts", () => {
  const { after } = whatIf(blocked, { tpmCheckFailed: false, upgradeEligibility: "capable" }, equalMean, on)
  expect(after.readiness).toMatchObject({ verdict: "capable", verdictFrom: "graph" })
})

it("writing a check as it was leaves Microsoft's verdict in force", () => {
  const { after } = whatIf(blocked, { tpmCheckFailed: true }, equalMean, on)
  expect(after.readiness).toMatchObject({ verdict: "notCapable", verdictFrom: "graph" })
})

it("before is the device, and the estimates after are those of the updated device", () => {
  fc.assert(
    fc.property(keyedDevice, anyUpdate, (device, update) => {
      const { before, after } = whatIf(device, update, equalMean, on)
      const updated = applyUpdate(device, update)
      expect(before).toEqual({ estimates: estimateScores(device, equalMean, on), readiness: readiness(device) })
      expect(after.estimates).toEqual(estimateScores(updated, equalMean, on))
      expect(after.readiness.blockers).toEqual(readiness(updated).blockers)
    })
  )
})
