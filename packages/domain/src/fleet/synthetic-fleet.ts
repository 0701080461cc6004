import type { WholeDevice } from "../device/device.ts"
import { noEntraDeviceId } from "../device/free-text.ts"
import { kindRules } from "../device/property-kind.ts"
import { type PropertyName, type PropertyValue, properties } from "../device/property.ts"
import { subScores } from "../device/score.ts"
import { readinessChecks } from "../windows/readiness.ts"
import {
  type Management,
  type Model,
  builds,
  managements,
  models,
  oftenUnknownChecks,
  supportedBuilds
} from "./catalogue.ts"

/** What a synthetic fleet is made of: shares of its devices, from 0 to 1. What is not given has a default. */
export interface FleetProfile {
  /** Devices on Windows 10 that could run Windows 11; 0.2. What the three verdicts leave is `upgraded`. */
  readonly capable?: number
  /** Devices whose hardware, firmware or Windows is not up to Windows 11; 0.17. */
  readonly notCapable?: number
  /** Devices without enough data to judge: checks are null, and so are the scores; 0.08. */
  readonly unknown?: number
  /** Devices, of those with a verdict, that lack one, several or all of their scores (-1 or null); 0.12. */
  readonly unavailableScores?: number
  /** Devices that lack some facts other than checks and scores (null); 0.06. */
  readonly missingFacts?: number
  /** Devices whose facts contradict each other, such as a check that failed on a `capable` device; 0.02. */
  readonly dirtyRows?: number
}

/** What {@link syntheticFleet} needs to know. */
export interface FleetOptions {
  /** Number of devices, 0 to 4,294,967,295. */
  readonly size: number
  /** Any safe integer; another seed is another fleet. */
  readonly seed: number
  readonly profile?: FleetProfile
}

const wordRange = 2 ** 32

type Shares = Required<FleetProfile>

const defaults: Shares = {
  capable: 0.2,
  notCapable: 0.17,
  unknown: 0.08,
  unavailableScores: 0.12,
  missingFacts: 0.06,
  dirtyRows: 0.02
}

const checkSize = (size: number): void => {
  if (!Number.isInteger(size) || size < 0 || size >= wordRange) {
    throw new RangeError(`size: ${size} is not a number of devices; expected a whole number from 0 to ${wordRange - 1}`)
  }
}

const checkSeed = (seed: number): void => {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: ${seed} is not a seed; expected a safe integer`)
}

const sharesOf = (profile: FleetProfile): Shares => {
  const shares = { ...defaults, ...profile }
  for (const [name, share] of Object.entries(shares)) {
    if (!Object.hasOwn(defaults, name)) throw new RangeError(`profile.${name}: a profile has no such share`)
    if (!(share >= 0 && share <= 1)) {
      throw new RangeError(`profile.${name}: ${share} is not a share; expected a number from 0 to 1`)
    }
  }
  const sum = shares.capable + shares.notCapable + shares.unknown
  if (sum > 1 + 1e-9) {
    throw new RangeError(`profile: capable, notCapable and unknown add up to ${sum}; expected at most 1`)
  }
  return shares
}

/** A source of whole numbers from 0 to 2³² - 1. */
type Draw = () => number

/** Chris Doty-Humphrey's sfc32: 32-bit integer arithmetic only, so that every machine draws the same numbers. */
const drawsOf = (seed: number, index: number): Draw => {
  let [a, b, c, counter] = [seed | 0, Math.floor(seed / wordRange) | 0, index | 0, 1]
  const draw = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  // The first numbers of neighbouring seeds still resemble each other.
  for (let round = 0; round < 12; round++) draw()
  return draw
}

const share = (draw: Draw, of: number): boolean => draw() < of * wordRange

const percent = (draw: Draw, chance: number): boolean => draw() % 100 < chance

const oneOf = <A>(draw: Draw, choices: ReadonlyArray<A>): A => choices[draw() % choices.length] as A

/** A device while it is made up: every step writes the facts that it decides. */
type Draft = { -readonly [Name in PropertyName]: PropertyValue<Name> }

const isCheck = (name: PropertyName): boolean => readinessChecks.some((check) => check === name)

/** What a device holds that nothing below decides: checks that passed, and otherwise what stands for "not recorded". */
const undecided = Object.fromEntries(
  properties.map(({ name, kind }) => [name, isCheck(name) ? false : kindRules[kind].unrecorded])
) as Draft

type Verdict = keyof typeof models

const verdictOf = (draw: Draw, { capable, notCapable, unknown }: Shares): Verdict => {
  const at = draw()
  if (at < capable * wordRange) return "capable"
  if (at < (capable + notCapable) * wordRange) return "notCapable"
  return at < (capable + notCapable + unknown) * wordRange ? "unknown" : "upgraded"
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** Looked up, since `toString(16)` took more time than all the rest of a device. */
const hex = (word: number): string =>
  hexOfByte[word >>> 24]! + hexOfByte[(word >>> 16) & 255]! + hexOfByte[(word >>> 8) & 255]! + hexOfByte[word & 255]!

const guid = (first: number, draw: Draw): string => {
  const [second, third] = [hex(draw()), hex(draw())]
  return `${hex(first)}-${second.slice(0, 4)}-4${second.slice(5)}-a${third.slice(5)}-${third.slice(0, 4)}${hex(draw())}`
}

/** A bijection of words (MurmurHash3's finalizer): what it starts is scattered, and still no two devices share an id. */
const scatter = (word: number): number => {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** The id on Microsoft's page for the update, so that the documented request finds a device in every fleet. */
const documentedId = "83d5adfc-adfc-83d5-fcad-d583fcadd583"

const decideChecks = (draw: Draw, device: Draft, { fails, year }: Model): void => {
  const verdict = device.upgradeEligibility
  if (verdict === "upgraded" || verdict === "capable") return
  for (const check of fails) device[check] = true
  // The older the device, the likelier that its TPM or Secure Boot is missing or switched off.
  device.tpmCheckFailed = percent(draw, year <= 2014 ? 70 : year <= 2016 ? 35 : 8)
  device.secureBootCheckFailed = percent(draw, year <= 2014 ? 50 : year <= 2016 ? 20 : 4)
  if (verdict === "notCapable") {
    if (fails.length > 0 || device.secureBootCheckFailed) return
    // Nothing of the model stands in the way, so that it is a setting or an old Windows.
    if (percent(draw, 85)) device.tpmCheckFailed = true
    else device.osCheckFailed = !device.tpmCheckFailed
    return
  }
  const inactive = percent(draw, 60)
  for (const check of readinessChecks) if (inactive || device[check] === true) device[check] = null
  device[oneOf(draw, oftenUnknownChecks)] = null
}

const decideWindows = (draw: Draw, device: Draft, year: number): void => {
  const verdict = device.upgradeEligibility
  const on11 = verdict === "upgraded" || (verdict === "unknown" && year >= 2018 && percent(draw, 50))
  const stale = device.osCheckFailed === true || (verdict === "notCapable" && percent(draw, year <= 2016 ? 25 : 0))
  if (stale) device.osCheckFailed = true
  const choices = on11
    ? year >= 2021
      ? builds.windows11OnNewer
      : builds.windows11OnOlder
    : stale
      ? builds.staleWindows10
      : builds.windows10
  const build = oneOf(draw, choices)
  device.osVersion = `10.0.${build}.${1000 + (draw() % 4000)}`
  device.windowsScore = supportedBuilds.has(build) ? 100 : 0
}

const decideManagement = (draw: Draw, device: Draft, management: Management): void => {
  const { managedBy, joinTypes, autopilot } = management
  const joinType = oneOf(draw, joinTypes)
  const registered = joinType !== "unknown"
  device.managedBy = managedBy
  device.azureAdJoinType = joinType
  device.ownership = joinType === "azureADRegistered" ? "Personal" : "Corporate"
  device.azureAdRegistered = registered
  device.azureAdDeviceId = registered ? guid(draw(), draw) : noEntraDeviceId
  device.autoPilotRegistered = joinType !== "azureADRegistered" && percent(draw, autopilot)
  device.autoPilotProfileAssigned = device.autoPilotRegistered && percent(draw, 90)
  device.tenantAttached = percent(draw, management.tenantAttached)
  device.isCloudManagedGatewayEnabled = percent(draw, management.gateway)
  device.compliancePolicySetToIntune = percent(draw, management.compliance)
  device.otherWorkloadsSetToIntune = percent(draw, management.otherWorkloads)
  device.cloudManagementScore = managedBy !== "configurationManagerClient" || device.tenantAttached ? 100 : 0
  device.cloudIdentityScore = joinType === "azureADJoined" || joinType === "hybridAzureADJoined" ? 100 : 0
  device.cloudProvisioningScore = device.autoPilotProfileAssigned ? 100 : 0
  // Recorded scores are not always what the facts suggest: live rows hold values in between
  // (docs/fidelity.md, source P1).
  if (percent(draw, 4)) device.cloudManagementScore = oneOf(draw, [63, 75, 87.5, 93.75])
}

const withholdScores = (draw: Draw, device: Draft, unavailableScores: number): void => {
  const withheld = share(draw, unavailableScores)
  if (device.upgradeEligibility === "unknown" || (withheld && percent(draw, 40))) {
    for (const name of subScores) device[name] = null
  } else if (withheld) {
    device.cloudProvisioningScore = -1
    if (percent(draw, 40)) device[oneOf(draw, subScores)] = -1
  }
}

const decideOverall = (device: Draft): void => {
  let [sum, available] = [0, 0]
  for (const name of subScores) {
    const score = device[name] ?? -1
    if (score < 0) continue
    sum += score
    available++
  }
  // With these sub-scores a mean that lies halfway ends in 875, where rounding up is also rounding half to even.
  if (available > 0) device.workFromAnywhereScore = Math.round((sum / available) * 100) / 100
  device.healthStatus =
    available === 0 ? "unknown" : (device.workFromAnywhereScore ?? 0) >= 75 ? "meetingGoals" : "needsAttention"
}

const losableFacts = [
  "deviceId",
  "serialNumber",
  "ownership",
  "managedBy",
  "autoPilotRegistered",
  "autoPilotProfileAssigned",
  "azureAdDeviceId",
  "azureAdJoinType",
  "osVersion",
  "tenantAttached",
  "isCloudManagedGatewayEnabled"
] as const

const loseFacts = (draw: Draw, device: Draft): void => {
  for (let lost = 1 + (draw() % 3); lost > 0; lost--) device[oneOf(draw, losableFacts)] = null
}

const contradict = (draw: Draw, device: Draft): void => {
  switch (device.upgradeEligibility) {
    case "capable":
      device[percent(draw, 50) ? "tpmCheckFailed" : "processorFamilyCheckFailed"] = true
      return
    case "upgraded":
      device.osVersion = `10.0.${oneOf(draw, builds.windows10)}.${1000 + (draw() % 4000)}`
      return
    case "notCapable":
      for (const check of readinessChecks) device[check] = false
      return
    default:
      device.autoPilotRegistered = false
      device.autoPilotProfileAssigned = true
  }
}

const deviceOf = (seed: number, index: number, shares: Shares): WholeDevice => {
  const draw = drawsOf(seed, index)
  const verdict = verdictOf(draw, shares)
  const model = oneOf(draw, oneOf(draw, models[verdict]))
  const year = model.year + (draw() % 2)
  const made = guid(scatter((index + 0x9e3779b9) ^ seed), draw)
  const id = index === 0 ? documentedId : made
  const device: Draft = {
    ...undecided,
    id,
    deviceId: id,
    deviceName: `${model.manufacturer.replace(" ", "").toUpperCase()}-${String(index + 1).padStart(7, "0")}`,
    serialNumber: `SYNTHETIC-${hex(draw()).toUpperCase()}`,
    manufacturer: model.manufacturer,
    model: model.name,
    osDescription: "Windows",
    upgradeEligibility: verdict
  }
  decideChecks(draw, device, model)
  decideWindows(draw, device, year)
  decideManagement(draw, device, oneOf(draw, year >= 2021 ? managements.ofNewer : managements.ofOlder))
  withholdScores(draw, device, shares.unavailableScores)
  decideOverall(device)
  if (share(draw, shares.missingFacts)) loseFacts(draw, device)
  if (share(draw, shares.dirtyRows)) contradict(draw, device)
  return device
}

/**
 * An invented fleet for tests, benches and trying things out: the same seed gives the same devices on any machine, and
 * device number n of a seed is the same in a fleet of any size. Models decide processor, memory and storage, age
 * decides firmware and Windows build, join type, agent and workloads go together. The first device has the id of
 * Microsoft's update page. Scores are as of 2026-06-01 on Enterprise editions; how they become a health state is made
 * up, since no threshold is published. Throws a RangeError that names the option that is wrong.
 */
export const syntheticFleet = ({ size, seed, profile = {} }: FleetOptions): AsyncIterable<WholeDevice> => {
  checkSize(size)
  checkSeed(seed)
  const shares = sharesOf(profile)
  return {
    [Symbol.asyncIterator]: async function* () {
      for (let index = 0; index < size; index++) yield deviceOf(seed, index, shares)
    }
  }
}
