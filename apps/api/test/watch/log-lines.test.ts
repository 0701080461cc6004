import * as fc from "fast-check"
import { expect, it } from "vitest"
import { lineLog } from "../../src/watch/log-lines.ts"

const written = (facts: object, message: string): unknown => {
  const lines: Array<string> = []
  lineLog({ write: (line) => lines.push(line), flush: () => {} }, "info").info(facts, message)
  expect(lines).toHaveLength(1)
  expect(lines[0]?.endsWith("}\n")).toBe(true)
  return JSON.parse(lines[0] ?? "")
}

it("every line is one JSON object of what was told, however much or little that is", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-l]+$/), fc.jsonValue()), fc.string(), (facts, message) => {
      const plain: unknown = JSON.parse(JSON.stringify({ ...facts, level: 30, msg: message }))
      expect(written(facts, message)).toEqual({ ...(plain as object), time: expect.stringMatching(/^\d{4}-.*Z$/) })
    })
  )
  expect(written({}, "nothing")).toMatchObject({ level: 30, msg: "nothing" })
})
