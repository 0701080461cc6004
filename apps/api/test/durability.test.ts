import { describe, expect, it } from "vitest"
import { durabilityDrill } from "../drill/durability.ts"
import { storeRoom } from "./opened.ts"

// A process starts for each kill, and the machine may be busy.
const options = { timeout: 120_000 }

describe("a store", () => {
  it.for(["file", "postgres"] as const)(
    "keeps every acknowledged update, whole, when its service is killed in the middle of many: in %s",
    options,
    async (kind) => {
      await using room = await storeRoom(kind)
      if (room.store === "memory") throw new Error("nothing is left of it after a kill")
      const places = [0.05, 0.3, 0.9]
      const outcomes = await durabilityDrill({
        store: room.store,
        rounds: places.length,
        devices: 300,
        callers: 64,
        random: () => places.shift() ?? 0
      })
      expect(outcomes.flatMap(({ broken }) => broken)).toEqual([])
      expect(outcomes.map(({ acknowledged }) => acknowledged > 0)).toEqual([true, true, true])
    }
  )
})
