import type { GraphErrorDetail, Issue } from "@workanywhere/domain"
import * as Data from "effect/Data"
import { retryAfterSeconds } from "./retry-after.ts"

/** The body or the key was wrong; nothing was sent. */
export class Invalid extends Data.TaggedClass("Invalid")<{ readonly issues: ReadonlyArray<Issue> }> {}

/** The token is missing, expired or not meant for this service (401). */
export class Unauthorized extends Data.TaggedClass("Unauthorized")<{}> {}

/** The token is valid, but does not allow this (403). */
export class Forbidden extends Data.TaggedClass("Forbidden")<{}> {}

/** There is no such device or metric (404). */
export class NotFound extends Data.TaggedClass("NotFound")<{}> {}

/** The service refused, and will refuse again: any status that has no reason of its own. */
export class Rejected extends Data.TaggedClass("Rejected")<{}> {}

/** The service asks to slow down (429, or the 500 that means it), longer than the deadline or attempts allow. */
export class Throttled extends Data.TaggedClass("Throttled")<{ readonly retryAfterSeconds?: number }> {}

/** The service cannot be reached, or not now: 503, 504, no connection, no answer before the deadline. */
export class Unavailable extends Data.TaggedClass("Unavailable")<{ readonly retryAfterSeconds?: number }> {}

/** The answer is not what Graph answers; `firstBytes` shows its beginning without control characters. */
export class Unreadable extends Data.TaggedClass("Unreadable")<{
  readonly status: number
  readonly firstBytes: string
}> {}

/** The list cannot be proven to be whole; `devicesSeen` were delivered before. */
export class Incomplete extends Data.TaggedClass("Incomplete")<{
  readonly why: "nextLinkElsewhere" | "nextLinkRepeated"
  readonly devicesSeen: number
}> {}

/** One for each thing that a caller can do differently. */
export type GraphErrorReason =
  | Invalid
  | Unauthorized
  | Forbidden
  | NotFound
  | Rejected
  | Throttled
  | Unavailable
  | Unreadable
  | Incomplete

/** What is known of a request, whatever became of it. */
export interface Sent {
  readonly method: "GET" | "PATCH"
  /** Path without the query. */
  readonly path: string
  /** GUID that goes with every attempt of the request; Microsoft's support asks for it. */
  readonly clientRequestId: string
  /** How often it was sent; 0 when it was found wrong before. */
  readonly attempts: number
}

/**
 * Why a request failed. `message` is a sentence for a person, `reason` is what a program decides on:
 * `Effect.catchReason("GraphError", "NotFound", …)`. It holds no token, body or query.
 */
export class GraphError extends Data.TaggedError("GraphError")<
  Sent & {
    readonly message: string
    readonly reason: GraphErrorReason
    /** Status of the last answer, when there was one. */
    readonly status?: number
    /** Graph's `error.code`: open text (reference 6.1). */
    readonly code?: string
    readonly details?: ReadonlyArray<GraphErrorDetail>
    /** GUID that the service gave the request. */
    readonly requestId?: string
  }
> {}

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly requestId?: string
  readonly retryAfter?: string
}

/** One line that may be shown anywhere: control and format characters could redraw a terminal or forge a log line. */
const shown = (text: string, longest: number): string =>
  text
    .slice(0, 4 * longest)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .slice(0, longest)

const words = (value: unknown): string | undefined =>
  typeof value === "string" ? shown(value, 1000) || undefined : undefined

type Fields = Readonly<Record<string, unknown>>

const fields = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {})

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Follows the sentence in Intune's messages: ids, and the address of an internal service. */
const supportData = /\s+- Operation ID \(for customer support\):.*$/s

/** Intune puts a JSON text with a `Message` into the message; older services the plain text (reference 6.1). */
const sentence = (message: unknown): string | undefined => {
  if (typeof message !== "string") return undefined
  const { Message: nested } = fields(parsed(message))
  return words((typeof nested === "string" ? nested : message).replace(supportData, ""))
}

const detailOf = (value: unknown): ReadonlyArray<GraphErrorDetail> => {
  const { code, message, target } = fields(value)
  const [detailCode, text, where] = [words(code), sentence(message), words(target)]
  if (text === undefined) return []
  return [{ code: detailCode ?? "", message: text, ...(where === undefined ? {} : { target: where }) }]
}

/** Graph's error body, read without trust: any part may be missing or of another type (reference 6.1). */
const envelopeOf = (body: string) => {
  const error = fields(fields(parsed(body))["error"])
  const inner = fields(error["innerError"] ?? error["innererror"])
  return {
    code: words(error["code"]) ?? words(inner["code"]),
    message: sentence(error["message"]) ?? sentence(inner["message"]),
    requestId: words(inner["request-id"]),
    details: Array.isArray(error["details"]) ? error["details"].flatMap(detailOf) : []
  }
}

const sentenceFor = (status: number): string => {
  switch (status) {
    case 401:
      return "the service does not accept the token, or wants one"
    case 403:
      return "the token does not allow this"
    case 404:
      return "there is no such device or metric"
    case 429:
      return "the service asks to slow down"
    case 503:
    case 504:
      return "the service is not available at the moment"
    default:
      return status < 400
        ? "the service answered with a redirect, and those are not followed"
        : `the service refused the request with status ${status}`
  }
}

/** Intune's query broker says 500 when it means 429 (reference 6.1). */
const meansThrottled = (message: string | undefined): boolean =>
  message !== undefined && /query broker/i.test(message) && /too many requests|rate limit/i.test(message)

const reasonFor = (status: number, message: string | undefined, waitSeconds: number | undefined): GraphErrorReason => {
  const wait = waitSeconds === undefined ? {} : { retryAfterSeconds: waitSeconds }
  switch (status) {
    case 401:
      return new Unauthorized()
    case 403:
      return new Forbidden()
    case 404:
      return new NotFound()
    case 429:
      return new Throttled(wait)
    case 503:
    case 504:
      return new Unavailable(wait)
    default:
      return status === 500 && meansThrottled(message) ? new Throttled(wait) : new Rejected()
  }
}

/** The error that an answer outside 2xx is; `now` in milliseconds since the epoch. */
export const refusal = (sent: Sent, answer: Answer, now: number): GraphError => {
  const { code, message, details, ...body } = envelopeOf(answer.text)
  const requestId = answer.requestId ?? body.requestId
  return new GraphError({
    ...sent,
    status: answer.status,
    message: message ?? sentenceFor(answer.status),
    ...(code === undefined ? {} : { code }),
    ...(details.length === 0 ? {} : { details }),
    ...(requestId === undefined ? {} : { requestId }),
    reason: reasonFor(answer.status, message, retryAfterSeconds(answer.retryAfter, now))
  })
}

/** The error that a 2xx answer is whose body is not what was asked for; `what` ends the sentence. */
export const unreadable = (sent: Sent, answer: Answer, what: string): GraphError =>
  new GraphError({
    ...sent,
    status: answer.status,
    message: `the service answered with status ${answer.status} and ${what}`,
    ...(answer.requestId === undefined ? {} : { requestId: answer.requestId }),
    reason: new Unreadable({ status: answer.status, firstBytes: shown(answer.text, 200) })
  })
