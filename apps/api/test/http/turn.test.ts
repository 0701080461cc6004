import { setImmediate } from "node:timers/promises"
import { expect, it } from "vitest"
import { inTurn } from "../../src/http/turn.ts"

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

it("work is done at once while there is time", async () => {
  await setImmediate()
  let isDone = false
  const work = inTurn("a", async () => {
    isDone = true
  })
  expect(isDone).toBe(true)
  await work
})
