import { type Change, type Device, type DeviceUpdate, applyUpdate, changes } from "../device/device.ts"
import { type Readiness, readiness, readinessChecks } from "../windows/readiness.ts"
import type { SupportQuestion } from "../windows/support.ts"
import { type ScoreEstimates, estimateScores } from "./estimate.ts"
import type { ScoreModel } from "./model.ts"

/** How a device stands: estimated scores, and readiness with its verdict. */
export interface Standing {
  readonly estimates: ScoreEstimates
  readonly readiness: Readiness
}

/** What an update would do to a device. */
export interface WhatIf {
  readonly changes: ReadonlyArray<Change>
  readonly before: Standing
  readonly after: Standing
}

/**
 * How a device stands before and after an update that nobody has sent. Microsoft's recorded verdict is about the device
 * as it was: when the update changes a check or the Windows version without stating a verdict, the verdict afterwards
 * is judged from the facts.
 */
export const whatIf = (device: Device, update: DeviceUpdate, model: ScoreModel, question: SupportQuestion): WhatIf => {
  const after = applyUpdate(device, update)
  const changed = changes(device, after)
  const isOutdated =
    !changed.some(({ property }) => property === "upgradeEligibility") &&
    changed.some(({ property }) => property === "osVersion" || readinessChecks.some((check) => check === property))
  const standing = (of: Device, judged: Device): Standing => ({
    estimates: estimateScores(of, model, question),
    readiness: readiness(judged)
  })
  return {
    changes: changed,
    before: standing(device, device),
    after: standing(after, isOutdated ? { ...after, upgradeEligibility: "unknown" } : after)
  }
}
