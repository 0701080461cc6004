import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import { type Answer, GraphError, type Sent, Unavailable, refusal, unreadable } from "./graph-error.ts"
import type { Settings } from "./options.ts"

/**
 * One request. It can only go to the configured origin, because the origin is no part of it. Either method may be
 * repeated safely: GET reads, and this resource's PATCH sets absolute values (reference 9).
 */
export interface GraphRequest {
  readonly method: "GET" | "PATCH"
  /** Encoded; starts with a slash. */
  readonly path: string
  /** Encoded; starts with a question mark, or is empty. */
  readonly query: string
  readonly body?: unknown
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

const longestAnswerBytes = 16 * 1024 * 1024
const firstBackoffMillis = 1_000
const longestBackoffMillis = 30_000
const json = "application/json"

const textOf = Effect.fnUntraced(function* (response: HttpClientResponse) {
  const decoder = new TextDecoder()
  let text = ""
  let bytes = 0
  const whole = Stream.runForEachWhile(response.stream, (chunk) =>
    Effect.sync(() => {
      bytes += chunk.byteLength
      text += decoder.decode(chunk, { stream: true })
      return bytes <= longestAnswerBytes
    })
  )
  yield* Effect.catchReason(whole, "HttpClientError", "EmptyBodyError", () => Effect.void)
  return { text: text + decoder.decode(), isTooLong: bytes > longestAnswerBytes }
})

/** What broke the connection, such as ECONNREFUSED: Node keeps it at the end of a short chain of causes. */
const systemCode = (error: unknown, depth = 0): string | undefined => {
  if (!(error instanceof Error) || depth > 5) return undefined
  const code = "code" in error ? String(error.code) : ""
  return systemCode(error.cause, depth + 1) ?? (/^[A-Z_]{3,40}$/.test(code) ? code : undefined)
}

/** How long to wait before a repeat; `undefined` where a repeat cannot help. */
const repeatAfterMillis = ({ attempts, reason }: GraphError): Effect.Effect<number | undefined> => {
  if (reason._tag !== "Throttled" && reason._tag !== "Unavailable") return Effect.undefined
  if (reason.retryAfterSeconds !== undefined) return Effect.succeed(Math.ceil(reason.retryAfterSeconds * 1_000))
  const longest = Math.min(longestBackoffMillis, firstBackoffMillis * 2 ** (attempts - 1))
  return Effect.map(Random.next, (share) => Math.ceil(share * longest))
}

const pathOf = ({ path = [] }: StandardSchemaV1.Issue): string =>
  path.map((segment) => String(typeof segment === "object" ? segment.key : segment)).join(".")

/** `redirect: "manual"`, because `fetch` would follow a redirect to wherever it points. */
const withoutRedirects = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.serviceOption(FetchHttpClient.RequestInit), (own) =>
    Effect.provideService(effect, FetchHttpClient.RequestInit, {
      ...Option.getOrElse(own, () => ({})),
      redirect: "manual"
    })
  )

/** Makes the one function that all operations send through. */
export const makeSend = (settings: Settings, http: HttpClient.HttpClient): Send => {
  const { token } = settings

  /** For answers that end in an error: a proxy or an echoing service may repeat the token in its page. */
  const withoutToken = (answer: Answer): Answer => {
    if (token === undefined) return answer
    const hide = (text: string) => text.replaceAll(Redacted.value(token), "<redacted>")
    const { requestId, text } = answer
    return { ...answer, text: hide(text), ...(requestId === undefined ? {} : { requestId: hide(requestId) }) }
  }

  const noConnection = (sent: Sent, error: HttpClientError): GraphError => {
    const code = systemCode(error.cause)
    return new GraphError({
      ...sent,
      message: `the connection to ${settings.host} failed${code === undefined ? "" : ` (${code})`}`,
      reason: new Unavailable({})
    })
  }

  const noAnswer = (sent: Sent): GraphError =>
    new GraphError({
      ...sent,
      message: `${settings.host} did not answer within ${Duration.format(Duration.millis(settings.deadlineMillis))}`,
      reason: new Unavailable({})
    })

  const httpRequest = ({ body, method, path, query }: GraphRequest, sent: Sent) => {
    const request = HttpClientRequest.make(method)(`${settings.origin}${path}${query}`).pipe(
      HttpClientRequest.acceptJson,
      HttpClientRequest.setHeader("client-request-id", sent.clientRequestId)
    )
    const signed = token === undefined ? request : HttpClientRequest.bearerToken(request, token)
    return body === undefined ? signed : HttpClientRequest.bodyText(signed, JSON.stringify(body), json)
  }

  const attempt = Effect.fn("GraphClient.attempt", { kind: "client" })(
    function* (request: GraphRequest, sent: Sent) {
      yield* Effect.annotateCurrentSpan({ "http.request.method": sent.method, "url.path": sent.path })
      const response = yield* http.execute(httpRequest(request, sent))
      const { headers, status } = response
      yield* Effect.annotateCurrentSpan("http.response.status_code", status)
      const { isTooLong, text } = yield* textOf(response)
      const answer: Answer = {
        status,
        text,
        ...(headers["request-id"] === undefined ? {} : { requestId: headers["request-id"] }),
        ...(headers["retry-after"] === undefined ? {} : { retryAfter: headers["retry-after"] })
      }
      if (isTooLong) return yield* unreadable(sent, withoutToken(answer), "more than 16 MiB")
      if (status >= 200 && status < 300) return answer
      return yield* refusal(sent, withoutToken(answer), yield* Clock.currentTimeMillis)
    },
    withoutRedirects,
    // The span of the HTTP client itself would show the query.
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
    (effect, _request, sent) => Effect.catchTag(effect, "HttpClientError", (e) => Effect.fail(noConnection(sent, e)))
  )

  const exchange = Effect.fnUntraced(function* (request: GraphRequest, until: number) {
    const { method, path } = request
    const clientRequestId = crypto.randomUUID()
    let attempts = 0
    const sentSoFar = (): Sent => ({ method, path, clientRequestId, attempts })
    const repeated = Effect.gen(function* () {
      while (true) {
        attempts += 1
        const sent = sentSoFar()
        const outcome = yield* Effect.result(attempt(request, sent))
        if (Result.isSuccess(outcome)) return { sent, answer: outcome.success }
        const error = outcome.failure
        const wait = yield* repeatAfterMillis(error)
        const now = yield* Clock.currentTimeMillis
        if (wait === undefined || attempts >= settings.attempts || now + wait >= until) return yield* error
        yield* settings.onRepeat({ error, waitMillis: wait })
        yield* Effect.sleep(wait)
      }
    })
    return yield* Effect.timeoutOrElse(repeated, {
      duration: Math.max(0, until - (yield* Clock.currentTimeMillis)),
      orElse: () => Effect.fail(noAnswer(sentSoFar()))
    })
  })

  return Effect.fn("GraphClient.send")(function* <A>(request: GraphRequest, schema: StandardSchemaV1<unknown, A>) {
    const until = (yield* Clock.currentTimeMillis) + settings.deadlineMillis
    const first = yield* exchange(request, until)
    const { answer, sent } =
      first.answer.status === 204 && request.method === "PATCH"
        ? yield* exchange({ method: "GET", path: request.path, query: "" }, until).pipe(
            Effect.mapError((error) => {
              const message = `the update was made, but reading it back failed: ${error.message}`
              return new GraphError(Object.assign({}, error, { message }))
            })
          )
        : first
    const unexpected = (what: string) => unreadable(sent, withoutToken(answer), what)
    if (answer.text.trim() === "") return yield* unexpected("no body")
    const body = yield* Effect.try({
      try: (): unknown => JSON.parse(answer.text),
      catch: () => unexpected("a body that is not JSON")
    })
    const result = schema["~standard"].validate(body)
    const read = result instanceof Promise ? yield* Effect.promise(() => result) : result
    if (read.issues === undefined) return { value: read.value, sent, answer }
    const at = read.issues[0] === undefined ? "" : pathOf(read.issues[0])
    return yield* unexpected(`JSON of an unexpected shape${at === "" ? "" : ` (at ${at})`}`)
  })
}
