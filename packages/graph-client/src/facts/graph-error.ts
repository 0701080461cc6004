import type { GraphErrorDetail, Issue } from "@workanywhere/domain"
import * as Data from "effect/Data"

/** The body or the key was wrong; nothing was sent. */
export class Invalid extends Data.TaggedClass("Invalid")<{ readonly issues: ReadonlyArray<Issue> }> {}

/**
 * The token is missing, expired or not meant for this service (401), or none could be had. `claims` is the JSON that a
 * new token has to satisfy where the service asked for more, such as a second factor: pass it to whoever signs in.
 */
export class Unauthorized extends Data.TaggedClass("Unauthorized")<{ readonly claims?: string }> {}

/** The token is valid, but does not allow this (403). */
export class Forbidden extends Data.TaggedClass("Forbidden")<{}> {}

/** There is no such device or metric (404). */
export class NotFound extends Data.TaggedClass("NotFound")<{}> {}

/**
 * The service does not have this route, though Graph's model does (docs/fidelity.md, F43 and F44): on Microsoft's
 * service an update of a device may end so. Another route, version or target is needed; a repeat is of no use.
 */
export class RouteUnsupported extends Data.TaggedClass("RouteUnsupported")<{}> {}

/**
 * The tenant cannot be asked yet, because it has no active Intune licence, which each of Microsoft's pages about this
 * resource asks for. Intune says so with 400 and "Request not applicable to target tenant":
 * https://github.com/microsoftgraph/microsoft-graph-docs/issues/5613. A tenant that merely has not switched endpoint
 * analytics on answers with empty lists (docs/fidelity.md, F11).
 */
export class TenantNotReady extends Data.TaggedClass("TenantNotReady")<{}> {}

/**
 * The service refused, and will refuse again: any status that has no reason of its own. A write that may have taken effect
 * all the same was not refused, and is `Unavailable`.
 */
export class Rejected extends Data.TaggedClass("Rejected")<{}> {}

/** The service asks to slow down (429, or the 500 that means it), longer than the deadline or attempts allow. */
export class Throttled extends Data.TaggedClass("Throttled")<{ readonly retryAfterSeconds?: number }> {}

/**
 * The service cannot be reached, or not now: no connection, no answer before the deadline, a status that tells of trouble on
 * the way (408, 502 to 504, 509, 520 to 524), or 500 with a code that tells no more than that.
 */
export class Unavailable extends Data.TaggedClass("Unavailable")<{
  readonly retryAfterSeconds?: number
  /** The deadline passed before there was an answer. */
  readonly isTimeUp?: true
}> {}

/**
 * The answer is not what Graph answers, whatever its status; `firstBytes` shows its beginning without control characters.
 * A page that comes with a status that asks to try again later counts as what the status says.
 */
export class Unreadable extends Data.TaggedClass("Unreadable")<{
  readonly status: number
  readonly firstBytes: string
}> {}

/** What kept a list from being proven whole; `rowsUnreadable` is known at its end only. */
export type WhyIncomplete =
  | "nextLinkElsewhere"
  | "nextLinkRepeated"
  | "pageRepeated"
  | "pagesEmpty"
  | "countDiffers"
  | "rowsUnreadable"

/** The list cannot be proven to be whole; the rows that could be read were delivered before. */
export class Incomplete extends Data.TaggedClass("Incomplete")<{
  readonly why: WhyIncomplete
  /** Rows that came, repeated and unreadable ones too. */
  readonly devicesSeen: number
  /** How many it should have been, where that is known. */
  readonly devicesExpected?: number
  /** Rows whose id had come before, where they are counted. */
  readonly duplicates?: number
  /** Rows of a shape that could not be read. */
  readonly unreadable?: number
}> {}

/** One for each thing that a caller can do differently. */
export type GraphErrorReason =
  | Invalid
  | Unauthorized
  | Forbidden
  | NotFound
  | RouteUnsupported
  | TenantNotReady
  | Rejected
  | Throttled
  | Unavailable
  | Unreadable
  | Incomplete

/** What is known of a request, whatever became of it. */
export interface Sent {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  /** Path without the query. */
  readonly path: string
  /** Path with names in place of keys, such as `/beta/…/{metricId}/metricDevices`: the same for every device. */
  readonly template: string
  /** GUID that goes with every attempt of the request; Microsoft's support asks for it. */
  readonly clientRequestId: string
  /** How often it was sent; 0 when it was found wrong before. */
  readonly attempts: number
  /** How long the waits between its attempts were together. */
  readonly waitedMillis: number
}

/** What is known of a request that failed. */
export interface FailedRequest extends Sent {
  readonly message: string
  readonly reason: GraphErrorReason
  /** Status of the last answer, when there was one. */
  readonly status?: number
  /** Graph's `error.code`: open text (Microsoft Graph error responses and resource types). */
  readonly code?: string
  readonly details?: ReadonlyArray<GraphErrorDetail>
  /** GUID that the service gave the request. */
  readonly requestId?: string
  /** Intune's own id of the operation, from inside its message. */
  readonly activityId?: string
  /** When the service answered, by its own clock (ISO 8601, UTC). */
  readonly date?: string
  /** Which of Microsoft's machines answered: the JSON of `x-ms-ags-diagnostic`. */
  readonly diagnostic?: string
  /** What broke the connection, such as ECONNREFUSED, where the platform says it. */
  readonly systemCode?: string
  /** The write may have taken effect all the same: look before repeating it. */
  readonly outcomeUnknown?: true
}

/**
 * Whether a write that ended so may have taken effect. Whoever made the error knows that an answer was lost or cannot be
 * read, or that the service said that it does not know; an answer of its own tells by what it is. With 501 and 503 a
 * service says that it did nothing, and so does the 500 that means throttling.
 */
const leavesOutcomeUnknown = ({ method, outcomeUnknown, reason, status = 0 }: FailedRequest): boolean => {
  if (method === "GET") return false
  if (outcomeUnknown === true || status === 408) return true
  return status >= 500 && status !== 501 && status !== 503 && reason._tag !== "Throttled"
}

/** The same request, where nobody knows whether it took effect: nobody refused it then. */
const ofUnknownOutcome = (request: FailedRequest): FailedRequest => ({
  ...request,
  outcomeUnknown: true,
  reason: request.reason._tag === "Rejected" ? new Unavailable({}) : request.reason
})

/**
 * Why a request failed. `message` is a sentence for a person, `reason` is what a program decides on:
 * `Effect.catchReason("GraphError", "NotFound", …)`. It holds no token, body or query.
 */
export class GraphError extends Data.TaggedError("GraphError")<FailedRequest> {
  constructor(request: FailedRequest) {
    const { outcomeUnknown: _, ...known } = request
    super(leavesOutcomeUnknown(request) ? ofUnknownOutcome(known) : known)
  }
}

/** Intune's query broker says 500 when it means 429 (docs/fidelity.md, F61). */
const meansThrottled = (message: string | undefined): boolean =>
  message !== undefined && /query broker/i.test(message) && /too many requests|rate limit/i.test(message)

/** What Graph and Intune call a 500 of which they know no more: the same request may well succeed a moment later. */
const meansTrouble = (code: string | undefined): boolean =>
  /^(internal(server)?error|unknownerror|generalexception|service(notavailable|unavailable)|(gateway|request)?timeout)$/i.test(
    code ?? ""
  )

const routeCodes = ["No method match route template", "No OData route"]

/** How Graph and Intune say that a route is not there: always 400, whatever is missing (docs/fidelity.md, F4, F43). */
const meansNoRoute = (code: string | undefined, message: string | undefined): boolean =>
  routeCodes.some((start) => code?.startsWith(start) === true || message?.startsWith(start) === true) ||
  /^resource not found for the segment/i.test(message ?? "")

const meansNoIntune = (message: string | undefined): boolean =>
  /request not applicable to target tenant/i.test(message ?? "")

/** What an answer outside 2xx says of why the request failed. */
export interface Refusal {
  readonly status: number
  /** Graph's `error.code`. */
  readonly code?: string | undefined
  readonly message?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  /** What a claims challenge asks for: JSON. */
  readonly claims?: string | undefined
}

/** The reason that an answer outside 2xx gives, also for answers that came another way than through this client. */
export const reasonOf = ({ claims, code, message, retryAfterSeconds, status }: Refusal): GraphErrorReason => {
  const wait = retryAfterSeconds === undefined ? {} : { retryAfterSeconds }
  switch (status) {
    case 400:
      if (meansNoRoute(code, message)) return new RouteUnsupported()
      return meansNoIntune(message) ? new TenantNotReady() : new Rejected()
    case 401:
      return new Unauthorized(claims === undefined ? {} : { claims })
    case 403:
      return new Forbidden()
    case 404:
      return new NotFound()
    case 429:
      return new Throttled(wait)
    case 500:
      if (meansThrottled(message)) return new Throttled(wait)
      return meansTrouble(code) ? new Unavailable(wait) : new Rejected()
    case 501:
      return code === "NotSupported" ? new RouteUnsupported() : new Rejected()
    case 408:
    case 502:
    case 503:
    case 504:
    case 509:
    // What a proxy says of a service behind it (Cloudflare's statuses): an odd answer, none, no connection, or too late.
    case 520:
    case 521:
    case 522:
    case 523:
    case 524:
      return new Unavailable(wait)
    default:
      return new Rejected()
  }
}
