import type { Device } from "../device/device.ts"
import { type EvolvableEnum, healthState, upgradeEligibility } from "../device/evolvable-enum.ts"
import {
  type EntraJoin,
  type ManagementAgent,
  entraJoin,
  isWindows11,
  managementAgent,
  noEntraDeviceId,
  windowsBuild
} from "../device/free-text.ts"
import { type PropertyName, propertyNames } from "../device/property.ts"
import { isAvailable, readScore } from "../device/score.ts"
import { cloudIdentityRule } from "../scores/rules.ts"
import { readiness, readinessChecks } from "../windows/readiness.ts"
import type { EditionClass } from "../windows/releases.ts"
import { windowsSupport } from "../windows/support.ts"
import {
  type Counters,
  bins,
  binsPerPoint,
  blockerClasses,
  contradictionCodes,
  noScore,
  ofFleet,
  ofModel,
  scoreNames,
  scoreUnitsPerPoint,
  supportStates,
  verdicts
} from "./layout.ts"

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

const count = (counters: Counters, at: number, by = 1): void => {
  counters[at] = counters[at]! + by
}

const place = (name: PropertyName): number => propertyNames.indexOf(name)

/** What a property holds, as far as most counters ask. */
const state = { nothing: 0, no: 1, yes: 2, other: 3 } as const

const stateOf = (value: unknown): number => {
  if (value === null || value === undefined) return state.nothing
  return value === true ? state.yes : value === false ? state.no : state.other
}

/** Writing there is without effect. */
const noPlace = -1

/** The number of a member; of the sentinel for one that Graph added later. */
const numberOf = (of: EvolvableEnum, member: string): number => {
  const number: unknown = of[member as keyof EvolvableEnum]
  return typeof number === "number" ? number : of.unknownFutureValue
}

/**
 * Reads the state of every property, by place in the table. Rows of one source have the same names in the same order:
 * comparing a name with the one that stood there before is cheaper than looking it up, and asking a device for every
 * name takes three times as long.
 */
const stateReader = (): ((device: Device, states: Uint8Array) => void) => {
  const places = new Map<string, number>(propertyNames.map((name, place) => [name, place]))
  const names: Array<string> = []
  const placesInOrder: Array<number> = []
  return (device, states) => {
    states.fill(state.nothing)
    let at = 0
    for (const name in device) {
      if (names[at] !== name) {
        names[at] = name
        placesInOrder[at] = places.get(name) ?? noPlace
      }
      states[placesInOrder[at++]!] = stateOf(device[name as PropertyName])
    }
  }
}

/** Answers about what comes again and again, up to a number of different ones; then it starts anew. */
const remembering = <Key, Answer>(most: number, answer: (key: Key, device: Device) => Answer) => {
  const answers = new Map<Key, Answer>()
  return (key: Key, device: Device): Answer => {
    const known = answers.get(key)
    if (known !== undefined) return known
    if (answers.size >= most) answers.clear()
    const found = answer(key, device)
    answers.set(key, found)
    return found
  }
}

/** Counters that a device adds one to. */
interface Increments {
  readonly fleet: ReadonlyArray<number>
  readonly model: ReadonlyArray<number>
}

const readinessOf = (device: Device): Increments => {
  const { verdict, blockers, contradictions } = readiness(device)
  const checks = blockers.map(({ check }) => readinessChecks.indexOf(check))
  const classes = new Set(blockers.map((blocker) => blockerClasses.indexOf(blocker.class)))
  const classSet = [...classes].reduce((set, bit) => set | (1 << bit), 0)
  return {
    fleet: [
      ...checks.map((check) => ofFleet.at.failedChecks + check),
      ...contradictions.map(({ code }) => ofFleet.at.contradictions + contradictionCodes.indexOf(code))
    ],
    model: [
      ofModel.at.verdicts + verdicts.indexOf(verdict),
      ...(verdict === "notCapable" ? checks.map((check) => ofModel.at.blockers + check) : []),
      ...(verdict === "notCapable" ? [ofModel.at.classSets + classSet] : [])
    ]
  }
}

const countScores = (fleet: Counters, model: Counters, device: Device): void => {
  for (let score = 0; score < scoreNames.length; score++) {
    const value = device[scoreNames[score]!]
    if (isAvailable(value)) {
      count(model, ofModel.at.scores + score)
      count(model, ofModel.at.scoreSums + score, Math.round(value * scoreUnitsPerPoint))
      count(fleet, ofFleet.at.histogram + score * bins + Math.min(Math.floor(value * binsPerPoint), bins - 1))
    } else {
      const reading = readScore(value)
      if (!reading.available)
        count(fleet, ofFleet.at.noScore + score * noScore.length + noScore.indexOf(reading.encoding))
    }
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

const checkPlaces = readinessChecks.map(place)
const at = {
  azureAdRegistered: place("azureAdRegistered"),
  tenantAttached: place("tenantAttached"),
  autoPilotRegistered: place("autoPilotRegistered"),
  autoPilotProfileAssigned: place("autoPilotProfileAssigned")
}

const managementAgents = [
  undefined,
  "intune",
  "coManaged",
  "tenantAttached",
  "configurationManager"
] satisfies ReadonlyArray<ManagementAgent | undefined>
const entraJoins = [undefined, "joined", "hybridJoined", "registered"] satisfies ReadonlyArray<EntraJoin | undefined>

/** The rule for cloud identity does not look at the day. */
const anyDay = { asOf: "2026-01-01" }

/** What is counted of a Windows build. */
interface Build {
  /** Whether it is Windows 11, as a state. */
  readonly is11: number
  /** Which counter it adds one to. */
  readonly support: number
}

/**
 * Counts a device, and its model, into counters. What depends on few facts with few values (readiness, the build, what
 * free texts mean, cloud identity) is worked out once for each combination that occurs: a fleet has far fewer of these
 * than devices.
 */
export const deviceCounter = ({ asOf, edition, index }: FiguresOptions) => {
  const readStates = stateReader()
  const states = new Uint8Array(propertyNames.length)

  const supportOf = (osVersion: Device["osVersion"]): number => {
    if (asOf === undefined) return ofFleet.at.withoutSupport
    const { status } = windowsSupport(osVersion, edition === undefined ? { asOf } : { asOf, edition })
    return ofFleet.at.support + supportStates.indexOf(status)
  }
  // Says at once, and not with the first device, when the day is none.
  supportOf(null)

  const builds = remembering(1_000, (_: number | undefined, { osVersion }): Build => ({
    is11: stateOf(isWindows11(osVersion)),
    support: supportOf(osVersion)
  }))
  const agents = remembering(100, (text: Device["managedBy"]) => managementAgents.indexOf(managementAgent(text)))
  const joins = remembering(100, (text: Device["azureAdJoinType"]) => entraJoins.indexOf(entraJoin(text)))
  const judged = remembering(10_000, (_: number, device) => readinessOf(device))
  const identities = remembering(1_000, (_: number, device) => cloudIdentityRule(device, anyDay).score === 0)

  const judge = (device: Device, member: number, is11: number): Increments => {
    let facts = member * 4 + is11
    for (const check of checkPlaces) facts = facts * 4 + states[check]!
    return judged(facts, device)
  }

  const hasNoIdentity = (device: Device, agent: number): boolean => {
    const isNone = device.azureAdDeviceId === noEntraDeviceId ? 1 : 0
    const registered = states[at.azureAdRegistered]! * 2 + isNone
    const join = joins(device.azureAdJoinType, device)
    return identities((registered * entraJoins.length + join) * managementAgents.length + agent, device)
  }

  const countManagement = (fleet: Counters, device: Device, isWindows10: boolean): void => {
    const agent = agents(device.managedBy, device)
    const isAttached = managementAgents[agent] === "tenantAttached" || states[at.tenantAttached] === state.yes
    if (managementAgents[agent] === "coManaged") count(fleet, ofFleet.at.coManaged)
    if (managementAgents[agent] === "intune") count(fleet, ofFleet.at.intune)
    if (isAttached) count(fleet, ofFleet.at.tenantAttached)
    if (isWindows10) count(fleet, ofFleet.at.windows10)
    if (isWindows10 && !isAttached && states[at.tenantAttached] === state.no) {
      count(fleet, ofFleet.at.windows10WithoutTenantAttach)
    }
    if (hasNoIdentity(device, agent)) count(fleet, ofFleet.at.withoutCloudIdentity)
    if (states[at.autoPilotRegistered] === state.no) count(fleet, ofFleet.at.notAutopilotRegistered)
    if (states[at.autoPilotProfileAssigned] === state.no) count(fleet, ofFleet.at.withoutAutopilotProfile)
  }

  const countMissing = (fleet: Counters): void => {
    for (let place = 0; place < propertyNames.length; place++) {
      if (states[place] === state.nothing) count(fleet, ofFleet.at.missing + place)
    }
  }

  return (fleet: Counters, model: Counters, device: Device): void => {
    readStates(device, states)
    count(model, ofModel.at.devices)
    if (states.includes(state.nothing)) countMissing(fleet)
    const { upgradeEligibility: eligibility, healthStatus } = device
    const member = numberOf(upgradeEligibility, eligibility ?? "unknown")
    if (eligibility !== undefined) count(fleet, ofFleet.at.eligibility + member)
    if (healthStatus !== undefined) count(fleet, ofFleet.at.health + numberOf(healthState, healthStatus))
    const { is11, support } = builds(windowsBuild(device.osVersion), device)
    count(fleet, support)
    const increments = judge(device, member, is11)
    for (const place of increments.fleet) count(fleet, place)
    for (const place of increments.model) count(model, place)
    countScores(fleet, model, device)
    countManagement(fleet, device, is11 === state.no)
    if (index === undefined) count(fleet, ofFleet.at.withoutIndex)
    else countRepeats(fleet, device, index)
  }
}
