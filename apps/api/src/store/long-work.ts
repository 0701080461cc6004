import { setImmediate } from "node:timers/promises"
import { QueryStopped } from "./database-trouble.ts"
import { type MostAtOnce, countedUpTo, placesFor } from "./places.ts"

// What looks at many devices, of whichever tenant and in whichever store, shares a few places and takes turns in them.

/** How long a piece of work may keep everything else in the process waiting, about. */
export const pieceMillis = 4

/** Gives everyone else their turn, when the last one was some milliseconds ago. */
export const pauses = (): (() => Promise<void>) => {
  let last = performance.now()
  return async () => {
    if (performance.now() - last < pieceMillis) return
    await setImmediate()
    last = performance.now()
  }
}

/** How much work that takes long there may be; what is left out is as a service has it. */
export interface MostLongWork {
  /** How much may be under way or wait; more is refused at once. */
  readonly mostScans?: number
  readonly mostScansOfOne?: number
  /** How much of that is at work, while the rest waits: for a database that gives each its own connection. */
  readonly atOnce?: MostAtOnce
}

/** Work in its place. */
export interface Stint {
  /**
   * Resolves when everything that waited for the process, requests and other such work, has had its turn.
   *
   * @throws QueryStopped when it has taken too long, or its caller has gone
   */
  readonly turn: () => Promise<void>
  /** Leaves the place to others. */
  readonly end: () => void
}

/** Gives a place to work of a tenant. */
export type LongWork = (tenant: string, caller: AbortSignal) => Promise<Stint>

/** Places for work that may take so many milliseconds, the time in the line included. */
export const longWork = (
  limitMillis: number,
  {
    mostScans = 50,
    mostScansOfOne = Math.min(mostScans, 25),
    atOnce = { inAll: Infinity, ofOne: Infinity }
  }: MostLongWork = {}
): LongWork => {
  const asked = countedUpTo({ inAll: mostScans, ofOne: mostScansOfOne })
  const enter = placesFor(atOnce)
  let turns = Promise.resolve()

  const turn = (): Promise<void> => {
    const mine = turns.then(() => setImmediate())
    turns = mine
    return mine
  }

  return async (tenant, caller) => {
    if (!asked.hasRoom(tenant)) {
      throw new QueryStopped(
        "busy",
        `More queries that look at many devices are under way than the service answers at once: ${mostScans} in all, ` +
          `${mostScansOfOne} of one tenant.`
      )
    }
    const until = performance.now() + limitMillis
    asked.enter(tenant)
    const leave = await enter(tenant, caller, until).catch((error: unknown) => {
      asked.leave(tenant)
      throw error
    })
    return {
      turn: async () => {
        await turn()
        if (performance.now() > until) throw new QueryStopped("tooLong")
        if (caller.aborted) throw new QueryStopped("abandoned")
      },
      end: () => {
        asked.leave(tenant)
        leave()
      }
    }
  }
}
