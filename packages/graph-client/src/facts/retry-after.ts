import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Headers from "effect/http/Headers"

const decimalSeconds = /^\d+\.\d+$/

/** To read a number of a million digits takes longer than anybody would wait. */
const longestText = 64

/**
 * How long a `Retry-After` header asks to wait, in seconds from `now` (milliseconds since the epoch): whole seconds,
 * decimals, or an HTTP date, which is 0 once it has passed (RFC 9110, 10.2.3). `undefined` when there is no header
 * or it is none of these.
 */
export const retryAfterSeconds = (header: string | undefined, now: number): number | undefined => {
  const value = header?.trim() ?? ""
  if (value.length > longestText) return undefined
  // The RFC knows whole seconds only; services were seen to send fractions.
  if (decimalSeconds.test(value)) return Number(value)
  const parsed = Headers.parseRetryAfter(value)
  return Result.isSuccess(parsed) ? Duration.toSeconds(Headers.retryAfterDelay(parsed.success, now)) : undefined
}
