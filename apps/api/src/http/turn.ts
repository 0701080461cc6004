import { setImmediate } from "node:timers"

/** How long the work of callers may take before all else that waits has its turn. */
const mostMillis = 10

/** When this turn of the event loop began to work for callers; `undefined` while it has not. */
let since: number | undefined

const isSpent = (): boolean => since !== undefined && performance.now() - since > mostMillis

// Not the global one, which tests with a clock of their own replace.
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/**
 * Does what a caller can make large, as soon as there is time. All of what arrives together, such as the items of a batch,
 * would be done in one turn of the event loop otherwise, and nobody else be answered meanwhile.
 */
export const inTurn = async <A>(work: () => A | Promise<A>): Promise<A> => {
  // Nothing may come between the look at the clock and the work: others would look before it is done.
  while (isSpent()) await nextTurn()
  if (since === undefined) {
    since = performance.now()
    setImmediate(() => {
      since = undefined
    })
  }
  return work()
}
