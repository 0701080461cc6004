import type { GraphErrorCode } from "@workanywhere/domain"
import type { GraphError } from "@workanywhere/graph-client"
import { ApiError } from "../http/api-error.ts"
import type { Authentication } from "../http/auth.ts"
import type { WriteOutcome } from "./audit.ts"

/** An upstream did not do what it was asked to. */
export class UpstreamFailure extends ApiError {
  /** What that means for a write. */
  readonly outcome: WriteOutcome
  /** Of the upstream's answer, when there was one. */
  readonly upstream: { readonly status?: number; readonly requestId?: string }

  constructor(
    { outcome, upstream }: Pick<UpstreamFailure, "outcome" | "upstream">,
    ...failure: ConstructorParameters<typeof ApiError>
  ) {
    super(...failure)
    this.outcome = outcome
    this.upstream = upstream
  }
}

interface Words {
  readonly code: GraphErrorCode
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
  readonly saidBefore?: { readonly status: number; readonly code: string }
}

/** How the gateway's own callers prove who they are, where its tokens follow from theirs. */
export type OnBehalfOf = Pick<Authentication, "challenge"> | undefined

/** What a failure is told by, besides itself. */
interface Told {
  readonly onBehalfOf: OnBehalfOf
  /** After so long the upstream is asked again, whatever it said. */
  readonly longestWaitSeconds: number
}

/** Entra does not take the caller's token any more: a new one is needed (expired, not yet valid, revoked). */
const staleAssertion: ReadonlySet<string> = new Set(["AADSTS50013", "AADSTS500133", "AADSTS50173", "AADSTS70043"])

/** Entra wants the user to do something in a browser: consent, a second factor, a managed device. */
const interaction: ReadonlySet<string> = new Set([
  "AADSTS50055",
  "AADSTS50074",
  "AADSTS50076",
  "AADSTS50079",
  "AADSTS50158",
  "AADSTS53000",
  "AADSTS53003",
  "AADSTS65001"
])

const longestClaims = 4_096

/** What the user has to do comes back to the caller as OAuth wants it; it is not for the gateway to do. */
const challenged = ({ code = "", reason }: GraphError, { challenge }: NonNullable<OnBehalfOf>): Words | undefined => {
  const claims = "claims" in reason ? reason.claims : undefined
  const refused = (parameters: string, message: string): Words => ({
    code: "InvalidAuthenticationToken",
    message,
    headers: { "www-authenticate": challenge(parameters) }
  })
  if (claims !== undefined && claims.length <= longestClaims) {
    const encoded = Buffer.from(claims).toString("base64")
    return refused(
      `error="insufficient_claims", claims="${encoded}"`,
      "The sign-in has to prove more, such as a second factor: sign in again with the claims of WWW-Authenticate."
    )
  }
  if (staleAssertion.has(code)) {
    return refused(
      'error="invalid_token"',
      `The access token cannot be exchanged for one that the upstream takes (${code}); get a new one.`
    )
  }
  if (interaction.has(code)) {
    return refused(
      'error="interaction_required"',
      `The user has to sign in or to consent in a browser first (${code}).`
    )
  }
  return undefined
}

/** Whole seconds, and at least one. */
export const retryAfter = (seconds: number): { readonly "retry-after": string } => ({
  "retry-after": String(Math.max(1, Math.ceil(seconds)))
})

/** The status that the upstream answered with is the caller's as well. */
const passedOn = (
  { code = "", message, status }: GraphError,
  headers: Readonly<Record<string, string>> = {}
): Words => ({
  code: "generalException",
  message,
  headers,
  saidBefore: { status: status ?? 500, code }
})

/** The gateway's own credentials are no affair of the caller, who would sign in again for nothing. */
const credentialsRefused = ({ message, status }: GraphError): Words =>
  status === undefined
    ? { code: "serviceNotAvailable", message: `The gateway cannot sign in to its upstream: ${message}.` }
    : { code: "badGateway", message: `The upstream does not take the gateway's own credentials: ${message}` }

const wordsOf = (error: GraphError, { longestWaitSeconds, onBehalfOf }: Told): Words => {
  const { message, reason, status } = error
  const seconds = "retryAfterSeconds" in reason ? reason.retryAfterSeconds : undefined
  const wait = seconds === undefined ? undefined : retryAfter(Math.min(seconds, longestWaitSeconds))
  switch (reason._tag) {
    case "Unauthorized":
      return (onBehalfOf && challenged(error, onBehalfOf)) ?? credentialsRefused(error)
    case "Throttled": {
      // Throttling dressed as another status would not be understood as what it is.
      if (status === 429) return passedOn(error, wait)
      const headers = wait ?? {}
      if (status !== undefined) return { code: "TooManyRequests", message, headers }
      return {
        code: "TooManyRequests",
        message: `Too many requests wait for the upstream already: send this one again in ${wait?.["retry-after"] ?? "some"} seconds.`,
        headers
      }
    }
    case "Unavailable":
      if (status !== undefined) return passedOn(error, wait)
      if (reason.isTimeUp !== true)
        return { code: "badGateway", message: `The upstream cannot be reached: ${message}.` }
      if (error.attempts === 0)
        return {
          code: "serviceNotAvailable",
          message: `The gateway could not send the request to the upstream: ${message}.`
        }
      return { code: "gatewayTimeout", message: `The upstream gave no answer: ${message}.` }
    case "Invalid":
      return { code: "BadRequest", message: `The address cannot be passed on: ${message}.` }
    case "Unreadable":
    case "Incomplete":
      return { code: "badGateway", message: `The upstream's answer cannot be passed on: ${message}.` }
    case "Forbidden":
    case "NotFound":
    case "RouteUnsupported":
    case "TenantNotReady":
    case "Rejected":
      // Of a redirect or of a proxy between: no answer of Graph's.
      if (status === undefined || status < 400 || status === 407) {
        return { code: "badGateway", message: `The upstream's answer cannot be passed on: ${message}.` }
      }
      return passedOn(error)
    default:
      return reason satisfies never
  }
}

/** What is certain about a write that ended so. */
const outcomeOf = ({ attempts, outcomeUnknown, reason }: GraphError): WriteOutcome => {
  if (outcomeUnknown === true) return "unknown"
  if (attempts === 0) return "failed"
  if (reason._tag === "Throttled" || reason._tag === "Unavailable" || reason._tag === "Unauthorized") return "failed"
  return "refused"
}

const present = (values: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined))

/** What a caller is told about a failure of the upstream: what the upstream said, wherever the caller can use it. */
export const failureOf = (error: GraphError, told: Told): UpstreamFailure => {
  const { activityId, clientRequestId, date, details = [], diagnostic, method, requestId, status } = error
  const outcome = outcomeOf(error)
  const { code, message, headers = {}, saidBefore } = wordsOf(error, told)
  const isUnknown = method !== "GET" && outcome === "unknown"
  return new UpstreamFailure(
    {
      outcome,
      upstream: {
        ...(status === undefined ? {} : { status }),
        ...(requestId === undefined ? {} : { requestId })
      }
    },
    code,
    isUnknown ? `${message} Whether the write took effect is not known: read before you repeat it.` : message,
    {
      details,
      headers,
      ...(saidBefore === undefined ? {} : { saidBefore }),
      innerError: present({
        outcome: isUnknown ? "unknown" : undefined,
        "upstream-status": status === undefined || status === saidBefore?.status ? undefined : String(status),
        "upstream-request-id": requestId,
        "upstream-client-request-id": error.attempts === 0 ? undefined : clientRequestId,
        "upstream-activity-id": activityId,
        "upstream-date": date,
        "upstream-diagnostic": diagnostic
      })
    }
  )
}
