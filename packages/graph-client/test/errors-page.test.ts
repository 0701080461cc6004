import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import type { GraphErrorReason } from "../src/index.ts"

/** Does not compile when a reason is missing. */
const reasons: Readonly<Record<GraphErrorReason["_tag"], true>> = {
  Invalid: true,
  Unauthorized: true,
  Forbidden: true,
  NotFound: true,
  RouteUnsupported: true,
  TenantNotReady: true,
  Rejected: true,
  Throttled: true,
  Unavailable: true,
  Unreadable: true,
  Incomplete: true
}

const page = await readFile(new URL("../../../docs/errors.md", import.meta.url), "utf8")

const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, reason = "", , , named = ""]) => ({ reason: reason.replaceAll("`", ""), named }))

test("the page of errors has a row for each reason, and no other", () => {
  expect(rows.map(({ reason }) => reason)).toEqual(Object.keys(reasons))
})

test.each(rows)("the test of $reason exists, and is about it", async ({ named, reason }) => {
  const [, file = "", title = ""] = /^([\w/-]+\.test\.ts): (.+)$/.exec(named) ?? []
  const source = await readFile(new URL(file, import.meta.url), "utf8")
  expect(source).toContain(`"${title}"`)
  expect(source).toContain(reason)
})
