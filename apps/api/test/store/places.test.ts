import { describe, expect, it } from "vitest"
import { orderById } from "../../src/graph/device-order.ts"
import { standingCollection } from "../../src/store/device-store.ts"
import { placesFor } from "../../src/store/places.ts"
import { blankDevices, openedStore, postgresSchema } from "../opened.ts"

const { signal } = new AbortController()

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe("places", () => {
  it("are given in the order of asking, but to no tenant more than its part while others wait", async () => {
    const enter = placesFor({ inAll: 3, ofOne: 2 })
    const began: Array<string> = []
    const ask = async (name: string) => {
      const leave = await enter(name.slice(0, 1), signal, performance.now() + 10_000)
      began.push(name)
      return leave
    }
    const asked = ["a1", "a2", "a3", "a4", "b1", "c1"].map((name) => ask(name))
    await turn()
    expect(began).toEqual(["a1", "a2", "b1"])
    for (const [index, name] of [
      [0, "a3"],
      [4, "c1"],
      [1, "a4"]
    ] as const) {
      ;(await asked[index])?.()
      await turn()
      expect(began.at(-1)).toBe(name)
    }
  })

  it("of PostgreSQL's connections are left to others, whatever one tenant asks for at once", async () => {
    await using room = await postgresSchema()
    const store = await openedStore(room.store)
    const [one, other] = [standingCollection("one"), standingCollection("other")]
    await store.fillEmpty(one, blankDevices(Array.from({ length: 200 }, (_, index) => `d${index}`)))
    await store.fillEmpty(other, blankDevices(["d"]))
    try {
      let answered = 0
      const count = (): void => void answered++
      const asked = [
        ...Array.from({ length: 100 }, () => store.search(one, { order: orderById, skip: 0 }, 200).then(count)),
        ...Array.from({ length: 100 }, (_, index) => store.update(one, `d${index}`, { model: "m" }).then(count))
      ]
      await store.find(other, "d")
      // One after the other, it would have come behind all but those that are at work.
      expect(answered).toBeLessThan(100)
      await Promise.all(asked)
      expect(answered).toBe(200)
    } finally {
      await store.close()
    }
  })
})
