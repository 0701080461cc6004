import type { Allowance } from "../facts/budget.ts"

/**
 * Timers and clocks are not exact, and a service may round: a window is kept this much longer than it is said to be.
 */
const marginMillis = (windowMillis: number): number => 2 + windowMillis / 1_000

/**
 * The places of one sliding window. A request takes its places when it is sent and gives them back one window after it
 * was *answered*: the service counted it at some moment in between, so that at the service no window ever holds more
 * than the limit, however long requests were on their way and however they bunched.
 */
export interface Window {
  readonly limit: number
  /** Places that can be had at once. */
  readonly free: (now: number) => number
  /** Milliseconds until so many places are free; `Infinity` while that depends on answers that have not come. */
  readonly waitMillis: (cost: number, now: number) => number
  readonly take: (cost: number) => void
  readonly answered: (cost: number, now: number) => void
  /** Told when an answer came: how long to wait is known then. */
  readonly onAnswer: Set<() => void>
}

/** Makes a window with all places free; times are milliseconds on any steady clock. */
export const makeWindow = ({ limit, windowMillis }: Allowance): Window => {
  const spanMillis = windowMillis + marginMillis(windowMillis)
  const onAnswer = new Set<() => void>()
  /** Places by when they become free, the first of them at `head`. */
  let ageing: Array<{ readonly at: number; readonly cost: number }> = []
  let head = 0
  let taken = 0

  const release = (now: number): void => {
    for (let oldest = ageing[head]; oldest !== undefined && oldest.at <= now; oldest = ageing[head]) {
      taken -= oldest.cost
      head += 1
    }
    if (head > 1_000 && head * 2 > ageing.length) {
      ageing = ageing.slice(head)
      head = 0
    }
  }

  return {
    limit,
    onAnswer,
    free: (now) => {
      release(now)
      return limit - taken
    },
    waitMillis: (cost, now) => {
      release(now)
      let free = limit - taken
      // More than the limit fits when nothing else is there, so that it does fit some time.
      if (free >= cost || taken === 0) return 0
      for (let index = head; index < ageing.length; index++) {
        const { at, cost: freed } = ageing[index] ?? { at: now, cost: 0 }
        free += freed
        if (free >= cost || free === limit) return at - now
      }
      return Infinity
    },
    take: (cost) => {
      taken += cost
    },
    answered: (cost, now) => {
      ageing.push({ at: now + spanMillis, cost })
      for (const tell of onAnswer) tell()
    }
  }
}
