import type { GraphError } from "../facts/graph-error.ts"

/** What an error says of the request that ended in it. */
export type Verdict =
  /** It had no effect, and would be refused again. */
  | "refused"
  /** It had no effect, and may have one another time. */
  | "again"
  /** Nobody knows whether it had an effect. */
  | "lost"

const failedDependency = 424

/** Whether the service is to be asked again later: what a request by itself is repeated for. */
export const isPassing = ({ reason }: GraphError): boolean =>
  reason._tag === "Throttled" || reason._tag === "Unavailable"

/** The same for one among many, where the failure may be that of a neighbour or of the batch. */
export const mayPass = (error: GraphError): boolean => {
  const { reason, status = 0 } = error
  if (isPassing(error) || reason._tag === "Unreadable") return true
  return status === failedDependency || (status >= 500 && status !== 501)
}

/** The verdict on one among many. */
export const verdictOn = (error: GraphError): Verdict => {
  if (error.outcomeUnknown === true) return "lost"
  return mayPass(error) ? "again" : "refused"
}

/** Whether the service asks everybody to wait: 503 with a time is to be treated like 429 (Microsoft Graph throttling guidance). */
export const asksToWait = ({ reason }: GraphError): boolean =>
  reason._tag === "Throttled" || (reason._tag === "Unavailable" && reason.retryAfterSeconds !== undefined)

/** Whether a request never left, because there was no time for the wait at the gate. */
export const neverLeft = ({ attempts, reason }: GraphError): boolean => attempts === 0 && reason._tag === "Throttled"
