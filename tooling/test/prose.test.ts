import { execFileSync } from "node:child_process"
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "../src/tree-copy.ts"

const pages = globSync(["*.md", "docs/*.md", "{apps,packages}/*/README.md"], { cwd: root })

/**
 * The files of the repository, those too that git is still to be told of. They are no inputs of turbo's cache, or every
 * change would run the tests of this package again: what is held of them is held where a clone is fresh.
 */
const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "--deduplicate"], {
  cwd: root,
  encoding: "utf8"
})
  .trim()
  .split("\n")
  .filter((file) => existsSync(join(root, file)))

/** Looks through a text for something that should not be in it, and says where it is. */
type Finder = (file: string, text: string) => ReadonlyArray<string>

const placesOf =
  (pattern: RegExp): Finder =>
  (file, text) =>
    text
      .split("\n")
      .flatMap((line, index) => Array.from(line.matchAll(pattern), ([found]) => `${file}:${index + 1}: ${found}`))

const inAll = (names: ReadonlyArray<string>, find: Finder): ReadonlyArray<string> =>
  names.flatMap((file) => find(file, readFileSync(join(root, file), "utf8")))

/** What counts what the table of properties has, which would stay as it is when the table grows. */
const counts = placesOf(/\b(?:\d{1,2}|five|nine|ten|thirty-\w+) (?:[\w-]+ ){0,3}(?:propert(?:y|ies)|checks|scores)\b/gi)

/** What cites a document by the number of a section, which is of no use to a reader who does not have it. */
const numbered = placesOf(/\breferences? \d[\d.]*\b/gi)

/** The modules that a text names, by their path or the end of it, where there are none. */
const missing: Finder = (file, text) =>
  placesOf(/(?<![\w./-])(?:\.{1,2}\/)*(?:[\w@.-]+\/)*[\w-][\w.-]*\.ts\b/g)(file, text).filter((place) => {
    const path = place.slice(place.lastIndexOf(" ") + 1).replace(/^(?:\.{1,2}\/)+/, "")
    return !files.some((known) => known === path || known.endsWith(`/${path}`))
  })

describe("the pages that are written by hand", () => {
  it("count no properties, checks and scores", () => {
    expect(pages.length).toBeGreaterThan(8)
    expect(inAll(pages, counts)).toEqual([])
  })

  it("name no module that is not there", () => {
    expect(inAll(pages, missing)).toEqual([])
  })

  it("would be found out if they did", () => {
    const text = "It has 34 properties:\nnine Windows 11 hardware checks,\nfive\nscores, and 200 writes."
    expect(counts("page.md", text)).toEqual(["page.md:1: 34 properties", "page.md:2: nine Windows 11 hardware checks"])
    const modules =
      "`.d.ts` and *.ts, `test/prose.test.ts: a title`,\n[one](../tooling/vitest.ts), `src/vitest.ts`, gone.ts."
    expect(missing("page.md", modules)).toEqual(["page.md:2: src/vitest.ts", "page.md:2: gone.ts"])
  })
})

describe("the files of the repository", () => {
  it("cite no document by a number, but a page by its title or a row of docs/fidelity.md", () => {
    const texts = files.filter((file) => /\.(?:ts|md|json)$/.test(file))
    expect(texts.length).toBeGreaterThan(300)
    expect(inAll(texts, numbered)).toEqual([])
  })

  it("would be found out if they did", () => {
    const reference = "reference"
    const text = `/** A list (${reference} 6.3). */\n// In ${reference} to 6.3, by ${reference}\n// Source: ${reference} 11.`
    expect(numbered("file.ts", text)).toEqual([`file.ts:1: ${reference} 6.3`, `file.ts:3: ${reference} 11`])
  })
})
