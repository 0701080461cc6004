import { unknownFutureValue, writableMembers } from "./evolvable-enum.ts"
import { nearMiss } from "./near-miss.ts"
import { kindRules } from "./property-kind.ts"
import { type Property, enumOf, isNullable, propertyNames } from "./property.ts"
import { portalUnavailableScore } from "./score.ts"

/** What can be wrong with a body. */
export type IssueCode =
  | "notAnObject"
  | "emptyUpdate"
  | "unknownProperty"
  | "repeatedName"
  | "wrongType"
  | "nullNotAllowed"
  | "unknownMember"
  | "scoreOutOfRange"
  | "notFinite"
  | "malformedText"
  | "textTooLong"
  | "wrongODataType"

/** One thing that is wrong with a body, as data: where, what, and what would be right. */
export interface Issue {
  /** Name of the property; empty when the body as a whole is meant. */
  readonly path: string
  readonly code: IssueCode
  /** One sentence for a person; names the property, what came and what would be right. */
  readonly message: string
  readonly expected: string
  /** What came: the value, shortened, or its type where the value is an object or array. */
  readonly received: string
  /** The property or enum member that was probably meant. */
  readonly suggestion?: string
}

const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** The line ends and tabs between values are JSON's own. */
const unprintableInJson = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * A text that is safe to show: control characters, format characters (such as those that turn the writing direction)
 * and line separators stand as escapes, so that a device's text can neither steer a terminal nor forge a line of a log.
 *
 * @example
 * printable("a\u001b[2Jb") // "a\\u{1b}[2Jb"
 */
export const printable = (text: string): string =>
  text.replace(unprintable, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)

/**
 * JSON that means the same and is as safe to show as {@link printable} makes a text: JSON itself lets stand what follows
 * DEL, and what turns the writing direction.
 *
 * @example
 * printableJson(JSON.stringify("a\u202eb")) // '"a\\u202eb"'
 */
export const printableJson = (json: string): string =>
  json.replace(unprintableInJson, (character) =>
    Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
      .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
      .join("")
  )

const longestShown = 60

const shorten = (text: string): string =>
  printable(text.length > longestShown ? `${text.slice(0, longestShown).toWellFormed()}…` : text)

const shown = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (Array.isArray(value)) return "an array"
  switch (typeof value) {
    case "string":
      return shorten(JSON.stringify(value))
    case "number":
    case "boolean":
      return String(value)
    default:
      return value === null ? "null" : `${typeof value === "object" ? "an" : "a"} ${typeof value}`
  }
}

const didYouMean = (suggestion: string | undefined): string =>
  suggestion === undefined ? "" : `; did you mean ${suggestion}?`

/** What a caller may send for a property, in words. */
export const expectedValue = (of: Property): string => (of.name === "id" ? "a string" : kindRules[of.kind].expected)

const fault = (of: Property, value: unknown): readonly [IssueCode, string] => {
  const { type, limits } = kindRules[of.kind]
  if (value === null && !isNullable(of)) return ["nullNotAllowed", "null is not allowed"]
  if (value === unknownFutureValue) return ["unknownMember", `${value} only stands for members added later`]
  if (value === undefined) return ["wrongType", "there is no value"]
  return typeof value === type && limits !== undefined
    ? limits.refusal(value, shown(value))
    : ["wrongType", `${shown(value)} is not of the right type`]
}

/** Says what is wrong with a value that was refused for a property. */
export const valueIssue = (of: Property, value: unknown): Issue => {
  const [code, what] = fault(of, value)
  const expected = expectedValue(of)
  const members = code === "unknownMember" && value !== unknownFutureValue ? enumOf(of.kind) : undefined
  const suggestion = members && nearMiss(String(value), writableMembers(members))
  return {
    path: of.name,
    code,
    message: `${of.name}: ${what}; expected ${expected}${didYouMean(suggestion)}`,
    expected,
    received: shown(value),
    ...(suggestion === undefined ? {} : { suggestion })
  }
}

/**
 * Says why a value that was read could not be sent back, if it is a member that is not in use or a score out of range;
 * nothing of -2, which means what -1 does.
 */
export const unwritableIssue = (of: Property, value: unknown): Issue | undefined => {
  const { type, members, limits } = kindRules[of.kind]
  const isLimited = members !== undefined || (type === "number" && value !== portalUnavailableScore)
  return value !== null && isLimited && limits?.update.holds(value) === false ? valueIssue(of, value) : undefined
}

/** Whoever has more stray names than this did not misspell them; to guess takes far longer than all else about a name. */
const mostGuesses = 10

/** Says that there is no such property, and which one was probably meant, if it is not the eleventh such name or a later one. */
export const unknownPropertyIssue = (name: string, strayNamesBefore = 0): Issue => {
  const suggestion = strayNamesBefore < mostGuesses ? nearMiss(name, propertyNames) : undefined
  const path = shorten(name)
  return {
    path,
    code: "unknownProperty",
    message: `${path}: a device has no such property${didYouMean(suggestion)}`,
    expected: "a property of the device",
    received: path,
    ...(suggestion === undefined ? {} : { suggestion })
  }
}

/** Says that a name stands more than once in the same object, so that nobody knows which of the values is meant. */
export const repeatedNameIssue = (place: string): Issue => {
  const path = shorten(place)
  return {
    path,
    code: "repeatedName",
    message: `${path}: the name stands more than once in the same object; expected it once`,
    expected: "the name once",
    received: "the name more than once"
  }
}

/** Says that a body is no JSON object. */
export const notAnObjectIssue = (body: unknown): Issue => ({
  path: "",
  code: "notAnObject",
  message: `expected an object with the properties of a device, got ${shown(body)}`,
  expected: "an object",
  received: shown(body)
})

/** Says that an update would change nothing, because it names no property. */
export const emptyUpdateIssue: Issue = {
  path: "",
  code: "emptyUpdate",
  message: "the update names no property; name at least one to change",
  expected: "at least one property",
  received: "none"
}

/** Says that a body declares itself to be of another type. */
export const odataTypeIssue = (path: string, declared: unknown, expected: string): Issue => ({
  path,
  code: "wrongODataType",
  message: `${path}: ${shown(declared)} is another type; expected "${expected}", or leave it out`,
  expected,
  received: shown(declared)
})
