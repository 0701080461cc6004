import { setImmediate } from "node:timers/promises"
import { QueryStopped } from "./database-trouble.ts"

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

/** How many may be, of all tenants together and of one. */
interface Most {
  readonly inAll: number
  readonly ofOne: number
}

/** How much work that takes long there may be; what is left out is as a service has it. */
export interface Places {
  /** How much may be under way or wait; more is refused at once. */
  readonly mostScans?: number
  readonly mostScansOfOne?: number
  /** How much of that is at work, while the rest waits: for a database that gives each its own connection. */
  readonly atOnce?: Most
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

const countedUpTo = ({ inAll, ofOne }: Most) => {
  let all = 0
  const byTenant = new Map<string, number>()
  const of = (tenant: string): number => byTenant.get(tenant) ?? 0
  return {
    hasRoom: (tenant: string): boolean => all < inAll && of(tenant) < ofOne,
    enter: (tenant: string): void => {
      all += 1
      byTenant.set(tenant, of(tenant) + 1)
    },
    leave: (tenant: string): void => {
      all -= 1
      const left = of(tenant) - 1
      if (left === 0) byTenant.delete(tenant)
      else byTenant.set(tenant, left)
    }
  }
}

interface Waiting {
  readonly tenant: string
  readonly begin: () => void
}

/** Places for work that may take so many milliseconds, the time in the line included. */
export const longWork = (
  limitMillis: number,
  {
    mostScans = 50,
    mostScansOfOne = Math.min(mostScans, 25),
    atOnce = { inAll: Infinity, ofOne: Infinity }
  }: Places = {}
): LongWork => {
  const asked = countedUpTo({ inAll: mostScans, ofOne: mostScansOfOne })
  const working = countedUpTo(atOnce)
  const waiting: Array<Waiting> = []
  let turns = Promise.resolve()

  const turn = (): Promise<void> => {
    const mine = turns.then(() => setImmediate())
    turns = mine
    return mine
  }

  const begin = (tenant: string, until: number, caller: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = (why: QueryStopped["why"]): void => {
        waiting.splice(waiting.indexOf(one), 1)
        done()
        reject(new QueryStopped(why))
      }
      const abandon = (): void => stop("abandoned")
      const timer = setTimeout(() => stop("tooLong"), until - performance.now())
      const done = (): void => {
        clearTimeout(timer)
        caller.removeEventListener("abort", abandon)
      }
      const one: Waiting = {
        tenant,
        begin: () => {
          done()
          resolve()
        }
      }
      caller.addEventListener("abort", abandon)
      waiting.push(one)
    })

  /** The next in the line for whom there is room: a tenant with many in it keeps no other from its place. */
  const admit = (): void => {
    const next = waiting.findIndex(({ tenant }) => working.hasRoom(tenant))
    const [one] = next === -1 ? [] : waiting.splice(next, 1)
    if (one === undefined) return
    working.enter(one.tenant)
    one.begin()
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
    try {
      if (working.hasRoom(tenant)) working.enter(tenant)
      else await begin(tenant, until, caller)
    } catch (error) {
      asked.leave(tenant)
      throw error
    }
    return {
      turn: async () => {
        await turn()
        if (performance.now() > until) throw new QueryStopped("tooLong")
        if (caller.aborted) throw new QueryStopped("abandoned")
      },
      end: () => {
        asked.leave(tenant)
        working.leave(tenant)
        admit()
      }
    }
  }
}
