import {
  type EvolvableEnum,
  type Property,
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

/** A value of a device, or one that is made of it; null when the value it is made of is null. */
export type Operand =
  | { readonly is: "property"; readonly name: PropertyName }
  | { readonly is: FunctionOfText; readonly of: Operand }
  | { readonly is: FunctionOfPart; readonly of: Operand; readonly part: string }

/** How two values can stand to each other when one comes before the other. */
export type Ordering = Exclude<Comparison, "eq" | "ne">

/**
 * A condition on a device whose names and types are right. Null equals null and nothing else, and comes neither before
 * nor behind a value; a truth that is null neither holds nor does its negation (OData's rules).
 */
export type Filter =
  | { readonly is: "all" | "any"; readonly of: ReadonlyArray<Filter> }
  | { readonly is: "not"; readonly of: Filter }
  | { readonly is: "holds"; readonly operand: Operand }
  | { readonly is: "among"; readonly operand: Operand; readonly values: ReadonlyArray<Value>; readonly orNull: boolean }
  | { readonly is: "ordered"; readonly left: Operand; readonly operator: Ordering; readonly right: Operand | Value }
  | { readonly is: "same"; readonly left: Operand; readonly right: Operand }
  /** An enum whose text is one of those listed, or, when `inside` is false, none of them. */
  | {
      readonly is: "member"
      readonly property: PropertyName
      readonly listed: ReadonlyArray<string>
      readonly inside: boolean
    }

/** A value that is not null. */
type Value = string | number | boolean

type Kind = "text" | "number" | "truth"

/** What an expression turned out to be. */
type Term =
  | { readonly is: "constant"; readonly literal: Literal }
  | { readonly is: "operand"; readonly kind: Kind; readonly operand: Operand; readonly name: string }
  | { readonly is: "enum"; readonly row: Property; readonly of: EvolvableEnum }
  | { readonly is: "condition"; readonly filter: Filter }

const kindOfType = { string: "text", number: "number", boolean: "truth" } as const

const kindOf = (value: Value): Kind =>
  typeof value === "string" ? "text" : typeof value === "number" ? "number" : "truth"

const words: Record<Kind, string> = { text: "text", number: "a number", truth: "true or false" }

const mirrored: Record<Comparison, Comparison> = { eq: "eq", ne: "ne", gt: "lt", ge: "le", lt: "gt", le: "ge" }

const negated = (filter: Filter): Filter => ({ is: "not", of: filter })

const stands: Record<Comparison, (a: number, b: number) => boolean> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b
}

const propertyTerm = (name: string): Term => {
  const row = deviceProperty(name)
  const of = enumOf(row.kind)
  if (of !== undefined) return { is: "enum", row, of }
  const kind = kindOfType[kindRules[row.kind].type]
  return { is: "operand", kind, operand: { is: "property", name: row.name }, name: `'${row.name}'` }
}

const among = (operand: Operand, values: ReadonlyArray<Value>, orNull: boolean): Filter => ({
  is: "among",
  operand,
  values,
  orNull
})

const checked = (term: Term & { readonly is: "operand" }, { value, type, at }: Literal): Value | null => {
  if (value === null) return null
  if (type !== undefined) throw filterError(at, `${term.name} is ${words[term.kind]}, not a member of a type`)
  if (kindOf(value) !== term.kind) {
    throw filterError(at, `${term.name} is ${words[term.kind]} and is compared with ${words[kindOf(value)]}`)
  }
  return value
}

/** Functions that say whether a part is in a text. */
const ofPart = ["contains", "startswith", "endswith"] as const

type FunctionOfPart = (typeof ofPart)[number]

/** Functions of a text alone: the kind of value that each gives, and the value for a text that is no property. */
const ofText = {
  tolower: { gives: "text", valueFor: (text) => text.toLowerCase() },
  toupper: { gives: "text", valueFor: (text) => text.toUpperCase() }
} as const satisfies Readonly<Record<string, { readonly gives: Kind; readonly valueFor: (text: string) => Value }>>

/** Name of a function that takes a text and nothing else. */
export type FunctionOfText = keyof typeof ofText

const isOfText = (name: string): name is FunctionOfText => Object.hasOwn(ofText, name)

/** The names of all functions. */
export const filterFunctions: ReadonlyArray<string> = [...ofPart, ...Object.keys(ofText)]

/**
 * Reads `$filter` and checks it against the properties of a device.
 *
 * @param unknownMembers whether the caller can see enum members that were added after this list was written, and so may
 *   name them; without it they all look like the sentinel, and are filtered so (docs/fidelity.md, F33)
 */
export const deviceFilter = (text: string, { unknownMembers }: { readonly unknownMembers: boolean }): Filter => {
  const numbered = (row: Property, of: EvolvableEnum, { value, type, at }: Literal) => {
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

  const memberFilter = (row: Property, of: EvolvableEnum, operator: Comparison, literal: Literal): Filter => {
    const list = (listed: ReadonlyArray<string>, inside: boolean): Filter => ({
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

  const compared = (left: Term, operator: Comparison, right: Term, at: number): Filter => {
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
    const same: Filter = { is: "same", left: left.operand, right: right.operand }
    return operator === "eq" ? same : negated(same)
  }

  const textOf = (expression: Expression, name: string): Term & { readonly is: "operand" | "constant" } => {
    const term = termOf(expression)
    const isText =
      (term.is === "operand" && term.kind === "text") ||
      (term.is === "constant" && typeof term.literal.value === "string" && term.literal.type === undefined)
    if (!isText) throw filterError(expression.at, `the function '${name}' works on text`)
    return term
  }

  const call = ({ name: written, of, at }: Expression & { readonly is: "call" }): Term => {
    const lower = written.toLowerCase()
    const name = isOfText(lower) ? lower : ofPart.find((known) => known === lower)
    if (name === undefined) {
      throw filterError(
        at,
        `the function '${written.slice(0, 60)}' is not supported; there are ${filterFunctions.join(", ")}`
      )
    }
    const one = isOfText(name)
    const [first, second] = of
    if (first === undefined || of.length !== (one ? 1 : 2)) {
      throw filterError(at, `the function '${name}' takes ${one ? "one argument" : "two arguments"}`)
    }
    const subject = textOf(first, name)
    if (one) {
      const { gives, valueFor } = ofText[name]
      if (subject.is === "constant") {
        return { is: "constant", literal: { ...subject.literal, value: valueFor(String(subject.literal.value)) } }
      }
      // What is folded already is no other when it is folded again.
      const operand = subject.operand.is === name ? subject.operand : { is: name, of: subject.operand }
      return { is: "operand", kind: gives, operand, name: `${name}(…)` }
    }
    const part = second === undefined ? subject : textOf(second, name)
    if (subject.is !== "operand" || part.is !== "constant") {
      throw filterError(at, `the function '${name}' takes a property and then a text`)
    }
    const operand: Operand = { is: name, of: subject.operand, part: String(part.literal.value) }
    return { is: "operand", kind: "truth", operand, name: `${name}(…)` }
  }

  const termOf = (expression: Expression): Term => {
    if (expression.is === "literal") return { is: "constant", literal: expression }
    if (expression.is === "name") return propertyTerm(expression.name)
    return expression.is === "call" ? call(expression) : { is: "condition", filter: condition(expression) }
  }

  const condition = (expression: Expression): Filter => {
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

export const filterOf = (filter: string | undefined, preferences: Preferences): Filter | undefined =>
  filter === undefined ? undefined : deviceFilter(filter, { unknownMembers: preferences.has(includeUnknownMembers) })
