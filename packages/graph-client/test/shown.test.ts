import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { GraphClient, type GraphError } from "../src/index.ts"
import { fakeGraph } from "../src/testing.ts"
import { clientOf, key } from "./fixtures.ts"

const token = "canary-t0ken+/="

/** What could redraw a terminal, forge a line, or turn the direction of text. */
const redrawing = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/** Texts with the token, and with characters that nobody should be shown, as a body may have them. */
const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        token,
        `Bearer ${token}`,
        "a",
        " ",
        "\n",
        "\r",
        "\t",
        "\0",
        "\u001B[2J",
        "\u0085",
        "\u009B31m",
        "\u200B"
      ),
      fc.constantFrom(
        "\u202E",
        "\u2028",
        "\u2066",
        "\uFEFF",
        "\uD800",
        "\u00AD",
        "é",
        "→",
        '"',
        "\\",
        "{}",
        " - Operation ID: "
      ),
      fc.string()
    ),
    { maxLength: 8 }
  )
  .map((parts) => parts.join(""))

/** The same as far as a header can have it. */
const headerText = anyText.map((text) => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "").trim())

const answer = fc.record({
  status: fc.constantFrom(200, 302, 400, 401, 403, 404, 410, 500),
  headers: fc.record({
    "request-id": headerText,
    date: fc.oneof(headerText, fc.constant("Mon, 23 Nov 2026 12:00:00 GMT")),
    "retry-after": headerText,
    "x-ms-ags-diagnostic": headerText,
    "www-authenticate": fc
      .oneof(headerText, fc.dictionary(headerText, headerText))
      .map((claims) => `Bearer claims="${btoa(JSON.stringify(claims))}"`),
    location: headerText
  }),
  body: fc.oneof(
    anyText,
    fc
      .record(
        {
          code: anyText,
          message: fc.oneof(
            anyText,
            anyText.map((Message) => JSON.stringify({ Message }))
          ),
          details: fc.array(fc.record({ code: anyText, message: anyText, target: anyText }), { maxLength: 2 }),
          innerError: fc.record({ code: anyText, message: anyText, "request-id": anyText, date: anyText })
        },
        { requiredKeys: [] }
      )
      .map((error) => JSON.stringify({ error })),
    fc.dictionary(anyText, anyText).map((value) => JSON.stringify({ value: [value], "@odata.nextLink": token }))
  )
})

type Hostile = typeof answer extends fc.Arbitrary<infer A> ? A : never

/** Every text in a value, and the names of its fields. */
const textsIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return [value]
  if (typeof value !== "object" || value === null) return []
  return Reflect.ownKeys(value).flatMap((name) => [String(name), ...textsIn(Reflect.get(value, name))])
}

const fieldsOf = (error: GraphError): object => {
  const { cause: _, stack: __, ...fields } = Object.assign({}, error, { message: error.message })
  return fields
}

const tracing = () => {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { tracer, said: () => spans.flatMap(({ attributes, name }) => [name, ...textsIn([...attributes])]) }
}

/** What comes of one request of each kind. */
const shownOf = async ({ body, headers, status }: Hostile) => {
  const graph = fakeGraph(({ url }) =>
    url.pathname.endsWith("/$batch")
      ? Response.json({ responses: [{ id: "1", status, headers, body }] })
      : new Response(body, { status, headers: { ...headers, "content-type": "application/json" } })
  )
  const { said, tracer } = tracing()
  const layer = clientOf(graph, { attempts: 1, token: Redacted.make(token) })
  const ended = await Effect.runPromise(
    Effect.gen(function* () {
      const client = yield* GraphClient
      const batch = client.batch([{ method: "POST", url: "/x", body: {} }])
      return yield* Effect.all([
        Effect.result(client.getDevice(key)),
        Effect.result(Stream.runCollect(client.listDevices("allDevices"))),
        Effect.result(client.request({ method: "GET", url: "/x" })),
        Effect.result(batch)
      ])
    }).pipe(Effect.provide(layer), Effect.withTracer(tracer))
  )
  const [, , single, batch] = ended
  const items = Result.isSuccess(batch) ? batch.success : []
  const headersOf = Result.isSuccess(single) ? [single.success.headers] : []
  return {
    errors: [
      ...ended.flatMap((one): ReadonlyArray<GraphError> => (one._tag === "Failure" ? [one.failure] : [])),
      ...items.flatMap((item) => (item.kind === "failed" ? [item.error] : []))
    ],
    headersShown: textsIn([...headersOf, ...items.flatMap((item) => (item.kind === "answered" ? [item.headers] : []))]),
    said: said()
  }
}

describe("what a service says", () => {
  it("is shown in an error without the token and without what redraws a terminal, in each of its fields", async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(answer, async (hostile) => {
        const { errors, headersShown, said } = await shownOf(hostile)
        for (const error of errors) {
          for (const name of Object.keys(fieldsOf(error))) seen.add(name)
          for (const text of textsIn(fieldsOf(error))) {
            expect(text).not.toMatch(redrawing)
            expect(text).not.toContain(token)
            expect(text.isWellFormed()).toBe(true)
            expect(text.length).toBeLessThanOrEqual(8_192)
          }
        }
        for (const text of [...said, ...headersShown]) expect(text).not.toContain(token)
        for (const text of said) expect(text).not.toMatch(redrawing)
      }),
      { numRuns: 500 }
    )
    for (const name of ["code", "message", "details", "requestId", "date", "diagnostic", "reason"]) {
      expect(seen).toContain(name)
    }
  })
})
