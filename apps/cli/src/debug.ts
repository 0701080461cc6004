import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpClient from "effect/http/HttpClient"
import { writeError } from "./output.ts"

/** Puts a line for each request and answer on stderr; header values that are secret are masked. */
export const requestLog = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, (client) =>
    HttpClient.transform(client, (exchange, request) =>
      Effect.gen(function* () {
        const started = yield* Clock.currentTimeMillis
        const url = `${request.url}${request.urlParams.params.length === 0 ? "" : "?…"}`
        const authorization = request.headers["authorization"] === undefined ? "" : " authorization: ***"
        yield* writeError(
          `> ${request.method} ${url} client-request-id: ${request.headers["client-request-id"]}${authorization}`
        )
        const took = Effect.map(Clock.currentTimeMillis, (now) => `${now - started} ms`)
        const response = yield* Effect.tapError(exchange, (error) =>
          Effect.flatMap(took, (time) => writeError(`< ${error.reason._tag} after ${time}`))
        )
        yield* writeError(
          `< ${response.status} after ${yield* took} request-id: ${response.headers["request-id"] ?? "none"}`
        )
        return response
      })
    )
  )
)
