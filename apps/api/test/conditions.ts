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
  "z z",
  " a ",
  "\u00a0\tz\u3000",
  "\u{1F4BB}a\u{1F4BB}",
  "stra\u00dfe",
  "\u0391\u03a3",
  "\u0130"
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

/** A text of a device, or one that functions make of such texts; null when one of them is. */
interface Made {
  readonly text: string
  readonly of: (row: WholeDevice) => string | null
  readonly properties: number
}

const through = (
  { text, of, properties }: Made,
  written: (text: string) => string,
  fold: (text: string) => string
) => ({
  text: written(text),
  of: (row: WholeDevice) => textOf(of(row), fold),
  properties
})

const places = fc.integer({ min: 0, max: 4 })

const { made } = fc.letrec<{ made: Made }>((tie) => ({
  made: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    textNames.map((name): Made => ({ text: name, of: (row) => row[name] as string | null, properties: 1 })),
    tie("made").map((of) =>
      through(
        of,
        (text) => `tolower(${text})`,
        (text) => text.toLowerCase()
      )
    ),
    tie("made").map((of) =>
      through(
        of,
        (text) => `toupper(${text})`,
        (text) => text.toUpperCase()
      )
    ),
    tie("made").map((of) =>
      through(
        of,
        (text) => `trim(${text})`,
        (text) => text.trim()
      )
    ),
    fc.tuple(tie("made"), places).map(([of, start]) =>
      through(
        of,
        (text) => `substring(${text},${start})`,
        (text) => Array.from(text).slice(start).join("")
      )
    ),
    fc.tuple(tie("made"), places, places).map(([of, start, length]) =>
      through(
        of,
        (text) => `substring(${text}, ${start}, ${length})`,
        (text) =>
          Array.from(text)
            .slice(start, start + length)
            .join("")
      )
    ),
    fc.tuple(tie("made"), fc.constantFrom(...texts), fc.boolean()).map(([of, other, isFirst]) =>
      isFirst
        ? through(
            of,
            (text) => `concat(${quoted(other)},${text})`,
            (text) => other + text
          )
        : through(
            of,
            (text) => `concat(${text},${quoted(other)})`,
            (text) => text + other
          )
    ),
    fc.tuple(tie("made"), tie("made")).map(([left, right]): Made => ({
      text: `concat(${left.text},${right.text})`,
      of: (row) => {
        const [front, back] = [left.of(row), right.of(row)]
        return front === null || back === null ? null : front + back
      },
      properties: left.properties + right.properties
    }))
  )
}))

const makable = made.filter(({ text, properties }) => properties <= 4 && text.length < 200)

const numberOfText = fc.oneof(
  makable.map(({ text, of }) => ({
    text: `length(${text})`,
    of: (row: WholeDevice) => {
      const value = of(row)
      return value === null ? null : Array.from(value).length
    }
  })),
  fc.tuple(makable, fc.constantFrom(...texts)).map(([{ text, of }, part]) => ({
    text: `indexof(${text},${quoted(part)})`,
    of: (row: WholeDevice) => {
      const value = of(row)
      if (value === null) return null
      const characters = Array.from(value)
      const wanted = Array.from(part)
      return characters
        .concat("")
        .findIndex((_, at) => wanted.every((character, index) => characters[at + index] === character))
    }
  }))
)

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
  fc.tuple(makable, operators, fc.constantFrom(null, ...texts)).map(([{ text, of }, operator, value]): Condition => ({
    text: `${text} ${operator} ${written(value)}`,
    holds: (row) => stands[operator](of(row), value)
  })),
  fc.tuple(makable, operators, makable).map(([left, operator, right]): Condition => ({
    text: `${left.text} ${operator} ${right.text}`,
    holds: (row) => stands[operator](left.of(row), right.of(row))
  })),
  fc
    .tuple(numberOfText, operators, fc.constantFrom(null, -1, 0, 0.5, 1, 2, 3))
    .map(([{ text, of }, operator, value]): Condition => ({
      text: `${text} ${operator} ${written(value)}`,
      holds: (row) => stands[operator](of(row), value)
    })),
  fc.tuple(numberOfText, operators, numberNames).map(([{ text, of }, operator, name]): Condition => ({
    text: `${text} ${operator} ${name}`,
    holds: (row) => stands[operator](of(row), row[name])
  })),
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
    .tuple(fc.constantFrom("contains", "startswith", "endswith"), makable, fc.constantFrom(...texts))
    .map(([name, { text, of }, part]): Condition => ({
      text: `${name}(${text}, ${quoted(part)})`,
      holds: (row) => {
        const value = of(row)
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
