/** What a caller sends to say that there is no score (reference 1.1). */
export const unavailableScore = -1

/** Whether a value is a score: a number from 0 to 100. Anything else, the encodings of "no score" included, is not. */
export const isAvailable = (score: unknown): score is number => typeof score === "number" && score >= 0 && score <= 100

/**
 * A score as it was read. Graph says "no score" in four ways (null, absent, -1, -2; reference 4.1 and 5.1): one
 * meaning, and `encoding` keeps which it was. `outOfRange` is a number that is none of these.
 */
export type ScoreReading =
  | { readonly available: true; readonly score: number }
  | { readonly available: false; readonly encoding: "null" | "absent" | "-1" | "-2" | "outOfRange" }

/** Reads a score property of a device; total over whatever the property may hold. */
export const readScore = (value: number | null | undefined): ScoreReading => {
  if (value === undefined) return { available: false, encoding: "absent" }
  if (value === null) return { available: false, encoding: "null" }
  if (value === -1 || value === -2) return { available: false, encoding: `${value}` }
  return isAvailable(value) ? { available: true, score: value } : { available: false, encoding: "outOfRange" }
}

/** Whether a number may be written as a score: {-1} ∪ [0, 100] (reference 1.1; null is decided by the property). */
export const isWritableScore = (value: number): boolean => value === unavailableScore || isAvailable(value)
