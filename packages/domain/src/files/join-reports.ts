import type { Device, KeyedDevice } from "../device/device.ts"
import { properties } from "../device/property.ts"

/**
 * A device joined from two reports, and which of them had it. `repeatedScores` is a row of scores that a later one
 * with the same id replaced.
 */
export interface JoinedDevice {
  readonly from: "both" | "facts" | "scores" | "repeatedScores"
  readonly device: KeyedDevice
}

type Devices = Iterable<KeyedDevice> | AsyncIterable<KeyedDevice>

const scoreNames = properties.filter(({ group }) => group === "scores").map(({ name }) => name)

const scoresOf = (device: KeyedDevice): Device =>
  Object.fromEntries(scoreNames.filter((name) => device[name] !== undefined).map((name) => [name, device[name]]))

/**
 * Joins by id what Microsoft keeps in two places: the facts of a device (`EAWFADeviceList`, or the metric `allDevices`)
 * and its scores and health (`EAWFAPerDevicePerformance`, or `devicePerformance`). The facts' rows come first, as
 * they arrive and as often as they come; everything but scores and health is taken from them. Then come the devices
 * that only have scores. Ids are compared without regard to case, as GUIDs are.
 *
 * Scores are read first and held in memory, about 0.5 KB a device as they come from a report; facts are not held.
 */
export async function* joinReports(facts: Devices, scores: Devices): AsyncGenerator<JoinedDevice> {
  const rows = new Map<string, { readonly device: KeyedDevice; joined: boolean }>()
  for await (const device of scores) {
    const key = device.id.toLowerCase()
    const earlier = rows.get(key)
    if (earlier !== undefined) yield { from: "repeatedScores", device: earlier.device }
    rows.set(key, { device, joined: false })
  }
  for await (const device of facts) {
    const own = rows.get(device.id.toLowerCase())
    if (own === undefined) yield { from: "facts", device }
    else {
      own.joined = true
      yield { from: "both", device: { ...device, ...scoresOf(own.device) } }
    }
  }
  for (const { device, joined } of rows.values()) if (!joined) yield { from: "scores", device }
}
