import * as fc from "fast-check"
import {
  type Device,
  type DeviceUpdate,
  type KeyedDevice,
  type Property,
  type PropertyKind,
  type WholeDevice,
  deviceODataType,
  healthState,
  isNullable,
  properties,
  propertyNames,
  upgradeEligibility
} from "../src/index.ts"

/** Text that can be stored: no NUL, no half of a surrogate pair. */
const storable = fc.string({ unit: "binary", maxLength: 12 }).filter((text) => !text.includes("\0"))

const readableScore = fc.oneof(fc.constantFrom(-1, -2, 0, 100), fc.double({ min: 0, max: 100, noNaN: true }))
const writableScore = fc.oneof(fc.constantFrom(-1, 0, 100), fc.double({ min: 0, max: 100, noNaN: true }))

const valueOf = (row: Property, score: fc.Arbitrary<number>, extra: ReadonlyArray<string>): fc.Arbitrary<unknown> => {
  const values: Record<PropertyKind, fc.Arbitrary<unknown>> = {
    string: storable,
    boolean: fc.boolean(),
    score,
    upgradeEligibility: fc.constantFrom(...Object.keys(upgradeEligibility), ...extra),
    healthState: fc.constantFrom(...Object.keys(healthState), ...extra)
  }
  return isNullable(row) ? fc.option(values[row.kind]) : values[row.kind]
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
      fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constant(deviceODataType)),
      { maxKeys: 2 }
    )
  )
  .map(([known, other]) => Object.assign(known, other))

const pair = (
  name: string | fc.Arbitrary<string>,
  value: fc.Arbitrary<unknown>
): fc.Arbitrary<readonly [string, unknown]> => fc.tuple(typeof name === "string" ? fc.constant(name) : name, value)

const anyName = fc.constantFrom(...propertyNames)
const nameOfKind = (...kinds: ReadonlyArray<PropertyKind>): fc.Arbitrary<string> =>
  fc.constantFrom(...properties.filter(({ kind }) => kinds.includes(kind)).map(({ name }) => name))
const json = fc.jsonValue({ maxDepth: 1 })

/** What makes a body differ from one that fits: by a little, or not at all. */
const differences = {
  "a value of another type": pair(anyName, fc.constantFrom<unknown>(0, 1, 3, -1, "", "7", "true", true, false)),
  null: pair(anyName, fc.constant(null)),
  "an object or array": pair(anyName, fc.constantFrom<unknown>({}, [], ["x"], [null], { value: 1 })),
  "a member, or almost one": pair(
    nameOfKind("upgradeEligibility", "healthState"),
    fc.constantFrom(
      "capable",
      "meetingGoals",
      "Capable",
      "capable ",
      "",
      "addedLater",
      "unknownFutureValue",
      "toString"
    )
  ),
  "a score at a bound": pair(
    nameOfKind("score"),
    fc.constantFrom(-2, -1.5, -1, -0.5, -Number.MIN_VALUE, -0, 0, 100, 100 + 2 ** -40, 101, 1e308)
  ),
  "a text that may not be storable": pair(anyName, fc.string({ unit: fc.constantFrom("a", "\0", "\ud800", "\udc00") })),
  "a name that is not a property's": pair(
    fc.oneof(
      anyName.map((name) => name.toUpperCase()),
      fc.constantFrom("autopilotRegistered", " id", "model ", "constructor", "toString", "hasOwnProperty", "")
    ),
    json
  ),
  "an annotation, or almost one": pair(
    fc.constantFrom(
      "@odata.etag",
      "model@odata.type",
      "nothing@odata.x",
      "@odata.",
      "@odata",
      "odata.type",
      "@ODATA.x"
    ),
    json
  ),
  "a type": pair("@odata.type", fc.constantFrom<unknown>(deviceODataType, deviceODataType.slice(1), null, 7))
}

/** Bodies as `JSON.parse` makes them: those that fit, and those that differ from them in up to two places. */
export const almostBody: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc
  .tuple(
    fc.record(rowsOf(writableScore, []), { requiredKeys: [] }),
    fc.array(fc.oneof(...Object.values(differences)), { maxLength: 2 })
  )
  .map(([fitting, different]): Record<string, unknown> =>
    Object.fromEntries([...Object.entries(fitting), ...different])
  )
