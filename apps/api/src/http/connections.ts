import type { RequestListener, Server as HttpServer } from "node:http"
import { Server as HttpsServer } from "node:https"
import type { Socket } from "node:net"

/** A server that speaks HTTP, by itself or inside TLS. */
export type Server = HttpServer | HttpsServer

/** What callers can hold of a server by its connections. */
export interface ConnectionLimits {
  readonly connections: number
  readonly connectionsOfAddress: number
  /** Requests that wait on a connection until those before them are answered. */
  readonly waitingRequests: number
  /** Bytes of answers that nobody has read yet, on all connections. */
  readonly unreadBytes: number
  /** How long an answer may stay unread, and how much longer for each mebibyte of it. */
  readonly unreadMillis: number
  readonly unreadMillisOfMebibyte: number
}

const errorBody = (message: string): string => JSON.stringify({ error: { code: "serviceNotAvailable", message } })

const headersOf = (body: string) => ({
  "content-type": "application/json",
  "content-length": String(Buffer.byteLength(body)),
  "retry-after": "1",
  connection: "close"
})

/** Whoever has an IPv6 address has all of its network. */
export const networkOf = (address: string): string => {
  if (address.includes(".") || !address.includes(":")) return address.replace(/^.*:/, "")
  const [front = [], back = []] = address.split("::").map((part) => part.split(":").filter((group) => group !== ""))
  const between = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => "0")
  return [...front, ...between, ...back].slice(0, 4).join(":")
}

/**
 * Answers the requests of a connection one after the other. Node takes up all that were sent at once, and then keeps every
 * answer until its caller has read those before it.
 */
export const oneAtATime = (answer: RequestListener, mostWaiting: number): RequestListener => {
  const lines = new WeakMap<Socket, Array<() => void>>()
  const overfull = new WeakSet<Socket>()

  return (incoming, outgoing) => {
    const { socket } = incoming
    const start = (): void => {
      outgoing.once("close", () => {
        const next = lines.get(socket)?.shift()
        if (next === undefined || socket.destroyed) lines.delete(socket)
        else next()
      })
      answer(incoming, outgoing)
    }

    const line = lines.get(socket)
    if (line === undefined) {
      lines.set(socket, [])
      start()
    } else if (line.length < mostWaiting) line.push(start)
    else if (!overfull.has(socket)) {
      // The last answer on this connection. What was sent behind it is not looked at.
      overfull.add(socket)
      socket.pause()
      const body = errorBody(`More than ${mostWaiting} requests wait on this connection for those before them.`)
      outgoing.writeHead(503, headersOf(body)).end(body)
    }
  }
}

interface Seen {
  /** When an answer was first seen to be unread. */
  unreadSince: number | undefined
}

/** How often it is looked for answers that nobody reads. */
const lookMillis = 250

const mebibyte = 1_048_576

/** Inside TLS nothing can be said before hands were shaken, which costs more than all else: there the connection ends. */
const refuse = (socket: Socket, isTls: boolean, message: string): void => {
  if (isTls) return void socket.destroy()
  const body = errorBody(message)
  const head = Object.entries(headersOf(body)).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`HTTP/1.1 503 Service Unavailable\r\n${head.join("")}\r\n${body}`)
  socket.destroySoon()
}

/** Ends connections that are too many, and those whose callers do not read what they asked for. */
export const limitConnections = (server: Server, limits: ConnectionLimits): void => {
  const open = new Map<Socket, Seen>()
  const byNetwork = new Map<string, number>()
  const isTls = server instanceof HttpsServer
  let connections = 0

  const watch = (socket: Socket): void => {
    open.set(socket, { unreadSince: undefined })
    socket.once("close", () => open.delete(socket))
  }
  // Inside TLS, what is not read yet waits in a socket of its own around the one of the connection.
  if (isTls) server.on("secureConnection", watch)

  server.on("connection", (socket: Socket) => {
    const network = networkOf(socket.remoteAddress ?? "")
    const ofNetwork = byNetwork.get(network) ?? 0
    if (connections >= limits.connections) {
      return refuse(socket, isTls, `All of the ${limits.connections} connections that are served are taken.`)
    }
    if (ofNetwork >= limits.connectionsOfAddress) {
      return refuse(socket, isTls, `All of the ${limits.connectionsOfAddress} connections of one address are taken.`)
    }
    if (!isTls) watch(socket)
    connections += 1
    byNetwork.set(network, ofNetwork + 1)
    socket.once("close", () => {
      connections -= 1
      const left = (byNetwork.get(network) ?? 1) - 1
      if (left === 0) byNetwork.delete(network)
      else byNetwork.set(network, left)
    })
  })

  const isLate = (bytes: number, unreadSince: number, now: number): boolean =>
    now - unreadSince > limits.unreadMillis + (bytes / mebibyte) * limits.unreadMillisOfMebibyte

  const look = (): void => {
    const now = performance.now()
    const unread: Array<Socket> = []
    let bytes = 0
    for (const [socket, seen] of open) {
      const { writableLength } = socket
      seen.unreadSince = writableLength === 0 ? undefined : (seen.unreadSince ?? now)
      if (seen.unreadSince === undefined) continue
      if (isLate(writableLength, seen.unreadSince, now)) socket.destroy()
      else {
        bytes += writableLength
        unread.push(socket)
      }
    }
    if (bytes <= limits.unreadBytes) return
    // Whoever keeps most is the first to go.
    for (const socket of unread.toSorted((a, b) => b.writableLength - a.writableLength)) {
      if (bytes <= limits.unreadBytes) return
      bytes -= socket.writableLength
      socket.destroy()
    }
  }

  const looking = setInterval(look, lookMillis).unref()
  server.once("close", () => clearInterval(looking))
}
