import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { GraphError } from "../facts/graph-error.ts"
import { isLasting } from "../facts/system-code.ts"

/** What an error says of the request that ended in it. */
export type Verdict =
  /** It had no effect, and would be refused again. */
  | "refused"
  /** It had no effect, and may have one another time. */
  | "again"
  /** Nobody knows whether it had an effect. */
  | "lost"

const failedDependency = 424

const firstBackoffMillis = 1_000
const longestBackoffMillis = 30_000

/** Whether the service is to be asked again later: what a request is repeated for. */
export const isPassing = ({ reason, systemCode }: GraphError): boolean =>
  reason._tag === "Throttled" || (reason._tag === "Unavailable" && !isLasting(systemCode))

/** The same for one among many, where the failure may be that of a neighbour or of the batch. */
export const mayPass = (error: GraphError): boolean => {
  const { reason, status = 0 } = error
  if (reason._tag === "Unreadable") return status < 300 || status >= 500
  return isPassing(error) || status === failedDependency
}

/** The verdict on one among many. */
export const verdictOn = (error: GraphError): Verdict => {
  if (error.outcomeUnknown === true) return "lost"
  return mayPass(error) ? "again" : "refused"
}

/** Whether a request never left, because there was no time for the wait at the gate. */
export const neverLeft = ({ attempts, reason }: GraphError): boolean => attempts === 0 && reason._tag === "Throttled"

/** How long to wait after so many failures: what the service asks for, or else a random share of ever more. */
export const backoffMillis = ({ reason }: GraphError, failures: number): Effect.Effect<number> => {
  const asked = "retryAfterSeconds" in reason ? reason.retryAfterSeconds : undefined
  if (asked !== undefined) return Effect.succeed(Math.ceil(asked * 1_000))
  const longest = Math.min(longestBackoffMillis, firstBackoffMillis * 2 ** (failures - 1))
  return Effect.map(Random.next, (share) => Math.ceil(share * longest))
}

/**
 * The same for one among many: who was throttled waits at the gate, with the others, and not before it, unless it was asked
 * to wait for longer than the gate is closed.
 */
export const waitAmongManyMillis = (
  error: GraphError,
  failures: number,
  longestWaitMillis: number
): Effect.Effect<number> =>
  Effect.map(backoffMillis(error, failures), (wait) =>
    error.reason._tag === "Throttled" && wait <= longestWaitMillis ? 0 : wait
  )

/** How far a request has got when an attempt at it fails. */
interface Tries {
  /** Whether another one could end otherwise: `isPassing`, or `mayPass` among many. */
  readonly canPass: boolean
  readonly attempts: number
  readonly most: number
  /** How long it would have to wait before the next. */
  readonly waitMillis: number
  /** How long it may still take. */
  readonly withinMillis: number
  /** How long it may be held up where there is no deadline. */
  readonly longestWaitMillis: number
}

/** Whether a failed attempt was the last: another could not help, might add a second one, or does not fit in. */
export const isLast = (error: GraphError, tries: Tries): boolean => {
  const { attempts, canPass, longestWaitMillis, most, waitMillis, withinMillis } = tries
  if (!canPass || neverLeft(error)) return true
  if (withinMillis === Infinity && waitMillis > longestWaitMillis) return true
  if (error.method === "POST" && error.outcomeUnknown === true) return true
  return attempts >= most || waitMillis >= withinMillis
}
