import { once } from "node:events"
import { type RequestListener, createServer } from "node:http"
import { type AddressInfo, type Socket, connect } from "node:net"
import { text } from "node:stream/consumers"
import { describe, expect, it } from "vitest"
import { limitConnections, networkOf, oneAtATime } from "../../src/http/connections.ts"
import { httpServer, serverLimits } from "../../src/service.ts"
import { listening } from "../listening.ts"
import { openedApp } from "../opened.ts"

const served = async (answer: RequestListener, limits: Partial<typeof serverLimits> = {}) => {
  const all = { ...serverLimits, ...limits }
  const server = createServer(all, oneAtATime(answer, all.waitingRequests))
  limitConnections(server, all)
  return listening(server)
}

const connected = async (port: number): Promise<Socket> => {
  const socket = connect(port, "127.0.0.1")
  await once(socket, "connect")
  return socket
}

const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`

const greet: RequestListener = ({ url }, response) => response.end(`hello ${url}`)

describe("connections", () => {
  it.for([
    ["in all", { connections: 2 }, "All of the 2 connections that are served are taken."],
    ["of one address", { connectionsOfAddress: 2 }, "All of the 2 connections of one address are taken."]
  ] as const)("beyond those that are served %s are told so, until one is free again", async ([, limits, words]) => {
    await using server = await served(greet, limits)
    const first = await connected(server.port)
    const second = await connected(server.port)
    const refused = await text(await connected(server.port))
    expect(refused).toMatch(/^HTTP\/1\.1 503 .*retry-after: 1\r\n/s)
    expect(JSON.parse(refused.split("\r\n\r\n")[1] ?? "")).toEqual({
      error: { code: "serviceNotAvailable", message: words }
    })
    first.destroy()
    second.write(get("/"))
    await once(second, "data")
    const third = await connected(server.port)
    third.write(get("/third", "Connection: close\r\n"))
    expect(await text(third)).toContain("hello /third")
    second.destroy()
  })

  it("are counted by network where addresses are those of IPv6", () => {
    expect(
      ["127.0.0.1", "::ffff:10.0.0.7", "::1", "2001:db8::7", "2001:db8:0:0:1:2:3:4", "2001:db8:1:2:3:4:5:6", ""].map(
        networkOf
      )
    ).toEqual(["127.0.0.1", "10.0.0.7", "0:0:0:0", "2001:db8:0:0", "2001:db8:0:0", "2001:db8:1:2", ""])
  })

  it("have requests that were sent at once answered one after the other", async () => {
    let atWork = 0
    let most = 0
    await using server = await served(({ url }, response) => {
      most = Math.max(most, ++atWork)
      setTimeout(() => {
        atWork--
        response.end(`hello ${url}`)
      }, 5)
    })
    const socket = await connected(server.port)
    socket.write(`${get("/1")}${get("/2")}${get("/3")}${get("/4", "Connection: close\r\n")}`)
    expect((await text(socket)).match(/hello \/\d/g)).toEqual(["hello /1", "hello /2", "hello /3", "hello /4"])
    expect(most).toBe(1)
  })

  it("end when more requests wait than are taken, and those that were taken are answered", async () => {
    let asked = 0
    await using server = await served((_, response) => {
      asked++
      setTimeout(() => response.end("hello"), 1)
    })
    const socket = await connected(server.port)
    socket.write(get("/").repeat(500))
    const answers = await text(socket)
    expect(asked).toBe(17)
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual([
      ...Array.from({ length: 17 }, () => "HTTP/1.1 200"),
      "HTTP/1.1 503"
    ])
    expect(answers).toContain("More than 16 requests wait on this connection for those before them.")
  })

  it("end when their callers do not read what they asked for", async () => {
    const large = Buffer.alloc(32 * 1_048_576)
    const ended: Array<unknown> = []
    const answer: RequestListener = ({ url }, response) => {
      response.on("close", () => ended.push([url, response.writableFinished])).end(large)
    }
    await using server = await served(answer, { unreadMillis: 2_000, unreadMillisOfMebibyte: 10 })
    const idle = (await connected(server.port)).pause()
    idle.write(get("/idle"))
    const reading = await connected(server.port)
    reading.write(get("/read", "Connection: close\r\n"))
    expect((await text(reading)).length).toBeGreaterThan(large.length)
    await expect
      .poll(() => ended, { timeout: 10_000 })
      .toEqual([
        ["/read", true],
        ["/idle", false]
      ])
    idle.destroy()
  })

  it("end, those with most that is not read first, when all of it is more than there is room for", async () => {
    const answers = [Buffer.alloc(16 * 1_048_576), Buffer.alloc(32 * 1_048_576)]
    const ended: Array<number> = []
    await using server = await served(
      ({ url }, response) => {
        const which = Number(url?.slice(1))
        response.on("close", () => ended.push(which)).end(answers[which])
      },
      { unreadBytes: 30 * 1_048_576 }
    )
    const sockets = await Promise.all(answers.map(() => connected(server.port)))
    for (const [which, socket] of sockets.entries()) socket.pause().write(get(`/${which}`))
    await expect.poll(() => ended, { timeout: 5_000 }).toEqual([1])
    for (const socket of sockets) socket.destroy()
  })
})

describe("bodies", () => {
  it(
    "of one tenant that are sent at the same time are taken up to 64 MiB, and others' as before",
    { timeout: 60_000 },
    async () => {
      await using opened = await openedApp("memory", ["a"])
      const server = httpServer(opened.app).listen(0, "127.0.0.1")
      await once(server, "listening")
      const { port } = server.address() as AddressInfo
      const bytes = 4 * 1_048_576
      const headers = `Content-Type: application/json\r\nContent-Length: ${bytes}\r\n`
      const message = `POST /beta/$batch HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`
      const sockets = await Promise.all(Array.from({ length: 18 }, () => connected(port)))
      const answers = sockets.map((socket) => once(socket, "data").then(([data]) => String(data)))
      for (const socket of sockets) socket.write(message + " ".repeat(bytes - 1))
      expect(await Promise.race(answers)).toMatch(
        /^HTTP\/1\.1 503 .*"serviceNotAvailable","message":"More than 67108864 bytes/s
      )
      expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
      for (const socket of sockets) socket.on("error", () => {}).destroy()
      server.close()
      await once(server, "close")
      const again = await opened.app.request("/beta/$batch", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}"
      })
      expect(again.status).toBe(400)
    }
  )
})
