import {
  type EvolvableEnum,
  type HealthState,
  type UpgradeEligibility,
  healthState,
  memberNamed,
  memberWithNumber,
  upgradeEligibility,
  writableMembers
} from "./evolvable-enum.ts"
import { isWritableScore, unavailableScore } from "./score.ts"

/** What a property's values are; each kind has one rule for reading and one for writing. */
export type PropertyKind = "string" | "boolean" | "score" | "upgradeEligibility" | "healthState"

/** What the values of a kind are in TypeScript, as they stand on the wire. */
export interface ValueOfKind {
  readonly string: string | null
  readonly boolean: boolean | null
  readonly score: number | null
  readonly upgradeEligibility: UpgradeEligibility
  readonly healthState: HealthState
}

/** What a body is looked at for: as it is read, or as it is sent to update or to create. */
export type Manner = "read" | "update" | "create"

/** Which values of the right type fit: those that are listed, or others, with what JSON Schema can say of them. */
export type Limit = { readonly holds: (value: unknown) => boolean } & (
  | { readonly members: ReadonlyArray<string> }
  | { readonly jsonSchema: { readonly [keyword: string]: unknown } }
)

/** Why a value of the right type is refused, and that in words. */
export type Refusal = readonly [
  code: "malformedText" | "textTooLong" | "scoreOutOfRange" | "notFinite" | "unknownMember",
  sentence: string
]

/** All that is known about the values of a kind: whatever reads, checks, describes or writes a value asks here. */
export interface KindRule {
  /** What JSON makes of a value that is not null; a number is a finite one. */
  readonly type: "string" | "boolean" | "number"
  /** How Graph's metadata names the type. */
  readonly graphType: `Edm.${"String" | "Boolean" | "Double"}` | `microsoft.graph.${string}`
  /** The members, where the kind is an enum. Reading takes any text, since Graph may add members. */
  readonly members?: EvolvableEnum
  /** What stands where nothing is recorded: null, where null is allowed at all, or the documented member. */
  readonly unrecorded: null | "unknown"
  /** What may be sent, and why another value of the type may not; left out where any may. Reading has no limit. */
  readonly limits?: {
    readonly update: Limit
    readonly create: Limit
    /** `shown` is the value as messages show it. */
    readonly refusal: (value: unknown, shown: string) => Refusal
  }
  /** What may be sent, in words. */
  readonly expected: string
  /** The value that a text such as a cell of CSV stands for; the text itself where it stands for none. */
  readonly fromText: (text: string) => unknown
}

/** NUL and half a surrogate pair are valid in JSON, but neither UTF-8 nor PostgreSQL can hold them. */
export const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes("\0")

/**
 * The longest text of a property that may be written, in characters as JSON Schema counts them. Far above what any device
 * says of itself; without a limit one property takes a whole body, and whatever looks at a fleet's texts takes as long as
 * their writer likes. Reading has none.
 */
export const longestText = 16_384

/** Whether a text is no longer than {@link longestText}. */
export const isShortEnough = (text: string): boolean =>
  text.length <= longestText || (text.length <= 2 * longestText && Array.from(text).length <= longestText)

const storable: Limit = {
  holds: (value) => typeof value === "string" && isShortEnough(value) && isStorable(value),
  jsonSchema: { maxLength: longestText }
}

const inRange: Limit = {
  holds: (value) => typeof value === "number" && isWritableScore(value),
  jsonSchema: { anyOf: [{ const: unavailableScore }, { minimum: 0, maximum: 100 }] }
}

const oneOf = (members: ReadonlyArray<string>): Limit => {
  const known: ReadonlySet<unknown> = new Set(members)
  return { members, holds: (value) => known.has(value) }
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
  ["1", true],
  ["0", false]
])

const number = /^[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?$/i

const numberFromText = (text: string): number | string => {
  const trimmed = text.trim()
  // Where the delimiter is a semicolon, a spreadsheet writes its numbers with a decimal comma.
  return number.test(trimmed) ? Number(trimmed.replace(",", ".")) : text
}

const memberFromText = (members: EvolvableEnum, text: string): string => {
  const trimmed = text.trim()
  const member = /^\d+$/.test(trimmed) ? memberWithNumber(members, Number(trimmed)) : memberNamed(members, trimmed)
  return member ?? text
}

const enumRule = (members: EvolvableEnum, graphType: KindRule["graphType"]) =>
  ({
    type: "string",
    graphType,
    members,
    unrecorded: "unknown",
    limits: {
      update: oneOf(Object.keys(members)),
      create: oneOf(writableMembers(members)),
      refusal: (_, shown) => ["unknownMember", `${shown} is not a member`]
    },
    expected: `one of ${writableMembers(members).join(", ")}`,
    fromText: (text) => memberFromText(members, text)
  }) as const satisfies KindRule

type TypeName<Value> = Value extends string ? "string" : Value extends number ? "number" : "boolean"

type Rules = {
  readonly [Kind in PropertyKind]: KindRule & {
    readonly type: TypeName<NonNullable<ValueOfKind[Kind]>>
    readonly unrecorded: Extract<ValueOfKind[Kind], null | "unknown">
  }
}

/** The rule of each kind. */
export const kindRules: Rules = {
  string: {
    type: "string",
    graphType: "Edm.String",
    unrecorded: null,
    limits: {
      update: storable,
      create: storable,
      refusal: (value) =>
        isShortEnough(String(value))
          ? ["malformedText", "the text holds a NUL or half of a surrogate pair, which cannot be stored"]
          : ["textTooLong", `the text is longer than the ${longestText} characters that are kept`]
    },
    expected: "a string or null",
    fromText: (text) => text
  },
  boolean: {
    type: "boolean",
    graphType: "Edm.Boolean",
    unrecorded: null,
    expected: "true, false or null",
    fromText: (text) => booleans.get(text.trim().toLowerCase()) ?? text
  },
  score: {
    type: "number",
    graphType: "Edm.Double",
    unrecorded: null,
    limits: {
      update: inRange,
      create: inRange,
      refusal: (value, shown) =>
        Number.isFinite(value)
          ? ["scoreOutOfRange", `${shown} is not a score`]
          : ["notFinite", `${shown} is not a finite number`]
    },
    expected: "a number from 0 to 100, -1 for unavailable, or null",
    fromText: numberFromText
  },
  upgradeEligibility: enumRule(upgradeEligibility, "microsoft.graph.operatingSystemUpgradeEligibility"),
  healthState: enumRule(healthState, "microsoft.graph.userExperienceAnalyticsHealthState")
}

/** What limits the values of a kind, beside their type. */
export const limitOf = (kind: PropertyKind, manner: Manner): Limit | undefined =>
  manner === "read" ? undefined : kindRules[kind].limits?.[manner]

/** Whether a value other than null is one of a kind, as it may be read. */
export const isOfKind = (kind: PropertyKind, value: unknown): boolean => {
  const { type } = kindRules[kind]
  return type === "number" ? Number.isFinite(value) : typeof value === type
}
