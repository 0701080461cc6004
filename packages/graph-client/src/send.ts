import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import type { Lane } from "./budget.ts"
import type { TokenUnavailable, Tokens } from "./credentials.ts"
import type { Pass } from "./gate.ts"
import {
  type Answer,
  GraphError,
  type Sent,
  Throttled,
  Unauthorized,
  Unavailable,
  answerOf,
  refusal,
  unreadable
} from "./graph-error.ts"
import type { Settings } from "./options.ts"
import { spanned, whenTraced } from "./spanned.ts"
import type { ConnectionLost, TimeUp, Transport, WireAnswer, WireRequest } from "./transport.ts"

/**
 * One request. It can only go to the configured origin, because the origin is no part of it. Which may be repeated:
 * GET reads, and this resource's PATCH sets absolute values (reference 9), so always. DELETE too: gone is gone, and a
 * 404 after an answer was lost is success. POST would create a second time, so only when the service says that it did
 * nothing (429, 503), or was never reached; otherwise the error says that the outcome is unknown.
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
  /** Sent once, by a caller that went through the gate itself: a batch counts as much as its items. */
  readonly pass?: Pass
}

/** What came back, and on which request. */
export interface Received<A> {
  readonly value: A
  readonly sent: Sent
  readonly answer: Answer
}

/**
 * Sends a request and reads its answer. Repeats it on 429, 503, 504, a lost connection and the 500 that means
 * throttling, never earlier than `Retry-After`, within the deadline and the number of attempts. An update that was
 * answered without a body (204) is read back.
 */
export type Send = <A>(
  request: GraphRequest,
  schema: StandardSchemaV1<unknown, A>
) => Effect.Effect<Received<A>, GraphError>

const firstBackoffMillis = 1_000
const longestBackoffMillis = 30_000

/** What broke the connection, such as ECONNREFUSED: Node keeps it at the end of a short chain of causes. */
const systemCode = (error: unknown, depth = 0): string | undefined => {
  if (!(error instanceof Error) || depth > 5) return undefined
  const code = "code" in error ? String(error.code) : ""
  return systemCode(error.cause, depth + 1) ?? (/^[A-Z_]{3,40}$/.test(code) ? code : undefined)
}

/** What Node says when it could not connect, so that nothing can have arrived; a browser does not tell. */
const neverConnected = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/

/** Whether a write that ended so may have taken effect all the same. */
export const isOutcomeUnknown = ({ method, outcomeUnknown, reason, status }: GraphError): boolean =>
  method !== "GET" && (outcomeUnknown === true || reason._tag === "Unreadable" || status === 504)

/** The error with some of its fields changed. */
export const amended = (
  error: GraphError,
  fields: Partial<Sent> & { readonly message?: string; readonly outcomeUnknown?: true }
): GraphError => new GraphError(Object.assign({}, error, { message: error.message }, fields))

const noToken = (sent: Sent, { claims, code, message }: TokenUnavailable): GraphError =>
  new GraphError({
    ...sent,
    ...(code === undefined ? {} : { code }),
    message: `no token could be had: ${message}`,
    reason: new Unauthorized(claims === undefined ? {} : { claims })
  })

/** The request that reads what another one changed. */
export const readBackOf = ({ headers = {}, path, template }: GraphRequest): GraphRequest => ({
  method: "GET",
  path,
  template,
  query: "",
  headers
})

/** How long to wait after so many failures: what the service asks for, or else a random share of ever more. */
export const backoffMillis = ({ reason }: GraphError, failures: number): Effect.Effect<number> => {
  const asked = "retryAfterSeconds" in reason ? reason.retryAfterSeconds : undefined
  if (asked !== undefined) return Effect.succeed(Math.ceil(asked * 1_000))
  const longest = Math.min(longestBackoffMillis, firstBackoffMillis * 2 ** (failures - 1))
  return Effect.map(Random.next, (share) => Math.ceil(share * longest))
}

/** The wait before a repeat; `undefined` where a repeat cannot help, or could do harm. */
const repeatAfterMillis = (error: GraphError, failures: number): Effect.Effect<number | undefined> => {
  const { method, reason } = error
  if (reason._tag !== "Throttled" && reason._tag !== "Unavailable") return Effect.undefined
  return method === "POST" && isOutcomeUnknown(error) ? Effect.undefined : backoffMillis(error, failures)
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

const pathOf = ({ path = [] }: StandardSchemaV1.Issue): string =>
  path.map((segment) => String(typeof segment === "object" ? segment.key : segment)).join(".")

/** For answers that end in an error: a proxy or an echoing service may repeat the token in its page. */
export const hidden = (tokens: Tokens, answer: Answer): Answer => {
  const { headers: _, status, text, ...named } = answer
  const shown = Object.entries(named).map(([name, value]) => [name, tokens.hide(value)])
  return { status, text: tokens.hide(text), ...Object.fromEntries(shown) }
}

/** The error of a request that could not leave in time. */
export const tooLate = (host: string, sent: Sent, waitMillis: number): GraphError => {
  const wait = Duration.format(Duration.millis(Math.ceil(waitMillis)))
  return new GraphError({
    ...sent,
    message: `${host} has to be given ${wait} before this request, which is longer than it may take`,
    reason: new Throttled({ retryAfterSeconds: waitMillis / 1_000 })
  })
}

const laneOf = (method: Sent["method"]): Lane => (method === "GET" ? "read" : "write")

/** Makes the one function that all operations send through. */
export const makeSend = (settings: Settings, transport: Transport): Send => {
  const { tokens } = settings
  const { hostname, port, protocol } = new URL(settings.origin)
  const server = {
    "server.address": hostname,
    "server.port": port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)
  }

  const withoutToken = (answer: Answer): Answer => hidden(tokens, answer)

  const noConnection = (sent: Sent, error: ConnectionLost): GraphError => {
    const code = systemCode(error.cause)
    const mayHaveArrived = sent.method !== "GET" && !neverConnected.test(code ?? "")
    return new GraphError({
      ...sent,
      ...(mayHaveArrived ? { outcomeUnknown: true } : {}),
      message: `the connection to ${settings.host} failed${code === undefined ? "" : ` (${code})`}`,
      reason: new Unavailable({})
    })
  }

  const noAnswer = (sent: Sent): GraphError => {
    const limit = Duration.format(Duration.millis(settings.deadlineMillis))
    const what = sent.attempts === 0 ? "no token could be had" : `${settings.host} did not answer`
    return new GraphError({
      ...sent,
      ...(sent.method !== "GET" && sent.attempts > 0 ? { outcomeUnknown: true as const } : {}),
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

  const answered = (
    wire: Effect.Effect<WireAnswer, ConnectionLost | TimeUp>,
    sent: Sent
  ): Effect.Effect<Answer, GraphError> =>
    wire.pipe(
      Effect.catchTag("ConnectionLost", (lost) => Effect.fail(noConnection(sent, lost))),
      Effect.catchTag("TimeUp", () => Effect.fail(noAnswer(sent))),
      Effect.flatMap(({ headers, isTooLong, status, text }) => {
        const answer = answerOf(status, headers, text)
        if (isTooLong) return Effect.fail(unreadable(sent, withoutToken(answer), "more than 16 MiB"))
        if (status >= 200 && status < 300) return Effect.succeed(answer)
        return Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.fail(refusal(sent, withoutToken(answer), now)))
      })
    )

  const attempt = (request: GraphRequest, sent: Sent, token: Redacted.Redacted | undefined, withinMillis: number) => {
    const wire = transport(wireRequest(request, sent, token, withinMillis))
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

  /** One attempt, and how long to wait before the next; being throttled closes the gate for all. */
  const judged = Effect.fnUntraced(function* (
    request: GraphRequest,
    sent: Sent,
    token: Redacted.Redacted | undefined,
    pass: Pass,
    until: number
  ) {
    const withinMillis = until - (yield* Clock.currentTimeMillis)
    const outcome = yield* Effect.result(attempt(request, sent, token, withinMillis))
    if (Result.isSuccess(outcome)) return { token, sent, answer: outcome.success, error: undefined }
    const error = outcome.failure
    const isThrottled = error.reason._tag === "Throttled"
    const wait = yield* repeatAfterMillis(
      error,
      isThrottled ? Math.max(sent.attempts, pass.throttledInRow + 1) : sent.attempts
    )
    if (isThrottled) pass.close(wait ?? 0)
    return { token, sent, error, wait }
  })

  const exchange = Effect.fnUntraced(function* (request: GraphRequest, until: number) {
    const { method, path, template, clientRequestId = crypto.randomUUID() } = request
    let attempts = 0
    let waitedMillis = 0
    let isUnknown = false
    let isRenewed = false
    let queuedAt: number | undefined
    const gate = yield* settings.gates.at(laneOf(method))
    const sentSoFar = (): Sent => ({ method, path, template, clientRequestId, attempts, waitedMillis })
    const failed = (error: GraphError): GraphError => (isUnknown ? amended(error, { outcomeUnknown: true }) : error)
    /** What others do for a request may not take longer than it may itself. */
    const bounded = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E | GraphError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.timeoutOrElse(work, {
          duration: Math.max(0, until - now),
          orElse: () => Effect.fail(failed(noAnswer(sentSoFar())))
        })
      )

    const current = Effect.mapError(tokens.current, (error) => failed(noToken(sentSoFar(), error)))
    const token = tokens.isFixed ? current : bounded(current)

    const paced = Effect.fnUntraced(function* () {
      const early = yield* token
      const once = Effect.fnUntraced(function* (pass: Pass) {
        const waited = queuedAt === undefined ? 0 : (yield* Clock.currentTimeMillis) - queuedAt
        queuedAt = undefined
        waitedMillis += waited
        // It may have expired in the queue.
        const current = waited > 0 ? yield* token : early
        attempts += 1
        return yield* judged(request, sentSoFar(), current, pass, until)
      })
      if (request.pass !== undefined) return yield* once(request.pass)
      queuedAt = yield* Clock.currentTimeMillis
      return yield* gate.through({ cost: 1, withinMillis: until - queuedAt }, once)
    })

    return yield* Effect.gen(function* () {
      while (true) {
        const outcome = yield* paced()
        if (outcome.error === undefined) return outcome
        const { error, sent, wait } = outcome
        if (method === "DELETE" && isUnknown && error.reason._tag === "NotFound") {
          return { sent, answer: { status: 204, text: "" } }
        }
        isUnknown ||= isOutcomeUnknown(error)
        if (error.reason._tag === "Unauthorized" && outcome.token !== undefined && !isRenewed) {
          isRenewed = true
          const { claims } = error.reason
          const renewed = tokens.renew(outcome.token, claims)
          if (yield* bounded(Effect.mapError(renewed, (cause) => failed(noToken(sentSoFar(), cause))))) continue
        }
        const now = yield* Clock.currentTimeMillis
        const isLast = request.pass !== undefined || attempts >= settings.attempts
        if (wait === undefined || isLast || now + wait >= until) return yield* failed(error)
        yield* bounded(settings.onRepeat({ error, waitMillis: wait }))
        // Who was throttled waits at the gate, with everyone else.
        if (error.reason._tag === "Throttled") continue
        yield* Effect.withSpan(Effect.sleep(wait), "GraphClient.wait")
        waitedMillis += wait
      }
    }).pipe(
      Effect.catchTag("TooLate", ({ waitMillis }) =>
        Effect.fail(failed(tooLate(settings.host, sentSoFar(), waitMillis)))
      )
    )
  })

  return spanned(
    "GraphClient.send",
    Effect.fnUntraced(function* <A>(request: GraphRequest, schema: StandardSchemaV1<unknown, A>) {
      const until = (yield* Clock.currentTimeMillis) + settings.deadlineMillis
      const first = yield* exchange(request, until)
      const { answer, sent } =
        first.answer.status === 204 && request.method === "PATCH"
          ? yield* exchange(readBackOf(request), until).pipe(
              Effect.mapError((error) =>
                amended(error, { message: `the update was made, but reading it back failed: ${error.message}` })
              )
            )
          : first
      const unexpected = (what: string) => {
        const error = unreadable(sent, withoutToken(answer), what)
        return isOutcomeUnknown(error) ? amended(error, { outcomeUnknown: true }) : error
      }
      const isDeleted = request.method === "DELETE"
      if (!isDeleted && answer.text.trim() === "") return yield* unexpected("no body")
      const body = yield* Effect.try({
        try: (): unknown => (isDeleted ? undefined : JSON.parse(answer.text)),
        catch: () => unexpected("a body that is not JSON")
      })
      const result = schema["~standard"].validate(body)
      const read = result instanceof Promise ? yield* Effect.promise(() => result) : result
      if (read.issues === undefined) return { value: read.value, sent, answer }
      const at = read.issues[0] === undefined ? "" : pathOf(read.issues[0])
      return yield* unexpected(`JSON of an unexpected shape${at === "" ? "" : ` (at ${at})`}`)
    })
  )
}
