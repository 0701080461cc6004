import type { WholeDevice } from "@workanywhere/domain"
import { isWhole, numberIn } from "./durability.ts"

/** What a device is like: the number of the update that it holds (0 for none), or not there. */
export type State = number | "absent"

interface Known {
  /** The device before any update. */
  readonly before: WholeDevice
  settled: State
  /** What was asked for and not yet answered. */
  attempted?: State
}

/**
 * What every acknowledged write must have left. Each device has one writer, who waits for an answer or reads the device
 * back before it writes again, so that a device is known except while a write of it is under way.
 */
export interface SoakModel {
  readonly add: (before: WholeDevice, state: State) => void
  readonly ids: () => Iterable<string>
  readonly settled: (id: string) => State
  /** A write is sent. */
  readonly attempt: (id: string, state: State) => void
  /** It was acknowledged. */
  readonly acknowledge: (id: string) => void
  /** Its outcome is not known, and this is what was read afterwards: either of the two. */
  readonly resolve: (id: string, found: Partial<WholeDevice> | undefined) => void
  /** What anyone read; `since` is what was acknowledged before the read was sent. */
  readonly read: (id: string, found: Partial<WholeDevice> | undefined, since: State) => void
  /** What all devices are when nothing is under way any more. */
  readonly finish: (where: string, found: ReadonlyMap<string, WholeDevice>) => void
  readonly breach: (sentence: string) => void
  /** How many promises were broken, and the first of them as sentences. */
  readonly breaches: () => { readonly count: number; readonly sentences: ReadonlyArray<string> }
  readonly tally: Readonly<Record<"acknowledged" | "unknown" | "tookEffect", number>>
}

const mostSentences = 50

/** Makes a model that knows no device. */
export const soakModel = (): SoakModel => {
  const devices = new Map<string, Known>()
  const sentences: Array<string> = []
  const tally = { acknowledged: 0, unknown: 0, tookEffect: 0 }
  let count = 0

  const breach = (sentence: string): void => {
    count += 1
    if (sentences.length < mostSentences) sentences.push(sentence)
  }

  const knownOf = (id: string): Known => {
    const known = devices.get(id)
    if (known === undefined) throw new TypeError(`no writer knows the device ${id}`)
    return known
  }

  /** What a device turned out to be; by half is a breach by itself. */
  const stateOf = (id: string, { before }: Known, found: Partial<WholeDevice> | undefined): State => {
    if (found === undefined) return "absent"
    const device = { ...before, ...found }
    if (!isWhole(device, before)) breach(`update ${numberIn(device)} of ${id} is there by half`)
    return numberIn(device)
  }

  return {
    add: (before, state) => void devices.set(before.id, { before, settled: state }),
    ids: () => devices.keys(),
    settled: (id) => knownOf(id).settled,
    attempt: (id, state) => void (knownOf(id).attempted = state),
    acknowledge: (id) => {
      const known = knownOf(id)
      if (known.attempted === undefined) throw new TypeError(`nothing was asked of ${id}`)
      known.settled = known.attempted
      delete known.attempted
      tally.acknowledged += 1
    },
    resolve: (id, found) => {
      const known = knownOf(id)
      const state = stateOf(id, known, found)
      tally.unknown += 1
      if (state === known.attempted && state !== known.settled) tally.tookEffect += 1
      if (state !== known.settled && state !== known.attempted) {
        breach(`${id} is ${state} after ${known.settled}, while ${known.attempted} had no answer`)
      }
      known.settled = state
      delete known.attempted
    },
    read: (id, found, since) => {
      const known = knownOf(id)
      const state = stateOf(id, known, found)
      // Only its writer makes a device and takes it away, and does not read meanwhile.
      if (state === since || state === known.settled || state === known.attempted) return
      const isBetween = typeof state === "number" && typeof since === "number" && state > since
      const newest = Math.max(...[known.settled, known.attempted ?? -1].map((one) => (one === "absent" ? -1 : one)))
      if (!isBetween || state > newest) breach(`${id} was read as ${state} after ${since} was acknowledged`)
    },
    finish: (where, found) => {
      for (const [id, known] of devices) {
        const state = stateOf(id, known, found.get(id))
        const allowed = known.attempted === undefined ? [known.settled] : [known.settled, known.attempted]
        if (!allowed.includes(state)) breach(`in the end, ${where}, ${id} is ${state}, and not ${allowed.join(" or ")}`)
      }
      for (const id of found.keys())
        if (!devices.has(id)) breach(`in the end, ${where}, there is ${id}, which nobody made`)
    },
    breach,
    breaches: () => ({ count, sentences }),
    tally
  }
}
