import type { Device } from "../device/device.ts"
import { type FiguresOptions, deviceCounter } from "./count-device.ts"
import { type Counters, ofFleet, ofModel } from "./layout.ts"

/** What a model is called; null where the records have no name, or an empty one. */
export interface ModelName {
  readonly manufacturer: string | null
  readonly model: string | null
}

/** A model that was met, and what was counted for it. */
interface Model {
  readonly manufacturer: string
  readonly model: string
  readonly counters: Counters
}

/**
 * What a fold has counted so far: plain data, which a worker can post. All counters are whole numbers, so that adding
 * and merging give the same in any order.
 */
export interface FleetTally {
  readonly fleet: Counters
  /** By manufacturer, then by model. */
  readonly models: Map<string, Map<string, Model>>
  modelCount: number
  readonly otherModels: Counters
}

/** Nothing counted yet. */
export const emptyTally = (): FleetTally => ({
  fleet: new Float64Array(ofFleet.size),
  models: new Map(),
  modelCount: 0,
  otherModels: new Float64Array(ofModel.size)
})

const addAll = (to: Counters, from: Counters): void => {
  for (let at = 0; at < to.length; at++) to[at] = to[at]! + from[at]!
}

/** By name and nothing else, so that every machine agrees. */
const compare = (a: Model, b: Model): number => {
  const [one, other] = a.manufacturer === b.manufacturer ? [a.model, b.model] : [a.manufacturer, b.manufacturer]
  return one === other ? 0 : one < other ? -1 : 1
}

/** The models of a tally, by name. */
export const modelsOf = ({ models }: FleetTally): ReadonlyArray<Model> =>
  [...models.values()].flatMap((ofMaker) => Array.from(ofMaker.values())).toSorted(compare)

/** A text of its own: one that was cut out of a file's text would keep that in memory. */
const ownText = (text: string): string => JSON.parse(JSON.stringify(text)) as string

/** The counters of a model, which are new when it was not met before. */
const countersOf = (tally: FleetTally, manufacturer: string, model: string): Counters => {
  const known = tally.models.get(manufacturer)?.get(model)
  if (known !== undefined) return known.counters
  const met = { manufacturer: ownText(manufacturer), model: ownText(model), counters: new Float64Array(ofModel.size) }
  const ofMaker = tally.models.get(manufacturer) ?? new Map<string, Model>()
  ofMaker.set(met.model, met)
  tally.models.set(met.manufacturer, ofMaker)
  tally.modelCount++
  return met.counters
}

/**
 * Keeps the first models by name, and puts the others together. Which models are kept in the end never depends on the
 * order in which they came, and those that are were never put away before: that is what keeps merging exact. (The
 * largest ones could not be kept exactly without telling all apart.)
 */
const keepModels = (tally: FleetTally, most: number): void => {
  const models = modelsOf(tally)
  for (const { manufacturer, model, counters } of models.slice(most)) {
    addAll(tally.otherModels, counters)
    const ofMaker = tally.models.get(manufacturer)
    ofMaker?.delete(model)
    if (ofMaker?.size === 0) tally.models.delete(manufacturer)
  }
  tally.modelCount = most
}

/** Counts devices into a tally, which it changes; throws a RangeError when an option is not what it should be. */
export const tallier = (options: FiguresOptions) => {
  const { mostModels = 10_000 } = options
  if (!Number.isSafeInteger(mostModels) || mostModels < 1) {
    throw new RangeError(`mostModels: ${mostModels} is not a number of models; expected a whole number from 1`)
  }
  const countDevice = deviceCounter(options)

  const add = (tally: FleetTally, device: Device): void => {
    countDevice(tally.fleet, countersOf(tally, device.manufacturer ?? "", device.model ?? ""), device)
    // As many again may wait, so that sorting them costs little for each device.
    if (tally.modelCount > 2 * mostModels) keepModels(tally, mostModels)
  }

  const merge = (a: FleetTally, b: FleetTally): FleetTally => {
    const merged = emptyTally()
    for (const tally of [a, b]) {
      addAll(merged.fleet, tally.fleet)
      addAll(merged.otherModels, tally.otherModels)
      for (const { manufacturer, model, counters } of modelsOf(tally)) {
        addAll(countersOf(merged, manufacturer, model), counters)
      }
    }
    if (merged.modelCount > mostModels) keepModels(merged, mostModels)
    return merged
  }

  return { add, merge }
}
