import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../src/tree-copy.ts"

const pages = globSync(["*.md", "docs/*.md", "{apps,packages}/*/README.md"], { cwd: root })

/** The lines that count what the table of properties has, which would stay as they are when the table grows. */
const countingLines = (page: string, text: string): ReadonlyArray<string> =>
  text.split("\n").flatMap((line, index) => {
    const counting =
      /\b(?:\d{1,2}|five|nine|ten|thirty-\w+) (?:[\w-]+ ){0,3}(?:propert(?:y|ies)|checks|scores)\b/i.exec(line)
    return counting === null ? [] : [`${page}:${index + 1}: ${counting[0]}`]
  })

describe("the pages that are written by hand", () => {
  it("count no properties, checks and scores", () => {
    expect(pages.length).toBeGreaterThan(8)
    expect(pages.flatMap((page) => countingLines(page, readFileSync(join(root, page), "utf8")))).toEqual([])
  })

  it("would be found out if they did", () => {
    const text = "It has 34 properties:\nnine Windows 11 hardware checks,\nfive\nscores, and 200 writes."
    expect(countingLines("page.md", text)).toEqual([
      "page.md:1: 34 properties",
      "page.md:2: nine Windows 11 hardware checks"
    ])
  })
})
