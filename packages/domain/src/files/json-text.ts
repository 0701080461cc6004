import { type Issue, repeatedNameIssue } from "../device/issue.ts"

/** How much a JSON text may ask of what works on it. */
export interface JsonLimits {
  /** Levels of nesting. */
  readonly depth: number
  /** Objects, arrays, and what stands between their commas; any number, where it is left out. */
  readonly values?: number
}

/** A name that stands more than once in the same object. */
export interface RepeatedName {
  /** Names and positions that lead to it; the repeated name is the last one. */
  readonly path: readonly [...ReadonlyArray<string | number>, string]
  /** Where the objects and arrays around it begin and end in the text, the outermost first. */
  readonly within: ReadonlyArray<{ readonly start: number; readonly end: number }>
}

/** What a text is as JSON. */
export type JsonRead =
  | { readonly is: "json"; readonly value: unknown }
  /** JSON in which a name stands twice in an object; of two values, `value` has the last one. */
  | { readonly is: "repeated"; readonly value: unknown; readonly repeats: ReadonlyArray<RepeatedName> }
  | { readonly is: "tooDeep" | "tooManyValues" }
  | { readonly is: "notJson"; readonly why: string }

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const space = 0x20

/** The place of the quote that ends a text; the end of everything where none does. */
const endOfText = (json: string, start: number): number => {
  for (let end = json.indexOf('"', start); end !== -1; end = json.indexOf('"', end + 1)) {
    let escapes = 0
    while (json.charCodeAt(end - 1 - escapes) === backslash) escapes++
    if (escapes % 2 === 0) return end
  }
  return json.length
}

/** How many names stand in a text, or the limit that it is over. Of a text that is not JSON the answer means nothing. */
const namesIn = (json: string, { depth: deepest, values: most = Infinity }: JsonLimits): number | keyof JsonLimits => {
  let depth = 0
  let values = 0
  let names = 0
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === quote) at = endOfText(json, at + 1)
    else if (code === colon) names++
    else if (code === comma) {
      values++
      if (values > most) return "values"
    }
    // "{" and "[", then "}" and "]": of each two, one has a bit more than the other, which stands for 32.
    else if ((code | 0x20) === 0x7b) {
      depth++
      values++
      if (depth > deepest) return "depth"
      if (values > most) return "values"
    } else if ((code | 0x20) === 0x7d) depth--
  }
  return names
}

/** How many names an object and what is inside it have; it calls itself for each level, of which there are not too many. */
const namesOf = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  let names = 0
  if (Array.isArray(value)) for (const inside of value) names += namesOf(inside)
  else {
    for (const name in value) {
      names++
      const inside: unknown = value[name as keyof typeof value]
      if (typeof inside === "object") names += namesOf(inside)
    }
  }
  return names
}

const isFollowedByColon = (json: string, start: number): boolean => {
  let at = start
  while (json.charCodeAt(at) <= space) at++
  return json.charCodeAt(at) === colon
}

/** The most that are named: whoever has more finds the others when these are mended. */
const mostRepeats = 20

/** The names that stand twice in the same object of a JSON text, each of them also when it is spelled with escapes. */
const repeatedNames = (json: string): ReadonlyArray<RepeatedName> => {
  interface Level {
    readonly start: number
    end: number
    /** The names of an object so far; an array has none. */
    readonly names: Set<string> | undefined
    /** The name or position of what is read. */
    at: string | number
  }
  const repeats: Array<RepeatedName> = []
  const levels: Array<Level> = []
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    const level = levels.at(-1)
    if (code === quote) {
      const end = endOfText(json, at + 1)
      if (level?.names !== undefined && isFollowedByColon(json, end + 1)) {
        const name = String(JSON.parse(json.slice(at, end + 1)))
        level.at = name
        if (level.names.has(name) && repeats.length < mostRepeats) {
          repeats.push({ path: [...levels.slice(0, -1).map((outer) => outer.at), name], within: [...levels] })
        }
        level.names.add(name)
      }
      at = end
    } else if (code === comma && typeof level?.at === "number") level.at++
    else if ((code | 0x20) === 0x7b) {
      const isObject = code === openBrace
      levels.push({ start: at, end: json.length, names: isObject ? new Set() : undefined, at: isObject ? "" : 0 })
    } else if ((code | 0x20) === 0x7d) {
      if (level !== undefined) level.end = at + 1
      levels.pop()
    }
  }
  return repeats
}

/**
 * Reads JSON as OData asks for it, where a name stands once in an object. `JSON.parse` keeps the last of two values without a
 * word; here the names in the text are counted before, and compared with those that it found. What is nested too deeply or
 * holds too many values is not parsed at all.
 */
export const readJson = (text: string, limits: JsonLimits): JsonRead => {
  const names = namesIn(text, limits)
  if (names === "depth") return { is: "tooDeep" }
  if (names === "values") return { is: "tooManyValues" }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { is: "notJson", why: error instanceof Error ? error.message : String(error) }
  }
  return names === namesOf(value) ? { is: "json", value } : { is: "repeated", value, repeats: repeatedNames(text) }
}

/** Where a name or position stands in a body, as messages write it: `requests[0].url`. */
export const placeIn = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (place, step) =>
      typeof step === "number" ? `${place}[${step}]` : `${place}${place === "" ? "" : "."}${String(step)}`,
    ""
  )

/** Says which names stand more than once in an object. */
export const repeatedNameIssues = (repeats: ReadonlyArray<RepeatedName>): ReadonlyArray<Issue> =>
  repeats.map(({ path }) => repeatedNameIssue(placeIn(path)))
