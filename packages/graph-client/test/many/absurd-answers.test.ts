import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { type BatchRequest, GraphClient } from "../../src/index.ts"
import { fakeGraph } from "../../src/testing.ts"
import { advance, clientOf, device, key } from "../fixtures.ts"

const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`

const post = (url: string): BatchRequest => ({ method: "POST", url, body: {} })

/** Answers the second of three requests with something odd, in JSON, and the others as they should be. */
const around = (odd: string) =>
  fakeGraph(
    () =>
      new Response(
        `{"responses":[{"id":"1","status":200,"body":{"at":1}},${odd},{"id":"3","status":201,"body":{"at":3}}]}`,
        { headers: { "content-type": "application/json" } }
      )
  )

/** Writes that would add a second time, so that they are sent once. */
const outcomesOf = (odd: string) =>
  GraphClient.use((client) => client.batch(["/a", "/b", "/c"].map(post))).pipe(Effect.provide(clientOf(around(odd))))

const fine = [
  { kind: "answered", status: 200, body: { at: 1 } },
  { kind: "answered", status: 201, body: { at: 3 } }
]

describe("an absurd answer to one request of a batch", () => {
  it.effect.each([
    { what: "a status above all", odd: '{"id":"2","status":1000}', says: "no answer can have that status" },
    { what: "a status that is none yet", odd: '{"id":"2","status":101}', says: "no answer can have that status" },
    { what: "a negative status", odd: '{"id":"2","status":-1}', says: "no answer can have that status" },
    { what: "half a status", odd: '{"id":"2","status":200.5}', says: "no answer can have that status" },
    { what: "an endless status", odd: '{"id":"2","status":1e999}', says: "no answer can have that status" },
    {
      what: "a line break in a header",
      odd: String.raw`{"id":"2","status":200,"headers":{"ETag":"a\r\nSet-Cookie: b"}}`,
      says: "headers that no answer can have"
    },
    {
      what: "a control character in a header",
      odd: String.raw`{"id":"2","status":200,"headers":{"Location":"a\u0000"}}`,
      says: "headers that no answer can have"
    },
    {
      what: "a header outside Latin-1",
      odd: '{"id":"2","status":200,"headers":{"ETag":"→"}}',
      says: "headers that no answer can have"
    },
    {
      what: "a nameless header",
      odd: '{"id":"2","status":200,"headers":{"":"a"}}',
      says: "headers that no answer can have"
    },
    {
      what: "a header of a million levels",
      odd: `{"id":"2","status":200,"headers":{"ETag":${nested(1_000_000)}}}`,
      says: "headers that no answer can have"
    },
    {
      what: "a body of 91 levels",
      odd: `{"id":"2","status":200,"body":${nested(91)}}`,
      says: "JSON that is nested too deeply"
    },
    {
      what: "a body of a million levels",
      odd: `{"id":"2","status":200,"body":{"x":${nested(1_000_000)}}}`,
      says: "JSON that is nested too deeply"
    },
    {
      what: "a refusal of a million levels",
      odd: `{"id":"2","status":400,"body":{"error":${nested(1_000_000)}}}`,
      says: "JSON that is nested too deeply"
    },
    {
      what: "two answers that differ",
      odd: '{"id":"2","status":200,"body":{"at":2}},{"id":"2","status":200,"body":{"at":4}}',
      says: "another answer for the same request"
    }
  ])("is its Unreadable and nobody else's: $what", ({ odd, says }) =>
    Effect.gen(function* () {
      const [first, second, third] = yield* outcomesOf(odd)
      expect([first, third]).toMatchObject(fine)
      expect(second).toMatchObject({
        kind: "failed",
        error: { path: "/beta/b", outcomeUnknown: true, reason: { _tag: "Unreadable" } }
      })
      expect(second?.kind === "failed" ? second.error.message : "").toContain(says)
    })
  )

  it.effect("is none where the odd one is nobody's, or comes again as it was", () =>
    Effect.gen(function* () {
      const two = '{"id":"2","status":200,"body":{"at":2}}'
      const strangers = Array.from({ length: 10_000 }, (_, index) => `{"id":"x${index}","status":1000}`)
      const all = yield* outcomesOf([two, two, '{"id":"4","status":-1}', '{"id":{}}', "null", ...strangers].join())
      expect(all.map(({ kind }) => kind)).toEqual(["answered", "answered", "answered"])
    })
  )

  it("never makes it crash, or costs the others their answers", async () => {
    const text = fc.oneof(fc.string(), fc.constantFrom("\r\n", "\0", "\u2028", "→", "a"))
    const odd = fc.record(
      {
        id: fc.constantFrom("2", 2, "02", "4", "", null, {}),
        status: fc.oneof(fc.integer(), fc.double(), fc.constantFrom(200, 204, 304, 404, 429, "200", null)),
        headers: fc.oneof(fc.dictionary(text, fc.jsonValue()), fc.jsonValue()),
        body: fc.jsonValue()
      },
      { requiredKeys: [] }
    )
    await fc.assert(
      fc.asyncProperty(fc.array(odd, { minLength: 1, maxLength: 3 }), async (all) => {
        const outcomes = await Effect.runPromise(outcomesOf(all.map((one) => JSON.stringify(one)).join()))
        expect([outcomes[0], outcomes[2]]).toMatchObject(fine)
        expect(["answered", "failed"]).toContain(outcomes[1]?.kind)
      }),
      { numRuns: 300 }
    )
  })

  it.effect("in a bulk update leaves that device unknown, and the others updated", () =>
    Effect.gen(function* () {
      const graph = fakeGraph(({ body, method }) => {
        if (method === "GET") return Response.json({ ...device, model: "other" }, { status: 500 })
        const { requests } = body as { readonly requests: ReadonlyArray<{ readonly id: string; readonly url: string }> }
        return Response.json({
          responses: requests.map(({ id, url }) => ({ id, status: url.endsWith("odd") ? 1000 : 200, body: device }))
        })
      })
      const changes = ["a", "odd", "c"].map((deviceId) => ({ ...key, deviceId, update: { deviceName: "PC-014" } }))
      const client = yield* Effect.provide(GraphClient, clientOf(graph, { attempts: 1 }))
      const bulk = client.updateDevices(Stream.fromIterable(changes), { mode: "batch", deadline: "20 seconds" })
      const running = yield* Effect.forkChild(Stream.runCollect(bulk))
      for (let turn = 0; turn < 30; turn++) yield* advance("1 second")
      const kinds = (yield* Fiber.join(running)).map(({ change, kind }) => [change.deviceId, kind])
      expect(new Map(kinds as Array<[string, string]>)).toEqual(
        new Map([
          ["a", "updated"],
          ["odd", "unknown"],
          ["c", "updated"]
        ])
      )
    })
  )
})

describe("an answer by itself", () => {
  it.effect.each([
    { levels: 100, tag: "Success" },
    { levels: 101, tag: "Failure" },
    { levels: 1_000_000, tag: "Failure" }
  ])("of $levels levels is a $tag", ({ levels, tag }) =>
    Effect.gen(function* () {
      const graph = fakeGraph(() => new Response(nested(levels), { headers: { "content-type": "application/json" } }))
      const client = yield* Effect.provide(GraphClient, clientOf(graph))
      const read = yield* Effect.result(client.request({ method: "GET", url: "/x" }))
      expect(read._tag).toBe(tag)
      if (read._tag === "Success") return
      expect(read.failure).toMatchObject({
        message: "the service answered with status 200 and JSON that is nested too deeply",
        reason: { _tag: "Unreadable" }
      })
    })
  )

  it.effect("that refuses in a million levels is the refusal that its status says", () =>
    Effect.gen(function* () {
      for (const inside of [nested(1_000_000), `"\\"${",[".repeat(1_000_000)}`]) {
        const graph = fakeGraph(() => new Response(`{"error":[${inside}]}`, { status: 403 }))
        const client = yield* Effect.provide(GraphClient, clientOf(graph))
        expect(yield* Effect.flip(client.getDevice(key))).toMatchObject({ reason: { _tag: "Forbidden" } })
      }
    })
  )
})
