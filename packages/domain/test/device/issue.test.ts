import * as fc from "fast-check"
import { expect, it } from "vitest"
import {
  expectedValue,
  parseDevice,
  parseDeviceUpdate,
  parseNewDevice,
  printableJson,
  properties,
  property
} from "../../src/index.ts"

const score = "a number from 0 to 100, -1 for unavailable, or null"
const eligibility = "one of upgraded, unknown, notCapable, capable"
const health = "one of unknown, insufficientData, needsAttention, meetingGoals"
const odataType = "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereDevice"

const updates: ReadonlyArray<
  readonly [body: unknown, path: string, code: string, message: string, suggestion?: string]
> = [
  [null, "", "notAnObject", "expected an object with the properties of a device, got null"],
  [undefined, "", "notAnObject", "expected an object with the properties of a device, got nothing"],
  [[], "", "notAnObject", "expected an object with the properties of a device, got an array"],
  ["{}", "", "notAnObject", 'expected an object with the properties of a device, got "{}"'],
  [7, "", "notAnObject", "expected an object with the properties of a device, got 7"],
  [{}, "", "emptyUpdate", "the update names no property; name at least one to change"],
  [{ id: "a" }, "", "emptyUpdate", "the update names no property; name at least one to change"],
  [{ "@odata.etag": "x" }, "", "emptyUpdate", "the update names no property; name at least one to change"],
  [
    { autopilotRegistered: true },
    "autopilotRegistered",
    "unknownProperty",
    "autopilotRegistered: a device has no such property; did you mean autoPilotRegistered?",
    "autoPilotRegistered"
  ],
  [{ colour: "red" }, "colour", "unknownProperty", "colour: a device has no such property"],
  [{ windowsScore: "7" }, "windowsScore", "wrongType", `windowsScore: "7" is not of the right type; expected ${score}`],
  [{ model: undefined }, "model", "wrongType", "model: there is no value; expected a string or null"],
  [{ deviceName: 7 }, "deviceName", "wrongType", "deviceName: 7 is not of the right type; expected a string or null"],
  [
    { tenantAttached: "true" },
    "tenantAttached",
    "wrongType",
    'tenantAttached: "true" is not of the right type; expected true, false or null'
  ],
  [
    { model: { name: "x" } },
    "model",
    "wrongType",
    "model: an object is not of the right type; expected a string or null"
  ],
  [{ model: ["x"] }, "model", "wrongType", "model: an array is not of the right type; expected a string or null"],
  [{ healthStatus: 3 }, "healthStatus", "wrongType", `healthStatus: 3 is not of the right type; expected ${health}`],
  [{ healthStatus: null }, "healthStatus", "nullNotAllowed", `healthStatus: null is not allowed; expected ${health}`],
  [{ id: null, model: "x" }, "id", "nullNotAllowed", "id: null is not allowed; expected a string"],
  [
    { upgradeEligibility: "Capabel" },
    "upgradeEligibility",
    "unknownMember",
    `upgradeEligibility: "Capabel" is not a member; expected ${eligibility}; did you mean capable?`,
    "capable"
  ],
  [
    { upgradeEligibility: "green" },
    "upgradeEligibility",
    "unknownMember",
    `upgradeEligibility: "green" is not a member; expected ${eligibility}`
  ],
  [{ windowsScore: 101 }, "windowsScore", "scoreOutOfRange", `windowsScore: 101 is not a score; expected ${score}`],
  [{ windowsScore: -2 }, "windowsScore", "scoreOutOfRange", `windowsScore: -2 is not a score; expected ${score}`],
  [
    { windowsScore: Infinity },
    "windowsScore",
    "notFinite",
    `windowsScore: Infinity is not a finite number; expected ${score}`
  ],
  [
    { windowsScore: Number.NaN },
    "windowsScore",
    "notFinite",
    `windowsScore: NaN is not a finite number; expected ${score}`
  ],
  [
    { model: "a\0b" },
    "model",
    "malformedText",
    "model: the text holds a NUL or half of a surrogate pair, which cannot be stored; expected a string or null"
  ],
  [
    { model: "\ud800" },
    "model",
    "malformedText",
    "model: the text holds a NUL or half of a surrogate pair, which cannot be stored; expected a string or null"
  ],
  [
    { model: "x".repeat(16_385) },
    "model",
    "textTooLong",
    "model: the text is longer than the 16384 characters that are kept; expected a string or null"
  ],
  [
    { "@odata.type": "#microsoft.graph.user", model: "x" },
    "@odata.type",
    "wrongODataType",
    `@odata.type: "#microsoft.graph.user" is another type; expected "${odataType}", or leave it out`
  ]
]

it.each(updates)("an update %j is refused at %j as %s", (body, path, code, message, suggestion) => {
  const parsed = parseDeviceUpdate(body)
  if (parsed.success) throw new Error("the body was not refused")
  expect(parsed.issues).toHaveLength(1)
  expect(parsed.issues[0]).toMatchObject({ path, code, message })
  expect(parsed.issues[0]?.suggestion).toBe(suggestion)
})

it("every issue code has its row in the table above", () => {
  const codes = new Set(updates.map(([, , code]) => code))
  expect([...codes].toSorted()).toEqual([
    "emptyUpdate",
    "malformedText",
    "notAnObject",
    "notFinite",
    "nullNotAllowed",
    "scoreOutOfRange",
    "textTooLong",
    "unknownMember",
    "unknownProperty",
    "wrongODataType",
    "wrongType"
  ])
})

it("the sentinel may not create a device, and the message says why", () => {
  expect(parseNewDevice({ healthStatus: "unknownFutureValue" })).toEqual({
    success: false,
    issues: [
      {
        path: "healthStatus",
        code: "unknownMember",
        message: `healthStatus: unknownFutureValue only stands for members added later; expected ${health}`,
        expected: health,
        received: '"unknownFutureValue"'
      }
    ]
  })
})

it("everything that is wrong with a body is named at once, in the body's order", () => {
  const parsed = parseDeviceUpdate({
    windowsScore: 101,
    colour: "red",
    healthStatus: null,
    model: "fits",
    deviceName: 7
  })
  expect(parsed.success ? [] : parsed.issues.map(({ path }) => path)).toEqual([
    "windowsScore",
    "colour",
    "healthStatus",
    "deviceName"
  ])
})

it("a body read from Graph that does not fit is refused in the same words", () => {
  const parsed = parseDevice({ id: 7, addedLater: {} })
  expect(parsed.success ? [] : parsed.issues).toMatchObject([{ path: "id", code: "wrongType" }])
})

it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("%s is just an unknown property", (name) => {
  const body: unknown = JSON.parse(`{"model":"x",${JSON.stringify(name)}:{"model":"y"}}`)
  const parsed = parseDeviceUpdate(body)
  expect(parsed.success ? [] : parsed.issues).toMatchObject([{ path: name, code: "unknownProperty" }])
})

it("a name or value cannot break a line or turn the direction of writing", () => {
  const parsed = parseDeviceUpdate({ "a\nb": 1, windowsScore: "\u202e7" })
  expect(parsed.success ? [] : parsed.issues.map(({ message }) => message)).toEqual([
    "a\\u{a}b: a device has no such property",
    `windowsScore: "\\u{202e}7" is not of the right type; expected ${score}`
  ])
})

it("long values and names are shortened, and never cut through a surrogate pair", () => {
  const long = "😀".repeat(500)
  const parsed = parseDeviceUpdate({ [`x${long}`]: 1, windowsScore: long })
  if (parsed.success) throw new Error("the body was not refused")
  for (const { message, received, path } of parsed.issues) {
    expect(message.length).toBeLessThan(200)
    for (const text of [message, received, path]) expect(text.isWellFormed()).toBe(true)
  }
})

it("values that JSON does not have are named by their type", () => {
  const parsed = parseDeviceUpdate({ windowsScore: 7n, model: () => 7, deviceName: Symbol("x") })
  expect(parsed.success ? [] : parsed.issues.map(({ received }) => received)).toEqual([
    "a bigint",
    "a function",
    "a symbol"
  ])
})

it("what is expected is said for every property", () => {
  for (const row of properties) expect(expectedValue(row)).not.toBe("")
  expect(expectedValue(property("id")!)).toBe("a string")
})

it("an issue never repeats more than the start of a value", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 100, maxLength: 300 }), (text) => {
      const parsed = parseDeviceUpdate({ windowsScore: text, healthStatus: text, [text]: text })
      expect(JSON.stringify(parsed)).not.toContain(JSON.stringify(text).slice(1, -1))
    })
  )
})

it("of very many unknown properties, the first ten have a guess", () => {
  const body = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`deviceName${at}`, 1]))
  const parsed = parseDeviceUpdate(body)
  const guesses = parsed.success ? [] : parsed.issues.map(({ suggestion }) => suggestion)
  expect(guesses).toHaveLength(200)
  expect(guesses.filter((guess) => guess === "deviceName")).toHaveLength(10)
})

it("JSON that is safe to show means what it meant, and steers nothing", () => {
  const trap = fc.constantFrom(
    "\u0000",
    "\u001b",
    "\u007f",
    "\u009b",
    "\u200e",
    "\u202e",
    "\u2066",
    "\u2028",
    "\u{e0041}",
    "a",
    '"',
    "\\"
  )
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: trap }), fc.string({ unit: trap })), (value) => {
      const json = printableJson(JSON.stringify(value))
      expect(json).toMatch(/^[\x20-\x7e]*$/)
      expect(JSON.parse(json)).toEqual(value)
    })
  )
})
