import {
  type EvolvableEnum,
  type PropertyName,
  type WholeDevice,
  enumOf,
  memberNumber,
  property,
  unknownFutureValue,
  wholeDevice
} from "@workanywhere/domain"
import * as fc from "fast-check"

// A second meaning of $filter and $orderby, in plain JavaScript, to hold the store's against.

/** A condition as its text, and what it means: null where OData says that it is neither true nor false. */
export interface Condition {
  readonly text: string
  readonly holds: (device: WholeDevice) => boolean | null
}

type Value = string | number | boolean | null

export const texts = [
  "",
  "a",
  "A",
  "b",
  "ab",
  "aB",
  "ä",
  "Ä",
  "O'Brien",
  "50%",
  "a_b",
  "a,b)",
  "\u{1F4BB}",
  "\uFFFD",
  "null",
  "z z"
]
export const numbers = [-2, -1, 0, 0.5, 6.666666666666667, 50, 99.99, 100]
const members = ["upgraded", "unknown", "notCapable", "capable", "paused", "retired"]

const textNames = fc.constantFrom<PropertyName>("id", "deviceName", "model", "osVersion")
const numberNames = fc.constantFrom<PropertyName>("windowsScore", "cloudIdentityScore")
const truthNames = fc.constantFrom<PropertyName>("tenantAttached", "tpmCheckFailed")

export const device: fc.Arbitrary<WholeDevice> = fc
  .record({
    id: fc
      .string({ unit: "binary", minLength: 1, maxLength: 3 })
      .filter((id) => id.isWellFormed() && !id.includes("\0")),
    deviceName: fc.constantFrom(null, ...texts),
    model: fc.constantFrom(null, ...texts),
    osVersion: fc.constantFrom(null, "a", "b"),
    windowsScore: fc.constantFrom(null, ...numbers),
    cloudIdentityScore: fc.constantFrom(null, ...numbers),
    tenantAttached: fc.constantFrom(null, true, false),
    tpmCheckFailed: fc.constantFrom(null, true, false),
    upgradeEligibility: fc.constantFrom(...members)
  })
  // Members that came later are text that no type of ours knows.
  .map((values) => wholeDevice(values as Partial<WholeDevice> & { readonly id: string }))

/** By code point, which for UTF-8 is by byte. */
const compareValues = (a: Value, b: Value): number =>
  typeof a === "string" && typeof b === "string"
    ? Buffer.compare(Buffer.from(a), Buffer.from(b))
    : Number(a) - Number(b)

const stands = {
  eq: (a: Value, b: Value) => (a === null || b === null ? a === b : compareValues(a, b) === 0),
  ne: (a: Value, b: Value) => !stands.eq(a, b),
  gt: (a: Value, b: Value) => a !== null && b !== null && compareValues(a, b) > 0,
  ge: (a: Value, b: Value) => a !== null && b !== null && compareValues(a, b) >= 0,
  lt: (a: Value, b: Value) => a !== null && b !== null && compareValues(a, b) < 0,
  le: (a: Value, b: Value) => a !== null && b !== null && compareValues(a, b) <= 0
}

const operators = fc.constantFrom("eq", "ne", "gt", "ge", "lt", "le")

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const written = (value: Value): string => (typeof value === "string" ? quoted(value) : String(value))

const numberOf = (of: EvolvableEnum, member: string): number => memberNumber(of, member) ?? of[unknownFutureValue]

const foldings = fc.constantFrom(
  { text: (name: string) => name, of: (value: string) => value },
  { text: (name: string) => `tolower(${name})`, of: (value: string) => value.toLowerCase() },
  { text: (name: string) => `toupper(${name})`, of: (value: string) => value.toUpperCase() }
)

const textOf = (value: Value, fold: (text: string) => string): string | null =>
  value === null ? null : fold(String(value))

const comparison: fc.Arbitrary<Condition> = fc.oneof(
  fc
    .tuple(textNames, foldings, operators, fc.constantFrom(null, ...texts), fc.boolean())
    .map(([name, fold, operator, value, mirrored]): Condition =>
      mirrored
        ? {
            text: `${written(value)} ${operator} ${fold.text(name)}`,
            holds: (row) => stands[operator](value, textOf(row[name], fold.of))
          }
        : {
            text: `${fold.text(name)} ${operator} ${written(value)}`,
            holds: (row) => stands[operator](textOf(row[name], fold.of), value)
          }
    ),
  fc.tuple(numberNames, operators, fc.constantFrom(null, ...numbers)).map(([name, operator, value]): Condition => ({
    text: `${name} ${operator} ${written(value)}`,
    holds: (row) => stands[operator](row[name], value)
  })),
  fc.tuple(truthNames, operators, fc.constantFrom(null, true, false)).map(([name, operator, value]): Condition => ({
    text: `${name} ${operator} ${written(value)}`,
    holds: (row) => stands[operator](row[name], value)
  })),
  fc.tuple(fc.constantFrom(textNames, numberNames, truthNames), operators).chain(([pool, operator]) =>
    fc.tuple(pool, pool).map(([left, right]): Condition => ({
      text: `${left} ${operator} ${right}`,
      holds: (row) => stands[operator](row[left], row[right])
    }))
  ),
  fc
    .tuple(
      operators,
      fc.constantFrom("upgraded", "unknown", "notCapable", "capable", "unknownFutureValue", null),
      fc.boolean()
    )
    .map(([operator, member, typed]): Condition => ({
      text: `upgradeEligibility ${operator} ${typed && member !== null ? "microsoft.graph.operatingSystemUpgradeEligibility" : ""}${written(member)}`,
      holds: (row) => {
        const of = enumOf("upgradeEligibility")!
        return stands[operator](numberOf(of, row.upgradeEligibility), member === null ? null : numberOf(of, member))
      }
    })),
  fc
    .tuple(textNames, fc.array(fc.constantFrom(null, ...texts), { minLength: 1, maxLength: 4 }))
    .map(([name, values]): Condition => ({
      text: `${name} in (${values.map(written).join(",")})`,
      holds: (row) => values.some((value) => stands.eq(row[name], value))
    }))
)

const test: fc.Arbitrary<Condition> = fc.oneof(
  truthNames.map((name): Condition => ({ text: name, holds: (row) => row[name] as boolean | null })),
  fc
    .tuple(fc.constantFrom("contains", "startswith", "endswith"), textNames, foldings, fc.constantFrom(...texts))
    .map(([name, of, fold, part]): Condition => ({
      text: `${name}(${fold.text(of)}, ${quoted(part)})`,
      holds: (row) => {
        const value = textOf(row[of], fold.of)
        if (value === null) return null
        if (name === "contains") return value.includes(part)
        return name === "startswith" ? value.startsWith(part) : value.endsWith(part)
      }
    }))
)

const inverse = (holds: boolean | null): boolean | null => (holds === null ? null : !holds)

const both = (a: boolean | null, b: boolean | null): boolean | null =>
  a === false || b === false ? false : a === null || b === null ? null : true

export const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    comparison,
    test,
    fc.tuple(test, fc.constantFrom("eq", "ne"), fc.boolean()).map(([of, operator, value]): Condition => ({
      text: `${of.text} ${operator} ${value}`,
      holds: (row) => stands[operator](of.holds(row), value)
    })),
    test.map((of): Condition => ({ text: `not ${of.text}`, holds: (row) => inverse(of.holds(row)) })),
    tie("condition").map((of): Condition => ({ text: `not (${of.text})`, holds: (row) => inverse(of.holds(row)) })),
    fc.tuple(tie("condition"), tie("condition")).map(([a, b]): Condition => ({
      text: `(${a.text}) and (${b.text})`,
      holds: (row) => both(a.holds(row), b.holds(row))
    })),
    fc.tuple(tie("condition"), tie("condition")).map(([a, b]): Condition => ({
      text: `(${a.text}) or (${b.text})`,
      holds: (row) => inverse(both(inverse(a.holds(row)), inverse(b.holds(row))))
    }))
  )
}))

export interface Key {
  readonly name: PropertyName
  readonly direction: "" | " asc" | " desc"
}

export const order: fc.Arbitrary<ReadonlyArray<Key>> = fc.uniqueArray(
  fc.record({
    name: fc.oneof(textNames, numberNames, truthNames, fc.constant<PropertyName>("upgradeEligibility")),
    direction: fc.constantFrom("", " asc", " desc")
  }),
  { selector: ({ name }) => name, maxLength: 4 }
)

const sortable = (row: WholeDevice, name: PropertyName): Value => {
  const of = enumOf(property(name)!.kind)
  return of === undefined ? row[name] : numberOf(of, String(row[name]))
}

export const sorted = (devices: ReadonlyArray<WholeDevice>, keys: ReadonlyArray<Key>): ReadonlyArray<WholeDevice> => {
  const all: ReadonlyArray<Key> = [...keys, { name: "id", direction: keys.at(-1)?.direction ?? "" }]
  return devices.toSorted((a, b) => {
    for (const { name, direction } of all) {
      const [left, right] = [sortable(a, name), sortable(b, name)]
      const before =
        left === null || right === null ? Number(right === null) - Number(left === null) : compareValues(left, right)
      if (before !== 0) return direction === " desc" ? -before : before
    }
    return 0
  })
}
