/**
 * The most levels of JSON that are read. Graph's answers have five or so; what works on deeper ones calls itself for each
 * level, until there is no room left to do so.
 */
export const mostLevels = 100

/** Of the answer to one request of a batch, which is inside the answer to the batch. */
export const mostLevelsOfItem = mostLevels - 10

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = ['"', "\\", "[", "]", "{", "}"].map(
  (one) => one.charCodeAt(0)
)

/** One level is left to be found by whoever asks whether there are too many. */
const cutLevel = mostLevels + 2

/** Few enough to be read whatever they are inside of; a page has two for each row. */
const fewOpenings = 100_000

const opens = (text: string): number => {
  let count = 0
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at !== -1 && count <= fewOpenings; at = text.indexOf(bracket, at + 1))
      count += 1
  }
  return count
}

/**
 * JSON that can be read: with `null` for what is nested too deeply where that may be much, because to read a million levels
 * takes a gigabyte. Looking at each character takes as long as reading it, so what has few brackets is left as it is.
 */
export const readable = (text: string): string => {
  if (opens(text) <= fewOpenings) return text
  let [kept, from, depth] = ["", 0, 0]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      for (at += 1; at < text.length && text.charCodeAt(at) !== quote; at++) if (text.charCodeAt(at) === backslash) at++
    } else if (code === openBracket || code === openBrace) {
      depth += 1
      if (depth === cutLevel) kept += `${text.slice(from, at)}null`
    } else if (code === closeBracket || code === closeBrace) {
      if (depth === cutLevel) from = at + 1
      depth -= 1
    }
  }
  if (depth >= cutLevel) return kept
  return from === 0 ? text : kept + text.slice(from)
}

/** Whether JSON that was read has more levels than that. */
export const isDeeperThan = (most: number, value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (most === 0) return true
  const parts: ReadonlyArray<unknown> = Array.isArray(value) ? value : Object.values(value)
  for (const part of parts) if (typeof part === "object" && isDeeperThan(most - 1, part)) return true
  return false
}
