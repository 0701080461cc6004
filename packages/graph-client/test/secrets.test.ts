import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { GraphClient, type Repeat, type TokenSource } from "../src/index.ts"
import { settingsOf } from "../src/send/options.ts"
import { createGraphClient } from "../src/promise.ts"
import { type FakeAnswer, type FakeRequest, errorResponse, fakeGraph } from "../src/testing.ts"
import { advance, clientOf, collectionPath, key } from "./fixtures.ts"

const secrets = { token: "canary-t0ken+/=", body: "canary-body", query: "canary-query" }

/** A careless service that repeats what it was sent. */
const echo = ({ headers }: FakeRequest) => `You sent ${headers.get("authorization")}`

/** As some of Microsoft's services write JSON. */
const escaped = (value: object) => JSON.stringify(value).replaceAll("+", String.raw`\u002B`)

const answers: Record<string, (request: FakeRequest) => FakeAnswer> = {
  "an error page": (request) => new Response(`<p>${echo(request)}</p>`, { status: 502 }),
  "an error envelope": (request) =>
    errorResponse(400, {
      code: echo(request),
      message: echo(request),
      details: [{ code: echo(request), message: echo(request) }],
      innerError: { "request-id": echo(request) }
    }),
  "an item of a batch": (request) => {
    const body = { error: { code: echo(request), message: echo(request) } }
    return Response.json({ responses: [{ id: "1", status: 400, headers: { "request-id": echo(request) }, body }] })
  },
  "an escaped error envelope": (request) => {
    const message = escaped({ Message: echo(request) })
    return new Response(escaped({ error: { code: echo(request), message } }), { status: 400 })
  },
  "a header": (request) => new Response("", { status: 403, headers: { "request-id": echo(request) } }),
  "a page instead of an answer": (request) => new Response(echo(request)),
  "a challenge and a diagnostic": (request) =>
    errorResponse(
      401,
      {},
      {
        "www-authenticate": `Bearer claims="${btoa(JSON.stringify({ echo: echo(request) }))}", ${echo(request)}`,
        "x-ms-ags-diagnostic": echo(request),
        date: echo(request)
      }
    ),
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

/** The same token as it is, and from a source that changes it when it is refused. */
const tokens: Record<string, () => Redacted.Redacted | TokenSource> = {
  "a token": () => Redacted.make(secrets.token),
  "a source of tokens": () => {
    let count = 0
    return () => Effect.succeed({ token: Redacted.make(`${secrets.token}-${count++}`), expiresAtMillis: 3_600_000 })
  }
}

describe.each(Object.entries(tokens))("with %s nothing secret shows", (_, makeToken) => {
  for (const [from, answer] of Object.entries(answers)) {
    it.effect(`in the error, the spans and the log after ${from}`, () =>
      Effect.gen(function* () {
        const logged: Array<string> = []
        const logger = Logger.make(({ cause, message }) => {
          logged.push(everythingIn(message), everythingIn(cause), Cause.pretty(cause))
        })
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        const nextLink = `https://graph.example${collectionPath}?$skiptoken=${secrets.query}`
        const graph = fakeGraph((request) =>
          request.url.pathname === collectionPath && request.url.search === ""
            ? Response.json({ value: [], "@odata.nextLink": nextLink })
            : answer(request)
        )
        const client = yield* Effect.provide(GraphClient, clientOf(graph, { token: makeToken(), attempts: 1 }))
        const traced = <A, E>(effect: Effect.Effect<A, E>) =>
          effect.pipe(
            Effect.tapCause((cause) => Effect.logError("it failed", cause)),
            Effect.withTracer(tracer),
            Effect.provide(Logger.layer([logger])),
            Effect.provideService(References.MinimumLogLevel, "All")
          )
        const updated = yield* Effect.exit(traced(client.updateDevice(key, { deviceName: secrets.body })))
        const bulk = client.updateDevices(Stream.make({ ...key, update: { deviceName: secrets.body } }), {
          mode: "batch",
          deadline: "5 seconds"
        })
        const bulkRunning = yield* Effect.forkChild(traced(Stream.runCollect(bulk)))
        const batched = yield* Effect.exit(
          traced(client.batch([{ method: "POST", url: "/x", body: { name: secrets.body } }]))
        )
        yield* advance("5 seconds")
        const outcomes = yield* Fiber.join(bulkRunning)
        const listed = yield* Effect.exit(traced(Stream.runDrain(client.listDevices("allDevices"))))

        expect(graph.requests.at(-1)?.headers.get("authorization")).toContain(secrets.token)
        expect(graph.requests.at(-1)?.url.search).toContain(secrets.query)
        expect(logged.join()).toContain("it failed")
        expect(spans.map((span) => span.name)).toContain("GraphClient.attempt")
        const shown = [
          shownBy(updated),
          shownBy(listed),
          everythingIn(outcomes.map((outcome) => ("error" in outcome ? outcome.error : "no error"))),
          everythingIn(batched),
          ...spans.map(everythingSaid),
          ...logged,
          everythingIn(client)
        ].join()
        for (const secret of Object.values(secrets)) expect(shown).not.toContain(secret)
      })
    )
  }
})

it.effect.each([
  { what: "leads elsewhere", nextLink: "https://elsewhere.example/" },
  { what: "leads back", nextLink: `https://graph.example${collectionPath}` }
])("in the error of a list that is not whole, because it $what", ({ nextLink }) =>
  Effect.gen(function* () {
    const graph = fakeGraph((request) =>
      Response.json(
        { value: [{ id: "1", echo: echo(request) }], "@odata.nextLink": nextLink },
        { headers: { "request-id": echo(request), "x-ms-ags-diagnostic": echo(request) } }
      )
    )
    const token = Redacted.make(secrets.token)
    const client = yield* Effect.provide(GraphClient, clientOf(graph, { token }))
    const listed = yield* Effect.exit(Stream.runDrain(client.listDevices("allDevices")))
    expect(shownBy(listed)).toContain("Incomplete")
    expect(shownBy(listed)).not.toContain(secrets.token)
  })
)

const crash = ({ error }: Repeat) => Effect.die(error)

it.effect("a crash in the code around a call does not show the token either", () =>
  Effect.gen(function* () {
    const graph = fakeGraph(() => "connectionLost")
    const token = Redacted.make(secrets.token)
    const client = yield* Effect.provide(GraphClient, clientOf(graph, { token, onRepeat: crash }))
    expect(shownBy(yield* Effect.exit(client.getDevice(key)))).not.toContain(secrets.token)
  })
)

it("options, checked or refused, do not show it", () => {
  const token = Redacted.make(secrets.token)
  const settings = settingsOf({ cloud: "global", token })
  expect(everythingIn(settings)).not.toContain(secrets.token)
  const promise = createGraphClient({ cloud: "global", token: secrets.token })
  expect(everythingIn(promise)).not.toContain(secrets.token)
  expect(everythingIn(settingsOf({ baseUrl: "", token }))).not.toContain(secrets.token)
})
