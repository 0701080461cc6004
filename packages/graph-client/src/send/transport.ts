import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import type { Sent } from "../facts/graph-error.ts"

/** One request as it goes out. */
export interface WireRequest {
  readonly method: Sent["method"]
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly token: Redacted.Redacted | undefined
  /** JSON, as text. */
  readonly body: string | undefined
  /** How long the answer may take, its body included. */
  readonly withinMillis: number
}

/** What came back; names of headers are in lower case. */
export interface WireAnswer {
  readonly status: number
  readonly header: (name: string) => string | undefined
  readonly headers: () => Readonly<Record<string, string>>
  /** As much of the body as was read. */
  readonly text: string
  /** Whether the body is longer than is read. */
  readonly isTooLong: boolean
}

/** There was no answer, or it broke off. */
export class ConnectionLost extends Data.TaggedError("ConnectionLost")<{ readonly cause: unknown }> {}

/** The answer took too long. */
export class TimeUp extends Data.TaggedError("TimeUp")<{}> {}

/** How requests go out: one at a time, without following redirects. */
export interface Transport {
  /** Interruption ends it. */
  readonly exchange: (request: WireRequest) => Effect.Effect<WireAnswer, ConnectionLost | TimeUp>
  /**
   * The same without Effect, where there is such a way, by the clock of this machine; it gives back what ends it, after
   * which `settle` may still be called.
   */
  readonly start?: (
    request: WireRequest,
    settle: (outcome: Result.Result<WireAnswer, ConnectionLost | TimeUp>) => void
  ) => () => void
}

const within = <A, E>(effect: Effect.Effect<A, E>, millis: number): Effect.Effect<A, E | TimeUp> =>
  Effect.timeoutOrElse(effect, { duration: Math.max(0, millis), orElse: () => Effect.fail(new TimeUp()) })

/** The time of this machine, as opposed to that of a test. */
export const standardClock = Effect.runSync(Clock.Clock)

/** A timer of the platform takes no more than that. */
const longestTimerMillis = 2_147_483_647

const longestAnswerBytes = 16 * 1024 * 1024

/** Whether a body is as short as its headers say; what is compressed may become any length. */
const isShort = (length: string | null | undefined, encoding: string | null | undefined): boolean =>
  typeof length === "string" && Number(length) <= longestAnswerBytes && typeof encoding !== "string"

/** Collects a body until it is too long. */
const collected = () => {
  const decoder = new TextDecoder()
  let text = ""
  let bytes = 0
  return {
    /** Whether to go on. */
    add: (chunk: Uint8Array): boolean => {
      bytes += chunk.byteLength
      text += decoder.decode(chunk, { stream: true })
      return bytes <= longestAnswerBytes
    },
    end: () => ({ text: text + decoder.decode(), isTooLong: bytes > longestAnswerBytes })
  }
}

const bodyOf = async (response: Response): Promise<Pick<WireAnswer, "text" | "isTooLong">> => {
  const { body, headers } = response
  if (body === null) return { text: "", isTooLong: false }
  if (isShort(headers.get("content-length"), headers.get("content-encoding"))) {
    return { text: await response.text(), isTooLong: false }
  }
  const all = collected()
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return all.end()
    if (!all.add(value)) {
      await reader.cancel()
      return all.end()
    }
  }
}

const exchanged = async (
  fetch: typeof globalThis.fetch,
  { body, headers, method, token, url }: WireRequest,
  signal: AbortSignal
): Promise<WireAnswer> => {
  const response = await fetch(url, {
    method,
    headers: {
      ...headers,
      ...(token === undefined ? {} : { authorization: `Bearer ${Redacted.value(token)}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" })
    },
    ...(body === undefined ? {} : { body }),
    // Else it would go to wherever a redirect points.
    redirect: "manual",
    signal
  })
  const { headers: received, status } = response
  const { isTooLong, text } = await bodyOf(response)
  return {
    status,
    header: (name) => received.get(name) ?? undefined,
    headers: () => Object.fromEntries(received),
    text,
    isTooLong
  }
}

/** Straight over `fetch`: half of what the way over an `HttpClient` costs. */
export const overFetch = (fetch: typeof globalThis.fetch): Transport => {
  const start = (
    request: WireRequest,
    settle: (outcome: Result.Result<WireAnswer, ConnectionLost | TimeUp>) => void,
    withinMillis = Infinity
  ): (() => void) => {
    const stop = new AbortController()
    const timer =
      withinMillis === Infinity
        ? undefined
        : setTimeout(
            () => {
              settle(Result.fail(new TimeUp()))
              stop.abort()
            },
            Math.min(longestTimerMillis, Math.max(0, withinMillis))
          )
    const end = (outcome: Result.Result<WireAnswer, ConnectionLost>): void => {
      clearTimeout(timer)
      settle(outcome)
    }
    exchanged(fetch, request, stop.signal).then(
      (answer) => end(Result.succeed(answer)),
      (cause: unknown) => end(Result.fail(new ConnectionLost({ cause })))
    )
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }

  const exchange = (request: WireRequest, withinMillis?: number): Effect.Effect<WireAnswer, ConnectionLost | TimeUp> =>
    Effect.callback((resume) => {
      const stop = start(request, (outcome) => resume(Effect.fromResult(outcome)), withinMillis)
      return Effect.sync(stop)
    })

  return {
    start: (request, settle) => start(request, settle, request.withinMillis),
    // A race against Effect's clock takes two more fibers, which only a test needs.
    exchange: (request) =>
      Effect.flatMap(Clock.Clock, (clock) =>
        clock === standardClock
          ? exchange(request, request.withinMillis)
          : within(exchange(request), request.withinMillis)
      )
  }
}

const textOf = Effect.fnUntraced(function* (response: HttpClientResponse) {
  const { headers } = response
  if (isShort(headers["content-length"], headers["content-encoding"])) {
    return { text: yield* response.text, isTooLong: false }
  }
  const all = collected()
  const whole = Stream.runForEachWhile(response.stream, (chunk) => Effect.sync(() => all.add(chunk)))
  yield* Effect.catchReason(whole, "HttpClientError", "EmptyBodyError", () => Effect.void)
  return all.end()
})

/** `redirect: "manual"`, because `fetch` would follow a redirect to wherever it points. */
const withoutRedirects = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.serviceOption(FetchHttpClient.RequestInit), (own) =>
    Effect.provideService(effect, FetchHttpClient.RequestInit, {
      ...Option.getOrElse(own, () => ({})),
      redirect: "manual"
    })
  )

/** Over the `HttpClient` of an Effect program. */
export const overHttpClient = (http: HttpClient.HttpClient): Transport => {
  const exchange = Effect.fnUntraced(
    function* ({ body, headers, method, token, url }: WireRequest) {
      const request = HttpClientRequest.make(method)(url, { headers })
      const signed = token === undefined ? request : HttpClientRequest.bearerToken(request, token)
      const response = yield* http.execute(
        body === undefined ? signed : HttpClientRequest.bodyText(signed, body, "application/json")
      )
      const { headers: received, status } = response
      return {
        status,
        header: (name: string) => received[name],
        headers: () => received,
        ...(yield* textOf(response))
      }
    },
    withoutRedirects,
    // The span of the HTTP client itself would show the query.
    Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
    Effect.catchTag("HttpClientError", ({ cause }) => Effect.fail(new ConnectionLost({ cause })))
  )
  return { exchange: (request) => within(exchange(request), request.withinMillis) }
}
