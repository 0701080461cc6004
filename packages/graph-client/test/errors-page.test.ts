import { readFile } from "node:fs/promises"
import { expect, expectTypeOf, test } from "vitest"
import * as errors from "../src/facts/graph-error.ts"

type Named = {
  [Name in keyof typeof errors]: (typeof errors)[Name] extends new (...args: never) => { readonly _tag: Name }
    ? Name
    : never
}[keyof typeof errors]

/** Every class but the error itself is a reason. */
const reasons = Object.keys(errors).filter((name) => /^[A-Z]/.test(name) && name !== "GraphError")
expectTypeOf<Exclude<Named, "GraphError">>().toEqualTypeOf<errors.GraphErrorReason["_tag"]>()

const page = await readFile(new URL("../../../docs/errors.md", import.meta.url), "utf8")

const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, reason = "", , , named = ""]) => ({ reason: reason.replaceAll("`", ""), named }))

test("the page of errors has a row for each reason, and no other", () => {
  expect(rows.map(({ reason }) => reason).toSorted()).toEqual(reasons.toSorted())
})

test("the README has a row for each reason, and no other", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8")
  const [, table = ""] = /^\| `reason\._tag`(.*?)\n\n/ms.exec(readme) ?? []
  expect([...table.matchAll(/^\| `(\w+)`/gm)].map(([, reason = ""]) => reason).toSorted()).toEqual(reasons.toSorted())
})

test.each(rows)("the test of $reason exists, and is about it", async ({ named, reason }) => {
  const [, file = "", title = ""] = /^([\w/-]+\.test\.ts): (.+)$/.exec(named) ?? []
  const source = await readFile(new URL(file, import.meta.url), "utf8")
  expect(source).toContain(`"${title}"`)
  expect(source).toContain(reason)
})
