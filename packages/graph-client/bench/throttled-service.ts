import { type IncomingMessage, type ServerResponse, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { parentPort, workerData } from "node:worker_threads"
import { type Limit, latencyOf, limiterOf, randomOf } from "./limiters.ts"

/** How the service of a run behaves. */
export interface Behaviour {
  /** The median; half of it passes before a write is counted. */
  readonly latencyMillis: number
  /** How it limits writes. */
  readonly limit: Limit
  /** Shares of the writes that end so: 503, 504 after the write, connection lost before or after it. */
  readonly unavailable: number
  readonly lostAfterWrite: number
  readonly reset: number
  /** The faults are the same in every run with the same seed. */
  readonly seed: number
  /** Whether 503 says when to come again: after a second. */
  readonly unavailableAsks?: boolean
  /** How a refusal is said: 429 with seconds by default. */
  readonly refusal?: "silent" | "dressed"
  /** One write is refused for so long, after this time. */
  readonly once?: { readonly atMillis: number; readonly seconds: number }
  /** Somebody else writes so much at once, so often. */
  readonly other?: { readonly count: number; readonly everyMillis: number }
}

/** What the service saw. */
export interface Seen {
  readonly requests: number
  readonly writes: number
  readonly refused: number
  readonly takenInFirstSecond: number
  /** What the other caller had let through, while we were there. */
  readonly others: number
  /** The model that each device has now. */
  readonly models: ReadonlyMap<string, string>
}

/** For whoever counts what is sent too early: for how many seconds an answer, or the longest of a batch, asks everybody to wait. */
const closes = "x-closes"

interface Item {
  readonly id: string
  readonly method: string
  readonly url: string
  readonly body?: { readonly model?: string }
}

const {
  latencyMillis,
  limit,
  lostAfterWrite,
  once,
  other,
  refusal,
  reset,
  seed,
  unavailable,
  unavailableAsks = false
} = workerData as Behaviour

const random = randomOf(seed)
const latency = latencyOf(latencyMillis, random)
const limiter = limiterOf(limit)

const models = new Map<string, string>()
let [requests, writes, refused, takenInFirstSecond, others] = [0, 0, 0, 0, 0]
let startedAt: number | undefined
let isOnceOver = once === undefined

/** Milliseconds since the first write. */
const now = (): number => {
  startedAt ??= performance.now()
  return performance.now() - startedAt
}

const broker = "Rate limit reached: too many requests to the query broker, retry later"

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: object
  /** For how many seconds everybody is asked to wait. */
  readonly closes?: number
}

const error = (status: number, headers: Reply["headers"] = {}): Reply => ({
  status,
  headers,
  body: { error: { code: "", message: "" } }
})

const refusedFor = (seconds: number): Reply => {
  refused += 1
  if (refusal === "silent") return error(429)
  const headers = { "retry-after": String(seconds) }
  if (refusal !== "dressed") return { ...error(429, headers), closes: seconds }
  return { status: 500, headers, body: { error: { code: "", message: broker } }, closes: seconds }
}

const deviceOf = (id: string) => ({
  id,
  deviceName: id,
  model: models.get(id) ?? null,
  upgradeEligibility: "capable",
  healthStatus: "unknown"
})

const answerTo = ({ body, method, url }: Omit<Item, "id">): Reply => {
  const id = decodeURIComponent(url.split("?")[0]?.split("/").at(-1) ?? "")
  if (method === "GET") return { status: 200, headers: {}, body: deviceOf(id) }
  const at = now()
  writes += 1
  if (!isOnceOver && once !== undefined && at >= once.atMillis) {
    isOnceOver = true
    return refusedFor(once.seconds)
  }
  const wait = limiter(at)
  if (wait !== undefined) return refusedFor(Math.ceil(wait / 1_000))
  if (at < 1_000) takenInFirstSecond += 1
  const chance = random()
  if (chance < unavailable) return error(503, unavailableAsks ? { "retry-after": "1" } : {})
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
  const half = latency() / 2
  await sleep(half)
  const isReset = random() < 1 - (1 - reset) ** size
  if (isReset && random() < 0.5) {
    request.socket.destroy()
    return
  }
  const replies = isBatch
    ? (body?.requests ?? []).map(answerTo)
    : [answerTo({ method, url, ...(body === undefined ? {} : { body: body as Item["body"] & object }) })]
  await sleep(half)
  if (isReset) {
    request.socket.destroy()
    return
  }
  const seconds = Math.max(0, ...replies.map(({ closes = 0 }) => closes))
  const responses = replies.map((reply, index) => ({ ...reply, id: isBatch ? body?.requests[index]?.id : undefined }))
  const [only] = replies
  const answer = isBatch || only === undefined ? { status: 200, headers: {}, body: { responses } } : only
  response.writeHead(answer.status, {
    "content-type": "application/json",
    ...(seconds > 0 ? { [closes]: String(seconds) } : {}),
    ...answer.headers
  })
  response.end(JSON.stringify(answer.body))
}

const server = createServer((request, response) => void serve(request, response))
server.listen(0, "127.0.0.1", () => {
  parentPort?.postMessage((server.address() as AddressInfo).port)
})

parentPort?.on("message", (message) => {
  if (message === "seen")
    parentPort?.postMessage({ requests, writes, refused, takenInFirstSecond, others, models } satisfies Seen)
})

if (other !== undefined) {
  setInterval(() => {
    if (startedAt === undefined) return
    for (let count = 0; count < other.count; count++) if (limiter(now()) === undefined) others += 1
  }, other.everyMillis)
}
