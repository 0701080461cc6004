import * as fc from "fast-check"
import { expect, it } from "vitest"
import { nearMiss, propertyNames } from "../../src/index.ts"

it.each([
  ["autopilotRegistered", "autoPilotRegistered"],
  ["AUTO_PILOT_REGISTERED", "autoPilotRegistered"],
  ["device-name", "deviceName"],
  ["DeviceNmae", "deviceName"],
  ["windowScore", "windowsScore"],
  ["cloudIdentiyScore", "cloudIdentityScore"],
  ["tpmCheck Failed", "tpmCheckFailed"],
  ["azureAdJoinTyp", "azureAdJoinType"],
  ["ID", "id"]
])("%s was probably meant to be %s", (text, name) => {
  expect(nearMiss(text, propertyNames)).toBe(name)
})

it.each(["", "  ", "colour", "__proto__", "constructor", "toString", "é", "a".repeat(65), "d".repeat(1_000_000)])(
  "nothing is near %.20s",
  (text) => {
    expect(nearMiss(text, propertyNames)).toBeUndefined()
  }
)

it("every name is nearest to itself, in any case and with any punctuation", () => {
  fc.assert(
    fc.property(fc.constantFrom(...propertyNames), fc.constantFrom("-", "_", " ", "."), (name, mark) => {
      expect(nearMiss(name.toUpperCase().split("").join(mark), propertyNames)).toBe(name)
    })
  )
})

it("swapping two neighbouring letters of a long name still finds it", () => {
  const long = propertyNames.filter((name) => name.length >= 8)
  fc.assert(
    fc.property(fc.constantFrom(...long), fc.nat(), (name, at) => {
      const swap = at % (name.length - 1)
      const text = name.slice(0, swap) + name.charAt(swap + 1) + name.charAt(swap) + name.slice(swap + 2)
      expect(nearMiss(text, propertyNames)).toBe(name)
    })
  )
})
