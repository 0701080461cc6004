/** How much may be under way at once where no budget says it: it follows what the service gets done. */
export interface Room {
  readonly most: () => number
  /** Somebody had to wait, because so much was under way. */
  readonly isTight: () => void
  readonly answered: (count: number, now: number) => void
}

/** At first a batch, and at most what Node keeps open without trouble. */
const firstMost = 20
const largestMost = 4_096

/** It grows by so much in a second, and doubles at most while what is under way is answered once. */
const growthInSecond = 16

/** A round: as much as may be under way is answered, and this time has passed. */
const roundMillis = 250

/** After so many rounds in a row without this much more done in the same time, it has grown in vain. */
const worthwhile = 1.1
const vainRounds = 3

/** After which it is tried again. */
const tryAgainMillis = 10_000

/** Makes room for a few. By Little's law what is under way is the rate times the latency, so that neither has to be known. */
export const makeRoom = (): Room => {
  let most = firstMost
  let isTight = false
  let lastAt: number | undefined
  let round = { from: 0, most: firstMost, done: 0 }
  let [best, vain, restsUntil] = [0, 0, -Infinity]

  const endRound = (now: number): void => {
    const rate = round.done / (now - round.from)
    vain = rate < best * worthwhile ? vain + 1 : 0
    best = Math.max(best, rate)
    if (vain >= vainRounds) [best, vain, restsUntil] = [0, 0, now + tryAgainMillis]
    round = { from: now, most, done: 0 }
  }

  return {
    most: () => Math.floor(most),
    isTight: () => {
      isTight = true
    },
    answered: (count, now) => {
      const passed = now - (lastAt ?? now)
      if (lastAt === undefined) round.from = now
      lastAt = now
      round.done += count
      if (!isTight || now < restsUntil) return
      isTight = false
      const byTime = (most * Math.log(growthInSecond) * passed) / 1_000
      most = Math.min(largestMost, most + Math.min(count, byTime))
      if (round.done >= round.most && now - round.from >= roundMillis) endRound(now)
    }
  }
}
