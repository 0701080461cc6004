import type { GraphErrorDetail } from "@workanywhere/domain"
import { GraphError, type GraphErrorReason, type Incomplete, type Sent, Unreadable, reasonOf } from "./graph-error.ts"
import { readable } from "./levels.ts"
import { retryAfterSeconds } from "./retry-after.ts"

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number
  readonly text: string
  /** What the service says that the body is. */
  readonly contentType?: string | undefined
  readonly requestId?: string | undefined
  readonly retryAfter?: string | undefined
  readonly date?: string | undefined
  readonly diagnostic?: string | undefined
  /** What a claims challenge asks for: JSON. */
  readonly claims?: string | undefined
}

const decodedClaims = (challenge: string | undefined): string | undefined => {
  const encoded = /\bclaims="([\w+/=-]{1,8192})"/.exec(challenge ?? "")?.[1]
  if (encoded === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(atob(encoded.replaceAll("-", "+").replaceAll("_", "/")))
    return JSON.stringify(claims)
  } catch {
    return undefined
  }
}

/**
 * What errors tell of an answer. Looked up when it is asked for: to go through the headers of every answer would take as
 * long as to read its body.
 */
export const answerOf = (status: number, header: (name: string) => string | undefined, text: string): Answer =>
  new NamedAnswer(status, header, text)

class NamedAnswer implements Answer {
  readonly status: number
  readonly text: string
  readonly #header: (name: string) => string | undefined

  constructor(status: number, header: (name: string) => string | undefined, text: string) {
    this.status = status
    this.text = text
    this.#header = header
  }

  get contentType() {
    return this.#header("content-type")
  }

  get requestId() {
    return this.#header("request-id")
  }

  get retryAfter() {
    return this.#header("retry-after")
  }

  get date() {
    return this.#header("date")
  }

  get diagnostic() {
    return this.#header("x-ms-ags-diagnostic")
  }

  get claims() {
    return decodedClaims(this.#header("www-authenticate"))
  }
}

/** One line that may be shown anywhere: control and format characters could redraw a terminal or forge a log line. */
const shown = (text: string, longest: number): string =>
  text
    .slice(0, 4 * longest)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .trim()
    .slice(0, longest)

/** The same JSON in characters that may be shown anywhere; on one line it holds others in texts only. */
const inAscii = (json: string): string =>
  json.replaceAll(/[^ -~]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)

const words = (value: unknown): string | undefined =>
  typeof value === "string" ? shown(value, 1000) || undefined : undefined

type Fields = Readonly<Record<string, unknown>>

const fields = (value: unknown): Fields => (typeof value === "object" && value !== null ? (value as Fields) : {})

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(readable(text))
  } catch {
    return undefined
  }
}

/** Follows the sentence in Intune's messages: ids, and the address of an internal service. */
const supportData = /\s+- Operation ID \(for customer support\):.*$/s

const activityIdIn = (message: unknown): string | undefined =>
  typeof message === "string"
    ? /Activity ID: ([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})/i.exec(message)?.[1]
    : undefined

/** Graph writes UTC without saying so (docs/fidelity.md, F9). */
const isoDate = (text: unknown): string | undefined => {
  if (typeof text !== "string") return undefined
  const millis = Date.parse(/^\d{4}-\d\d-\d\dT[\d:.]+$/.test(text) ? `${text}Z` : text)
  return Number.isNaN(millis) ? undefined : new Date(millis).toISOString()
}

/** Intune puts a JSON text with a `Message` into the message; older services the plain text (docs/fidelity.md, F44). */
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

/** How much of a page is looked at for its words. */
const longestPage = 16_384

const entities: Readonly<Record<string, string>> = { amp: "&", apos: "'", gt: ">", lt: "<", nbsp: " ", quot: '"' }

/** What a person would read of a page, or of a text that is none. */
const wordsOfPage = (text: string): string | undefined => {
  const page = text.slice(0, longestPage)
  const title = /<title[^>]*>([^<]*)/i.exec(page)?.[1] ?? ""
  const body = page
    .replaceAll(/<(head|script|style)\b[^]*?<\/\1>|<!--[^]*?-->/gi, " ")
    .replaceAll(/<[/!?a-z][^>]*>/gi, " ")
  const read = (body.trim() === "" ? title : body)
    .replaceAll(/&(\w{2,4});/g, (entity, name: string) => entities[name] ?? entity)
    .replaceAll(/\s+/g, " ")
  return shown(read, 200) || undefined
}

/** What services and proxies other than Graph put into their errors: ASP.NET, OAuth, older OData, RFC 9457 and the like. */
const ofOtherMake = (body: Fields) => {
  const odata = fields(body["odata.error"])
  const message =
    sentence(fields(odata["message"])["value"]) ??
    sentence(odata["message"]) ??
    words(body["error_description"]) ??
    sentence(body["Message"]) ??
    sentence(body["message"]) ??
    words(body["detail"]) ??
    words(body["title"]) ??
    words(body["error"])
  return message === undefined ? undefined : { code: words(odata["code"]) ?? words(body["error"]), message }
}

/**
 * An error body, read without trust: any part may be missing or of another type. `make` tells Graph's own from other JSON,
 * from what is none, such as a page, and from an answer that says nothing.
 */
const envelopeOf = (body: string) => {
  const whole = parsed(body)
  const json = fields(whole)
  const error = fields(json["error"])
  const other = typeof json["error"] === "object" ? undefined : ofOtherMake(json)
  const saysNothing = /^\s*(\{\s*\}|null|"")?\s*$/.test(body)
  const inner = fields(error["innerError"] ?? error["innererror"])
  // Also one that is cut off, or nested more deeply than anyone reads.
  const isGraphs = other === undefined && /^\s*\{\s*"error"\s*:/.test(body)
  return {
    make:
      isGraphs || typeof json["error"] === "object"
        ? "graph"
        : saysNothing
          ? "none"
          : json === whole
            ? "other"
            : "page",
    code: words(error["code"]) ?? words(inner["code"]) ?? other?.code,
    message: sentence(error["message"]) ?? sentence(inner["message"]) ?? other?.message,
    requestId: words(inner["request-id"]),
    activityId: activityIdIn(error["message"]) ?? activityIdIn(inner["message"]),
    // So says our gateway, whose own answer may be any: it asked several times.
    outcomeUnknown: inner["outcome"] === "unknown",
    date: isoDate(inner["date"]),
    details: Array.isArray(error["details"]) ? error["details"].flatMap(detailOf) : []
  } as const
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
    case 501:
      return "the service does not do what was asked (status 501)"
    case 503:
    case 504:
      return "the service is not available at the moment"
    default:
      if (status < 400) return "the service answered with a redirect, and those are not followed"
      return status < 500
        ? `the service refused the request with status ${status}`
        : `the service failed with status ${status}`
  }
}

/** Whether the status by itself says that asking again later may help, whoever answered. */
const isForNow = ({ _tag }: GraphErrorReason): boolean => _tag === "Throttled" || _tag === "Unavailable"

const present = <Fields extends object>(fields: Fields) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>
  }

const firstBytesOf = ({ text }: Answer): string => shown(text, 200)

const idsOf = (answer: Answer, body: Partial<ReturnType<typeof envelopeOf>> = {}) =>
  present({
    requestId: words(answer.requestId) ?? body.requestId,
    activityId: body.activityId,
    date: body.date ?? isoDate(answer.date),
    diagnostic: words(answer.diagnostic)
  })

/** The error that an answer outside 2xx is; `now` in milliseconds since the epoch. */
export const refusal = (sent: Sent, answer: Answer, now: number): GraphError => {
  const envelope = envelopeOf(answer.text)
  const { code, details, make, outcomeUnknown } = envelope
  const { claims, retryAfter, status } = answer
  const reason = reasonOf({
    status,
    code,
    message: envelope.message,
    claims: claims && inAscii(claims),
    retryAfterSeconds: retryAfterSeconds(retryAfter, now)
  })
  // That there is no such device, Graph says in its own way; another 404 is that of a wrong address.
  const isGraphs = make === "graph" || make === "none" || (make === "other" && status !== 404)
  const isUnreadable = !isGraphs && !isForNow(reason)
  const said = make === "page" ? wordsOfPage(answer.text) : envelope.message
  const beginning = isUnreadable
    ? `the service answered with status ${status} and an error that is not Graph's`
    : sentenceFor(status)
  const isSentence = said !== undefined && make !== "page" && !isUnreadable
  return new GraphError({
    ...sent,
    ...idsOf(answer, envelope),
    status,
    message: isSentence ? said : said === undefined ? beginning : `${beginning}: ${JSON.stringify(said)}`,
    ...(code === undefined ? {} : { code }),
    ...(details.length === 0 ? {} : { details }),
    ...(outcomeUnknown && { outcomeUnknown }),
    reason: isUnreadable ? new Unreadable({ status, firstBytes: firstBytesOf(answer) }) : reason
  })
}

/** The error that an answer is which is not what was asked for, whether a write took effect or not; `what` ends the sentence. */
export const unreadable = (sent: Sent, answer: Answer, what: string): GraphError =>
  new GraphError({
    ...sent,
    ...idsOf(answer),
    status: answer.status,
    outcomeUnknown: true,
    message: `the service answered with status ${answer.status} and ${what}`,
    reason: new Unreadable({ status: answer.status, firstBytes: firstBytesOf(answer) })
  })

/** The error that a list is which cannot be proven whole, found at the given answer. */
export const incomplete = (sent: Sent, answer: Answer, message: string, reason: Incomplete): GraphError =>
  new GraphError({ ...sent, ...idsOf(answer), status: answer.status, message, reason })
