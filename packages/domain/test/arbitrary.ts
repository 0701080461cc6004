import * as fc from "fast-check"
import {
  type Device,
  type DeviceUpdate,
  type KeyedDevice,
  type Property,
  type WholeDevice,
  enumOf,
  isNullable,
  properties
} from "../src/index.ts"

/** Text that can be stored: no NUL, no half of a surrogate pair. */
const storable = fc.string({ unit: "binary", maxLength: 12 }).filter((text) => !text.includes("\0"))

const readableScore = fc.oneof(fc.constantFrom(-1, -2, 0, 100), fc.double({ min: 0, max: 100, noNaN: true }))
const writableScore = fc.oneof(fc.constantFrom(-1, 0, 100), fc.double({ min: 0, max: 100, noNaN: true }))

const valueOf = (row: Property, score: fc.Arbitrary<number>, extra: ReadonlyArray<string>): fc.Arbitrary<unknown> => {
  const members = enumOf(row.kind)
  if (members !== undefined) return fc.constantFrom(...Object.keys(members), ...extra)
  const value: fc.Arbitrary<unknown> = row.kind === "boolean" ? fc.boolean() : row.kind === "score" ? score : storable
  return isNullable(row) ? fc.option(value) : value
}

const rowsOf = (score: fc.Arbitrary<number>, extra: ReadonlyArray<string>): Record<string, fc.Arbitrary<unknown>> =>
  Object.fromEntries(properties.map((row) => [row.name, valueOf(row, score, extra)]))

/** A device as Graph may send it: any property may be missing, scores in all encodings, members not yet known. */
export const device = fc.record(rowsOf(readableScore, ["addedLater"]), { requiredKeys: [] }) as fc.Arbitrary<Device>

/** The same with its key. */
export const keyedDevice = fc.record(rowsOf(readableScore, ["addedLater"]), {
  requiredKeys: ["id"]
}) as fc.Arbitrary<KeyedDevice>

/** A device with every property. */
export const wholeDevice = fc.record(rowsOf(writableScore, [])) as fc.Arbitrary<WholeDevice>

/** An update that may be sent, the sentinel included. */
export const update = fc
  .record(rowsOf(writableScore, []), { requiredKeys: [] })
  .filter((body) => Object.keys(body).some((name) => name !== "id")) as fc.Arbitrary<DeviceUpdate>

/** What a body may hold in a place: mostly what fits, sometimes anything that JSON can say. */
const roughValue = (row: Property): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 5, arbitrary: valueOf(row, writableScore, []) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(101, -0.5, -2, 1e308, -0, "7", "", null, {}, [], true) }
  )

/** A JSON body that is almost right: some values, names and annotations that do not belong. */
export const roughBody: fc.Arbitrary<Record<string, unknown>> = fc
  .tuple(
    fc.record(Object.fromEntries(properties.map((row) => [row.name, roughValue(row)])), { requiredKeys: [] }),
    fc.dictionary(
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom("@odata.etag", "deviceName@odata.type", "@odata.context") },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            "autopilotRegistered",
            "constructor",
            "toString",
            "@odata.type",
            "odata.x",
            "@odata"
          )
        },
        { weight: 1, arbitrary: fc.string({ maxLength: 6 }) }
      ),
      fc.oneof(
        fc.jsonValue({ maxDepth: 1 }),
        fc.constant("#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereDevice")
      ),
      { maxKeys: 2 }
    )
  )
  .map(([known, other]) => Object.assign(known, other))
