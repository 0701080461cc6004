import { wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { updateOf } from "../drill/durability.ts"
import { soak } from "../drill/soak.ts"
import { trendOf } from "../drill/soak-memory.ts"
import { soakModel } from "../drill/soak-model.ts"
import { storeRoom } from "./opened.ts"

// A process starts for each store, and the machine may be busy.
const options = { timeout: 120_000 }

describe("the service under mixed load and faults", () => {
  it.for(["file", "postgres"] as const)(
    "loses no acknowledged write, applies none by half, and lists each device once: in %s",
    options,
    async (kind) => {
      await using room = await storeRoom(kind)
      if (room.store === "memory") throw new Error("nothing is left of it to be looked at")
      const outcome = await soak({
        store: room.store,
        until: new AbortController().signal,
        mostTasks: 500,
        devices: 150,
        connections: 8,
        rate: 10_000,
        attackers: 4,
        sampleSeconds: 60,
        random: Math.random
      })
      expect(outcome.broken).toEqual([])
      expect(outcome.acknowledged).toBeGreaterThan(100)
      expect(outcome.attacks).toBeGreaterThan(20)
      // The seed of the script decides about these, not chance.
      expect(outcome.unknown).toBeGreaterThan(0)
      expect([...outcome.statuses.keys()]).toEqual(expect.arrayContaining([200, 429, 503, 504]))
      expect(outcome.samples.every(({ heap }) => heap > 1_000_000)).toBe(true)
    }
  )
})

describe("the model of a soak", () => {
  const before = wholeDevice({ id: "a", deviceName: "PC-1" })
  const withUpdate = (number: number) => ({ ...before, ...updateOf(number) })
  const modelAfter = (acknowledged: number) => {
    const model = soakModel()
    model.add(before, 0)
    for (let number = 1; number <= acknowledged; number++) {
      model.attempt("a", number)
      model.acknowledge("a")
    }
    return model
  }

  const breached = (look: (model: ReturnType<typeof modelAfter>) => void) => {
    const model = modelAfter(2)
    look(model)
    return model.breaches().sentences
  }

  it("takes what was acknowledged, and either outcome of what was not", () => {
    const model = modelAfter(2)
    model.read("a", withUpdate(2), 1)
    model.attempt("a", 3)
    model.read("a", withUpdate(3), 2)
    model.resolve("a", withUpdate(2))
    model.attempt("a", "absent")
    model.resolve("a", undefined)
    model.finish("by its lists", new Map())
    expect(model.breaches()).toEqual({ count: 0, sentences: [] })
    expect(model.tally).toEqual({ acknowledged: 2, unknown: 2, tookEffect: 1 })
  })

  it("notices a lost write, an older one, half a write, and devices that are gone or that nobody made", () => {
    expect(breached((model) => model.finish("by its lists", new Map([["a", withUpdate(1)]])))).toEqual([
      "in the end, by its lists, a is 1, and not 2"
    ])
    expect(breached((model) => model.finish("by its lists", new Map()))).toEqual([
      "in the end, by its lists, a is absent, and not 2"
    ])
    expect(breached((model) => model.read("a", withUpdate(1), 2))).toEqual(["a was read as 1 after 2 was acknowledged"])
    expect(breached((model) => model.read("a", withUpdate(7), 2))).toHaveLength(1)
    expect(breached((model) => model.read("a", { ...withUpdate(2), windowsScore: 99 }, 2))).toEqual([
      "update 2 of a is there by half"
    ])
    expect(
      breached((model) => {
        model.attempt("a", 3)
        model.resolve("a", withUpdate(1))
      })
    ).toEqual(["a is 1 after 2, while 3 had no answer"])
    const stranger = wholeDevice({ id: "b" })
    expect(
      breached((model) =>
        model.finish(
          "by its lists",
          new Map([
            ["a", withUpdate(2)],
            ["b", stranger]
          ])
        )
      )
    ).toEqual(["in the end, by its lists, there is b, which nobody made"])
  })

  it("tells memory that grows from memory that goes up and down", () => {
    const megabyte = 1_048_576
    const samples = (heapAt: (index: number) => number) =>
      Array.from({ length: 30 }, (_, index) => ({ seconds: index * 20, heap: heapAt(index) * megabyte, resident: 0 }))
    // It may fill caches at first.
    expect(
      trendOf(
        "heap",
        samples((index) => Math.min(20 + index, 30) + (index % 2))
      )?.isFlat
    ).toBe(true)
    expect(
      trendOf(
        "heap",
        samples((index) => 20 + index * 0.5)
      )
    ).toMatchObject({ isFlat: false })
    expect(
      trendOf(
        "heap",
        samples((index) => 20 - index * 0.5)
      )?.isFlat
    ).toBe(true)
    expect(trendOf("heap", samples(() => 20).slice(0, 5))).toBeUndefined()
  })
})
