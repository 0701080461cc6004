import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type JoinedDevice, type KeyedDevice, joinReports } from "../../src/index.ts"

const joined = async (
  facts: ReadonlyArray<KeyedDevice>,
  scores: ReadonlyArray<KeyedDevice>
): Promise<ReadonlyArray<JoinedDevice>> => {
  const devices: Array<JoinedDevice> = []
  for await (const device of joinReports(facts, scores)) devices.push(device)
  return devices
}

describe("joining facts and scores", () => {
  it("puts them together by id, whatever its case", async () => {
    const facts = [{ id: "AB-1", deviceName: "PC-1", windowsScore: null, healthStatus: "unknown" as const }]
    const scores = [{ id: "ab-1", deviceName: "old name", windowsScore: 93.75, healthStatus: "meetingGoals" as const }]
    expect(await joined(facts, scores)).toEqual([
      {
        from: "both",
        device: { id: "AB-1", deviceName: "PC-1", windowsScore: 93.75, healthStatus: "meetingGoals" }
      }
    ])
  })

  it("gives what only one report has, the facts in their order and then the scores", async () => {
    const facts = [{ id: "b", model: "M" }, { id: "a" }]
    const scores = [{ id: "c", windowsScore: 1 }, { id: "a" }]
    expect((await joined(facts, scores)).map(({ from, device }) => [from, device.id])).toEqual([
      ["facts", "b"],
      ["both", "a"],
      ["scores", "c"]
    ])
  })

  it("takes the later of two rows of scores, says so, and joins facts as often as they come", async () => {
    const facts = [{ id: "a" }, { id: "a", model: "M" }]
    const scores = [
      { id: "a", windowsScore: 1 },
      { id: "a", windowsScore: 2 }
    ]
    expect(await joined(facts, scores)).toEqual([
      { from: "repeatedScores", device: { id: "a", windowsScore: 1 } },
      { from: "both", device: { id: "a", windowsScore: 2 } },
      { from: "both", device: { id: "a", model: "M", windowsScore: 2 } }
    ])
  })

  it("loses no row", async () => {
    const ids = fc.array(fc.constantFrom("a", "A", "b", "c", "d"), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(ids, ids, async (facts, scores) => {
        const devices = await joined(
          facts.map((id) => ({ id })),
          scores.map((id) => ({ id, windowsScore: 1 }))
        )
        const count = (from: JoinedDevice["from"]): number => devices.filter((device) => device.from === from).length
        expect(count("both") + count("facts")).toBe(facts.length)
        const folded = new Set(scores.map((id) => id.toLowerCase()))
        const matched = new Set(facts.map((id) => id.toLowerCase()).filter((id) => folded.has(id)))
        expect(count("repeatedScores") + count("scores") + matched.size).toBe(scores.length)
      })
    )
  })
})
