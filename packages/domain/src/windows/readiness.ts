import type { Device } from "../device/device.ts"
import { knownMember, upgradeEligibility } from "../device/evolvable-enum.ts"
import { isWindows11 } from "../device/free-text.ts"
import type { PropertyName } from "../device/property.ts"

/** One of the properties that say whether a device failed a check for Windows 11. */
export type ReadinessCheck = Extract<PropertyName, `${string}CheckFailed`>

/**
 * What it takes to pass a check: `firmware` a setting to switch on, `part` a part to fit, `update` a newer Windows,
 * `replace` another device.
 */
export type BlockerClass = "firmware" | "part" | "replace" | "update"

/** A check that a device failed, and the way out. */
export interface Blocker {
  readonly check: ReadinessCheck
  readonly class: BlockerClass
  /** One sentence. */
  readonly action: string
  /** The published minimum (Microsoft: "Windows 11 requirements"). */
  readonly minimum: string
}

const blockerOf: { readonly [Check in ReadinessCheck]: Omit<Blocker, "check"> } = {
  ramCheckFailed: { class: "part", action: "Fit more memory.", minimum: "4 GB of RAM" },
  storageCheckFailed: { class: "part", action: "Fit a larger system drive.", minimum: "64 GB of storage" },
  processorCoreCountCheckFailed: {
    class: "replace",
    action: "Replace the device: its processor has too few cores.",
    minimum: "2 cores"
  },
  processorSpeedCheckFailed: {
    class: "replace",
    action: "Replace the device: its processor is too slow.",
    minimum: "1 GHz"
  },
  tpmCheckFailed: {
    class: "firmware",
    action: "Switch on the TPM in the firmware settings, and update the firmware if it offers no version 2.0.",
    minimum: "TPM 2.0"
  },
  secureBootCheckFailed: {
    class: "firmware",
    action: "Switch the firmware from legacy BIOS mode to UEFI, so that Secure Boot becomes available.",
    minimum: "UEFI with Secure Boot capability"
  },
  processorFamilyCheckFailed: {
    class: "replace",
    action: "Replace the device: Windows 11 does not support its processor.",
    minimum: "a compatible 64-bit processor"
  },
  processor64BitCheckFailed: {
    class: "replace",
    action: "Replace the device: its processor is not 64-bit.",
    minimum: "a compatible 64-bit processor"
  },
  osCheckFailed: {
    class: "update",
    action: "Update Windows 10 first.",
    minimum: "Windows 10 version 2004 with the security update of 14 September 2021"
  }
}

/** The checks, in the documented order. */
export const readinessChecks = Object.keys(blockerOf) as ReadonlyArray<ReadinessCheck>

/** The blocker that a failed check is. */
export const blocker = (check: ReadinessCheck): Blocker => ({ check, ...blockerOf[check] })

/** Facts of a record that cannot all be true. */
export interface Contradiction {
  readonly code: "failedWhileCapable" | "upgradedOnWindows10" | "notCapableWithoutFailedCheck"
  /** The properties that disagree. */
  readonly properties: ReadonlyArray<PropertyName>
  /** One sentence. */
  readonly sentence: string
}

/** Whether a device can run the latest Windows, what stands in the way, and how far its record can be trusted. */
export interface Readiness {
  readonly verdict: "upgraded" | "capable" | "notCapable" | "unknown"
  /** `graph` when `upgradeEligibility` gave the verdict, `facts` when it was missing or unknown and we judged. */
  readonly verdictFrom: "graph" | "facts"
  /** The checks that failed, whatever the verdict. */
  readonly blockers: ReadonlyArray<Blocker>
  readonly contradictions: ReadonlyArray<Contradiction>
  /** The checks that are null or missing: neither passed nor failed. */
  readonly unknown: ReadonlyArray<ReadinessCheck>
}

const contradictionsOf = (
  device: Device,
  failed: ReadonlyArray<ReadinessCheck>,
  unknown: ReadonlyArray<ReadinessCheck>
): ReadonlyArray<Contradiction> => {
  switch (device.upgradeEligibility) {
    case "capable":
      return failed.length === 0
        ? []
        : [
            {
              code: "failedWhileCapable",
              properties: ["upgradeEligibility", ...failed],
              sentence: `The device is called capable, and failed ${failed.join(", ")}.`
            }
          ]
    case "upgraded":
      return isWindows11(device.osVersion) === false
        ? [
            {
              code: "upgradedOnWindows10",
              properties: ["upgradeEligibility", "osVersion"],
              sentence: `The device is called upgraded, and its version ${device.osVersion?.trim()} is Windows 10.`
            }
          ]
        : []
    case "notCapable":
      return failed.length === 0 && unknown.length === 0
        ? [
            {
              code: "notCapableWithoutFailedCheck",
              properties: ["upgradeEligibility", ...readinessChecks],
              sentence: `The device is called not capable, and passed all ${readinessChecks.length} checks.`
            }
          ]
        : []
    default:
      return []
  }
}

/** Already on Windows 11, else the worst check decides, as in Microsoft's hardware readiness script. */
const judge = (device: Device, failed: number, unknown: number): Readiness["verdict"] => {
  if (isWindows11(device.osVersion) === true) return "upgraded"
  if (failed > 0) return "notCapable"
  return unknown > 0 ? "unknown" : "capable"
}

/**
 * Reads a device's readiness for Windows 11. Microsoft's own verdict counts where there is one, also against the
 * checks: what does not fit together is reported as a contradiction and changes nothing. A check that is null or
 * missing is unknown, not passed; a verdict that Graph added later is no verdict.
 */
export const readiness = (device: Device): Readiness => {
  const failed = readinessChecks.filter((check) => device[check] === true)
  const unknown = readinessChecks.filter((check) => typeof device[check] !== "boolean")
  const eligibility = knownMember(upgradeEligibility, device.upgradeEligibility ?? "unknown")
  const isVerdict = eligibility !== "unknown" && eligibility !== "unknownFutureValue"
  return {
    verdict: isVerdict ? eligibility : judge(device, failed.length, unknown.length),
    verdictFrom: isVerdict ? "graph" : "facts",
    blockers: failed.map(blocker),
    contradictions: contradictionsOf(device, failed, unknown),
    unknown
  }
}
