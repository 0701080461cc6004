import type { GraphErrorBody } from "@workanywhere/domain"
import * as Layer from "effect/Layer"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import type { HttpClient } from "effect/http/HttpClient"

/** A request as the fake received it. */
export interface FakeRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  /** The parsed JSON, the text where it is none, `undefined` without a body. */
  readonly body: unknown
}

/** What the fake does with a request: answers it, lets it wait until it is interrupted, or loses the connection. */
export type FakeAnswer = Response | "hang" | "connectionLost"

/** A Graph without a network. */
export interface FakeGraph {
  /** Every request so far, in the order in which they came. */
  readonly requests: ReadonlyArray<FakeRequest>
  /** For `createGraphClient({ fetch })`, and anything else that takes a `fetch`. */
  readonly fetch: typeof globalThis.fetch
  /** For `GraphClient.layer`. */
  readonly layer: Layer.Layer<HttpClient>
}

/** Graph's error answer: `Response.json` with its error envelope. */
export const errorResponse = (
  status: number,
  error: Partial<GraphErrorBody["error"]>,
  headers: Readonly<Record<string, string>> = {}
): Response => {
  const body: GraphErrorBody = { error: { code: "", message: "", ...error } }
  return Response.json(body, { status, headers })
}

const bodyOf = (text: string): unknown => {
  if (text === "") return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener("abort", abort, { once: true })
  })

/**
 * Makes a fake Graph from a script, one answer for each request in turn, or from a function of the request. A request
 * beyond the script is refused with 501, which no client repeats.
 */
export const fakeGraph = (
  answers: ReadonlyArray<FakeAnswer> | ((request: FakeRequest, index: number) => FakeAnswer | Promise<FakeAnswer>)
): FakeGraph => {
  const requests: Array<FakeRequest> = []

  const answerTo = (request: FakeRequest, index: number): FakeAnswer | Promise<FakeAnswer> => {
    if (typeof answers === "function") return answers(request, index)
    const message = `the script of the fake Graph has no answer for request ${index + 1}: ${request.method} ${request.url.pathname}`
    return answers[index] ?? errorResponse(501, { code: "ScriptEnded", message })
  }

  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const { headers, method, url } = request
    const received: FakeRequest = { method, url: new URL(url), headers, body: bodyOf(await request.text()) }
    const index = requests.push(received) - 1
    const answer = await answerTo(received, index)
    if (answer === "hang") return untilAborted(init?.signal ?? request.signal)
    if (answer === "connectionLost") {
      const cause = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })
      throw new TypeError("fetch failed", { cause })
    }
    return answer
  }

  const layer = Layer.provide(FetchHttpClient.layer, Layer.succeed(FetchHttpClient.Fetch, fetch))
  return { requests, fetch, layer }
}
