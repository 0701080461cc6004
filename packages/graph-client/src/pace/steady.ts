import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * What time it is on a clock that nobody sets, in milliseconds since any moment: to measure how long something takes. The
 * time of day would make a deadline pass, or never come, when the machine's clock is put right.
 */
export const steadyMillisBy = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000

/** The same by the clock of whoever asks. */
export const steadyMillis: Effect.Effect<number> = Clock.clockWith((clock) => Effect.sync(() => steadyMillisBy(clock)))
