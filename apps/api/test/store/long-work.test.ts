import { describe, expect, it } from "vitest"
import { longWork } from "../../src/store/long-work.ts"

const { signal } = new AbortController()

describe("places for work that takes long", () => {
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
