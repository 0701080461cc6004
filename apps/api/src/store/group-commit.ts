import { channel } from "node:diagnostics_channel"
import { setImmediate } from "node:timers"

interface Job<Transaction, Facts> {
  readonly write: (transaction: Transaction) => Promise<unknown>
  readonly facts: Facts | undefined
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** What is told of a commit that went well. */
export interface Commit {
  /** How many writes it made durable. */
  readonly writes: number
}

/** Where commits are told of, for whoever counts them: a channel of `node:diagnostics_channel`. */
export const commitChannel = "@workanywhere/api:commit"

const commits = channel(commitChannel)

/** To be called by whoever commits, before the writers are told. */
export const tellOfCommit = (writes: number): void => {
  if (commits.hasSubscribers) commits.publish({ writes } satisfies Commit)
}

/** Has a write done; one that is told by its facts as well may be done elsewhere, with the same result. */
type Write<Transaction, Facts> = <A>(write: (transaction: Transaction) => Promise<A>, facts?: Facts) => Promise<A>

/**
 * Has a group of writes committed somewhere else, by their facts and after those that were handed over before;
 * `undefined` where that is not to be. It fails when none of them was made; when they were, it has told of the commit, which
 * may have been that of several groups.
 */
export type HandOver<Facts> = (group: ReadonlyArray<Facts>) => Promise<ReadonlyArray<unknown>> | undefined

/**
 * How many writes are handed over before all that came at the same time have been read. The other side then works while
 * the rest is read; to wait for the last leaves one side idle after the other. With 8 or 16 it was as quick, with 4 not.
 */
const enoughToHandOver = 12

/**
 * Makes writes that come at the same time share one transaction, in the order they came: flushing to disk is what a
 * durable write costs, and a hundred of them then cost one flush. A promise settles only after the commit. When one
 * write fails, the group is rolled back and each of its writes runs again by itself, so that only the one at fault
 * fails; a write must therefore do nothing outside of its transaction. What is made here waits for what was handed over.
 */
export const groupCommit = <Transaction, Facts = never>(
  transact: <A>(work: (transaction: Transaction) => Promise<A>) => Promise<A>,
  handOver: HandOver<Facts> = () => undefined
): Write<Transaction, Facts> => {
  type Group = ReadonlyArray<Job<Transaction, Facts>>
  let waiting: Array<Job<Transaction, Facts>> = []
  /** What was handed over and not made. */
  let returned: Array<Job<Transaction, Facts>> = []
  let state: "idle" | "scheduled" | "flushing" = "idle"
  /** Ends when all that was handed over has. */
  let handed: Promise<unknown> = Promise.resolve()

  const alone = async ({ write, resolve, reject }: Job<Transaction, Facts>): Promise<void> => {
    try {
      const result = await transact(write)
      tellOfCommit(1)
      resolve(result)
    } catch (error) {
      reject(error)
    }
  }

  const settle = (group: Group, results: ReadonlyArray<unknown>): void => {
    for (const [index, { resolve }] of group.entries()) resolve(results[index])
  }

  const together = async (group: Group): Promise<void> => {
    const results = await transact(async (transaction) => {
      const each: Array<unknown> = []
      for (const { write } of group) each.push(await write(transaction))
      return each
    })
    tellOfCommit(group.length)
    settle(group, results)
  }

  const here = async (group: Group): Promise<void> => {
    const [first] = group
    if (first !== undefined && group.length === 1) return alone(first)
    await together(group).catch(async () => {
      for (const job of group) await alone(job)
    })
  }

  /** Whether it could be handed over. */
  const handedOver = (group: Group): boolean => {
    const told = group.flatMap(({ facts }) => (facts === undefined ? [] : [facts]))
    const results = told.length === group.length ? handOver(told) : undefined
    if (results === undefined) return false
    handed = results.then(
      (all) => settle(group, all),
      () => {
        returned.push(...group.map((job) => ({ ...job, facts: undefined })))
        flushSoon()
      }
    )
    return true
  }

  const flush = async (): Promise<void> => {
    state = "flushing"
    while (returned.length > 0 || waiting.length > 0) {
      const group = [...returned, ...waiting]
      returned = []
      waiting = []
      if (handedOver(group)) continue
      await handed
      await here(group)
    }
    state = "idle"
  }

  const flushSoon = (): void => {
    if (state !== "idle") return
    state = "scheduled"
    // The check phase comes after every socket that is ready has been read: that is the group.
    setImmediate(() => void flush())
  }

  /** Not while what came before is made here: its turn is first. */
  const handOverEarly = (): void => {
    if (waiting.length === enoughToHandOver && returned.length === 0 && state !== "flushing" && handedOver(waiting)) {
      waiting = []
    }
  }

  return (write, facts) =>
    new Promise((resolve, reject) => {
      waiting.push({ write, facts, resolve: resolve as Job<Transaction, Facts>["resolve"], reject })
      handOverEarly()
      flushSoon()
    })
}
