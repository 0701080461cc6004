/** Whether a text has more opening brackets than a number; cheap for the many texts that have few. */
const hasMoreBrackets = (most: number, text: string): boolean => {
  let count = 0
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      count++
      if (count > most) return true
    }
  }
  return false
}

/**
 * Whether JSON is nested deeper than a number of levels. Asked before the text is parsed, because what works on the
 * result calls itself for each level. Of a text that is not JSON the answer means nothing.
 */
export const isDeeperThan = (most: number, text: string): boolean => {
  if (!hasMoreBrackets(most, text)) return false
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') quoted = !quoted
    else if (quoted) {
      if (character === "\\") at++
    } else if (character === "{" || character === "[") {
      depth++
      if (depth > most) return true
    } else if (character === "}" || character === "]") depth--
  }
  return false
}
