import { hash } from "node:crypto"
import type { Context } from "hono"
import { optionIn } from "../graph/target.ts"
import type { Env } from "../http/env.ts"
import { batchItemOf } from "../http/request-target.ts"
import type { Calls, KeptCall } from "./calls.ts"
import type { Clock } from "./clock.ts"
import type { Spender } from "./request-budget.ts"

const appName = /^[\w.-]{1,64}$/

/** While nobody proves who they are, a header may say which app calls. */
const nameApp = (c: Context<Env>): void => {
  const named = c.req.header("x-wfa-app")
  if (named !== undefined && appName.test(named)) c.set("app", named)
}

/** Who calls. */
export const callerOf = (c: Context<Env>): Spender => ({ tenant: c.get("tenant"), app: c.get("app") })

const secondsIn = (retryAfter: string | null, nowMillis: number): number | undefined => {
  if (retryAfter === null) return undefined
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter)
  const until = Date.parse(retryAfter)
  return Number.isNaN(until) ? undefined : Math.max(0, (until - nowMillis) / 1_000)
}

const digestOf = (c: Context<Env>): string =>
  hash("sha256", Buffer.concat([Buffer.from(`${c.req.method} ${c.req.url}\n`), c.get("received") ?? Buffer.alloc(0)]))

const itemsIn = (batch: Uint8Array): number | undefined => {
  try {
    const body: unknown = JSON.parse(Buffer.from(batch).toString())
    const members = typeof body === "object" && body !== null ? Object.entries(body) : []
    const requests: unknown = members.find(([name]) => name.toLowerCase() === "requests")?.[1]
    return Array.isArray(requests) ? requests.length : undefined
  } catch {
    return undefined
  }
}

/** What few calls have: a query, a batch around it or inside, a refusal, or a fault. */
const particulars = (c: Context<Env>, answeredMillis: number): Partial<KeptCall> => {
  const { url } = c.req
  const { status } = c.res
  const isRefused = status >= 400 && status < 500
  const skiptoken = optionIn(url, "skiptoken")
  const top = optionIn(url, "top")
  const disturbance = c.get("disturbance")
  const received = c.get("received")
  const batchItem = batchItemOf(c)
  const batchSize = isBatch(c) && received !== undefined ? itemsIn(received) : undefined
  const nextLink = c.get("nextLink")
  const offeredSkiptoken = status === 200 && nextLink !== undefined ? optionIn(nextLink, "skiptoken") : undefined
  // To look at the headers of every answer would make the server build a slower kind of it.
  const retryAfter = status >= 400 ? secondsIn(c.res.headers.get("retry-after"), answeredMillis) : undefined
  return {
    hasSelect: optionIn(url, "select") !== undefined,
    isOverBudget: disturbance === "overBudget",
    ...(skiptoken === undefined ? undefined : { skiptoken }),
    ...(top === undefined ? undefined : { top: Number(top) }),
    ...(batchItem === undefined ? undefined : { batchItem: batchItem.id, batchRequestId: batchItem.of }),
    ...(batchSize === undefined ? undefined : { batchSize }),
    ...(offeredSkiptoken === undefined ? undefined : { offeredSkiptoken }),
    ...(retryAfter === undefined ? undefined : { retryAfterSeconds: retryAfter }),
    ...(isRefused ? { digest: digestOf(c) } : undefined),
    ...(disturbance === undefined || disturbance === "overBudget" ? undefined : { fault: disturbance })
  }
}

const isBatch = (c: Context<Env>): boolean => c.req.path.endsWith("/$batch")

const isPlain = (c: Context<Env>): boolean =>
  c.res.status < 400 &&
  !c.req.url.includes("?") &&
  !isBatch(c) &&
  batchItemOf(c) === undefined &&
  c.get("disturbance") === undefined &&
  c.get("nextLink") === undefined

/** Starts the record of a call of somebody on this machine; what it returns ends it, whatever became of the call. */
export const recordCall = (c: Context<Env>, calls: Calls, clock: Clock): (() => void) => {
  const number = calls.start()
  nameApp(c)
  const sentMillis = clock.nowMillis()
  return () => {
    const answeredMillis = clock.nowMillis()
    const call: KeptCall = {
      number,
      caller: callerOf(c),
      method: c.req.method,
      path: c.req.path,
      sentMillis,
      answeredMillis,
      newestThen: calls.newest(),
      status: c.res.status,
      requestId: c.get("requestId"),
      hasClientRequestId: c.req.header("client-request-id") !== undefined,
      hasSelect: false,
      isOverBudget: false
    }
    calls.end(isPlain(c) ? call : { ...call, ...particulars(c, answeredMillis) })
  }
}
