import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { type Answer, answerOf, refusal, unreadable } from "../facts/answer.ts"
import { GraphError, type Sent, Unavailable } from "../facts/graph-error.ts"
import { connectionWords, neverArrived, systemCodeOf } from "../facts/system-code.ts"
import type { Pass } from "../pace/gate.ts"
import type { Tokens } from "./credentials.ts"
import type { Settings } from "./options.ts"
import { whenTraced } from "./spanned.ts"
import type { ConnectionLost, TimeUp, Transport, WireAnswer, WireRequest } from "./transport.ts"

/**
 * One request. It can only go to the configured origin, because the origin is no part of it. Which may be repeated:
 * GET reads, and this resource's PATCH sets absolute values, so always. DELETE too: gone is gone, and a 404 after an
 * answer was lost is success. POST would create a second time, so only when the service says that it did nothing (429,
 * 503), or was never reached; otherwise the error says that the outcome is unknown.
 */
export interface GraphRequest {
  readonly method: Sent["method"]
  /** The path with names in place of keys. */
  readonly template: string
  /** Encoded; starts with a slash. */
  readonly path: string
  /** Encoded; starts with a question mark, or is empty. */
  readonly query: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** A new one where it is not given. */
  readonly clientRequestId?: string
  /** Whether the answer may be called something else than JSON, as a `$count` is: text/plain. */
  readonly takesAnyType?: true
  /** Whether the caller looks for itself which parts of the answer are nested too deeply; else it is refused as a whole. */
  readonly takesDeepParts?: true
  /** Whether an update is read back whose answer does not show what it made; it is by default. */
  readonly isReadBack?: false
  /** What is known of what a write made, where nothing shows it, by the headers of the answer that acknowledges it. */
  readonly known?: (headers: Readonly<Record<string, string>>) => unknown
  /** Sent once, by a caller that went through the gate itself: a batch counts as much as its items. */
  readonly pass?: Pass
}

/** An answer that is not a refusal. */
export interface Success {
  readonly sent: Sent
  readonly answer: Answer
  /** In lower case. */
  readonly headers: () => Readonly<Record<string, string>>
}

/** A request of which nothing is known yet. */
export const unsent = ({ method, path, template }: Pick<GraphRequest, "method" | "path" | "template">): Sent => ({
  method,
  path,
  template,
  clientRequestId: crypto.randomUUID(),
  attempts: 0,
  waitedMillis: 0
})

/** The error with some of its fields changed. */
export const amended = (
  error: GraphError,
  fields: Partial<Sent> & { readonly message?: string; readonly outcomeUnknown?: true }
): GraphError => new GraphError(Object.assign({}, error, { message: error.message }, fields))

/** For answers that end in an error: a proxy or an echoing service may repeat the token in its page. */
export const hidden = (tokens: Tokens, answer: Answer): Answer => {
  const shown = (text: string | undefined) => text && tokens.hide(text)
  return {
    status: answer.status,
    text: tokens.hide(answer.text),
    requestId: shown(answer.requestId),
    retryAfter: shown(answer.retryAfter),
    date: shown(answer.date),
    diagnostic: shown(answer.diagnostic),
    claims: shown(answer.claims)
  }
}

/** Headers go into logs: a service may repeat the token in any of them, such as its own id of the request. */
export const withoutTokens = (
  { tokens }: Pick<Settings, "tokens">,
  headers: Readonly<Record<string, string>>
): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, tokens.hide(value)]))

/** What one attempt at a request is made of. */
export interface Attempts {
  /** Sends a request once, as a span for whoever traces. */
  readonly attempt: (
    request: GraphRequest,
    sent: Sent,
    token: Redacted.Redacted | undefined,
    withinMillis: number
  ) => Effect.Effect<Success, GraphError>
  /** What goes out. */
  readonly wireRequest: (
    request: GraphRequest,
    sent: Sent,
    token: Redacted.Redacted | undefined,
    withinMillis: number
  ) => WireRequest
  /** What the end of an attempt means; `nowMillis` in milliseconds since the epoch. */
  readonly outcomeOf: (
    ended: Result.Result<WireAnswer, ConnectionLost | TimeUp>,
    sent: Sent,
    nowMillis: () => number
  ) => Result.Result<Success, GraphError>
  /** The error of a request to which nothing came before its deadline, whether it was under way then or not. */
  readonly noAnswer: (sent: Sent, isUnderWay: boolean) => GraphError
}

/** Makes what sends a request once. */
export const makeAttempts = (settings: Settings, transport: Transport): Attempts => {
  const { tokens } = settings
  const { hostname, port, protocol } = new URL(settings.origin)
  const server = {
    "server.address": hostname,
    "server.port": port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)
  }

  const withoutToken = (answer: Answer): Answer => hidden(tokens, answer)

  const noConnection = (sent: Sent, error: ConnectionLost): GraphError => {
    const systemCode = systemCodeOf(error.cause)
    return new GraphError({
      ...sent,
      ...(neverArrived(systemCode) ? {} : { outcomeUnknown: true }),
      ...(systemCode === undefined ? {} : { systemCode }),
      message: connectionWords(settings.host, systemCode),
      reason: new Unavailable({})
    })
  }

  const noAnswer = (sent: Sent, isUnderWay: boolean): GraphError => {
    const limit = Duration.format(Duration.millis(settings.deadlineMillis))
    const what = sent.attempts === 0 ? "no token could be had" : `${settings.host} did not answer`
    return new GraphError({
      ...sent,
      ...(isUnderWay ? { outcomeUnknown: true } : {}),
      message: `${what} within ${limit}`,
      reason: new Unavailable({ isTimeUp: true })
    })
  }

  const wireRequest = (
    { body, headers, method, path, query }: GraphRequest,
    { clientRequestId }: Sent,
    token: Redacted.Redacted | undefined,
    withinMillis: number
  ): WireRequest => ({
    method,
    url: `${settings.origin}${path}${query}`,
    headers: { accept: "application/json", ...headers, "client-request-id": clientRequestId },
    token,
    body: body === undefined ? undefined : JSON.stringify(body),
    withinMillis
  })

  /** What the end of an attempt means; `nowMillis` in milliseconds since the epoch. */
  const outcomeOf = (
    ended: Result.Result<WireAnswer, ConnectionLost | TimeUp>,
    sent: Sent,
    nowMillis: () => number
  ): Result.Result<Success, GraphError> => {
    if (Result.isFailure(ended)) {
      return Result.fail(ended.failure._tag === "TimeUp" ? noAnswer(sent, true) : noConnection(sent, ended.failure))
    }
    const { header, headers, isTooLong, status, text } = ended.success
    const answer = answerOf(status, header, text)
    if (isTooLong) return Result.fail(unreadable(sent, withoutToken(answer), "more than 16 MiB"))
    if (status >= 200 && status < 300) return Result.succeed({ sent, answer, headers })
    return Result.fail(refusal(sent, withoutToken(answer), nowMillis()))
  }

  const answered = (
    wire: Effect.Effect<WireAnswer, ConnectionLost | TimeUp>,
    sent: Sent
  ): Effect.Effect<Success, GraphError> =>
    Effect.flatMap(Effect.result(wire), (ended) =>
      Clock.clockWith((clock) => Effect.fromResult(outcomeOf(ended, sent, () => clock.currentTimeMillisUnsafe())))
    )

  const attempt = (request: GraphRequest, sent: Sent, token: Redacted.Redacted | undefined, withinMillis: number) => {
    const wire = transport.exchange(wireRequest(request, sent, token, withinMillis))
    return whenTraced(answered(wire, sent), () =>
      answered(
        Effect.tap(wire, ({ status }) => Effect.annotateCurrentSpan("http.response.status_code", status)),
        sent
      ).pipe(
        Effect.tapError(({ reason, status }) =>
          Effect.annotateCurrentSpan("error.type", status === undefined ? reason._tag : String(status))
        ),
        Effect.withSpan("GraphClient.attempt", {
          kind: "client",
          attributes: {
            "http.request.method": sent.method,
            "url.template": sent.template,
            ...server,
            ...(sent.attempts > 1 ? { "http.request.resend_count": sent.attempts - 1 } : {})
          }
        })
      )
    )
  }

  return { attempt, wireRequest, outcomeOf, noAnswer }
}
