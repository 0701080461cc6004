/** How much JSON may ask of what works on it. */
export interface JsonLimits {
  /** Levels of nesting. */
  readonly depth: number
  /** Objects, arrays, and what stands between their commas. */
  readonly values: number
}

/** Whether a text has more of some characters than a number; cheap for the many texts that have few. */
const hasMoreOf = (characters: ReadonlyArray<string>, most: number, text: string): boolean => {
  let count = 0
  for (const character of characters) {
    for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) {
      count++
      if (count > most) return true
    }
  }
  return false
}

const quote = 0x22
const comma = 0x2c
const backslash = 0x5c

/** The place of the quote that ends a text; the end of everything where none does. */
const endOfText = (json: string, start: number): number => {
  for (let end = json.indexOf('"', start); end !== -1; end = json.indexOf('"', end + 1)) {
    let escapes = 0
    while (json.charCodeAt(end - 1 - escapes) === backslash) escapes++
    if (escapes % 2 === 0) return end
  }
  return json.length
}

/**
 * Which limit JSON is over, if it is over one. Asked before the text is parsed: what works on the result calls itself for
 * each level, and looks at each name. Of a text that is not JSON the answer means nothing.
 */
export const limitPassed = (
  { depth: deepest, values: most }: JsonLimits,
  json: string
): keyof JsonLimits | undefined => {
  if (!hasMoreOf(["{", "["], deepest, json) && !hasMoreOf(["{", "[", ","], most, json)) return undefined
  let depth = 0
  let values = 0
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === quote) at = endOfText(json, at + 1)
    else if (code === comma) values++
    // "{" and "[", then "}" and "]": of each two, one has a bit more than the other, which stands for 32.
    else if ((code | 0x20) === 0x7b) {
      depth++
      values++
    } else if ((code | 0x20) === 0x7d) depth--
    if (depth > deepest) return "depth"
    if (values > most) return "values"
  }
  return undefined
}
