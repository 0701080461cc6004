import type { Clock } from "../src/rehearsal/clock.ts"

/** A clock that stands still until it is moved; who sleeps moves it at once. */
export const movedClock = (start = Date.UTC(2026, 10, 23)) => {
  let now = start
  const slept: Array<number> = []
  const clock: Clock = {
    nowMillis: () => now,
    sleep: async (millis) => {
      slept.push(millis)
      now += millis
    }
  }
  return { clock, slept, move: (millis: number) => void (now += millis) }
}
