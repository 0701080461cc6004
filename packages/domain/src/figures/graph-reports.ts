import { type HealthState, upgradeEligibility } from "../device/evolvable-enum.ts"
import { unavailableScore } from "../device/score.ts"
import { type ReadinessCheck, readinessChecks } from "../windows/readiness.ts"
import { type Counters, type ScoreName, ofFleet, ofModel, scoreNames, scoreUnitsPerPoint } from "./layout.ts"
import type { ModelName } from "./tally.ts"

/** A number under each of these names. */
export type Counts<Name extends string> = { readonly [N in Name]: number }

/**
 * Graph's `userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric` without its id. Microsoft publishes no
 * formula; ours are the natural readings: a percentage is failed ÷ all devices × 100, and eligible is a device whose
 * `upgradeEligibility` is `capable`.
 */
export type HardwareReadinessMetric = Counts<
  "totalDeviceCount" | "upgradeEligibleDeviceCount" | `${ReadinessCheck}Percentage`
>

/**
 * A row of Graph's `userExperienceAnalyticsWorkFromAnywhereModelPerformance` without its id. A score is the mean of the
 * model's available ones, -1 when there is none (inferred). Microsoft publishes no rule for the health of a model, so
 * it is always `unknown`.
 */
export type ModelPerformance = Counts<"modelDeviceCount" | ScoreName> & {
  readonly manufacturer: string | null
  readonly model: string | null
  readonly healthStatus: HealthState
}

/**
 * Graph's `userExperienceAnalyticsWorkFromAnywhereDevicesSummary`, by the names' natural readings (inferred).
 * Management follows `managedBy`; tenant attach also its own flag. Windows 10 is a build below 22000.
 * "Without" and "not" count devices recorded so; what is not recorded is not counted. A cloud identity is what gives
 * credit in our score for it. The numbers of unsupported versions are null when no day was given.
 */
export interface DevicesSummary extends Counts<
  | "totalDevices"
  | "coManagedDevices"
  | "intuneDevices"
  | "tenantAttachDevices"
  | "windows10Devices"
  | "windows10DevicesWithoutTenantAttach"
  | "devicesWithoutCloudIdentity"
  | "devicesNotAutopilotRegistered"
  | "devicesWithoutAutopilotProfileAssigned"
> {
  readonly unsupportedOSversionDevices: number | null
  readonly autopilotDevicesSummary: Counts<
    | "devicesNotAutopilotRegistered"
    | "devicesWithoutAutopilotProfileAssigned"
    | "totalWindows10DevicesWithoutTenantAttached"
  >
  readonly cloudManagementDevicesSummary: Counts<
    "coManagedDeviceCount" | "intuneDeviceCount" | "tenantAttachDeviceCount"
  >
  readonly windows10DevicesSummary: { readonly unsupportedOSversionDeviceCount: number | null }
  readonly cloudIdentityDevicesSummary: Counts<"deviceWithoutCloudIdentityCount">
}

/** A number for each name. */
export const named = <Name extends string>(
  names: ReadonlyArray<Name>,
  value: (at: number, name: Name) => number
): Counts<Name> => Object.fromEntries(names.map((name, at) => [name, value(at, name)])) as Counts<Name>

/** A run of counters by name. */
export const run = <Name extends string>(counters: Counters, from: number, names: ReadonlyArray<Name>): Counts<Name> =>
  named(names, (at) => counters[from + at]!)

/** The mean of scores that a tally summed; null when there are none. */
export const meanOf = (sum: number, devices: number): number | null =>
  devices === 0 ? null : sum / (devices * scoreUnitsPerPoint)

/** The name alone, with null for an empty one. */
export const nameOf = ({ manufacturer, model }: ModelName): ModelName => ({
  manufacturer: manufacturer || null,
  model: model || null
})

/** Graph's row for a model. */
export const modelPerformance = (name: ModelName, counters: Counters): ModelPerformance => {
  const { at } = ofModel
  const mean = (score: number): number =>
    meanOf(counters[at.scoreSums + score]!, counters[at.scores + score]!) ?? unavailableScore
  return {
    ...nameOf(name),
    modelDeviceCount: counters[at.devices]!,
    ...named(scoreNames, mean),
    healthStatus: "unknown"
  }
}

/** Graph's summary of the fleet. */
export const devicesSummary = (fleet: Counters, totalDevices: number, unsupported: number | null): DevicesSummary => {
  const { at } = ofFleet
  const of = (name: keyof typeof at): number => fleet[at[name]]!
  return {
    totalDevices,
    coManagedDevices: of("coManaged"),
    intuneDevices: of("intune"),
    tenantAttachDevices: of("tenantAttached"),
    windows10Devices: of("windows10"),
    windows10DevicesWithoutTenantAttach: of("windows10WithoutTenantAttach"),
    unsupportedOSversionDevices: unsupported,
    devicesWithoutCloudIdentity: of("withoutCloudIdentity"),
    devicesNotAutopilotRegistered: of("notAutopilotRegistered"),
    devicesWithoutAutopilotProfileAssigned: of("withoutAutopilotProfile"),
    autopilotDevicesSummary: {
      devicesNotAutopilotRegistered: of("notAutopilotRegistered"),
      devicesWithoutAutopilotProfileAssigned: of("withoutAutopilotProfile"),
      totalWindows10DevicesWithoutTenantAttached: of("windows10WithoutTenantAttach")
    },
    cloudManagementDevicesSummary: {
      coManagedDeviceCount: of("coManaged"),
      intuneDeviceCount: of("intune"),
      tenantAttachDeviceCount: of("tenantAttached")
    },
    windows10DevicesSummary: { unsupportedOSversionDeviceCount: unsupported },
    cloudIdentityDevicesSummary: { deviceWithoutCloudIdentityCount: of("withoutCloudIdentity") }
  }
}

/** Graph's hardware readiness of the fleet. */
export const hardwareReadiness = (fleet: Counters, totalDeviceCount: number): HardwareReadinessMetric => {
  const percentages = readinessChecks.map((check, at): [string, number] => {
    const failed = fleet[ofFleet.at.failedChecks + at]!
    return [`${check}Percentage`, totalDeviceCount === 0 ? 0 : (failed / totalDeviceCount) * 100]
  })
  return {
    totalDeviceCount,
    upgradeEligibleDeviceCount: fleet[ofFleet.at.eligibility + upgradeEligibility.capable]!,
    ...Object.fromEntries(percentages)
  } as HardwareReadinessMetric
}
