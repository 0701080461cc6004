import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { longWork } from "../../src/store/long-work.ts"

const { signal } = new AbortController()

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("places for work that takes long", () => {
  it("are there for another tenant at once, however many one of them asks for", async () => {
    const outcome = fc.asyncProperty(fc.nat(80), fc.nat(3), async (attacks, ended) => {
      const work = longWork(10_000, { atOnce: { inAll: 6, ofOne: 4 } })
      const began: Array<Awaited<ReturnType<typeof work>>> = []
      let refused = 0
      const attack = Array.from({ length: attacks }, () =>
        work("attacker", signal).then(
          (stint) => void began.push(stint),
          () => void refused++
        )
      )
      await turn()
      expect([began.length, refused]).toEqual([Math.min(attacks, 4), Math.max(0, attacks - 25)])
      for (const stint of began.splice(0, ended)) stint.end()
      const other = await Promise.all([work("other", signal), work("other", signal)])
      await turn()
      expect(began.length).toBeLessThanOrEqual(4)
      for (const stint of other) stint.end()
      // Lets all that waits come to its end.
      for (let stint = began.shift(); stint !== undefined; stint = began.shift()) {
        stint.end()
        await turn()
      }
      await Promise.all(attack)
    })
    await fc.assert(outcome)
  })

  it("are not waited for longer than the work may take, nor by a caller that has gone", async () => {
    const work = longWork(50, { atOnce: { inAll: 1, ofOne: 1 } })
    const first = await work("a", signal)
    const caller = new AbortController()
    const gone = work("b", caller.signal)
    caller.abort()
    await expect(gone).rejects.toThrow("abandoned")
    await expect(work("c", signal)).rejects.toThrow("tooLong")
    await expect(first.turn()).rejects.toThrow("tooLong")
    first.end()
    ;(await work("d", signal)).end()
  })
})
