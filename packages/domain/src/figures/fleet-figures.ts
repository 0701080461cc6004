import type { Device } from "../device/device.ts"
import { type HealthState, healthState, unknownFutureValue } from "../device/evolvable-enum.ts"
import { type PropertyName, propertyNames } from "../device/property.ts"
import {
  type BlockerClass,
  type Contradiction,
  type Readiness,
  type ReadinessCheck,
  readinessChecks
} from "../windows/readiness.ts"
import type { WindowsSupport } from "../windows/support.ts"
import type { FiguresOptions } from "./count-device.ts"
import {
  type Counts,
  type DevicesSummary,
  type HardwareReadinessMetric,
  type ModelPerformance,
  devicesSummary,
  hardwareReadiness,
  meanOf,
  modelPerformance,
  nameOf,
  named,
  run
} from "./graph-reports.ts"
import {
  type Counters,
  type ScoreName,
  bins,
  binsPerPoint,
  blockerClasses,
  contradictionCodes,
  noScore,
  ofFleet,
  ofModel,
  scoreNames,
  supportStates,
  verdicts
} from "./layout.ts"
import { type FleetTally, type ModelName, emptyTally, modelsOf, tallier } from "./tally.ts"

type Verdict = Readiness["verdict"]

/** Devices that are not capable and whose blockers are of exactly these classes, from the heaviest. */
export interface BlockedDevices {
  /** Empty for devices that are called not capable and failed no check that is recorded. */
  readonly classes: ReadonlyArray<BlockerClass>
  readonly devices: number
}

/** A model's row of the blocker × model matrix. Blockers are those of devices that are not capable. */
export interface ModelFigures extends ModelName {
  readonly devices: number
  readonly verdicts: Counts<Verdict>
  readonly blockers: Counts<ReadinessCheck>
  readonly blocked: ReadonlyArray<BlockedDevices>
}

/** Devices whose score is at least `from` and below `to`; the bin up to 100 includes it. */
export interface ScoreBin {
  readonly from: number
  readonly to: number
  readonly devices: number
}

/** How the available values of a score are spread, in bins of an eighth of a point; bins without devices are left out. */
export interface ScoreDistribution {
  readonly devices: number
  /** Of the scores rounded to millionths of a point; null when none is available. */
  readonly mean: number | null
  readonly bins: ReadonlyArray<ScoreBin>
  /** Devices without the score, by the way in which the record says so. */
  readonly unavailable: Counts<(typeof noScore)[number]>
}

/** How far the records can be trusted. */
export interface DataQuality {
  /** Devices for which a property is null or missing. */
  readonly missing: Counts<PropertyName>
  readonly contradictions: Counts<Contradiction["code"]>
  readonly outOfRangeScores: Counts<ScoreName>
  /** Devices with a member that this package does not know. */
  readonly unknownMembers: Counts<"upgradeEligibility" | "healthStatus">
  /** Devices whose id came before; null when no index was given. They are counted in all other figures. */
  readonly repeatedIds: number | null
  /** Devices whose serial number and name came before under another agent; null when no index was given. */
  readonly underAnotherAgent: number | null
}

/** What could not be counted, because it was not given what it takes. */
export type NotCounted = "windowsSupport" | "repeatedIds" | "underAnotherAgent"

/** The figures of a fleet. */
export interface FleetFigures {
  readonly hardwareReadiness: HardwareReadinessMetric
  /** The largest models first; without those in `otherModels`. */
  readonly modelPerformance: ReadonlyArray<ModelPerformance>
  readonly devicesSummary: DevicesSummary
  readonly verdicts: Counts<Verdict>
  /** The largest models first. */
  readonly models: ReadonlyArray<ModelFigures>
  /** All models above the cap taken together; null when there are none. */
  readonly otherModels: ModelFigures | null
  readonly scores: { readonly [Name in ScoreName]: ScoreDistribution }
  readonly healthStatus: Counts<HealthState>
  /** Devices by what the table of Windows releases says; null when no day was given. */
  readonly windowsSupport: Counts<WindowsSupport["status"]> | null
  readonly dataQuality: DataQuality
  readonly notCounted: ReadonlyArray<NotCounted>
}

const classesOf = (set: number): ReadonlyArray<BlockerClass> =>
  blockerClasses.filter((_, bit) => (set & (1 << bit)) !== 0)

const modelFigures = (name: ModelName, counters: Counters): ModelFigures => {
  const { at } = ofModel
  const sets = counters.subarray(at.classSets, at.classSets + 2 ** blockerClasses.length)
  return {
    ...nameOf(name),
    devices: counters[at.devices]!,
    verdicts: run(counters, at.verdicts, verdicts),
    blockers: run(counters, at.blockers, readinessChecks),
    blocked: [...sets].flatMap((devices, set) => (devices === 0 ? [] : [{ classes: classesOf(set), devices }]))
  }
}

const distribution = (fleet: Counters, total: Counters, score: number): ScoreDistribution => {
  const histogram = fleet.subarray(ofFleet.at.histogram + score * bins).subarray(0, bins)
  const devices = total[ofModel.at.scores + score]!
  return {
    devices,
    mean: meanOf(total[ofModel.at.scoreSums + score]!, devices),
    bins: [...histogram].flatMap((devices, bin) =>
      devices === 0 ? [] : [{ from: bin / binsPerPoint, to: (bin + 1) / binsPerPoint, devices }]
    ),
    unavailable: run(fleet, ofFleet.at.noScore + score * noScore.length, noScore)
  }
}

const healthStates = Object.keys(healthState) as ReadonlyArray<HealthState>

const figuresOf = (tally: FleetTally): FleetFigures => {
  const { fleet, otherModels } = tally
  const largestFirst = modelsOf(tally).toSorted(
    (a, b) => b.counters[ofModel.at.devices]! - a.counters[ofModel.at.devices]!
  )
  const total = new Float64Array(ofModel.size)
  for (const counters of [...largestFirst.map(({ counters }) => counters), otherModels]) {
    for (const [at, value] of counters.entries()) total[at] = total[at]! + value
  }
  const totalDevices = total[ofModel.at.devices]!
  const withoutSupport = fleet[ofFleet.at.withoutSupport]! > 0
  const withoutIndex = fleet[ofFleet.at.withoutIndex]! > 0
  const support = withoutSupport ? null : run(fleet, ofFleet.at.support, supportStates)
  const scores = scoreNames.map((name, at): [ScoreName, ScoreDistribution] => [name, distribution(fleet, total, at)])
  const unknownMembers = (from: number): number => fleet[from + healthState[unknownFutureValue]]!
  return {
    hardwareReadiness: hardwareReadiness(fleet, totalDevices),
    modelPerformance: largestFirst.map((model) => modelPerformance(model, model.counters)),
    devicesSummary: devicesSummary(fleet, totalDevices, support?.unsupported ?? null),
    verdicts: run(total, ofModel.at.verdicts, verdicts),
    models: largestFirst.map((model) => modelFigures(model, model.counters)),
    otherModels:
      otherModels[ofModel.at.devices] === 0 ? null : modelFigures({ manufacturer: null, model: null }, otherModels),
    scores: Object.fromEntries(scores) as FleetFigures["scores"],
    healthStatus: run(fleet, ofFleet.at.health, healthStates),
    windowsSupport: support,
    dataQuality: {
      missing: run(fleet, ofFleet.at.missing, propertyNames),
      contradictions: run(fleet, ofFleet.at.contradictions, contradictionCodes),
      outOfRangeScores: named(
        scoreNames,
        (at) => fleet[ofFleet.at.noScore + at * noScore.length + noScore.indexOf("outOfRange")]!
      ),
      unknownMembers: {
        upgradeEligibility: unknownMembers(ofFleet.at.eligibility),
        healthStatus: unknownMembers(ofFleet.at.health)
      },
      repeatedIds: withoutIndex ? null : fleet[ofFleet.at.repeatedIds]!,
      underAnotherAgent: withoutIndex ? null : fleet[ofFleet.at.underAnotherAgent]!
    },
    notCounted: [
      ...(withoutSupport ? (["windowsSupport"] as const) : []),
      ...(withoutIndex ? (["repeatedIds", "underAnotherAgent"] as const) : [])
    ]
  }
}

/** A fold over devices: start with `empty()`, `add` each device, `merge` what was counted apart, ask for the `result`. */
export interface FleetFold {
  readonly empty: () => FleetTally
  /** Counts a device into the tally, and gives back that same tally. */
  readonly add: (tally: FleetTally, device: Device) => FleetTally
  /**
   * Both together, as a new tally: exactly what adding all devices to one would have given, in any order, when both were
   * counted with the same options.
   */
  readonly merge: (a: FleetTally, b: FleetTally) => FleetTally
  readonly result: (tally: FleetTally) => FleetFigures
}

/**
 * The figures of a fleet in one pass, in memory that grows with the number of models only, up to `mostModels`, and with
 * the index when one is given. A tally is plain data that `postMessage` takes. What an index counts merges exactly
 * when both sides shared the index, or when an id and a serial number only ever came to one side. Counters are whole
 * numbers below 2⁵³, which is exact for up to 90 million devices.
 *
 * @throws RangeError when an option is not what it should be
 *
 * @example
 * const figures = fleetFigures({ asOf: "2026-11-23" })
 * const tally = figures.empty()
 * for (const device of devices) figures.add(tally, device)
 * figures.result(tally).verdicts // { upgraded: 3, capable: 1, notCapable: 2, unknown: 0 }
 */
export const fleetFigures = (options: FiguresOptions = {}): FleetFold => {
  const { add, merge } = tallier(options)
  return {
    empty: emptyTally,
    add: (tally, device) => {
      add(tally, device)
      return tally
    },
    merge,
    result: (tally) => figuresOf(merge(tally, emptyTally()))
  }
}

/**
 * Between which bounds the value lies that `percent` of the devices do not exceed (the nearest rank: of 10 devices, the
 * 5th is at 50 percent). The bounds hold exactly and are at most an eighth of a point apart. `undefined` when there is
 * no score; throws a RangeError when `percent` is not from 0 to 100.
 */
export const percentile = (
  { bins, devices }: ScoreDistribution,
  percent: number
): { readonly atLeast: number; readonly atMost: number } | undefined => {
  if (!(percent >= 0 && percent <= 100)) throw new RangeError(`percent: ${percent} is not from 0 to 100`)
  const rank = Math.max(1, Math.ceil((percent * devices) / 100))
  let seen = 0
  for (const { from, to, devices } of bins) {
    seen += devices
    if (seen >= rank) return { atLeast: from, atMost: to }
  }
  return undefined
}
