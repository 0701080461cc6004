import type { Device } from "./device.ts"
import { healthState, knownMember, upgradeEligibility } from "./evolvable-enum.ts"
import { managementAgent } from "./free-text.ts"
import { type EditionClass, type WindowsSupport, windowsReleases, windowsSupport } from "./lifecycle.ts"
import { properties, propertyNames } from "./property.ts"
import { type BlockerClass, type Contradiction, type Readiness, readiness, readinessChecks } from "./readiness.ts"
import { cloudIdentityRule } from "./score-rules.ts"
import { readScore } from "./score.ts"
import { isWindows11, windowsBuild } from "./windows-version.ts"

/** Names for runs of places in an array of counters. */
const fields = <Name extends string>(sizes: Readonly<Record<Name, number>>) => {
  const at = {} as Record<Name, number>
  let size = 0
  for (const name of Object.keys(sizes) as Array<Name>) {
    at[name] = size
    size += sizes[name]
  }
  return { at: at as Readonly<Record<Name, number>>, size }
}

/** The verdicts of {@link Readiness}, as they are counted. */
export const verdicts = ["upgraded", "capable", "notCapable", "unknown"] as const satisfies ReadonlyArray<
  Readiness["verdict"]
>

/** The classes of blockers, from the heaviest; a set of them is a number with a bit for each. */
export const blockerClasses = ["replace", "part", "firmware", "update"] as const satisfies ReadonlyArray<BlockerClass>

/** The score properties, as they are counted. */
export const scoreNames = properties.flatMap((row) => (row.kind === "score" ? [row.name] : []))

/** Name of a score property. */
export type ScoreName = (typeof scoreNames)[number]

/** The ways in which there is no score, as they are counted. */
export const noScore = ["null", "absent", "-1", "-2", "outOfRange"] as const

/** What a record can contradict itself in, as it is counted. */
export const contradictionCodes = [
  "failedWhileCapable",
  "upgradedOnWindows10",
  "notCapableWithoutFailedCheck"
] as const satisfies ReadonlyArray<Contradiction["code"]>

/** What the table of Windows releases says about a device, as it is counted. */
export const supportStates = [
  "supported",
  "unsupported",
  "dependsOnEdition",
  "unknown"
] as const satisfies ReadonlyArray<WindowsSupport["status"]>

/** Bins of the score histogram in a point: a power of two, so that a bin's bounds are exact numbers. */
export const binsPerPoint = 8
const bins = 100 * binsPerPoint

/** A score is summed in millionths of a point, as a whole number: sums do not depend on their order. */
export const scoreUnitsPerPoint = 1_000_000

/** What is counted for a model. */
export const ofModel = fields({
  devices: 1,
  verdicts: verdicts.length,
  /** Failed checks, of devices that are not capable. */
  blockers: readinessChecks.length,
  /** Devices that are not capable, by the set of their blockers' classes. */
  classSets: 2 ** blockerClasses.length,
  scores: scoreNames.length,
  scoreSums: scoreNames.length
})

/** What is counted for the fleet only. */
export const ofFleet = fields({
  failedChecks: readinessChecks.length,
  eligibility: Object.keys(upgradeEligibility).length,
  health: Object.keys(healthState).length,
  coManaged: 1,
  intune: 1,
  tenantAttached: 1,
  windows10: 1,
  windows10WithoutTenantAttach: 1,
  withoutCloudIdentity: 1,
  notAutopilotRegistered: 1,
  withoutAutopilotProfile: 1,
  support: supportStates.length,
  withoutSupport: 1,
  missing: propertyNames.length,
  contradictions: contradictionCodes.length,
  noScore: scoreNames.length * noScore.length,
  histogram: scoreNames.length * bins,
  withoutIndex: 1,
  repeatedIds: 1,
  underAnotherAgent: 1
})

/**
 * What a fold has counted so far: plain data, which a worker can post. All counters are whole numbers, so that adding
 * and merging give the same in any order.
 */
export interface FleetTally {
  readonly fleet: Float64Array<ArrayBuffer>
  readonly models: Map<string, Float64Array<ArrayBuffer>>
  readonly otherModels: Float64Array<ArrayBuffer>
  /** Models whose key stands behind this one are no longer told apart. */
  lastModel: string | undefined
}

/** What has to be known beside the devices; all of it is optional, and what is then not counted is said so. */
export interface FiguresOptions {
  /** The day (YYYY-MM-DD) on which a Windows release counts as supported or not, and the edition where it is known. */
  readonly asOf?: string
  readonly edition?: EditionClass
  /**
   * Remembers texts: a `Set`, or anything larger. With it, repeated ids and devices under two agents are counted; it
   * grows with the fleet (about 0.3 KB a device in a `Set`).
   */
  readonly index?: { readonly has: (text: string) => boolean; readonly add: (text: string) => unknown }
  /** How many models are told apart; what is above goes into "other models". 10,000. */
  readonly mostModels?: number
}

type Counters = Float64Array<ArrayBuffer>

const count = (counters: Counters, at: number, by = 1): void => {
  counters[at] = counters[at]! + by
}

const addAll = (to: Counters, from: Counters): void => {
  for (let at = 0; at < to.length; at++) to[at] = to[at]! + from[at]!
}

/** Nothing counted yet. */
export const emptyTally = (): FleetTally => ({
  fleet: new Float64Array(ofFleet.size),
  models: new Map(),
  otherModels: new Float64Array(ofModel.size),
  lastModel: undefined
})

/** The length in front tells where the maker ends. The key is a text of its own and keeps no row of a file alive. */
const keyOf = ({ manufacturer, model }: Device): string =>
  `${manufacturer?.length ?? 0}:${manufacturer ?? ""}${model ?? ""}`

/** What a model is called; null where the records have no name, or an empty one. */
export interface ModelName {
  readonly manufacturer: string | null
  readonly model: string | null
}

/** The name that a key stands for. */
export const modelOfKey = (key: string): ModelName => {
  const from = key.indexOf(":") + 1
  const to = from + Number.parseInt(key, 10)
  return { manufacturer: key.slice(from, to) || null, model: key.slice(to) || null }
}

/**
 * Keeps the first models by key, and puts the others together. Which models are kept depends on their names only, never
 * on the order in which they came; that is what keeps merging exact. (The largest ones could not be kept exactly
 * without telling all apart.)
 */
const keepModels = (tally: FleetTally, most: number): void => {
  const keys = [...tally.models.keys()].toSorted()
  for (const key of keys.slice(most)) {
    addAll(tally.otherModels, tally.models.get(key)!)
    tally.models.delete(key)
  }
  tally.lastModel = keys[most - 1] ?? ""
}

/** The counters of a model; those of "other models" when it cannot be among the ones that are kept. */
const countersOf = ({ models, otherModels, lastModel }: FleetTally, key: string): Counters => {
  const known = models.get(key)
  if (known !== undefined) return known
  if (lastModel !== undefined && key > lastModel) return otherModels
  const counters = new Float64Array(ofModel.size)
  models.set(key, counters)
  return counters
}

const countReadiness = (fleet: Counters, model: Counters, device: Device): void => {
  const { verdict, blockers, contradictions } = readiness(device)
  count(model, ofModel.at.verdicts + verdicts.indexOf(verdict))
  let classes = 0
  for (const blocker of blockers) {
    const at = readinessChecks.indexOf(blocker.check)
    count(fleet, ofFleet.at.failedChecks + at)
    if (verdict === "notCapable") count(model, ofModel.at.blockers + at)
    classes |= 1 << blockerClasses.indexOf(blocker.class)
  }
  if (verdict === "notCapable") count(model, ofModel.at.classSets + classes)
  for (const { code } of contradictions) count(fleet, ofFleet.at.contradictions + contradictionCodes.indexOf(code))
}

const countScores = (fleet: Counters, model: Counters, device: Device): void => {
  for (const [at, name] of scoreNames.entries()) {
    const reading = readScore(device[name])
    if (reading.available) {
      const { score } = reading
      count(model, ofModel.at.scores + at)
      count(model, ofModel.at.scoreSums + at, Math.round(score * scoreUnitsPerPoint))
      count(fleet, ofFleet.at.histogram + at * bins + Math.min(Math.floor(score * binsPerPoint), bins - 1))
    } else count(fleet, ofFleet.at.noScore + at * noScore.length + noScore.indexOf(reading.encoding))
  }
}

const countManagement = (fleet: Counters, device: Device): void => {
  const { at } = ofFleet
  const agent = managementAgent(device.managedBy)
  if (agent === "coManaged") count(fleet, at.coManaged)
  if (agent === "intune") count(fleet, at.intune)
  if (agent === "tenantAttached" || device.tenantAttached === true) count(fleet, at.tenantAttached)
  if (isWindows11(device.osVersion) === false) {
    count(fleet, at.windows10)
    if (agent !== "tenantAttached" && device.tenantAttached === false) count(fleet, at.windows10WithoutTenantAttach)
  }
  if (cloudIdentityRule(device, anyDay).score === 0) count(fleet, at.withoutCloudIdentity)
  if (device.autoPilotRegistered === false) count(fleet, at.notAutopilotRegistered)
  if (device.autoPilotProfileAssigned === false) count(fleet, at.withoutAutopilotProfile)
}

/** The rule for cloud identity does not look at the day. */
const anyDay = { asOf: "2026-01-01" }

const countFacts = (fleet: Counters, device: Device): void => {
  for (const [at, name] of propertyNames.entries()) {
    if (device[name] === null || device[name] === undefined) count(fleet, ofFleet.at.missing + at)
  }
  const { upgradeEligibility: eligibility, healthStatus } = device
  if (eligibility !== undefined) {
    count(fleet, ofFleet.at.eligibility + upgradeEligibility[knownMember(upgradeEligibility, eligibility)])
  }
  if (healthStatus !== undefined) {
    count(fleet, ofFleet.at.health + healthState[knownMember(healthState, healthStatus)])
  }
}

/** The same serial number and name, compared without regard to case, managed by another agent: one device, two records. */
const countRepeats = (fleet: Counters, device: Device, index: NonNullable<FiguresOptions["index"]>): void => {
  const { id, serialNumber, deviceName, managedBy } = device
  if (id !== undefined) {
    const key = `id ${id.toLowerCase()}`
    if (index.has(key)) count(fleet, ofFleet.at.repeatedIds)
    else index.add(key)
  }
  if (!serialNumber || !deviceName || !managedBy) return
  const key = JSON.stringify([serialNumber.toLowerCase(), deviceName.toLowerCase()])
  const keyWithAgent = `${key} ${managedBy.toLowerCase()}`
  if (index.has(key) && !index.has(keyWithAgent)) count(fleet, ofFleet.at.underAnotherAgent)
  index.add(key)
  index.add(keyWithAgent)
}

/** What the table of releases says about each listed build; asked once, since a fold asks for every device. */
const supportByBuild = (
  asOf: string,
  edition: EditionClass | undefined
): ReadonlyMap<number, WindowsSupport["status"]> => {
  const question = edition === undefined ? { asOf } : { asOf, edition }
  return new Map(windowsReleases.map(({ build }) => [build, windowsSupport(`10.0.${build}`, question).status]))
}

/** Counts devices into a tally, which it changes; throws a RangeError when an option is not what it should be. */
export const tallier = ({ asOf, edition, index, mostModels = 10_000 }: FiguresOptions) => {
  if (!Number.isSafeInteger(mostModels) || mostModels < 1) {
    throw new RangeError(`mostModels: ${mostModels} is not a number of models; expected a whole number from 1`)
  }
  const support = asOf === undefined ? undefined : supportByBuild(asOf, edition)

  const add = (tally: FleetTally, device: Device): void => {
    const { fleet } = tally
    const model = countersOf(tally, keyOf(device))
    count(model, ofModel.at.devices)
    countReadiness(fleet, model, device)
    countScores(fleet, model, device)
    countManagement(fleet, device)
    countFacts(fleet, device)
    if (support === undefined) count(fleet, ofFleet.at.withoutSupport)
    else {
      const status = support.get(windowsBuild(device.osVersion) ?? 0) ?? "unknown"
      count(fleet, ofFleet.at.support + supportStates.indexOf(status))
    }
    if (index === undefined) count(fleet, ofFleet.at.withoutIndex)
    else countRepeats(fleet, device, index)
    // As many again may wait, so that sorting them costs little for each device.
    if (tally.models.size > 2 * mostModels) keepModels(tally, mostModels)
  }

  const merge = (a: FleetTally, b: FleetTally): FleetTally => {
    const merged = emptyTally()
    for (const { lastModel } of [a, b]) {
      if (lastModel !== undefined && (merged.lastModel === undefined || lastModel < merged.lastModel)) {
        merged.lastModel = lastModel
      }
    }
    for (const { fleet, models, otherModels } of [a, b]) {
      addAll(merged.fleet, fleet)
      addAll(merged.otherModels, otherModels)
      for (const [key, counters] of models) addAll(countersOf(merged, key), counters)
    }
    if (merged.models.size > mostModels) keepModels(merged, mostModels)
    return merged
  }

  return { add, merge }
}
