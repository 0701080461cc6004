import type { Clock } from "./clock.ts"

const publishedWindowMillis = 20_000

/** Requests that each window of Intune's devices service admits (docs/fidelity.md, F50 to F52). */
export const publishedLimits = {
  writesOfApp: 200,
  writesOfTenant: 400,
  requestsOfApp: 2_000,
  requestsOfTenant: 4_000
} as const

/** Who spends: an app in a tenant. */
export interface Spender {
  readonly tenant: string
  readonly app: string
}

/** The times of the last `limit` requests: enough to know whether one more is too many, whenever it comes. */
interface Window {
  readonly times: Float64Array
  next: number
}

const mostWindows = 1_000

/**
 * Counts requests against the published limits, in windows that slide: a request is refused when as many as the limit
 * came in the time of one window before it, refused ones included, as Graph counts them.
 */
export interface RequestBudget {
  /** Counts a request; when it is refused, how long the caller has to keep still before the next is admitted. */
  readonly spend: (spender: Spender, isWrite: boolean) => { readonly waitMillis: number } | undefined
  readonly reset: () => void
}

/** Makes a budget that nothing has been spent of. */
export const createRequestBudget = ({ timesAsFast }: { readonly timesAsFast: number }, clock: Clock): RequestBudget => {
  const windowMillis = publishedWindowMillis / timesAsFast
  const windows = new Map<string, Window>()

  const forgetIdle = (now: number): void => {
    for (const [key, { times, next }] of windows) {
      const newest = times[(next + times.length - 1) % times.length] ?? 0
      if (newest <= now - windowMillis) windows.delete(key)
    }
  }

  const windowFor = (key: string, limit: number, now: number): Window => {
    const known = windows.get(key)
    if (known !== undefined) return known
    if (windows.size >= mostWindows) forgetIdle(now)
    const window: Window = { times: new Float64Array(limit).fill(-Infinity), next: 0 }
    windows.set(key, window)
    return window
  }

  /** The wait until the window has room again, counted from now; 0 when the request was within the limit. */
  const count = (spent: ReadonlyArray<string>, limit: number, now: number): number => {
    const window = windowFor(JSON.stringify(spent), limit, now)
    const { times, next } = window
    const oldest = times[next] ?? -Infinity
    times[next] = now
    window.next = (next + 1) % limit
    if (oldest <= now - windowMillis) return 0
    return (times[window.next] ?? now) + windowMillis - now
  }

  return {
    spend: ({ tenant, app }, isWrite) => {
      const now = clock.nowMillis()
      const waits = [
        count(["requests", tenant, app], publishedLimits.requestsOfApp, now),
        count(["requests", tenant], publishedLimits.requestsOfTenant, now),
        ...(isWrite
          ? [
              count(["writes", tenant, app], publishedLimits.writesOfApp, now),
              count(["writes", tenant], publishedLimits.writesOfTenant, now)
            ]
          : [])
      ]
      const waitMillis = Math.max(...waits)
      return waitMillis > 0 ? { waitMillis } : undefined
    },
    reset: () => windows.clear()
  }
}
