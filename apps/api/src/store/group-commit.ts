import { channel } from "node:diagnostics_channel"
import { setImmediate } from "node:timers"
import { databaseTrouble } from "./database-trouble.ts"

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

const tellOfCommit = (writes: number): void => {
  if (commits.hasSubscribers) commits.publish({ writes } satisfies Commit)
}

/**
 * Makes writes that come at the same time share one transaction, in the order they came: flushing to disk is what a
 * durable write costs, and a hundred of them then cost one flush. A promise settles only after the commit. When one
 * write fails, the group is rolled back and each of its writes runs again by itself, so that only the one at fault
 * fails; a write must therefore do nothing outside of its transaction. When the database is busy with others for longer
 * than a transaction waits, all of the group fail together.
 */
export const groupCommit = <Transaction>(
  transact: <A>(work: (transaction: Transaction) => Promise<A>) => Promise<A>
) => {
  let waiting: Array<Job<Transaction>> = []
  let state: "idle" | "scheduled" | "flushing" = "idle"

  const alone = async ({ write, resolve, reject }: Job<Transaction>): Promise<void> => {
    try {
      const result = await transact(write)
      tellOfCommit(1)
      resolve(result)
    } catch (error) {
      reject(error)
    }
  }

  const together = async (group: ReadonlyArray<Job<Transaction>>): Promise<void> => {
    const results = await transact(async (transaction) => {
      const each: Array<unknown> = []
      for (const { write } of group) each.push(await write(transaction))
      return each
    })
    tellOfCommit(group.length)
    for (const [index, { resolve }] of group.entries()) resolve(results[index])
  }

  const flush = async (): Promise<void> => {
    state = "flushing"
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      const [first] = group
      if (first !== undefined && group.length === 1) await alone(first)
      else {
        await together(group).catch(async (error: unknown) => {
          // It never began, and each by itself would wait as long for the same.
          if (databaseTrouble(error) === "busy") for (const { reject } of group) reject(error)
          else for (const job of group) await alone(job)
        })
      }
    }
    state = "idle"
  }

  return <A>(write: (transaction: Transaction) => Promise<A>): Promise<A> =>
    new Promise((resolve, reject) => {
      waiting.push({ write, resolve: resolve as Job<Transaction>["resolve"], reject })
      if (state !== "idle") return
      state = "scheduled"
      // The check phase comes after every socket that is ready has been read: that is the group.
      setImmediate(() => void flush())
    })
}
