import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stdio from "effect/Stdio"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import { writeError } from "./output.ts"

const asked = ({ headers, method, url }: HttpClientRequest.HttpClientRequest): string =>
  `> ${method} ${url} client-request-id: ${headers["client-request-id"] ?? "none"}${"authorization" in headers ? " authorization: ***" : ""}`

/** Puts a line for each request and for each answer on stderr, the token masked. */
export const requestLog = Layer.effect(
  HttpClient.HttpClient,
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const log = (line: string) => Effect.provideService(writeError(line), Stdio.Stdio, stdio)
    return HttpClient.transform(yield* HttpClient.HttpClient, (exchange, request) =>
      Effect.gen(function* () {
        yield* log(asked(request))
        const started = yield* Clock.currentTimeMillis
        const after = Effect.map(Clock.currentTimeMillis, (now) => `after ${now - started} ms`)
        const response = yield* Effect.tapError(exchange, (error) =>
          Effect.flatMap(after, (time) => log(`< ${error.reason._tag} ${time}`))
        )
        yield* log(`< ${response.status} ${yield* after} request-id: ${response.headers["request-id"] ?? "none"}`)
        return response
      })
    )
  })
)
