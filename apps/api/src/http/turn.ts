import { setImmediate } from "node:timers"

/** How long the work of callers may take before all else that waits has its turn. */
const mostMillis = 10

/** When this turn of the event loop began to work for callers; `undefined` while it has not. */
let since: number | undefined

/** What waits for a later turn, by whose it is: one of each goes before the second of any. */
const waiting = new Map<string, Array<() => void>>()

const isSpent = (): boolean => since !== undefined && performance.now() - since > mostMillis

const startNext = (): void => {
  for (const [whose, line] of waiting) {
    waiting.delete(whose)
    const next = line.shift()
    if (line.length > 0) waiting.set(whose, line)
    // One in a turn: what it does is mostly done behind it, before anything else of this turn.
    if (waiting.size > 0) setImmediate(startNext)
    return next?.()
  }
}

/** A turn of its own, for work of which the larger part is done after it has first waited for something. */
export const ownTurn = (whose: string): Promise<void> =>
  new Promise((resolve) => {
    // Not the global one, which tests with a clock of their own replace.
    if (waiting.size === 0) setImmediate(startNext)
    const line = waiting.get(whose)
    if (line === undefined) waiting.set(whose, [resolve])
    else line.push(resolve)
  })

/**
 * Does what a caller can make large, as soon as there is time. All of what arrives together, such as the items of a batch,
 * would be done in one turn of the event loop otherwise, and nobody else be answered meanwhile. Where work has to wait, all
 * for whom it is done come in turn, however much one of them has sent.
 */
export const inTurn = <A>(whose: string, work: () => Promise<A>): Promise<A> => {
  // Nothing may come between the look at the clock and the work: others would look before it is done.
  if (waiting.size > 0 || isSpent()) return ownTurn(whose).then(work)
  if (since === undefined) {
    since = performance.now()
    setImmediate(() => {
      since = undefined
    })
  }
  return work()
}
