import { expect, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { once } from "node:events"
import { type ServerResponse, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable, pipeline } from "node:stream"
import { createGzip, gzipSync } from "node:zlib"
import { GraphClient } from "../src/index.ts"
import { device, key } from "./fixtures.ts"

/** A client of a real server that answers everything in one way; the limits are those of real answers. */
const against = (answer: (response: ServerResponse) => void, deadline: Duration.Input = "20 seconds") =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const listening = createServer((_, response) => answer(response)).listen(0, "127.0.0.1")
        await once(listening, "listening")
        return listening
      }),
      (listening) =>
        Effect.promise(async () => {
          listening.closeAllConnections()
          listening.close()
          await once(listening, "close")
        })
    )
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/beta`
    return yield* Effect.provide(
      GraphClient,
      GraphClient.layer({ baseUrl, attempts: 1, deadline }).pipe(Layer.provide(FetchHttpClient.layer), Layer.orDie)
    )
  })

const mebibyte = 1024 * 1024

function* endlessSpaces() {
  const spaces = Buffer.alloc(mebibyte, 0x20)
  while (true) yield spaces
}

it.live("an answer that unpacks to gigabytes is left at the limit", () =>
  Effect.gen(function* () {
    const left = Promise.withResolvers<void>()
    const client = yield* against((response) => {
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
      pipeline(Readable.from(endlessSpaces()), createGzip(), response, () => left.resolve())
    })
    const error = yield* Effect.flip(client.getDevice(key))
    expect(error).toMatchObject({ status: 200, reason: { _tag: "Unreadable" } })
    expect(error.message).toBe("the service answered with status 200 and more than 16 MiB")
    yield* Effect.promise(() => left.promise)
  })
)

it.live.each([
  {
    what: "ten megabytes of one text",
    body: JSON.stringify({ ...device, model: "x".repeat(10 * mebibyte) }),
    tag: "read"
  },
  { what: "a sign-in page", body: "<!doctype html><title>Sign in</title>", type: "text/html", tag: "Unreadable" },
  { what: "XML", body: "<?xml version='1.0'?><feed/>", type: "application/atom+xml", tag: "Unreadable" },
  { what: "an image", body: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 255]), type: "image/png", tag: "Unreadable" },
  { what: "nothing", body: "", tag: "Unreadable" },
  { what: "JSON nested to the limit", body: "[".repeat(mebibyte), tag: "Unreadable" },
  { what: "a text that is not UTF-8", body: Buffer.from([0xff, 0xfe, 0x7b]), tag: "Unreadable" }
])("$what ends as $tag", ({ body, tag, type = "application/json" }) =>
  Effect.gen(function* () {
    const client = yield* against((response) => response.writeHead(200, { "content-type": type }).end(body))
    const result = yield* Effect.result(client.getDevice(key))
    expect(result._tag === "Success" ? "read" : result.failure.reason._tag).toBe(tag)
  })
)

it.live.each([
  { what: "an HTML page", status: 502, body: "<h1>Bad gateway</h1>", reason: "Unavailable" },
  { what: "an HTML page", status: 503, body: "<h1>Later</h1>", reason: "Unavailable" },
  { what: "nothing", status: 500, body: "", reason: "Rejected" },
  { what: "an HTML page", status: 500, body: "<h1>Oh</h1>", reason: "Unreadable" },
  { what: "a packed page", status: 403, body: gzipSync("<h1>No</h1>"), packed: true, reason: "Unreadable" }
])("$status with $what is $reason, with a sentence", ({ body, packed = false, reason, status }) =>
  Effect.gen(function* () {
    const client = yield* against((response) =>
      response
        .writeHead(status, { "content-type": "text/html", ...(packed ? { "content-encoding": "gzip" } : {}) })
        .end(body)
    )
    const error = yield* Effect.flip(client.getDevice(key))
    expect(error).toMatchObject({ status, reason: { _tag: reason } })
    expect(error.message).toMatch(/^the (service|token) /)
  })
)

it.live("a damaged packed answer is Unreadable, not a crash", () =>
  Effect.gen(function* () {
    const client = yield* against((response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("{}").subarray(0, 12))
    )
    expect((yield* Effect.flip(client.getDevice(key))).reason._tag).toBe("Unreadable")
  })
)

it.live("an answer that trickles on without end is left at the deadline", () =>
  Effect.gen(function* () {
    const client = yield* against((response) => {
      response.writeHead(200)
      const trickle = setInterval(() => response.write(" "), 5)
      response.on("close", () => clearInterval(trickle))
    }, "300 millis")
    const error = yield* Effect.flip(Stream.runDrain(client.listDevices("allDevices")))
    expect(error).toMatchObject({ attempts: 1, reason: { _tag: "Unavailable" } })
    expect(error.message).toMatch(/did not answer within 300ms$/)
  })
)
