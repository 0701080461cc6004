import { describe, expect, it } from "vitest"
import {
  type Parsed,
  type PropertyKind,
  isNullable,
  parseDevice,
  parseDeviceUpdate,
  parseNewDevice,
  properties,
  wholeDevice
} from "../../src/index.ts"

const fitting = wholeDevice({ id: "d1" })

interface Values {
  readonly good: ReadonlyArray<unknown>
  readonly bad: ReadonlyArray<unknown>
}

const anything = [undefined, {}, []]

const read: Record<PropertyKind, Values> = {
  string: { good: ["", "x", "\0", "\uD800"], bad: [1, true, ...anything] },
  boolean: { good: [true, false], bad: [0, 1, "true", "", ...anything] },
  score: { good: [0, 100, 101, -1, -2, 0.5, 1e308], bad: ["7", true, Number.NaN, Infinity, -Infinity, ...anything] },
  upgradeEligibility: { good: ["capable", "unknownFutureValue", "addedLater", ""], bad: [3, true, ...anything] },
  healthState: { good: ["meetingGoals", "unknownFutureValue", "addedLater"], bad: [3, false, ...anything] }
}

const update: Record<PropertyKind, Values> = {
  string: { good: ["", "x", "𝔘"], bad: ["\0", "a\uD800", ...read.string.bad] },
  boolean: read.boolean,
  score: { good: [0, 100, -1, 0.5], bad: [101, -2, -0.5, 1e308, ...read.score.bad] },
  upgradeEligibility: {
    good: ["capable", "unknownFutureValue"],
    bad: ["addedLater", "Capable", "toString", "", ...read.upgradeEligibility.bad]
  },
  healthState: { good: ["meetingGoals", "unknownFutureValue"], bad: ["capable", ...read.healthState.bad] }
}

const withoutSentinel = ({ good, bad }: Values): Values => ({
  good: good.filter((value) => value !== "unknownFutureValue"),
  bad: [...bad, "unknownFutureValue"]
})

const created: Record<PropertyKind, Values> = {
  ...update,
  upgradeEligibility: withoutSentinel(update.upgradeEligibility),
  healthState: withoutSentinel(update.healthState)
}

const parsers: ReadonlyArray<
  readonly [name: string, parse: (body: unknown) => Parsed<object>, values: Record<PropertyKind, Values>]
> = [
  ["parseDevice", parseDevice, read],
  ["parseDeviceUpdate", parseDeviceUpdate, update],
  ["parseNewDevice", parseNewDevice, created]
]

describe.each(parsers)("%s, for a body in which all other values fit", (_, parse, values) => {
  it.each(properties)("takes for $name what fits, and names it for what does not", (row) => {
    const { good, bad } = values[row.kind]
    for (const value of good) expect(parse({ ...fitting, [row.name]: value })).toMatchObject({ success: true })
    for (const value of isNullable(row) ? bad : [null, ...bad]) {
      expect(parse({ ...fitting, [row.name]: value })).toMatchObject({ success: false, issues: [{ path: row.name }] })
    }
    expect(parse({ ...fitting, [row.name]: null }).success).toBe(isNullable(row))
  })
})
