import { once } from "node:events"
import { type RequestListener, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { GraphClient, type GraphClientOptions } from "../../src/index.ts"
import { device, key } from "../fixtures.ts"

const listening = async (listener: RequestListener) => {
  const server = createServer(listener).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/beta`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}

const layers = {
  "an HttpClient": (options: GraphClientOptions) => Layer.provide(GraphClient.layer(options), FetchHttpClient.layer),
  fetch: (options: GraphClientOptions) => GraphClient.layerFetch(options)
}

const tooMuch = Buffer.alloc(17 * 1024 * 1024, " ")

describe.each(Object.entries(layers))("over %s", (_, layer) => {
  const get = (baseUrl: string, options: Partial<GraphClientOptions> = {}) =>
    GraphClient.use((client) => client.getDevice(key)).pipe(
      Effect.provide(Layer.orDie(layer({ baseUrl, attempts: 1, ...options })))
    )

  it("a request has the token, the ids and the body, and the answer is read whatever its length says", async () => {
    for (const isCompressed of [false, true]) {
      const seen: Array<unknown> = []
      await using server = await listening(async (request, response) => {
        let body = ""
        for await (const chunk of request) body += String(chunk)
        const { accept, authorization } = request.headers
        seen.push([request.method, accept, authorization, request.headers["content-type"], body])
        const json = Buffer.from(JSON.stringify(device))
        if (isCompressed) response.setHeader("content-encoding", "gzip").end(gzipSync(json))
        else response.setHeader("content-length", json.length).end(json)
      })
      const update = GraphClient.use((client) => client.updateDevice(key, { model: "X" }))
      const live = layer({ baseUrl: server.url, token: Redacted.make("t0ken") })
      expect(await Effect.runPromise(Effect.provide(update, live))).toMatchObject({ id: device.id })
      expect(seen).toEqual([["PATCH", "application/json", "Bearer t0ken", "application/json", '{"model":"X"}']])
    }
  })

  it.each([
    ["says how long it is", (response) => response.setHeader("content-length", tooMuch.length).end(tooMuch)],
    ["does not say", (response) => response.write(tooMuch.subarray(0, 9e6), () => response.end(tooMuch))],
    [
      "is short until it is unpacked",
      (response) => response.setHeader("content-encoding", "gzip").end(gzipSync(tooMuch))
    ]
  ] as ReadonlyArray<readonly [string, (response: Parameters<RequestListener>[1]) => void]>)(
    "an answer over 16 MiB is given up, when it %s",
    async (_how, send) => {
      await using server = await listening((_request, response) => send(response))
      const error = await Effect.runPromise(Effect.flip(get(server.url)))
      expect(error).toMatchObject({ reason: { _tag: "Unreadable" }, status: 200 })
      expect(String(error)).toContain("16 MiB")
    }
  )

  it("a redirect is not followed", async () => {
    let requests = 0
    await using server = await listening((_request, response) => {
      requests += 1
      response.writeHead(302, { location: "/elsewhere" }).end()
    })
    const error = await Effect.runPromise(Effect.flip(get(server.url)))
    expect([error.reason._tag, error.status, requests]).toEqual(["Rejected", 302, 1])
  })

  it("interruption closes the connection", async () => {
    const asked = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    await using server = await listening((request) => {
      request.socket.once("close", () => closed.resolve())
      asked.resolve()
    })
    const fiber = Effect.runFork(get(server.url))
    await asked.promise
    await Effect.runPromise(Fiber.interrupt(fiber))
    await expect(closed.promise).resolves.toBeUndefined()
  })

  it("a connection that breaks is Unavailable, and says how", async () => {
    await using server = await listening((request) => request.socket.destroy())
    const broken = await Effect.runPromise(Effect.flip(get(server.url)))
    expect([broken.reason._tag, broken.message]).toEqual([
      "Unavailable",
      expect.stringMatching(/^the connection to 127\.0\.0\.1:\d+ failed \(\w+\)$/)
    ])
  })
})
