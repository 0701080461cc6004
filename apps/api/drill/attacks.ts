// What one caller sends to take the service from all others. Runs in a thread of its own, so that nobody waits for it.
import { once } from "node:events"
import { Agent, request } from "node:http"
import { type Socket, connect } from "node:net"
import { DatabaseSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import { parentPort, workerData } from "node:worker_threads"
import { gzipSync } from "node:zlib"
import { routes } from "@workanywhere/domain"
import { devices } from "./victim.ts"

/** Where an attack goes, and who sends it. */
export interface Target {
  readonly url: string
  /** A token that may read and write, and one that may do nothing. */
  readonly token: string
  readonly powerless: string
  /** The file that the devices are in, if they are in one. */
  readonly file: string | undefined
  /** How long it lasts. */
  readonly millis: number
}

/** How often each status was answered; 0 is a connection that ended before it was, whoever ended it. */
export type Answers = Record<string, number>

interface Ways extends Target {
  /** Sends a request and tells the answer's status, over and over, so many at a time. */
  readonly send: (atOnce: number, make: (round: number) => Sent) => Promise<void>
  /** Opens so many connections, writes to each, and reads nothing. */
  readonly pour: (connections: number, bytes: string) => Promise<void>
}

interface Sent {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly token?: string
  readonly body?: string | Buffer
  /** The caller goes after so many milliseconds, answered or not. */
  readonly leavesAfter?: number
}

const json = { "content-type": "application/json" }

const named = (count: number, value: unknown): object =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at.toString(36)}`, value]))

const batch = (requests: ReadonlyArray<object>): Sent => ({
  method: "POST",
  path: "/beta/$batch",
  headers: json,
  body: JSON.stringify({ requests: requests.map((item, at) => ({ id: String(at), ...item })) })
})

const twenty = (item: object): Sent => batch(Array.from({ length: 20 }, () => item))

const manyHeaders = batch([{ method: "GET", url: "/$metadata", headers: named(220_000, "v") }])

const patch = (body: string | Buffer, headers: Readonly<Record<string, string>> = json): Sent => ({
  method: "PATCH",
  path: `/beta${devices}/none`,
  headers,
  body
})

const folded = Array.from({ length: 17 }).reduce<string>((inner) => `tolower(${inner})`, "model")

/** As deep and as long as a filter may be, and true of nothing. */
const filtered = `/beta${devices}?$filter=${Array.from({ length: 20 }, () => `contains(${folded},'none')`).join("%20or%20")}`

const left = (path: string): Sent => ({ path, leavesAfter: 20 })

const head = (token: string, path: string, more = "") =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`

const prefix = crypto.randomUUID()

const creation = (round: number): Sent => ({
  method: "POST",
  path: `/beta${devices}`,
  headers: json,
  body: JSON.stringify({ id: `${prefix}-${round}`, model: "made" })
})

const update = (round: number): Sent => ({
  ...patch(JSON.stringify({ model: `m${round}` })),
  path: `/beta${devices}/${prefix}-${round}`
})

const reports = [routes.readiness.path, routes.models.path]

/** What all others are compared with. */
export const quietly = "nothing, for comparison"

/** Each attack by what it is. */
export const attacks: Readonly<Record<string, (ways: Ways) => Promise<void>>> = {
  [quietly]: ({ pour }) => pour(0, ""),
  "batches of 220,000 headers, from who may do nothing": ({ send, powerless }) =>
    send(8, () => ({ ...manyHeaders, token: powerless })),
  "batches of 220,000 headers": ({ send }) => send(8, () => manyHeaders),
  "batches of twenty bodies with 200 stray names each": async ({ send }) => {
    const stray = twenty({ method: "PATCH", url: `${devices}/none`, headers: json, body: named(200, 1) })
    await send(8, () => stray)
  },
  "bodies of 80,000 stray names": async ({ send }) => {
    const body = JSON.stringify(named(80_000, 1))
    await send(8, () => patch(body))
  },
  "bodies that are nested without an end": ({ send }) => send(8, () => patch("[".repeat(1_000_000))),
  "bodies of 9,000 names that stand twice": async ({ send }) => {
    const body = `{${'"a":{"\\u0061":0,"a":0},'.repeat(3_000)}"a":0}`
    await send(8, () => patch(body))
  },
  "bodies that inflate to a thousand times their size": async ({ send }) => {
    const body = gzipSync(" ".repeat(10_000_000))
    await send(8, () => patch(body, { ...json, "content-encoding": "gzip" }))
  },
  "batches of twenty whole pages": async ({ send }) => {
    const pages = twenty({ method: "GET", url: `${devices}?$top=999` })
    await send(8, () => pages)
  },
  "answers that nobody reads": ({ pour, token }) => pour(200, head(token, `/beta${devices}?$top=999`).repeat(16)),
  "requests by the hundred on one connection": ({ pour, token }) =>
    pour(50, head(token, `/beta${devices}?$top=999`).repeat(500)),
  "bodies without an end": ({ pour, token }) => {
    const length = 4 * 1_048_576
    const headers = `POST /beta/$batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`
    return pour(100, headers + " ".repeat(length - 1))
  },
  "connections that say nothing": ({ pour }) => pour(3_500, ""),
  "one list under ever other headers": ({ send }) =>
    send(8, (round) => ({
      path: `/beta${devices}?$top=5`,
      headers: { prefer: `x${round >> 1}=${"y".repeat(8_000)}` }
    })),
  "long texts, and filters that fold them again and again": async ({ send }) => {
    const long = twenty({ method: "POST", url: devices, headers: json, body: { model: "x".repeat(16_000) } })
    await send(8, (round) => (round < 20 ? long : { path: filtered }))
  },
  "filters that no index serves": ({ send }) =>
    send(32, (round) => ({ path: `${filtered}&$top=${(round % 999) + 1}` })),
  "filters that nobody waits for": ({ send }) => send(32, (round) => left(`${filtered}&$top=${(round % 999) + 1}`)),
  "reports that nobody waits for, and updates between": ({ send }) =>
    send(32, (round) => (round % 8 === 0 ? creation(round) : left(`/beta${reports[round % 2]}`))),
  "creations and updates without a pause": ({ send }) =>
    send(32, (round) => (round % 2 === 0 ? creation(round) : update(Math.max(0, round - 201)))),
  "batches of twenty creations": ({ send }) =>
    send(8, () => twenty({ method: "POST", url: devices, headers: json, body: { model: "made" } })),
  "updates while another process keeps the write lock": async ({ send, file, millis }) => {
    if (file === undefined) return
    const other = new DatabaseSync(file)
    other.exec("begin immediate")
    const sent = send(32, (round) => (round % 2 === 0 ? creation(round) : patch(`{"model":"m${round}"}`)))
    await setTimeout(millis * 0.7)
    other.exec("rollback")
    other.close()
    await sent
  }
}

/** What only a service without authentication lets its callers do. */
export const attacksOnOpen: typeof attacks = {
  [quietly]: attacks[quietly]!,
  "a fleet of 200,000 in place of another": ({ send }) =>
    send(1, (round) =>
      round === 0
        ? { method: "POST", path: "/_local/seed", headers: json, body: JSON.stringify({ size: 200_000 }) }
        : { path: "/healthz", token: "" }
    )
}

const connected = async (url: URL): Promise<Socket | undefined> => {
  const socket = connect(Number(url.port), url.hostname)
  try {
    await once(socket, "connect")
    return socket.on("error", () => {}).pause()
  } catch {
    return undefined
  }
}

/** Plays one attack until its time is over, and tells what was answered. */
const play = async (name: string, target: Target): Promise<Answers> => {
  const answers: Answers = {}
  const until = performance.now() + target.millis
  const note = (status: number): void => {
    answers[status] = (answers[status] ?? 0) + 1
  }
  const agent = new Agent({ keepAlive: true })

  const sent = ({ method = "GET", path, headers, token = target.token, body, leavesAfter }: Sent): Promise<void> =>
    new Promise((resolve) => {
      const done = (status: number): void => {
        note(status)
        resolve()
      }
      const options = { agent, method, headers: { ...headers, authorization: `Bearer ${token}` } }
      const timeout = leavesAfter ?? target.millis + 5_000
      const exchange = request(`${target.url}${path}`, { ...options, timeout }, (response) =>
        response
          .resume()
          .once("end", () => done(response.statusCode ?? 0))
          .once("error", () => done(0))
      )
      exchange
        .once("timeout", () => exchange.destroy())
        .once("error", () => done(0))
        .end(body)
    })

  const send: Ways["send"] = async (atOnce, make) => {
    let round = 0
    const one = async (): Promise<void> => {
      while (performance.now() < until) await sent(make(round++))
    }
    await Promise.all(Array.from({ length: atOnce }, one))
  }

  const pour: Ways["pour"] = async (connections, bytes) => {
    const url = new URL(target.url)
    const sockets = await Promise.all(Array.from({ length: connections }, () => connected(url)))
    for (const socket of sockets) {
      if (bytes !== "") socket?.write(bytes)
    }
    await setTimeout(Math.max(0, until - performance.now()))
    for (const socket of sockets) {
      const first: unknown = socket?.read()
      note(Buffer.isBuffer(first) ? Number(first.toString("latin1", 9, 12)) : 0)
      socket?.destroy()
    }
  }

  await { ...attacksOnOpen, ...attacks }[name]?.({ ...target, send, pour })
  agent.destroy()
  return answers
}

if (parentPort !== null) {
  const { name, target } = workerData as { readonly name: string; readonly target: Target }
  parentPort.postMessage(await play(name, target))
}
