import { setImmediate } from "node:timers/promises"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { inTurn, ownTurn } from "../../src/http/turn.ts"

/** Work of so many milliseconds in which nobody else is answered. */
const busy = (millis: number): void => {
  const end = performance.now() + millis
  while (performance.now() < end);
}

it("work that would keep everyone waiting is done in later turns, one piece in each", async () => {
  let turns = 0
  const done: Array<number> = []
  const all = Promise.all(
    Array.from({ length: 5 }, () =>
      inTurn("a", async () => {
        busy(12)
        done.push(turns)
      })
    )
  )
  for (; done.length < 5; turns++) await setImmediate()
  await all
  // The second is the first that is done in the next turn, before that is counted.
  expect(done).toEqual([0, 0, 1, 2, 3])
})

it("what waits is done in turn for all for whom it is, however much one of them has sent", async () => {
  const done: Array<string> = []
  const work = (whose: string) =>
    inTurn(whose, async () => {
      busy(12)
      done.push(whose)
    })
  await Promise.all([...Array.from({ length: 20 }, () => work("a")), work("b"), work("c"), work("b")])
  expect(done.slice(0, 6)).toEqual(["a", "a", "b", "c", "a", "b"])
  expect(done).toHaveLength(23)
})

it("whoever waits has their next turn after one of each other tenant at most, however much that one has sent", async () => {
  const tenant = fc.constantFrom("a", "b", "c")
  const outcome = fc.asyncProperty(fc.nat(60), fc.array(tenant, { maxLength: 20 }), async (sent, others) => {
    const done: Array<string> = []
    const work = async (whose: string): Promise<void> => {
      await ownTurn(whose)
      done.push(whose)
    }
    const attack = Array.from({ length: sent }, () => "attacker")
    await Promise.all([...attack, ...others].map(work))
    for (const whose of new Set(others)) {
      const turns = done.flatMap((one, at) => (one === whose ? [at] : []))
      for (const [index, at] of turns.entries()) {
        const since = done.slice(index === 0 ? 0 : (turns[index - 1] ?? 0) + 1, at)
        expect(since).toHaveLength(new Set(since).size)
      }
    }
    expect(done).toHaveLength(sent + others.length)
  })
  await fc.assert(outcome)
})

it("work is done at once while there is time", async () => {
  await setImmediate()
  let isDone = false
  const work = inTurn("a", async () => {
    isDone = true
  })
  expect(isDone).toBe(true)
  await work
})
