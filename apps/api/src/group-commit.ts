import { setImmediate } from "node:timers"

import { channel } from "node:diagnostics_channel"

interface Job<Transaction> {
  readonly write: (transaction: Transaction) => Promise<unknown>
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

/**
 * Makes writes that come at the same time share one transaction, in the order they came: flushing to disk is what a
 * durable write costs, and a hundred of them then cost one flush. A promise settles only after the commit. When one
 * write fails, the group is rolled back and each of its writes runs again by itself, so that only the one at fault
 * fails; a write must therefore do nothing outside of its transaction.
 */
export const groupCommit = <Transaction>(
  transact: <A>(work: (transaction: Transaction) => Promise<A>) => Promise<A>
): (<A>(write: (transaction: Transaction) => Promise<A>) => Promise<A>) => {
  let waiting: Array<Job<Transaction>> = []

  const alone = async ({ write, resolve, reject }: Job<Transaction>): Promise<void> => {
    try {
      const result = await transact(write)
      tellOf(1)
      resolve(result)
    } catch (error) {
      reject(error)
    }
  }

  const together = async (group: ReadonlyArray<Job<Transaction>>): Promise<void> => {
    const results: Array<unknown> = []
    await transact(async (transaction) => {
      for (const { write } of group) results.push(await write(transaction))
    })
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
  return (write) =>
    new Promise((resolve, reject) => {
      waiting.push({ write, resolve: resolve as Job<Transaction>["resolve"], reject })
      if (flushing) return
      flushing = true
      // The check phase comes after every socket that is ready has been read: that is the group.
      setImmediate(() => void flush())
    })
}
