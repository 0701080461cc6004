import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { once } from "node:events"
import { type RequestListener, type Server, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { GraphClient } from "../../src/index.ts"
import { device, devicePath, key } from "../fixtures.ts"

/** A real server on a free port, with its address as the root. */
const serverOf = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer(listener).listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) =>
      Effect.promise(async () => {
        server.closeAllConnections()
        server.close()
        await once(server, "close")
      })
  )

const rootOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/beta`

const clientOf = (baseUrl: string, attempts = 5) =>
  GraphClient.layer({ baseUrl, attempts }).pipe(Layer.provide(FetchHttpClient.layer), Layer.orDie)

const getDevice = GraphClient.use((client) => client.getDevice(key))

it.live("an update goes out and comes back over a real connection", () =>
  Effect.gen(function* () {
    const server = yield* serverOf((request, response) => {
      expect(`${request.method} ${request.url}`).toBe(`PATCH ${devicePath}`)
      const chunks: Array<string> = []
      request.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk))
      request.on("end", () => response.end(JSON.stringify({ ...device, ...JSON.parse(chunks.join("")) })))
    })
    const update = GraphClient.use((client) => client.updateDevice(key, { model: "Überbook" }))
    expect(yield* Effect.provide(update, clientOf(rootOf(server)))).toEqual({ ...device, model: "Überbook" })
  })
)

it.live.each([
  { when: "before the answer", begins: false },
  { when: "within the answer", begins: true }
])("interruption $when closes the connection", ({ begins }) =>
  Effect.gen(function* () {
    const arrived = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    const server = yield* serverOf((request, response) => {
      request.socket.once("close", () => closed.resolve())
      if (begins) response.write(`{"id":`)
      arrived.resolve()
    })
    const reading = yield* Effect.forkChild(Effect.provide(getDevice, clientOf(rootOf(server))))
    yield* Effect.promise(() => arrived.promise)
    yield* Fiber.interrupt(reading)
    yield* Effect.promise(() => closed.promise)
  })
)

it.live("a list that is left early leaves no connection behind", () =>
  Effect.gen(function* () {
    const closed = Promise.withResolvers<void>()
    const arrived = Promise.withResolvers<void>()
    const server = yield* serverOf((request, response) => {
      if (request.url?.includes("skiptoken") === true) {
        request.socket.once("close", () => closed.resolve())
        return arrived.resolve()
      }
      const nextLink = `http://${request.headers.host}${request.url}?$skiptoken=x`
      response.end(JSON.stringify({ value: [device], "@odata.nextLink": nextLink }))
    })
    const listing = GraphClient.use((client) => Stream.runDrain(client.listDevices("allDevices")))
    const running = yield* Effect.forkChild(Effect.provide(listing, clientOf(rootOf(server))))
    yield* Effect.promise(() => arrived.promise)
    yield* Fiber.interrupt(running)
    yield* Effect.promise(() => closed.promise)
  })
)

it.live("a connection that the service drops is Unavailable and says so", () =>
  Effect.gen(function* () {
    const server = yield* serverOf((request) => request.socket.destroy())
    const error = yield* Effect.flip(getDevice).pipe(Effect.provide(clientOf(rootOf(server), 1)))
    expect(error).toMatchObject({ attempts: 1, reason: { _tag: "Unavailable" } })
    expect(error.message).toMatch(/^the connection to 127\.0\.0\.1:\d+ failed \((UND_ERR_SOCKET|ECONNRESET)\)$/)
  })
)

it.live("an answer that breaks off is Unavailable, not a short answer", () =>
  Effect.gen(function* () {
    const server = yield* serverOf((request, response) => {
      response.writeHead(200, { "content-length": "1000" })
      response.write(JSON.stringify(device), () => request.socket.destroy())
    })
    const error = yield* Effect.flip(getDevice).pipe(Effect.provide(clientOf(rootOf(server), 1)))
    expect(error.reason._tag).toBe("Unavailable")
  })
)

it.live("a port where nothing listens is Unavailable", () =>
  Effect.gen(function* () {
    const root = yield* Effect.scoped(
      Effect.map(
        serverOf(() => {}),
        rootOf
      )
    )
    const error = yield* Effect.flip(getDevice).pipe(Effect.provide(clientOf(root, 1)))
    expect(error.message).toContain("ECONNREFUSED")
    expect(error.reason._tag).toBe("Unavailable")
  })
)

it.live("a redirect to another origin is not followed", () =>
  Effect.gen(function* () {
    const visitors: Array<string | undefined> = []
    const elsewhere = yield* serverOf((request, response) => {
      visitors.push(request.url)
      response.end(JSON.stringify(device))
    })
    const server = yield* serverOf((request, response) => {
      response.writeHead(307, { location: `${rootOf(elsewhere)}${request.url}` }).end()
    })
    const error = yield* Effect.flip(getDevice).pipe(Effect.provide(clientOf(rootOf(server))))
    expect(error).toMatchObject({ status: 307, attempts: 1, reason: { _tag: "Rejected" } })
    expect(visitors).toEqual([])
  })
)
