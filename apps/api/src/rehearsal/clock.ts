import { setTimeout } from "node:timers/promises"

/** Where the time of rehearsals comes from; a test has one that it moves. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly nowMillis: () => number
  /** Resolves after so many milliseconds, or at once when the signal aborts. */
  readonly sleep: (millis: number, signal: AbortSignal) => Promise<void>
}

/** The time of this machine. */
export const machineClock: Clock = {
  nowMillis: () => Date.now(),
  sleep: (millis, signal) => setTimeout(millis, undefined, { signal }).catch(() => {})
}
