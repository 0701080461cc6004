import {
  type EvolvableEnum,
  type PropertyKind,
  type PropertyName,
  enumOf,
  kindRules,
  memberNumber,
  memberWithNumber,
  namesType,
  nearMiss,
  unknownFutureValue,
  writableMembers
} from "@workanywhere/domain"
import { deviceProperty, enumTypeName } from "./device-property.ts"
import { type Comparison, type Expression, type Literal, filterError, parseFilter } from "./filter-syntax.ts"
import { type Preferences, includeUnknownMembers } from "./preferences.ts"

/** What a filter can name: a property of a device, or of a row that is made of devices. */
export interface Filtered<Name extends string> {
  readonly name: Name
  readonly kind: PropertyKind
}

/** A value of a row, or one that is made of it; null when a value it is made of is null. */
export type Operand<Name extends string = PropertyName> =
  | { readonly is: "property"; readonly name: Name }
  | { readonly is: FunctionOfText; readonly of: Operand<Name> }
  | { readonly is: FunctionOfPart; readonly of: Operand<Name>; readonly part: string }
  /** From a place on, counted from 0; to the end where there is no length. */
  | {
      readonly is: "substring"
      readonly of: Operand<Name>
      readonly start: number
      readonly length: number | undefined
    }
  /** Texts one behind the other, at least one of them of the row. */
  | { readonly is: "concat"; readonly of: ReadonlyArray<Operand<Name> | string> }

/** How two values can stand to each other when one comes before the other. */
export type Ordering = Exclude<Comparison, "eq" | "ne">

/**
 * A condition on a row whose names and types are right. Null equals null and nothing else, and comes neither before
 * nor behind a value; a truth that is null neither holds nor does its negation (OData's rules).
 */
export type Filter<Name extends string = PropertyName> =
  | { readonly is: "all" | "any"; readonly of: ReadonlyArray<Filter<Name>> }
  | { readonly is: "not"; readonly of: Filter<Name> }
  | { readonly is: "holds"; readonly operand: Operand<Name> }
  | {
      readonly is: "among"
      readonly operand: Operand<Name>
      readonly values: ReadonlyArray<Value>
      readonly orNull: boolean
    }
  | {
      readonly is: "ordered"
      readonly left: Operand<Name>
      readonly operator: Ordering
      readonly right: Operand<Name> | Value
    }
  | { readonly is: "same"; readonly left: Operand<Name>; readonly right: Operand<Name> }
  /** An enum whose text is one of those listed, or, when `inside` is false, none of them. */
  | {
      readonly is: "member"
      readonly property: Name
      readonly listed: ReadonlyArray<string>
      readonly inside: boolean
    }

/** A value that is not null. */
export type Value = string | number | boolean

type Kind = "text" | "number" | "truth"

/** What an expression turned out to be. */
type Term<Name extends string> =
  | { readonly is: "constant"; readonly literal: Literal }
  | { readonly is: "operand"; readonly kind: Kind; readonly operand: Operand<Name>; readonly name: string }
  | { readonly is: "enum"; readonly row: Filtered<Name>; readonly of: EvolvableEnum }
  | { readonly is: "condition"; readonly filter: Filter<Name> }

type OperandTerm<Name extends string> = Term<Name> & { readonly is: "operand" }

const kindOfType = { string: "text", number: "number", boolean: "truth" } as const

const kindOf = (value: Value): Kind =>
  typeof value === "string" ? "text" : typeof value === "number" ? "number" : "truth"

const words: Record<Kind, string> = { text: "text", number: "a number", truth: "true or false" }

const mirrored: Record<Comparison, Comparison> = { eq: "eq", ne: "ne", gt: "lt", ge: "le", lt: "gt", le: "ge" }

const negated = <Name extends string>(filter: Filter<Name>): Filter<Name> => ({ is: "not", of: filter })

const stands: Record<Comparison, (a: number, b: number) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b
}

const among = <Name extends string>(
  operand: Operand<Name>,
  values: ReadonlyArray<Value>,
  orNull: boolean
): Filter<Name> => ({ is: "among", operand, values, orNull })

const checked = (term: OperandTerm<string>, { value, type, at }: Literal): Value | null => {
  if (value === null) return null
  if (type !== undefined) throw filterError(at, `${term.name} is ${words[term.kind]}, not a member of a type`)
  if (kindOf(value) !== term.kind) {
    throw filterError(at, `${term.name} is ${words[term.kind]} and is compared with ${words[kindOf(value)]}`)
  }
  return value
}

/** Characters, not the units that JavaScript counts: as every store does. */
export const charactersOf = (text: string): ReadonlyArray<string> => Array.from(text)

/** What `trim` takes away: the white space that JavaScript knows. */
export const whiteSpace =
  "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

/** Functions that look for a part in a text: the kind of value that each gives, and that value. */
export const ofPart = {
  contains: { gives: "truth", valueFor: (text, part) => text.includes(part) },
  startswith: { gives: "truth", valueFor: (text, part) => text.startsWith(part) },
  endswith: { gives: "truth", valueFor: (text, part) => text.endsWith(part) },
  indexof: {
    gives: "number",
    valueFor: (text, part) => {
      const at = text.indexOf(part)
      return at === -1 ? -1 : charactersOf(text.slice(0, at)).length
    }
  }
} as const satisfies Readonly<
  Record<string, { readonly gives: Kind; readonly valueFor: (text: string, part: string) => Value }>
>

type FunctionOfPart = keyof typeof ofPart

const isOfPart = (name: string): name is FunctionOfPart => Object.hasOwn(ofPart, name)

/** Functions of a text alone: the kind of value that each gives, and that value. */
export const ofText = {
  tolower: { gives: "text", valueFor: (text) => text.toLowerCase() },
  toupper: { gives: "text", valueFor: (text) => text.toUpperCase() },
  trim: { gives: "text", valueFor: (text) => text.trim() },
  length: { gives: "number", valueFor: (text) => charactersOf(text).length }
} as const satisfies Readonly<Record<string, { readonly gives: Kind; readonly valueFor: (text: string) => Value }>>

/** Name of a function that takes a text and nothing else. */
export type FunctionOfText = keyof typeof ofText

const isOfText = (name: string): name is FunctionOfText => Object.hasOwn(ofText, name)

/** What is from a place on in a text, and no longer than a length. */
export const substringOf = (text: string, start: number, length = Infinity): string =>
  charactersOf(text)
    .slice(start, start + length)
    .join("")

/** The names of all functions. */
export const filterFunctions: ReadonlyArray<string> = [
  ...Object.keys(ofPart),
  ...Object.keys(ofText),
  "concat",
  "substring"
]

/** How many texts of a row may stand in what `concat` makes: each may be as long as a text can be. */
const mostJoined = 4

/** Far beyond the end of any text, and within what every store takes for a number. */
const farthest = 1_000_000_000

/** How many texts of the row are in the text that an operand makes. */
export const textsIn = (operand: Operand<string> | string): number => {
  if (typeof operand === "string") return 0
  if (operand.is === "property") return 1
  return operand.is === "concat" ? operand.of.reduce((sum, part) => sum + textsIn(part), 0) : textsIn(operand.of)
}

/** One behind the other, without texts in between that are none, and constants that are neighbours as one. */
const joinedParts = <Name extends string>(
  parts: ReadonlyArray<Operand<Name> | string>
): ReadonlyArray<Operand<Name> | string> => {
  const flat = parts.flatMap((part) => (typeof part !== "string" && part.is === "concat" ? part.of : [part]))
  return flat.reduce<ReadonlyArray<Operand<Name> | string>>((joined, part) => {
    const last = joined.at(-1)
    if (part === "") return joined
    return typeof last === "string" && typeof part === "string"
      ? [...joined.slice(0, -1), last + part]
      : [...joined, part]
  }, [])
}

const constant = (value: Value, at: number): Term<never> & { readonly is: "constant" } => ({
  is: "constant",
  literal: { is: "literal", value, at }
})

/** How a filter is read. */
export interface FilterReading {
  /**
   * Whether the caller can see enum members that were added after this list was written, and so may name them; without
   * it they all look like the sentinel, and are filtered so (docs/fidelity.md, F33).
   */
  readonly unknownMembers: boolean
}

/** Reads `$filter` and checks it against the properties that there are. */
const readFilter = <Name extends string>(
  propertyOf: (name: string) => Filtered<Name>,
  text: string,
  { unknownMembers }: FilterReading
): Filter<Name> => {
  const propertyTerm = (written: string): Term<Name> => {
    const row = propertyOf(written)
    const of = enumOf(row.kind)
    if (of !== undefined) return { is: "enum", row, of }
    const kind = kindOfType[kindRules[row.kind].type]
    return { is: "operand", kind, operand: { is: "property", name: row.name }, name: `'${row.name}'` }
  }

  const numbered = (row: Filtered<Name>, of: EvolvableEnum, { value, type, at }: Literal) => {
    const typeName = enumTypeName(row.kind)
    if (typeof value !== "string" || (type !== undefined && (typeName === undefined || !namesType(type, typeName)))) {
      throw filterError(at, `'${row.name}' is compared with members of '${typeName}'`)
    }
    // The number of a member as text is its other spelling.
    const member = /^\d+$/.test(value) ? (memberWithNumber(of, Number(value)) ?? value) : value
    const number = memberNumber(of, member)
    if (number === undefined && !unknownMembers) {
      const meant = nearMiss(member, writableMembers(of))
      throw filterError(
        at,
        `'${typeName}' has no such member${meant === undefined ? "" : `; did you mean '${meant}'?`}`
      )
    }
    return { member, number }
  }

  const memberFilter = (
    row: Filtered<Name>,
    of: EvolvableEnum,
    operator: Comparison,
    literal: Literal
  ): Filter<Name> => {
    const list = (listed: ReadonlyArray<string>, inside: boolean): Filter<Name> => ({
      is: "member",
      property: row.name,
      listed,
      inside
    })
    // It is never null.
    if (literal.value === null) return list([], operator !== "ne")
    const { member, number } = numbered(row, of, literal)
    if (unknownMembers && (number === undefined || member === unknownFutureValue)) {
      if (operator === "eq" || operator === "ne") return list([member], operator === "eq")
      if (number === undefined) throw filterError(literal.at, "a member without a known number has no order")
    }
    const known = writableMembers(of)
    const fits = (other: string) => stands[operator](memberNumber(of, other) ?? Number.NaN, number ?? Number.NaN)
    const others = fits(unknownFutureValue)
    return list(
      known.filter((other) => fits(other) !== others),
      !others
    )
  }

  const compared = (left: Term<Name>, operator: Comparison, right: Term<Name>, at: number): Filter<Name> => {
    if (left.is === "condition" || right.is === "condition") {
      throw filterError(at, "a condition is not compared; join conditions with 'and' and 'or'")
    }
    if (left.is === "constant") {
      if (right.is === "constant") throw filterError(at, "two values are compared, and no property")
      return compared(right, mirrored[operator], left, at)
    }
    if (left.is === "enum") {
      if (right.is !== "constant") throw filterError(at, `'${left.row.name}' is compared with a member, as text`)
      return memberFilter(left.row, left.of, operator, right.literal)
    }
    const equality = operator === "eq" || operator === "ne"
    if (right.is === "constant") {
      const value = checked(left, right.literal)
      if (equality) {
        const equal = among(left.operand, value === null ? [] : [value], value === null)
        return operator === "eq" ? equal : negated(equal)
      }
      return value === null
        ? among(left.operand, [], false)
        : { is: "ordered", left: left.operand, operator, right: value }
    }
    if (right.is === "enum") return compared(right, mirrored[operator], left, at)
    if (left.kind !== right.kind) {
      throw filterError(at, `${left.name} is ${words[left.kind]} and ${right.name} is ${words[right.kind]}`)
    }
    if (!equality) return { is: "ordered", left: left.operand, operator, right: right.operand }
    const same: Filter<Name> = { is: "same", left: left.operand, right: right.operand }
    return operator === "eq" ? same : negated(same)
  }

  const textOf = (expression: Expression, name: string): OperandTerm<Name> | string => {
    const term = termOf(expression)
    if (term.is === "operand" && term.kind === "text") return term
    if (term.is === "constant" && typeof term.literal.value === "string" && term.literal.type === undefined) {
      return term.literal.value
    }
    throw filterError(expression.at, `the function '${name}' works on text`)
  }

  const wholeNumber = (expression: Expression): number => {
    const term = termOf(expression)
    const value = term.is === "constant" ? term.literal.value : undefined
    if (typeof value === "number" && Number.isInteger(value) && value >= 0) return Math.min(value, farthest)
    throw filterError(expression.at, "the function 'substring' takes a text and whole numbers from 0 on")
  }

  const made = (kind: Kind, operand: Operand<Name>): Term<Name> => ({
    is: "operand",
    kind,
    operand,
    name: `${operand.is}(…)`
  })

  const concat = (parts: ReadonlyArray<OperandTerm<Name> | string>, at: number): Term<Name> => {
    const of = joinedParts(parts.map((part) => (typeof part === "string" ? part : part.operand)))
    const [only = ""] = of
    if (of.length < 2) return typeof only === "string" ? constant(only, at) : made("text", only)
    const operand: Operand<Name> = { is: "concat", of }
    if (textsIn(operand) > mostJoined) {
      throw filterError(at, `the function 'concat' joins at most ${mostJoined} properties`)
    }
    return made("text", operand)
  }

  const call = ({ name: written, of, at }: Expression & { readonly is: "call" }): Term<Name> => {
    const name = written.toLowerCase()
    const [first, second, third] = of
    if (isOfText(name)) {
      if (first === undefined || second !== undefined)
        throw filterError(at, `the function '${name}' takes one argument`)
      const { gives, valueFor } = ofText[name]
      const subject = textOf(first, name)
      if (typeof subject === "string") return constant(valueFor(subject), at)
      // What is folded or trimmed already is no other when that is done again.
      return subject.operand.is === name ? subject : made(gives, { is: name, of: subject.operand })
    }
    if (isOfPart(name)) {
      if (first === undefined || second === undefined || third !== undefined) {
        throw filterError(at, `the function '${name}' takes two arguments`)
      }
      const [subject, part] = [textOf(first, name), textOf(second, name)]
      if (typeof subject === "string" || typeof part !== "string") {
        throw filterError(at, `the function '${name}' takes a property and then a text`)
      }
      return made(ofPart[name].gives, { is: name, of: subject.operand, part })
    }
    if (name === "concat") {
      if (first === undefined || second === undefined || third !== undefined) {
        throw filterError(at, "the function 'concat' takes two arguments")
      }
      return concat([textOf(first, name), textOf(second, name)], at)
    }
    if (name === "substring") {
      if (first === undefined || second === undefined || of.length > 3) {
        throw filterError(at, "the function 'substring' takes two or three arguments")
      }
      const subject = textOf(first, name)
      const start = wholeNumber(second)
      const length = third === undefined ? undefined : wholeNumber(third)
      if (typeof subject === "string") return constant(substringOf(subject, start, length), at)
      return made("text", { is: name, of: subject.operand, start, length })
    }
    throw filterError(
      at,
      `the function '${written.slice(0, 60)}' is not supported; there are ${filterFunctions.join(", ")}`
    )
  }

  const termOf = (expression: Expression): Term<Name> => {
    if (expression.is === "literal") return { is: "constant", literal: expression }
    if (expression.is === "name") return propertyTerm(expression.name)
    return expression.is === "call" ? call(expression) : { is: "condition", filter: condition(expression) }
  }

  const condition = (expression: Expression): Filter<Name> => {
    if (expression.is === "and") return { is: "all", of: expression.of.map(condition) }
    if (expression.is === "or") return { is: "any", of: expression.of.map(condition) }
    if (expression.is === "not") return negated(condition(expression.of))
    if (expression.is === "compare") {
      return compared(termOf(expression.left), expression.operator, termOf(expression.right), expression.at)
    }
    const term = termOf(expression.is === "in" ? expression.left : expression)
    if (expression.is !== "in") {
      if (term.is === "operand" && term.kind === "truth") return { is: "holds", operand: term.operand }
      throw filterError(expression.at, "a condition is expected here, such as a comparison")
    }
    if (term.is === "enum") {
      return { is: "any", of: expression.values.map((value) => memberFilter(term.row, term.of, "eq", value)) }
    }
    if (term.is !== "operand") throw filterError(expression.at, "a property is expected before 'in'")
    const values = expression.values.map((value) => checked(term, value))
    const present = values.filter((value) => value !== null)
    return among(term.operand, present, present.length < values.length)
  }

  return condition(parseFilter(text))
}

/** Reads `$filter` and checks it against the properties of a device. */
export const deviceFilter = (text: string, reading: FilterReading): Filter => readFilter(deviceProperty, text, reading)

/** A filter that may be missing, with what its caller prefers. */
export const filterOver =
  <Name extends string>(propertyOf: (name: string) => Filtered<Name>) =>
  (filter: string | undefined, preferences: Preferences): Filter<Name> | undefined =>
    filter === undefined
      ? undefined
      : readFilter(propertyOf, filter, { unknownMembers: preferences.has(includeUnknownMembers) })

/** A filter on devices that may be missing. */
export const filterOf = filterOver(deviceProperty)
