import type { KeyedDevice } from "@workanywhere/domain"
import { type FakeAnswer, type FakeGraph, type FakeRequest, errorResponse, fakeGraph } from "../src/testing.ts"

/** One item of a batch, or a request that came by itself. */
interface Item {
  readonly method: string
  readonly deviceId: string
  readonly body: unknown
  /** How often this device was written before. */
  readonly index: number
}

/** What goes wrong with one write; `undefined` is nothing. */
export type ItemFault = { readonly status: number; readonly isMade?: boolean; readonly retryAfter?: string } | "missing"

export interface EnvelopeFault {
  readonly answer: FakeAnswer
  readonly isMade?: boolean
  /** Seconds that the answer asks to wait, where it is a 429. */
  readonly retryAfter?: number
}

export interface Faults {
  readonly item?: (item: Item) => ItemFault | undefined
  /** Instead of the answer to a whole request; writes in it are made where `isMade`. */
  readonly envelope?: (index: number, size: number) => EnvelopeFault | undefined
  /** Reads by themselves that fail. */
  readonly read?: (deviceId: string) => FakeAnswer | undefined
}

interface Received {
  readonly id: string
  readonly method: string
  readonly url: string
  readonly body?: unknown
}

interface Reply {
  readonly id: string
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: unknown
}

const idIn = (path: string): string => decodeURIComponent(path.split("/").at(-1) ?? "")

/** A service that keeps what it is sent, and answers batches last item first. */
export const batchService = (faults: Faults = {}, now: () => number = () => 0) => {
  const devices = new Map<string, KeyedDevice>()
  const writes = new Map<string, number>()
  const acknowledged = new Map<string, Array<unknown>>()
  const batchSizes: Array<number> = []
  /** Every write in the order in which it came, made or not. */
  const received = new Map<string, Array<unknown>>()
  const made: Array<unknown> = []
  const tooEarly: Array<string> = []
  const closings: Array<{ readonly lane: string; readonly at: number; readonly until: number }> = []

  const held = (deviceId: string): KeyedDevice =>
    devices.get(deviceId) ?? {
      id: deviceId,
      deviceName: deviceId,
      upgradeEligibility: "unknown",
      healthStatus: "unknown"
    }

  const write = (deviceId: string, body: unknown): void => {
    made.push(body)
    devices.set(deviceId, { ...held(deviceId), ...(body as object), id: deviceId })
  }

  const answered = ({ body, id, method, url }: Received): ReadonlyArray<Reply> => {
    const deviceId = idIn(url)
    if (method === "GET") return [{ id, status: 200, body: held(deviceId) }]
    const index = writes.get(deviceId) ?? 0
    writes.set(deviceId, index + 1)
    received.set(deviceId, [...(received.get(deviceId) ?? []), body])
    const fault = faults.item?.({ method, deviceId, body, index })
    if (fault === undefined) {
      write(deviceId, body)
      acknowledged.set(deviceId, [...(acknowledged.get(deviceId) ?? []), body])
      return [{ id: id.toUpperCase(), status: 200, body: held(deviceId) }]
    }
    if (fault === "missing") return []
    if (fault.isMade === true) write(deviceId, body)
    if (fault.status === 429 && fault.retryAfter !== undefined) {
      closings.push({ lane: "write", at: now(), until: now() + Number(fault.retryAfter) * 1_000 })
    }
    const headers = fault.retryAfter === undefined ? {} : { "Retry-After": fault.retryAfter }
    return [{ id, status: fault.status, headers, body: { error: { code: "", message: "" } } }]
  }

  const answer = (request: FakeRequest, index: number): FakeAnswer => {
    const isBatch = request.url.pathname.endsWith("/$batch")
    const items = isBatch
      ? (request.body as { requests: ReadonlyArray<Received> }).requests
      : [{ id: "", method: request.method, url: request.url.pathname, body: request.body }]
    if (isBatch) batchSizes.push(items.length)
    const time = now()
    const lane = items.every(({ method }) => method === "GET") ? "read" : "write"
    // What was under way when the answer came could not know of it.
    if (closings.some((one) => one.lane === lane && time > one.at && time < one.until))
      tooEarly.push(`${request.url.pathname} at ${time}`)
    if (request.method === "GET") {
      return faults.read?.(idIn(request.url.pathname)) ?? Response.json(held(idIn(request.url.pathname)))
    }
    const whole = faults.envelope?.(index, items.length)
    if (whole !== undefined) {
      if (whole.retryAfter !== undefined) closings.push({ lane, at: time, until: time + whole.retryAfter * 1_000 })
      for (const { body, url } of whole.isMade === true ? items : []) write(idIn(url), body)
      return whole.answer
    }
    const responses = items.flatMap(answered).toReversed()
    if (isBatch) return Response.json({ responses })
    const [only] = responses
    if (only === undefined) return "connectionLost"
    return only.status === 200 ? Response.json(only.body) : errorResponse(only.status, {}, only.headers)
  }

  const graph: FakeGraph = fakeGraph(answer)
  return { graph, devices, acknowledged, batchSizes, received, made, tooEarly }
}
