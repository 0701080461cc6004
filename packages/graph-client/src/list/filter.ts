import { type Issue, type PropertyName, type PropertyValue, property, unknownPropertyIssue } from "@workanywhere/domain"

/** A condition for `$filter`, made by {@link filter}; anything wrong in it is found before something is sent. */
export interface Filter {
  /** As OData writes it, before it is encoded for an address. */
  readonly text: string
  readonly issues: ReadonlyArray<Issue>
}

type Value<Name extends PropertyName> = PropertyValue<Name>
type Named<Wanted> = {
  [Name in PropertyName]: Exclude<PropertyValue<Name>, null> extends Wanted ? Name : never
}[PropertyName]

const malformed = (path: string, what: string): Issue => {
  const expected = "a text, finite number, true, false or null"
  return { path, code: "wrongType", message: `${path}: a filter cannot hold ${what}`, expected, received: what }
}

/** OData doubles a quote inside a text; enum members are written as texts. */
const literal = (path: string, value: unknown): Filter => {
  switch (typeof value) {
    case "string":
      return value.isWellFormed()
        ? { text: `'${value.replaceAll("'", "''")}'`, issues: [] }
        : { text: "''", issues: [malformed(path, "half of a surrogate pair")] }
    case "number":
      return Number.isFinite(value)
        ? { text: String(value), issues: [] }
        : { text: "0", issues: [malformed(path, String(value))] }
    case "boolean":
      return { text: String(value), issues: [] }
    default:
      return value === null ? { text: "null", issues: [] } : { text: "null", issues: [malformed(path, typeof value)] }
  }
}

const nameIssues = (name: string): ReadonlyArray<Issue> =>
  property(name) === undefined ? [unknownPropertyIssue(name)] : []

const comparison =
  (operator: string) =>
  <Name extends PropertyName>(name: Name, value: Value<Name>): Filter => {
    const { issues, text } = literal(name, value)
    return { text: `${name} ${operator} ${text}`, issues: [...nameIssues(name), ...issues] }
  }

const textTest =
  (test: string) =>
  (name: Named<string>, value: string): Filter => {
    const { issues, text } = literal(name, value)
    return { text: `${test}(${name},${text})`, issues: [...nameIssues(name), ...issues] }
  }

const noParts: Issue = {
  path: "filter",
  code: "malformedText",
  message: "filter: it joins or lists nothing",
  expected: "at least one condition or value",
  received: "none"
}

const joined = (parts: ReadonlyArray<Filter>, between: string): Filter => ({
  text: parts.map(({ text }) => (parts.length === 1 ? text : `(${text})`)).join(between),
  issues: parts.length === 0 ? [noParts] : parts.flatMap(({ issues }) => issues)
})

/**
 * Makes conditions for a list. Names and the types of values are checked by the compiler, and texts are escaped:
 *
 *     filter.and(filter.eq("model", "O'Brien's"), filter.lt("windowsScore", 50))
 *
 * Microsoft's page about this resource never promises `$filter`: a service may refuse it (docs/fidelity.md, F27).
 */
export const filter = {
  eq: comparison("eq"),
  ne: comparison("ne"),
  gt: comparison("gt"),
  ge: comparison("ge"),
  lt: comparison("lt"),
  le: comparison("le"),
  /** The property has one of these values. */
  in: <Name extends PropertyName>(name: Name, values: ReadonlyArray<Value<Name>>): Filter => {
    const list = values.map((value) => literal(name, value))
    return {
      text: `${name} in (${list.map(({ text }) => text).join(",")})`,
      issues: [...nameIssues(name), ...(list.length === 0 ? [noParts] : list.flatMap(({ issues }) => issues))]
    }
  },
  contains: textTest("contains"),
  startsWith: textTest("startswith"),
  endsWith: textTest("endswith"),
  and: (...conditions: ReadonlyArray<Filter>): Filter => joined(conditions, " and "),
  or: (...conditions: ReadonlyArray<Filter>): Filter => joined(conditions, " or "),
  not: ({ issues, text }: Filter): Filter => ({ text: `not (${text})`, issues })
}
