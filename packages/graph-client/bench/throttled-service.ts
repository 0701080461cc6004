import { type IncomingMessage, type ServerResponse, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { parentPort, workerData } from "node:worker_threads"

/** How the service of a run behaves. */
export interface Behaviour {
  readonly latencyMillis: number
  /** Writes in any stretch of `windowMillis`; refused ones count too (docs/fidelity.md, F54). */
  readonly limit: number
  readonly windowMillis: number
  /** Shares of the writes that end so: 503, 504 after the write, connection lost before or after it. */
  readonly unavailable: number
  readonly lostAfterWrite: number
  readonly reset: number
  /** The faults are the same in every run with the same seed. */
  readonly seed: number
}

/** What the service saw. */
export interface Seen {
  readonly requests: number
  readonly writes: number
  readonly refused: number
  /** The model that each device has now. */
  readonly models: ReadonlyMap<string, string>
}

interface Item {
  readonly id: string
  readonly method: string
  readonly url: string
  readonly body?: { readonly model?: string }
}

const { latencyMillis, limit, lostAfterWrite, reset, seed, unavailable, windowMillis } = workerData as Behaviour

let state = seed
/** mulberry32 */
const random = (): number => {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
}

const models = new Map<string, string>()
let [requests, writes, refused] = [0, 0, 0]
let counted: Array<number> = []

const error = (status: number, headers: Readonly<Record<string, string>> = {}) => ({
  status,
  headers,
  body: { error: { code: "", message: "" } }
})

const deviceOf = (id: string) => ({
  id,
  deviceName: id,
  model: models.get(id) ?? null,
  upgradeEligibility: "capable",
  healthStatus: "unknown"
})

const answerTo = ({ body, method, url }: Omit<Item, "id">) => {
  const id = decodeURIComponent(url.split("?")[0]?.split("/").at(-1) ?? "")
  if (method === "GET") return { status: 200, headers: {}, body: deviceOf(id) }
  const now = performance.now()
  counted = counted.filter((time) => time > now - windowMillis)
  counted.push(now)
  writes += 1
  if (counted.length > limit) {
    refused += 1
    const free = (counted[counted.length - limit - 1] ?? now) + windowMillis - now
    return error(429, { "retry-after": String(Math.ceil(free / 1_000)) })
  }
  const chance = random()
  if (chance < unavailable) return error(503)
  models.set(id, body?.model ?? "")
  return chance < unavailable + lostAfterWrite ? error(504) : { status: 200, headers: {}, body: deviceOf(id) }
}

const textOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const text = await textOf(request)
  const { method = "GET", url = "" } = request
  const body = text === "" ? undefined : (JSON.parse(text) as { readonly requests: ReadonlyArray<Item> })
  const isBatch = url.endsWith("/$batch")
  const size = isBatch ? (body?.requests.length ?? 0) : 1
  requests += 1
  await sleep(latencyMillis / 2)
  const isReset = random() < 1 - (1 - reset) ** size
  if (isReset && random() < 0.5) {
    request.socket.destroy()
    return
  }
  const answer = isBatch
    ? {
        status: 200,
        headers: {},
        body: { responses: (body?.requests ?? []).map((item) => Object.assign(answerTo(item), { id: item.id })) }
      }
    : answerTo({ method, url, ...(body === undefined ? {} : { body: body as Item["body"] & object }) })
  await sleep(latencyMillis / 2)
  if (isReset) {
    request.socket.destroy()
    return
  }
  response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers })
  response.end(JSON.stringify(answer.body))
}

const server = createServer((request, response) => void serve(request, response))
server.listen(0, "127.0.0.1", () => {
  parentPort?.postMessage((server.address() as AddressInfo).port)
})

parentPort?.on("message", (message) => {
  if (message === "seen") parentPort?.postMessage({ requests, writes, refused, models } satisfies Seen)
})
