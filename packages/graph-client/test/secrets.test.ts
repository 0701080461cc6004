import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { GraphClient } from "../src/index.ts"
import { type FakeAnswer, type FakeRequest, errorResponse, fakeGraph } from "../src/testing.ts"
import { clientOf, collectionPath, key } from "./fixtures.ts"

const secrets = { token: "canary-t0ken", body: "canary-body", query: "canary-query" }

/** A careless service that repeats what it was sent. */
const echo = ({ headers }: FakeRequest) => `You sent ${headers.get("authorization")}`

const answers: Record<string, (request: FakeRequest) => FakeAnswer> = {
  "an error page": (request) => new Response(`<p>${echo(request)}</p>`, { status: 502 }),
  "an error envelope": (request) =>
    errorResponse(400, {
      code: echo(request),
      message: echo(request),
      details: [{ code: echo(request), message: echo(request) }],
      innerError: { "request-id": echo(request) }
    }),
  "a header": (request) => new Response("", { status: 403, headers: { "request-id": echo(request) } }),
  "a page instead of an answer": (request) => new Response(echo(request)),
  "a redirect": () => new Response(null, { status: 302, headers: { location: `/?${secrets.query}` } }),
  "a lost connection": () => "connectionLost"
}

const everythingIn = (value: unknown): string =>
  [inspect(value, { depth: Infinity, showHidden: true, getters: true }), JSON.stringify(value), String(value)].join()

const shownBy = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) throw new Error("expected a failure")
  const error = Cause.squash(exit.cause)
  return [everythingIn(exit), everythingIn(error), Cause.pretty(exit.cause), (error as Error).stack].join()
}

const everythingSaid = (span: Tracer.Span): string =>
  [
    span.name,
    inspect([...span.attributes]),
    span.status._tag === "Ended" && Exit.isFailure(span.status.exit) ? shownBy(span.status.exit) : ""
  ].join()

describe("nothing secret shows", () => {
  for (const [from, answer] of Object.entries(answers)) {
    it.effect(`in the error and the spans after ${from}`, () =>
      Effect.gen(function* () {
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        const nextLink = `https://graph.example${collectionPath}?$skiptoken=${secrets.query}`
        const graph = fakeGraph((request, index) =>
          index === 1 ? Response.json({ value: [], "@odata.nextLink": nextLink }) : answer(request)
        )
        const client = yield* Effect.provide(
          GraphClient,
          clientOf(graph, { token: Redacted.make(secrets.token), attempts: 1 })
        )
        const traced = Effect.withTracer(tracer)
        const updated = yield* Effect.exit(traced(client.updateDevice(key, { deviceName: secrets.body })))
        const listed = yield* Effect.exit(traced(Stream.runDrain(client.listDevices("allDevices"))))

        expect(graph.requests[2]?.headers.get("authorization")).toContain(secrets.token)
        expect(graph.requests[2]?.url.search).toContain(secrets.query)
        expect(spans.map((span) => span.name)).toContain("GraphClient.attempt")
        const shown = [shownBy(updated), shownBy(listed), ...spans.map(everythingSaid)].join()
        for (const secret of Object.values(secrets)) expect(shown).not.toContain(secret)
      })
    )
  }
})
