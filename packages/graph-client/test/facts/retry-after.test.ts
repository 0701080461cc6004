import * as fc from "fast-check"
import { expect, test } from "vitest"
import { retryAfterSeconds } from "../../src/facts/retry-after.ts"

const now = Date.UTC(2026, 10, 23, 12, 0, 0)

test("whole seconds are read as they stand, however many", () => {
  fc.assert(
    fc.property(fc.nat(), (seconds) => {
      expect(retryAfterSeconds(String(seconds), now)).toBe(seconds)
      expect(retryAfterSeconds(` ${seconds} `, now)).toBe(seconds)
    })
  )
  expect(retryAfterSeconds("9".repeat(30), now)).toBeGreaterThan(1e29)
})

test("decimals are kept", () => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000 }), fc.integer({ min: 0, max: 999 }), (whole, thousandths) => {
      const text = `${whole}.${String(thousandths).padStart(3, "0")}`
      expect(retryAfterSeconds(text, now)).toBeCloseTo(whole + thousandths / 1000, 9)
    })
  )
})

test("an HTTP date is the time until then, and nothing once it has passed", () => {
  fc.assert(
    fc.property(fc.integer({ min: -100_000, max: 100_000 }), (seconds) => {
      const date = new Date(now + seconds * 1000).toUTCString()
      expect(retryAfterSeconds(date, now)).toBe(Math.max(0, seconds))
    })
  )
})

test.each(["Monday, 23-Nov-26 12:00:10 GMT", "Mon Nov 23 12:00:10 2026"])("the older date form %s is read", (date) => {
  expect(retryAfterSeconds(date, now)).toBe(10)
})

test.each([undefined, "", "soon", "-1", "1e3", "10, 20", "10 apples", "2026-11-23T12:00:10Z", "NaN", ".5", "5."])(
  "%j is no wait that could be honoured",
  (header) => {
    expect(retryAfterSeconds(header, now)).toBeUndefined()
  }
)

test("no text makes it throw, and what it reads is never negative or NaN", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer(), (header, at) => {
      const seconds = retryAfterSeconds(header, at)
      expect(seconds === undefined || seconds >= 0).toBe(true)
    })
  )
})

test("a text of more than 64 characters is no wait: to read a million digits would take longer than to wait", () => {
  expect(retryAfterSeconds("9".repeat(64), now)).toBeGreaterThan(1e63)
  expect(retryAfterSeconds("9".repeat(65), now)).toBeUndefined()
  expect(retryAfterSeconds("9".repeat(1_000_000), now)).toBeUndefined()
})
