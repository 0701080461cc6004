import { describe, expect, it } from "vitest"
import { countArriving } from "../../src/http/body.ts"

describe("bodies that arrive at the same time", () => {
  it("are taken up to what all tenants have together, and again when others have ended", () => {
    const arrival = countArriving({ tenant: 60, all: 100 })
    const [first, second, third] = [arrival("a"), arrival("b"), arrival("c")]
    expect([first.takes(60), second.takes(40), third.takes(1)]).toEqual([true, true, false])
    third.end()
    first.end()
    expect([second.takes(20), arrival("c").takes(40), arrival("d").takes(1)]).toEqual([true, true, false])
  })

  it("are taken of one tenant up to its share, and nothing of one that was refused is kept", () => {
    const arrival = countArriving({ tenant: 60, all: 100 })
    const first = arrival("a")
    const second = arrival("a")
    expect([first.takes(50), second.takes(20)]).toEqual([true, false])
    second.end()
    expect(second.takes(1)).toBe(false)
    expect(first.takes(10)).toBe(true)
    first.end()
    expect(arrival("a").takes(60)).toBe(true)
  })
})
