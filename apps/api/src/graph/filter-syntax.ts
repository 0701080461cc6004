import { QueryFault } from "./query-fault.ts"

/** How two values can stand to each other. */
export type Comparison = "eq" | "ne" | "gt" | "ge" | "lt" | "le"

/** A value written into a filter. A text behind the name of a type, `microsoft.graph.x'capable'`, has that type. */
export interface Literal {
  readonly is: "literal"
  readonly value: string | number | boolean | null
  readonly type?: string
  /** Where it starts in the text of the filter, counted from 1. */
  readonly at: number
}

/** A filter as it is written, before anybody knows what its names mean. */
export type Expression =
  | Literal
  | { readonly is: "name"; readonly name: string; readonly at: number }
  | { readonly is: "call"; readonly name: string; readonly of: ReadonlyArray<Expression>; readonly at: number }
  | {
      readonly is: "compare"
      readonly operator: Comparison
      readonly left: Expression
      readonly right: Expression
      readonly at: number
    }
  | { readonly is: "in"; readonly left: Expression; readonly values: ReadonlyArray<Literal>; readonly at: number }
  | { readonly is: "not"; readonly of: Expression; readonly at: number }
  | { readonly is: "and" | "or"; readonly of: ReadonlyArray<Expression>; readonly at: number }

/** A filter that cannot be read or understood; says where, and repeats no value that the caller wrote. */
export const filterError = (at: number, problem: string): QueryFault =>
  new QueryFault(
    `The query option '$filter' is not understood at character ${at}: ${problem}${problem.endsWith("?") ? "" : "."}`
  )

/** The longest `$filter`, in characters. */
export const longestFilter = 4_096
const deepestFilter = 20
const longestList = 100

interface Token {
  readonly kind: "literal" | "name" | "mark" | "end"
  /** In lower case, because the words of the language are the same in any case. */
  readonly word: string
  readonly text: string
  readonly at: number
}

const lexeme =
  /\s*(?:(?<literal>#?[a-z_][\w.]*'(?:[^']|'')*'|'(?:[^']|'')*'|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.-]))|(?<name>[a-z_][\w.]*)|(?<mark>[(),])|(?<end>$))/iy

const tokensOf = (text: string): ReadonlyArray<Token> => {
  const pattern = new RegExp(lexeme)
  const tokens: Array<Token> = []
  for (;;) {
    const start = pattern.lastIndex
    const groups = pattern.exec(text)?.groups
    if (groups === undefined) {
      const at = start + (/\S/.exec(text.slice(start))?.index ?? 0)
      throw filterError(at + 1, "texts stand in single quotes, numbers are decimal, and names have letters and digits")
    }
    const kind = (["literal", "name", "mark", "end"] as const).find((group) => groups[group] !== undefined) ?? "end"
    const found = groups[kind] ?? ""
    tokens.push({ kind, word: found.toLowerCase(), text: found, at: pattern.lastIndex - found.length + 1 })
    if (kind === "end") return tokens
  }
}

const constants: ReadonlyMap<string, boolean | null> = new Map([
  ["null", null],
  ["true", true],
  ["false", false]
])

const comparisons: ReadonlyMap<string, Comparison> = new Map(
  (["eq", "ne", "gt", "ge", "lt", "le"] as const).map((operator) => [operator, operator])
)

const literalOf = ({ kind, word, text, at }: Token): Literal | undefined => {
  if (kind === "name") {
    const value = constants.get(word)
    return value === undefined ? undefined : { is: "literal", value, at }
  }
  if (kind !== "literal") return undefined
  const quote = text.indexOf("'")
  if (quote === -1) {
    const value = Number(text)
    if (!Number.isFinite(value)) throw filterError(at, "the number is too large")
    return { is: "literal", value, at }
  }
  const value = text.slice(quote + 1, -1).replaceAll("''", "'")
  if (value.includes("\0")) throw filterError(at, "no text holds a NUL")
  return { is: "literal", value, at, ...(quote === 0 ? {} : { type: text.slice(0, quote) }) }
}

/**
 * Reads a filter: `eq ne gt ge lt le in`, `and or not`, parentheses, function calls, and literals. Written here because
 * the parsers on npm lack what Graph's callers write: typed enum members, `in`, or numbers with an exponent.
 */
export const parseFilter = (text: string): Expression => {
  if (text.length > longestFilter) {
    throw new QueryFault(`The query option '$filter' is longer than ${longestFilter} characters.`)
  }
  const tokens = tokensOf(text)
  let position = 0
  let depth = 0

  // The end token stays where it is, so there is always one to look at.
  const peek = (): Token => tokens[position] ?? tokens[tokens.length - 1]!
  const next = (): Token => {
    const token = peek()
    position++
    return token
  }
  const takes = (kind: Token["kind"], word: string): boolean => {
    const found = peek().kind === kind && peek().word === word
    if (found) position++
    return found
  }
  const expect = (mark: string): void => {
    if (!takes("mark", mark)) throw filterError(peek().at, `expected '${mark}'`)
  }
  const deeper = <A>(read: () => A): A => {
    depth++
    if (depth > deepestFilter) throw filterError(peek().at, `it is nested more than ${deepestFilter} deep`)
    const result = read()
    depth--
    return result
  }

  const listed = <A>(read: () => A): ReadonlyArray<A> => {
    expect("(")
    const items = [read()]
    while (takes("mark", ",")) {
      if (items.length === longestList) throw filterError(peek().at, `a list has at most ${longestList} values`)
      items.push(read())
    }
    expect(")")
    return items
  }

  const literal = (): Literal => {
    const found = literalOf(peek())
    if (found === undefined) throw filterError(peek().at, "expected a value")
    position++
    return found
  }

  const primary = (): Expression => {
    const { kind, word, text: name, at } = peek()
    const constant = literalOf(peek())
    if (constant !== undefined) {
      position++
      return constant
    }
    if (kind === "mark" && word === "(") {
      position++
      const inside = deeper(either)
      expect(")")
      return inside
    }
    if (kind !== "name") throw filterError(at, "expected a property, a function or a value")
    position++
    const called = peek().kind === "mark" && peek().word === "("
    return called ? { is: "call", name, of: deeper(() => listed(either)), at } : { is: "name", name, at }
  }

  const comparison = (): Expression => {
    const left = primary()
    const { kind, word, at } = peek()
    const operator = kind === "name" ? comparisons.get(word) : undefined
    if (operator !== undefined) {
      position++
      return { is: "compare", operator, left, right: primary(), at }
    }
    return takes("name", "in") ? { is: "in", left, values: listed(literal), at } : left
  }

  const negation = (): Expression => {
    const { at } = peek()
    if (!takes("name", "not")) return comparison()
    const of = deeper(() => (peek().word === "not" ? negation() : primary()))
    // OData binds `not` to what is next to it, people read it as binding to the comparison: neither is guessed.
    if (comparisons.has(peek().word) || peek().word === "in") {
      throw filterError(peek().at, "put the comparison behind 'not' into parentheses")
    }
    return { is: "not", of, at }
  }

  const chain = (is: "and" | "or", read: () => Expression) => (): Expression => {
    const { at } = peek()
    const of = [read()]
    while (takes("name", is)) of.push(read())
    return of.length === 1 ? of[0]! : { is, of, at }
  }
  const either: () => Expression = chain("or", chain("and", negation))

  const whole = either()
  const rest = next()
  if (rest.kind !== "end") throw filterError(rest.at, "expected 'and', 'or' or the end")
  return whole
}
