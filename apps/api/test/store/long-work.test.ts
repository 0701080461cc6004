import { describe, expect, it } from "vitest"
import { longWork } from "../../src/store/long-work.ts"

const { signal } = new AbortController()

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("places for work that takes long", () => {
  it("are given in the order of asking, but to no tenant more than its part while others wait", async () => {
    const work = longWork(10_000, { atOnce: { inAll: 3, ofOne: 2 } })
    const began: Array<string> = []
    const ask = async (name: string) => {
      const stint = await work(name.slice(0, 1), signal)
      began.push(name)
      return stint
    }
    const asked = ["a1", "a2", "a3", "a4", "b1", "c1"].map((name) => ask(name))
    await turn()
    expect(began).toEqual(["a1", "a2", "b1"])
    for (const [index, name] of [
      [0, "a3"],
      [4, "c1"],
      [1, "a4"]
    ] as const) {
      ;(await asked[index])?.end()
      await turn()
      expect(began.at(-1)).toBe(name)
    }
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
