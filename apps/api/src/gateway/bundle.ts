import type { Answered, BatchOutcome, GraphError } from "@workanywhere/graph-client"
import type { Passed } from "./request.ts"

/** What the items of one batch have in common: what they ask at the same time is sent in batches. */
export interface Bundle {
  readonly send: (request: Passed) => Promise<Answered>
  /** Runs an item: nothing is sent before each item that runs waits for an answer or is through. */
  readonly during: (item: () => Promise<Response>) => Promise<Response>
}

/** One request that waits to be sent with the others. */
interface Waiting extends Pick<PromiseWithResolvers<BatchOutcome | undefined>, "resolve" | "reject"> {
  readonly request: Passed
}

/** Sends what waits when all items that are under way have come to wait; `wordsOf` makes of an item's error what is thrown. */
export const makeBundle = (
  post: (requests: ReadonlyArray<Passed>) => Promise<ReadonlyArray<BatchOutcome>>,
  wordsOf: (error: GraphError) => Error
): Bundle => {
  let active = 0
  let isDue = false
  let waiting: Array<Waiting> = []

  const postAll = async (items: ReadonlyArray<Waiting>): Promise<void> => {
    try {
      const outcomes = await post(items.map(({ request }) => request))
      for (const [index, { resolve }] of items.entries()) resolve(outcomes[index])
    } catch (error) {
      for (const { reject } of items) reject(error)
    }
  }

  // Later than what follows from the answers before, so that it goes along.
  const sendWhenAllWait = (): void => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      if (waiting.length < active || waiting.length === 0) return
      const items = waiting
      waiting = []
      void postAll(items)
    })
  }

  const send = async (request: Passed): Promise<Answered> => {
    const outcome = await new Promise<BatchOutcome | undefined>((resolve, reject) => {
      waiting.push({ request, resolve, reject })
      sendWhenAllWait()
    })
    if (outcome === undefined) throw new Error("the batch has no outcome for one of its items")
    if (outcome.kind === "failed") throw wordsOf(outcome.error)
    return outcome
  }

  return {
    send,
    during: async (item) => {
      active += 1
      try {
        return await item()
      } finally {
        active -= 1
        sendWhenAllWait()
      }
    }
  }
}
