import type { Context } from "hono"
import { ApiError } from "../http/api-error.ts"
import type { Connection, Env } from "../http/env.ts"
import type { Effect } from "./fault-script.ts"
import type { Draw, Plan } from "./faults.ts"

type Row = Readonly<Record<string, unknown>>

/** The refusal that asks to slow down, as Graph's page shows it (docs/fidelity.md, F55). */
export const tooManyRequests = (retryAfter: string | undefined): ApiError =>
  new ApiError("TooManyRequests", "Please retry again later.", {
    ...(retryAfter === undefined ? {} : { headers: { "retry-after": retryAfter } }),
    innerError: { code: "429", status: "429", message: "Please retry after" }
  })

const headersFor = (retryAfterSeconds: number | undefined) =>
  retryAfterSeconds === undefined ? {} : { headers: { "retry-after": String(retryAfterSeconds) } }

/** Nobody's answer: the connection is gone. The status is only for the log. */
const lost = (): Response => new Response(null, { status: 444 })

const gone = () =>
  new ApiError("gatewayTimeout", "The service behind the gateway did not answer in time; what it did is not known.")

const resetConnection = (c: Context<Env>): Response => {
  const connection = connectionOf(c)
  // An item of a batch cannot lose the connection of the whole batch: what is behind the gateway was lost.
  if (connection === undefined) throw gone()
  connection.reset()
  return lost()
}

const truncated = async (c: Context<Env>, answer: Response, keptPercent: number): Promise<Response> => {
  const connection = connectionOf(c)
  if (connection === undefined) throw gone()
  const bytes = new Uint8Array(await answer.arrayBuffer())
  const kept = bytes.subarray(0, Math.floor((bytes.length * keptPercent) / 100))
  const headers = new Headers(answer.headers)
  headers.set("content-length", String(bytes.length))
  let isSent = false
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (!isSent) {
          isSent = true
          if (kept.length > 0) return controller.enqueue(kept)
        }
        connection.end(controller)
        // A body that is sent over a socket is given up when that closes.
        return new Promise<never>(() => {})
      }
    },
    { highWaterMark: 0 }
  )
  return new Response(body, { status: answer.status, headers })
}

const pick = (draw: Draw, length: number): number => Math.floor(draw() * length)

const changedRows = (
  answer: Response,
  name: "value" | "responses",
  change: (rows: ReadonlyArray<Row>) => ReadonlyArray<Row>
): Promise<Response> =>
  changedBody(answer, (body) => {
    const rows = (body as Row)[name]
    return Array.isArray(rows) ? { ...(body as Row), [name]: change(rows as ReadonlyArray<Row>) } : body
  })

const shuffled = (rows: ReadonlyArray<Row>, draw: Draw): ReadonlyArray<Row> => {
  const order = [...rows]
  for (let last = order.length - 1; last > 0; last--) {
    const other = pick(draw, last + 1)
    const held = order[last] as Row
    order[last] = order[other] as Row
    order[other] = held
  }
  // With two or three answers a fair shuffle often changes nothing, and then nothing would be rehearsed.
  return order.every((row, index) => row === rows[index]) ? order.toReversed() : order
}

const without = (rows: ReadonlyArray<Row>, count: number, draw: Draw): ReadonlyArray<Row> =>
  count === 0 || rows.length === 0 ? rows : without(rows.toSpliced(pick(draw, rows.length), 1), count - 1, draw)

/** An answer that a fault has spoiled on its way out. */
const spoiled = (c: Context<Env>, answer: Response, effect: Effect, draw: Draw): Promise<Response> | Response => {
  switch (effect.kind) {
    case "truncate":
      return truncated(c, answer, effect.keptPercent)
    case "shuffleBatch":
      return changedRows(answer, "responses", (rows) => shuffled(rows, draw))
    case "dropBatchAnswers":
      return changedRows(answer, "responses", (rows) => without(rows, effect.count, draw))
    case "repeatRow":
      return changedRows(answer, "value", (rows) => {
        const at = pick(draw, rows.length)
        return rows.toSpliced(at, 0, ...rows.slice(at, at + 1))
      })
    case "dropRow":
      return changedRows(answer, "value", (rows) => without(rows, 1, draw))
    case "unknownMember": {
      const changed = (row: Row): Row => (effect.property in row ? { ...row, [effect.property]: effect.member } : row)
      return changedBody(answer, (body) => {
        const rows = (body as Row)["value"]
        if (!Array.isArray(rows)) return changed(body as Row)
        const at = pick(draw, rows.length)
        return { ...(body as Row), value: rows.map((row: Row, index) => (index === at ? changed(row) : row)) }
      })
    }
    default:
      return answer
  }
}

/** What a fault answers instead of the service; `undefined` when the service is to be asked. */
const instead = async (
  c: Context<Env>,
  effect: Effect,
  nowMillis: number,
  closing: AbortSignal
): Promise<Response | undefined> => {
  switch (effect.kind) {
    case "throttle": {
      const { retryAfterSeconds: seconds, asDate } = effect
      if (seconds === undefined) throw tooManyRequests(undefined)
      throw tooManyRequests(asDate ? new Date(nowMillis + seconds * 1_000).toUTCString() : String(seconds))
    }
    case "throttleAs500":
      throw new ApiError(
        "generalException",
        "Rate limit reached: too many requests to query broker. Please retry later."
      )
    case "expireNextLink":
      throw new ApiError("resyncRequired", "The link to the next page has expired. Start the list from its beginning.")
    case "unavailable":
      throw new ApiError(
        "serviceNotAvailable",
        "The service is temporarily unavailable. Please retry later.",
        headersFor(effect.retryAfterSeconds)
      )
    case "timeout":
      throw gone()
    case "reset":
      return resetConnection(c)
    case "hang": {
      const given = AbortSignal.any([c.req.raw.signal, closing])
      if (!given.aborted) await new Promise((resolve) => given.addEventListener("abort", resolve, { once: true }))
      connectionOf(c)?.reset()
      return lost()
    }
    default:
      return undefined
  }
}

/**
 * Carries out what is to go wrong with a request around what the service does with it: `answer` does that, and leaves
 * its answer on the context. `closing` ends hanging requests.
 */
export const performFault = async (
  c: Context<Env>,
  { effect, draw }: NonNullable<Plan["fault"]>,
  answer: () => Promise<void>,
  { nowMillis, closing }: { readonly nowMillis: number; readonly closing: AbortSignal }
): Promise<Response | void> => {
  const isAfter = "at" in effect && effect.at === "after"
  if (!isAfter) {
    const early = await instead(c, effect, nowMillis, closing)
    if (early !== undefined) return early
  }
  await answer()
  const made = c.res
  // Hono would copy the headers of an answer that is replaced onto the one that replaces it.
  c.res = undefined
  c.res = (isAfter ? await instead(c, effect, nowMillis, closing) : await spoiled(c, made, effect, draw)) ?? made
}

/** The connection of a request; `undefined` for one that has none of its own: an item of a batch, or a bare call. */
const connectionOf = (c: Context<Env>): Connection | undefined => {
  const { connection, outgoing, batchItem } = (c.env as Env["Bindings"] | undefined) ?? {}
  if (batchItem !== undefined) return undefined
  if (connection !== undefined) return connection
  const socket = outgoing?.socket
  if (socket == null) return undefined
  // An error of the body would be sent as text by the server, and be logged.
  return { reset: () => void socket.resetAndDestroy(), end: () => socket.destroySoon() }
}

/** An answer with another body: what its JSON becomes by `change`, or as it was when it has none. */
export const changedBody = async (answer: Response, change: (body: unknown) => unknown): Promise<Response> => {
  if (answer.headers.get("content-type")?.startsWith("application/json") !== true) return answer
  const text = await answer.text()
  const headers = new Headers(answer.headers)
  headers.delete("content-length")
  return new Response(text === "" ? text : JSON.stringify(change(JSON.parse(text))), { status: answer.status, headers })
}
