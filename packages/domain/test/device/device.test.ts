import * as fc from "fast-check"
import { expect, it } from "vitest"
import * as z from "zod"
import {
  Device,
  KeyedDevice,
  applyUpdate,
  changes,
  deviceODataType,
  pageOf,
  parseDevice,
  parseDeviceUpdate,
  parseNewDevice,
  propertyNames,
  wholeDevice
} from "../../src/index.ts"
import * as arbitrary from "../arbitrary.ts"

it("reading keeps what Graph may add: members, annotations and properties not known today", () => {
  const body = {
    id: "a",
    upgradeEligibility: "upgradePending",
    healthStatus: "",
    windowsScore: -2,
    "@odata.etag": 'W/"1"',
    "deviceName@odata.type": "#String",
    addedLater: { deep: [1] }
  }
  expect(parseDevice(body)).toEqual({ success: true, data: body })
})

it("reading any device gives it back as it came", () => {
  fc.assert(
    fc.property(arbitrary.device, (device) => {
      expect(Device.parse(device)).toEqual(device)
    })
  )
})

it("a keyed device needs its id", () => {
  expect(KeyedDevice.safeParse({ id: "a" }).success).toBe(true)
  for (const body of [{}, { id: null }, { id: 1 }]) expect(KeyedDevice.safeParse(body).success).toBe(false)
})

it("reading keeps prototype-named keys as plain data and touches no prototype", () => {
  const body: unknown = JSON.parse('{"id":"a","__proto__":{"polluted":true},"constructor":1,"toString":2}')
  const parsed = parseDevice(body)
  expect(parsed.success).toBe(true)
  expect({}).not.toHaveProperty("polluted")
})

it("annotations of an update are ignored, whatever they hold", () => {
  const body = { "@odata.context": 7, "model@odata.type": null, "@odata.type": deviceODataType, model: "x" }
  expect(parseDeviceUpdate(body)).toEqual({ success: true, data: { "@odata.type": deviceODataType, model: "x" } })
})

it("any update that fits is accepted unchanged", () => {
  fc.assert(
    fc.property(arbitrary.update, (update) => {
      expect(parseDeviceUpdate(update)).toEqual({ success: true, data: update })
    })
  )
})

it("a whole device may be created, unless it holds the sentinel", () => {
  fc.assert(
    fc.property(arbitrary.wholeDevice, (device) => {
      const sentinel = [device.healthStatus, device.upgradeEligibility].includes("unknownFutureValue")
      expect(parseNewDevice(device).success).toBe(!sentinel)
    })
  )
})

it("the parsers never throw, whatever they are given", () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
    withUnicodeString: true,
    key: fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", ...propertyNames))
  })
  fc.assert(
    fc.property(fc.oneof(anything, arbitrary.roughBody), (body) => {
      for (const parse of [parseDevice, parseDeviceUpdate, parseNewDevice]) {
        const parsed = parse(body)
        expect(parsed.success || parsed.issues.length > 0).toBe(true)
      }
    }),
    { numRuns: 1000 }
  )
})

it("the parsers withstand depth, odd numbers and torn text", () => {
  const deep: unknown = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`)
  const odd = [deep, { model: deep }, { deep }, { windowsScore: 1e308 }, { windowsScore: -0 }, { "\udc00": "\ud800" }]
  for (const body of odd) {
    for (const parse of [parseDevice, parseDeviceUpdate, parseNewDevice]) expect(() => parse(body)).not.toThrow()
  }
})

it("every issue's path is empty, the annotation of the type, or a name that the body has", () => {
  fc.assert(
    fc.property(arbitrary.roughBody, (body) => {
      const parsed = parseDeviceUpdate(body)
      for (const { path } of parsed.success ? [] : parsed.issues) expect(["", ...Object.keys(body)]).toContain(path)
    })
  )
})

it("a device is made whole with null, and with unknown where null is not allowed", () => {
  const whole = wholeDevice({ id: "a", model: "X", windowsScore: -1 })
  expect(Object.keys(whole)).toEqual(propertyNames)
  expect(whole).toMatchObject({ id: "a", model: "X", windowsScore: -1, upgradeEligibility: "unknown" })
  expect(whole).toMatchObject({ healthStatus: "unknown", deviceName: null, cloudIdentityScore: null })
})

it("a page keeps its rows, count and next link", () => {
  const page = { value: [{ id: "a" }], "@odata.count": 1, "@odata.nextLink": "https://example.test/?x", extra: 1 }
  expect(pageOf(Device).parse(page)).toEqual(page)
  expect(pageOf(z.string()).safeParse({ value: [1] }).success).toBe(false)
  expect(pageOf(Device).safeParse([]).success).toBe(false)
})

it("an update sets what it names, clears with null and leaves the rest", () => {
  const device = { id: "a", model: "X", deviceName: "PC", windowsScore: 40, healthStatus: "unknown" } as const
  const update = { id: "b", model: null, windowsScore: -1, healthStatus: "unknownFutureValue" } as const
  expect(applyUpdate(device, update)).toEqual({ ...device, model: null, windowsScore: -1 })
})

it("the sentinel's text is just text in a property that is no enum", () => {
  expect(applyUpdate({ id: "a", model: "X" }, { model: "unknownFutureValue" })).toEqual({
    id: "a",
    model: "unknownFutureValue"
  })
})

it("an update never changes the key, what it does not name, or its arguments", () => {
  fc.assert(
    fc.property(arbitrary.keyedDevice, arbitrary.update, (device, update) => {
      const before = structuredClone(device)
      const after = applyUpdate(device, update)
      expect(after.id).toBe(device.id)
      const unnamed = propertyNames.filter((name) => !(name in update))
      expect(unnamed.map((name) => after[name])).toEqual(unnamed.map((name) => device[name]))
      expect(device).toEqual(before)
    })
  )
})

it("applying an update twice is applying it once", () => {
  fc.assert(
    fc.property(arbitrary.keyedDevice, arbitrary.update, (device, update) => {
      const once = applyUpdate(device, update)
      expect(applyUpdate(once, update)).toEqual(once)
    })
  )
})

it("after an update every named property holds what was sent, apart from the key and the sentinel", () => {
  fc.assert(
    fc.property(arbitrary.keyedDevice, arbitrary.update, (device, update) => {
      const after = applyUpdate(device, update)
      for (const name of propertyNames) {
        const sent = update[name]
        const enumeration = name === "upgradeEligibility" || name === "healthStatus"
        if (name === "id" || sent === undefined || (enumeration && sent === "unknownFutureValue")) continue
        expect(after[name]).toBe(sent)
      }
    })
  )
})

it("an update keeps the annotations of the device", () => {
  const device = { id: "a", "@odata.etag": "x" }
  expect(applyUpdate(device, { model: "Y", "@odata.type": deviceODataType })).toEqual({ ...device, model: "Y" })
})

it("changes names exactly the properties that differ, in the documented order, with both values", () => {
  fc.assert(
    fc.property(arbitrary.device, arbitrary.device, (before, after) => {
      const found = changes(before, after)
      const differing = propertyNames.filter((name) => {
        const [from, to] = [before[name] ?? null, after[name] ?? null]
        return from !== to
      })
      expect(found.map((change) => change.property)).toEqual(differing)
      for (const { property, from, to } of found) expect([from, to]).toEqual([before[property], after[property]])
    })
  )
})

it("a device does not differ from itself, nor missing from null", () => {
  fc.assert(
    fc.property(arbitrary.keyedDevice, (device) => {
      expect(changes(device, device)).toEqual([])
      expect(changes(device, wholeDevice(device)).every(({ to }) => to === "unknown")).toBe(true)
    })
  )
})

it("what an update changes leads from the old state to the new one", () => {
  fc.assert(
    fc.property(arbitrary.keyedDevice, arbitrary.update, (device, update) => {
      const after = applyUpdate(device, update)
      const found = changes(device, after)
      for (const { property } of found) expect(update).toHaveProperty(property)
      const replayed = applyUpdate(device, Object.fromEntries(found.map(({ property, to }) => [property, to])))
      expect(changes(replayed, after)).toEqual([])
    })
  )
})
