import { QueryStopped } from "./database-trouble.ts"

/** How many may be, of all tenants together and of one. */
export interface MostAtOnce {
  readonly inAll: number
  readonly ofOne: number
}

/** Keeps count of how many there are of each tenant. */
export const countedUpTo = ({ inAll, ofOne }: MostAtOnce) => {
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

/**
 * Gives a tenant a place as soon as there is one, and what leaves it again.
 *
 * @throws QueryStopped when that takes until after this time of `performance.now()`, or the caller has gone
 */
export type Enter = (tenant: string, caller: AbortSignal, until: number) => Promise<() => void>

/** Places that are given in the order of asking, but to no tenant more than its part. */
export const placesFor = (most: MostAtOnce): Enter => {
  const taken = countedUpTo(most)
  const waiting: Array<Waiting> = []

  const awaited = (tenant: string, caller: AbortSignal, until: number): Promise<void> =>
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
    const next = waiting.findIndex(({ tenant }) => taken.hasRoom(tenant))
    const [one] = next === -1 ? [] : waiting.splice(next, 1)
    if (one === undefined) return
    taken.enter(one.tenant)
    one.begin()
  }

  return async (tenant, caller, until) => {
    if (taken.hasRoom(tenant)) taken.enter(tenant)
    else await awaited(tenant, caller, until)
    return () => {
      taken.leave(tenant)
      admit()
    }
  }
}
