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

const tellOf = (writes: number): void => {
  if (commits.hasSubscribers) commits.publish({ writes } satisfies Commit)
}

/** Has a write done; one that is told by its facts as well may be done elsewhere, with the same result. */
type Write<Transaction, Facts> = <A>(write: (transaction: Transaction) => Promise<A>, facts?: Facts) => Promise<A>

/** Commits a group of writes somewhere else, by their facts; `undefined` where that is not to be. */
export type HandOver<Facts> = (group: ReadonlyArray<Facts>) => Promise<ReadonlyArray<unknown>> | undefined

/**
 * Makes writes that come at the same time share one transaction, in the order they came: flushing to disk is what a
 * durable write costs, and a hundred of them then cost one flush. A promise settles only after the commit. When one
 * write fails, the group is rolled back and each of its writes runs again by itself, so that only the one at fault
 * fails; a write must therefore do nothing outside of its transaction. One group at a time, here or elsewhere.
 */
export const groupCommit = <Transaction, Facts = never>(
  transact: <A>(work: (transaction: Transaction) => Promise<A>) => Promise<A>,
  handOver: HandOver<Facts> = () => undefined
): Write<Transaction, Facts> => {
  let waiting: Array<Job<Transaction, Facts>> = []

  const alone = async ({ write, resolve, reject }: Job<Transaction, Facts>): Promise<void> => {
    try {
      const result = await transact(write)
      tellOf(1)
      resolve(result)
    } catch (error) {
      reject(error)
    }
  }

  const here = (group: ReadonlyArray<Job<Transaction, Facts>>): Promise<ReadonlyArray<unknown>> =>
    transact(async (transaction) => {
      const results: Array<unknown> = []
      for (const { write } of group) results.push(await write(transaction))
      return results
    })

  const elsewhere = (group: ReadonlyArray<Job<Transaction, Facts>>): ReturnType<HandOver<Facts>> => {
    const told = group.flatMap(({ facts }) => (facts === undefined ? [] : [facts]))
    return told.length === group.length ? handOver(told) : undefined
  }

  const together = async (group: ReadonlyArray<Job<Transaction, Facts>>): Promise<void> => {
    const results = await (elsewhere(group) ?? here(group))
    tellOf(group.length)
    for (const [index, { resolve }] of group.entries()) resolve(results[index])
  }

  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      const [first] = group
      if (first !== undefined && group.length === 1) await alone(first)
      else {
        await together(group).catch(async () => {
          for (const job of group) await alone(job)
        })
      }
    }
    flushing = false
  }

  let flushing = false
  return (write, facts) =>
    new Promise((resolve, reject) => {
      waiting.push({ write, facts, resolve: resolve as Job<Transaction, Facts>["resolve"], reject })
      if (flushing) return
      flushing = true
      // The check phase comes after every socket that is ready has been read: that is the group.
      setImmediate(() => void flush())
    })
}
