import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { describe, test } from "vitest"
import { refusal } from "../../src/facts/answer.ts"
import { GraphClient, Rejected, Throttled, Unavailable, Unreadable, supportBundle } from "../../src/index.ts"
import { type FakeAnswer, errorResponse, fakeGraph } from "../../src/testing.ts"
import { clientOf, device, devicePath, key } from "../fixtures.ts"

/** The error that an answer to a read becomes, without repeats. */
const errorFor = (answer: FakeAnswer) =>
  GraphClient.use((client) => client.getDevice(key)).pipe(
    Effect.flip,
    Effect.provide(clientOf(fakeGraph([answer]), { attempts: 1 }))
  )

const nested = (fields: object) => JSON.stringify(fields, undefined, 2).replaceAll("\n", "\r\n")

describe("a reason for each thing a caller can do", () => {
  it.effect.each([
    { status: 401, tag: "Unauthorized" },
    { status: 403, tag: "Forbidden" },
    { status: 404, tag: "NotFound" },
    { status: 429, tag: "Throttled" },
    { status: 503, tag: "Unavailable" },
    { status: 504, tag: "Unavailable" },
    { status: 302, tag: "Rejected" },
    { status: 400, tag: "Rejected" },
    { status: 405, tag: "Rejected" },
    { status: 412, tag: "Rejected" },
    { status: 413, tag: "Rejected" },
    { status: 500, tag: "Rejected" },
    { status: 501, tag: "Rejected" },
    ...[408, 502, 509, 520, 521, 522, 523, 524].map((status) => ({ status, tag: "Unavailable" })),
    { status: 507, tag: "Rejected" }
  ])("status $status is $tag", ({ status, tag }) =>
    Effect.gen(function* () {
      const error = yield* errorFor(errorResponse(status, { code: "SomeCode", message: "Some words." }))
      expect(error).toMatchObject({
        _tag: "GraphError",
        method: "GET",
        path: devicePath,
        status,
        code: "SomeCode",
        message: "Some words.",
        attempts: 1,
        reason: { _tag: tag }
      })
      expect(error.clientRequestId).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
    })
  )

  it.effect.each([
    { code: "No method match route template", message: "No method match route template '~/singleton' for PATCH" },
    { code: "BadRequest", message: "No OData route is served for this path and method." },
    { code: "No OData route exists that match template ~/singleton/navigation/key", message: "" },
    { code: "BadRequest", message: nested({ Message: "No OData route exists that match template ~/singleton" }) },
    { code: "BadRequest", message: "Resource not found for the segment 'metricDevices'." },
    { code: "NotSupported", message: "Not implemented.", status: 501 }
  ])("$code, $message is RouteUnsupported", ({ code, message, status = 400 }) =>
    Effect.gen(function* () {
      const error = yield* errorFor(errorResponse(status, { code, message }))
      expect(error).toMatchObject({ status, attempts: 1, reason: { _tag: "RouteUnsupported" } })
    })
  )

  it.effect("what Intune says to a tenant without a licence is TenantNotReady", () =>
    Effect.gen(function* () {
      const body = { code: "BadRequest", message: "Request not applicable to target tenant." }
      expect((yield* errorFor(errorResponse(400, body))).reason._tag).toBe("TenantNotReady")
      expect((yield* errorFor(errorResponse(403, body))).reason._tag).toBe("Forbidden")
    })
  )

  it.effect("a reason can be caught by its name", () =>
    GraphClient.use((client) => client.getDevice(key)).pipe(
      Effect.catchReason("GraphError", "NotFound", () => Effect.succeed({ id: "none" })),
      Effect.map((found) => expect(found).toEqual({ id: "none" })),
      Effect.provide(clientOf(fakeGraph([errorResponse(404, { code: "ResourceNotFound" })])))
    )
  )

  it.effect("the 500 of Intune's query broker is throttling, other 500s are not", () =>
    Effect.gen(function* () {
      const message = "Rate limit reached: too many requests to the query broker, please retry later"
      const disguised = errorResponse(500, { code: "InternalServerError", message }, { "retry-after": "7" })
      expect((yield* errorFor(disguised)).reason).toEqual(new Throttled({ retryAfterSeconds: 7 }))
      const broken = errorResponse(500, { message: "The query broker is broken." })
      expect((yield* errorFor(broken)).reason).toEqual(new Rejected())
    })
  )

  it.effect.each([
    "InternalServerError",
    "internalServerError",
    "UnknownError",
    "generalException",
    "ServiceUnavailable"
  ])("the 500 that is called %s and tells no more is Unavailable", (code) =>
    Effect.gen(function* () {
      const answer = errorResponse(500, { code, message: "Oh." }, { "retry-after": "3" })
      expect((yield* errorFor(answer)).reason).toEqual(new Unavailable({ retryAfterSeconds: 3 }))
    })
  )

  it.effect("a write that may have taken effect was not refused, whatever 5xx it ended in", () =>
    Effect.gen(function* () {
      for (const status of [500, 502, 505, 507, 520, 599]) {
        const error = yield* GraphClient.use((client) => client.updateDevice(key, { model: "X" })).pipe(
          Effect.flip,
          Effect.provide(clientOf(fakeGraph([errorResponse(status, { code: "Odd" })]), { attempts: 1 }))
        )
        expect(error).toMatchObject({ status, code: "Odd", outcomeUnknown: true, reason: { _tag: "Unavailable" } })
      }
    })
  )

  it.effect("Retry-After is kept, in seconds", () =>
    Effect.gen(function* () {
      const { reason } = yield* errorFor(errorResponse(503, {}, { "retry-after": "2.5" }))
      expect(reason).toEqual(new Unavailable({ retryAfterSeconds: 2.5 }))
    })
  )

  it.effect("a lost connection is Unavailable and says what happened", () =>
    Effect.gen(function* () {
      const error = yield* errorFor("connectionLost")
      expect(error).toMatchObject({ message: "the connection to graph.example failed (ECONNRESET)" })
      expect(error.reason).toEqual(new Unavailable({}))
      expect(error).not.toHaveProperty("status")
    })
  )
})

const typed = (body: string, type: string) => new Response(body, { headers: { "content-type": type } })

it.effect.each([
  "application/json",
  "application/json;odata.metadata=minimal",
  "Application/vnd.graph+json",
  undefined
])("a body of the type %s is read", (type) =>
  Effect.gen(function* () {
    const headers: Record<string, string> = type === undefined ? {} : { "content-type": type }
    const answer = new Response(new TextEncoder().encode(JSON.stringify(device)), { headers })
    const call = GraphClient.use((client) => client.getDevice(key))
    expect(yield* Effect.provide(call, clientOf(fakeGraph([answer])))).toEqual(device)
  })
)

describe("an answer that is not Graph's", () => {
  it.effect.each([
    { what: "no body", answer: new Response("", { status: 200 }) },
    { what: "no body", answer: new Response(null, { status: 204 }) },
    { what: "a body that is not JSON", answer: typed("<html>\u001b[31m\r\nSign in</html>", "application/json") },
    { what: "text/html in place of JSON", answer: typed("<html>Sign in</html>", "text/html; charset=utf-8") },
    { what: "text/plain in place of JSON", answer: typed(JSON.stringify(device), "text/plain") },
    { what: "JSON of an unexpected shape", answer: Response.json([device]) },
    { what: "JSON of an unexpected shape (at id)", answer: Response.json({ deviceName: "PC-014" }) },
    { what: "JSON of an unexpected shape (at deviceName)", answer: Response.json({ id: "1", deviceName: 7 }) }
  ])("$what is Unreadable, with status and first bytes", ({ answer, what }) =>
    Effect.gen(function* () {
      const text = yield* Effect.promise(() => answer.clone().text())
      const error = yield* errorFor(answer)
      expect(error.message).toBe(`the service answered with status ${answer.status} and ${what}`)
      const firstBytes = text.replaceAll(/\p{Cc}+/gu, " ")
      expect(error.reason).toEqual(new Unreadable({ status: answer.status, firstBytes }))
    })
  )

  it.effect("of a long answer 200 characters are shown", () =>
    Effect.gen(function* () {
      const { reason } = yield* errorFor(new Response("x".repeat(5_000)))
      expect(reason).toEqual(new Unreadable({ status: 200, firstBytes: "x".repeat(200) }))
    })
  )

  it.effect(
    "an error page without Graph's envelope is Unreadable, whatever its status, and keeps it and its words",
    () =>
      Effect.gen(function* () {
        const page =
          "<html><head><title>404 - Not Found</title><style>p { color: red }</style></head>" +
          "<body><!-- x --><h1>404 &mdash; Not&nbsp;Found</h1>\n<script>go()</script><p>nginx</p></body></html>"
        for (const status of [302, 400, 401, 403, 404, 405, 500, 501]) {
          for (const method of ["GET", "PATCH"] as const) {
            const error = yield* GraphClient.use((client) => client.request({ method, url: "/x" })).pipe(
              Effect.flip,
              Effect.provide(clientOf(fakeGraph([new Response(page, { status })]), { attempts: 1 }))
            )
            const isUnknown = method === "PATCH" && status === 500
            expect([status, method, error.outcomeUnknown]).toEqual([status, method, isUnknown ? true : undefined])
            expect(error).toMatchObject({ status, reason: { _tag: "Unreadable", status } })
            expect(error.message).toBe(
              `the service answered with status ${status} and an error that is not Graph's: "404 &mdash; Not Found nginx"`
            )
            expect(error).not.toHaveProperty("code")
          }
        }
      })
  )

  it.effect("a page with a status that asks to come back later is what the status says, in its own words", () =>
    Effect.gen(function* () {
      for (const [status, tag] of [
        [429, "Throttled"],
        ...[408, 502, 503, 504, 520].map((passing) => [passing, "Unavailable"] as const)
      ] as const) {
        const error = yield* errorFor(new Response("<title>Just a moment</title>", { status }))
        expect(error).toMatchObject({ status, reason: { _tag: tag } })
        expect(error.message).toMatch(/^the service .*: "Just a moment"$/)
      }
    })
  )

  it.effect.each([
    { make: "ASP.NET", body: { Message: "Broken.", MessageDetail: "x" }, message: "Broken." },
    { make: "OAuth", body: { error: "invalid_grant", error_description: "AADSTS700082: old" }, code: "invalid_grant" },
    { make: "OAuth, in short", body: { error: "invalid_grant" }, message: "invalid_grant" },
    {
      make: "older OData",
      body: { "odata.error": { code: "Bad", message: { lang: "en", value: "No." } } },
      code: "Bad"
    },
    { make: "RFC 9457", body: { title: "Bad", detail: "No good value." }, message: "No good value." },
    { make: "a gateway", body: { statusCode: 401, message: "No subscription key." }, message: "No subscription key." }
  ])("the error of $make keeps its text", ({ body, code, message }) =>
    Effect.gen(function* () {
      const error = yield* errorFor(Response.json(body, { status: 400 }))
      expect(error).toMatchObject({ reason: { _tag: "Rejected" }, ...(code === undefined ? { message } : { code }) })
      expect(JSON.stringify(body)).toContain(error.message)
      const missing = yield* errorFor(Response.json(body, { status: 404 }))
      expect(missing.reason._tag).toBe("Unreadable")
      expect(missing.message).toContain(error.message)
    })
  )
})

describe("Graph's envelope", () => {
  it.effect.each(["innerError", "innererror"])("request ids are found in %s", (inner) =>
    Effect.gen(function* () {
      const body = {
        error: { code: "", message: "", [inner]: { code: "Inner", message: "Said.", "request-id": "r-1" } }
      }
      const error = yield* errorFor(Response.json(body, { status: 400 }))
      expect(error).toMatchObject({ code: "Inner", message: "Said.", requestId: "r-1" })
    })
  )

  it.effect("the request id in the header comes first, and details keep their target", () =>
    Effect.gen(function* () {
      const details = [{ code: "ModelValidationFailure", message: "windowsScore: 101", target: "windowsScore" }]
      const body = { code: "ModelValidationFailure", details, innerError: { "request-id": "inner" } }
      const error = yield* errorFor(errorResponse(400, body, { "request-id": "outer" }))
      expect(error).toMatchObject({ requestId: "outer", details })
    })
  )

  it.effect("Intune's JSON inside the message becomes its sentence, without ids and internal addresses", () =>
    Effect.gen(function* () {
      const ids = "Operation ID (for customer support): 0000 - Activity ID: 1111"
      const message = nested({
        _version: 3,
        Message: `Application is not authorized. - ${ids} - Url: https://fef.internal.example/x?api-version=1`,
        CustomApiErrorPhrase: "",
        RetryAfter: null,
        HttpHeaders: "{}"
      })
      const error = yield* errorFor(errorResponse(403, { code: "Forbidden", message }))
      expect(error.message).toBe("Application is not authorized.")
    })
  )

  it.effect("the older plain text loses the same tail", () =>
    Effect.gen(function* () {
      const message = "Not found.\r\n - Operation ID (for customer support): 0 - Url: https://internal.example?x=1"
      const error = yield* errorFor(errorResponse(404, { message }))
      expect(error.message).toBe("Not found.")
    })
  )

  test("any text, header and status make an error with a sentence on one line, never a crash", () => {
    const envelope = fc.record(
      { code: fc.anything(), message: fc.anything(), innerError: fc.anything(), details: fc.anything() },
      { requiredKeys: [] }
    )
    const bodies = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      envelope.map((error) => JSON.stringify({ error }, (_, value) => (typeof value === "bigint" ? 0 : value))),
      fc.json().map((message) => JSON.stringify({ error: { message } }))
    )
    const sent = {
      method: "GET",
      path: "/x",
      template: "/x",
      waitedMillis: 0,
      clientRequestId: "c",
      attempts: 1
    } as const
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999 }), bodies, fc.option(fc.string()), (status, text, header) => {
        const error = refusal(sent, { status, text, ...(header === null ? {} : { retryAfter: header }) }, 0)
        expect(error.message.length).toBeGreaterThan(0)
        expect(error.message).not.toMatch(/\p{Cc}/u)
        expect(error.reason._tag).toBeTypeOf("string")
      })
    )
  })
})

describe("what Microsoft's support asks for", () => {
  const activityId = "0f5c2d1e-aaaa-4222-8333-944455556666"
  const requestId = "0f5c2d1e-bbbb-4222-8333-944455556666"
  const diagnostic = '{"ServerInfo":{"DataCenter":"West Europe","Ring":"5"}}'
  const message = nested({
    _version: 3,
    Message: `Device '${device.deviceName}' (${device.id}) of ann@contoso.example is gone - Operation ID (for customer support): 00000000-0000-0000-0000-000000000000 - Activity ID: ${activityId} - Url: https://internal.example/x?api-version=1`
  })
  const answer = () =>
    errorResponse(
      400,
      {
        code: "ModelValidationFailure",
        message,
        details: [{ code: "PropertyX", message: `not for ${device.deviceName}` }],
        innerError: { date: "2026-07-01T10:20:30", "request-id": requestId }
      },
      { date: "Wed, 01 Jul 2026 10:20:31 GMT", "x-ms-ags-diagnostic": diagnostic }
    )

  it.effect("is on the error: template, date, activity id, where it was served", () =>
    Effect.gen(function* () {
      expect(yield* errorFor(answer())).toMatchObject({
        template: devicePath.replace("allDevices", "{metricId}").replace(device.id, "{deviceId}"),
        activityId,
        requestId,
        diagnostic,
        date: "2026-07-01T10:20:30.000Z",
        attempts: 1,
        waitedMillis: 0
      })
    })
  )

  it.effect("the date of the header stands in, and a date that is none is left out", () =>
    Effect.gen(function* () {
      const dated = errorResponse(400, {}, { date: "Wed, 01 Jul 2026 10:20:31 GMT" })
      expect((yield* errorFor(dated)).date).toBe("2026-07-01T10:20:31.000Z")
      const odd = errorResponse(400, { innerError: { date: 7 } }, { date: "soon" })
      expect(yield* errorFor(odd)).not.toHaveProperty("date")
    })
  )

  it.effect("makes a bundle without keys, names and addresses", () =>
    Effect.gen(function* () {
      const error = yield* errorFor(answer())
      const bundle = supportBundle(error)
      expect(bundle).toEqual({
        request: `GET ${error.template}`,
        reason: "Rejected",
        message: "Device {text} ({key}) of {address} is gone",
        status: 400,
        code: "ModelValidationFailure",
        detailCodes: ["PropertyX"],
        requestId,
        clientRequestId: error.clientRequestId,
        activityId,
        date: "2026-07-01T10:20:30.000Z",
        diagnostic: { ServerInfo: { DataCenter: "West Europe", Ring: "5" } },
        attempts: 1,
        waitedSeconds: 0
      })
      expect(JSON.stringify(bundle)).not.toMatch(new RegExp(`${device.id}|${device.deviceName}|contoso|api-version`))
    })
  )

  it.effect("a key of another form is found too, encoded or not", () =>
    Effect.gen(function* () {
      const deviceId = "PC 014/ü"
      const refusal = errorResponse(400, { message: `no ${deviceId}, no ${encodeURIComponent(deviceId)}` })
      const error = yield* GraphClient.use((client) => client.getDevice({ metricId: "m", deviceId })).pipe(
        Effect.flip,
        Effect.provide(clientOf(fakeGraph([refusal])))
      )
      expect(supportBundle(error).message).toBe("no {key}, no {key}")
    })
  )

  it.effect("an error without an answer has a bundle of what is known", () =>
    Effect.gen(function* () {
      const error = yield* errorFor("connectionLost")
      expect(supportBundle(error)).toMatchObject({ reason: "Unavailable", attempts: 1 })
      expect(supportBundle(error)).not.toHaveProperty("status")
    })
  )
})
