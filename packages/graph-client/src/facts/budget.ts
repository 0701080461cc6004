/** So much in any stretch of time of this length. */
export interface Allowance {
  readonly limit: number
  readonly windowMillis: number
}

/** What may be sent; writes count as requests too. */
export interface Allowances {
  /** POST, PUT, PATCH and DELETE. */
  readonly writes: Allowance
  /** Anything. */
  readonly requests: Allowance
}

/** What a service lets through before it answers 429; the first limit that is reached counts. */
export interface Budget {
  /** For one app in one tenant. */
  readonly app: Allowances
  /** For all apps of a tenant together: those in other processes are not seen, but noticed by their effect. */
  readonly tenant: Allowances
}

/** Writes may be throttled while reads pass ("Microsoft Graph throttling guidance"). */
export type Lane = "read" | "write"

/**
 * What Microsoft publishes for Intune's devices service ("Microsoft Graph service-specific throttling limits"); it may
 * change without notice.
 */
export const publishedBudget: Budget = {
  app: { writes: { limit: 200, windowMillis: 20_000 }, requests: { limit: 2_000, windowMillis: 20_000 } },
  tenant: { writes: { limit: 400, windowMillis: 20_000 }, requests: { limit: 4_000, windowMillis: 20_000 } }
}

const changed = (budget: Budget, change: (allowance: Allowance) => Allowance): Budget => {
  const both = ({ requests, writes }: Allowances): Allowances => ({
    writes: change(writes),
    requests: change(requests)
  })
  return { app: both(budget.app), tenant: both(budget.tenant) }
}

/** The same limits in shorter windows: the budget of a local service that runs `times` as fast as Microsoft's. */
export const timesAsFast = (budget: Budget, times: number): Budget =>
  changed(budget, ({ limit, windowMillis }) => ({ limit, windowMillis: windowMillis / times }))

/** A share of every limit, one at the least. */
export const shareOf = (budget: Budget, share: number): Budget =>
  changed(budget, ({ limit, windowMillis }) => ({ limit: Math.max(1, Math.floor(limit * share)), windowMillis }))

/** Whether every limit is a whole number from 1, and every window some time. */
export const isBudget = (budget: Budget): boolean =>
  [budget.app, budget.tenant]
    .flatMap(({ requests, writes }) => [requests, writes])
    .every(
      ({ limit, windowMillis }) => Number.isInteger(limit) && limit >= 1 && windowMillis > 0 && windowMillis < Infinity
    )
