import { propertyNames } from "@workanywhere/domain"
import * as fc from "fast-check"
import { expect, expectTypeOf, test } from "vitest"
import { filter } from "../../src/index.ts"

test.each([
  [filter.eq("model", "O'Brien's"), "model eq 'O''Brien''s'"],
  [filter.ne("serialNumber", null), "serialNumber ne null"],
  [filter.eq("tpmCheckFailed", true), "tpmCheckFailed eq true"],
  [filter.eq("upgradeEligibility", "capable"), "upgradeEligibility eq 'capable'"],
  [filter.in("model", ["A", "B'"]), "model in ('A','B''')"],
  [filter.startsWith("deviceName", "PC-"), "startswith(deviceName,'PC-')"],
  [filter.contains("deviceName", "'"), "contains(deviceName,'''')"],
  [filter.endsWith("osVersion", ".1"), "endswith(osVersion,'.1')"],
  [
    filter.and(filter.ge("windowsScore", 0), filter.lt("windowsScore", 50.5)),
    "(windowsScore ge 0) and (windowsScore lt 50.5)"
  ],
  [
    filter.or(filter.gt("windowsScore", 1), filter.and(filter.le("windowsScore", -1), filter.eq("model", "X"))),
    "(windowsScore gt 1) or ((windowsScore le -1) and (model eq 'X'))"
  ],
  [filter.and(filter.eq("model", "X")), "model eq 'X'"],
  [filter.not(filter.eq("model", "X")), "not (model eq 'X')"]
])("%j", (made, text) => {
  expect(made).toEqual({ text, issues: [] })
})

test("whatever a text holds, it stays inside its quotes", () => {
  fc.assert(
    fc.property(fc.constantFrom(...propertyNames), fc.string({ unit: "grapheme" }), (name, value) => {
      const { issues, text } = filter.eq(name, value)
      expect(issues).toEqual([])
      const [, literal = ""] = /^\w+ eq '((?:[^']|'')*)'$/s.exec(text) ?? []
      expect(literal.replaceAll("''", "'")).toBe(value)
    })
  )
})

test.each([
  ["an unknown name", filter.eq("modle" as "model", "X"), "modle"],
  ["NaN", filter.lt("windowsScore", Number.NaN), "windowsScore"],
  ["infinity", filter.lt("windowsScore", Infinity), "windowsScore"],
  ["half of a surrogate pair", filter.eq("model", "\ud800"), "model"],
  ["nothing", filter.eq("model", undefined as unknown as string), "model"],
  ["an object", filter.in("model", [{} as string]), "model"],
  ["an empty list", filter.in("model", []), "filter"],
  ["no condition", filter.not(filter.or()), "filter"]
])("%s is an issue, however deep", (_, made, path) => {
  expect(filter.and(filter.eq("model", "X"), made).issues).toMatchObject([{ path }])
})

test("the compiler knows the names and what each holds", () => {
  expectTypeOf(filter.eq).toBeCallableWith("model", "X")
  // @ts-expect-error: a score is a number
  filter.lt("windowsScore", "50")
  // @ts-expect-error: a flag is no text
  filter.contains("tpmCheckFailed", "true")
  // @ts-expect-error: there is no such property
  expect(filter.eq("modle", "X").issues).toHaveLength(1)
})
