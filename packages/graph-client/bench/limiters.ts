// How services limit what they take, in any time: that of a bench and that of a test.

/** mulberry32 */
export const randomOf = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Takes an item that comes at a time, or says after how many milliseconds the next would be taken. */
export type Limiter = (at: number) => number | undefined

/** A bucket that is full at first; what is refused takes nothing out of it. The rate in items per second. */
export const tokenBucket = (rateAt: (at: number) => number, burst: number): Limiter => {
  let [tokens, last] = [burst, 0]
  return (at) => {
    tokens = Math.min(burst, tokens + (rateAt(at) * (at - last)) / 1_000)
    last = at
    if (tokens < 1) return ((1 - tokens) * 1_000) / rateAt(at)
    tokens -= 1
    return undefined
  }
}

export const fixedWindow = (limit: number, windowMillis: number): Limiter => {
  let [window, count] = [0, 0]
  return (at) => {
    const current = Math.floor(at / windowMillis)
    if (current !== window) [window, count] = [current, 0]
    if (count >= limit) return (current + 1) * windowMillis - at
    count += 1
    return undefined
  }
}

/** Where what is refused counts too, as Graph says of itself (docs/fidelity.md, F54), it keeps the window full. */
export const slidingWindow = (limit: number, windowMillis: number, refusedCount = false): Limiter => {
  const counted: Array<number> = []
  return (at) => {
    while ((counted[0] ?? Infinity) <= at - windowMillis) counted.shift()
    const isFull = counted.length >= limit
    if (!isFull || refusedCount) counted.push(at)
    return isFull ? (counted[counted.length - limit] ?? at) + windowMillis - at : undefined
  }
}

/** About what a service shows: a median, and a long tail. */
export const latencyOf = (medianMillis: number, random: () => number) => (): number => {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return medianMillis * Math.exp(0.25 * normal) * (random() < 0.01 ? 4 : 1)
}

/** A limiter as data, for a service in another thread. */
export type Limit =
  | { readonly kind: "none" }
  | {
      readonly kind: "bucket"
      readonly perSecond: number
      readonly burst: number
      /** From when to when, in milliseconds, it is half as much. */
      readonly halved?: readonly [from: number, to: number]
    }
  | { readonly kind: "fixed"; readonly limit: number; readonly windowMillis: number }
  | {
      readonly kind: "sliding"
      readonly limit: number
      readonly windowMillis: number
      readonly refusedCount?: boolean
    }

export const limiterOf = (limit: Limit): Limiter => {
  switch (limit.kind) {
    case "none":
      return () => undefined
    case "bucket": {
      const { burst, halved: [from, to] = [0, 0], perSecond } = limit
      return tokenBucket((at) => (at >= from && at < to ? perSecond / 2 : perSecond), burst)
    }
    case "fixed":
      return fixedWindow(limit.limit, limit.windowMillis)
    case "sliding":
      return slidingWindow(limit.limit, limit.windowMillis, limit.refusedCount)
  }
}
