import { readFile, readdir } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

interface Row {
  readonly id: string
  readonly behaviour: string
  readonly evidence: string
  readonly profile: string
  readonly file: string
  readonly title: string
}

const table = await readFile(join(import.meta.dirname, "../../../docs/fidelity.md"), "utf8")

const rows: ReadonlyArray<Row> = table
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter(([, id = ""]) => /^F\d+$/.test(id))
  .map(([, id = "", behaviour = "", evidence = "", profile = "", test = ""]) => {
    const [file = "", ...title] = test.split(": ")
    return { id, behaviour, evidence, profile, file, title: title.join(": ") }
  })

const files = (await readdir(import.meta.dirname, { recursive: true })).filter((name) => name.endsWith(".test.ts"))

const sources = new Map(
  await Promise.all(files.map(async (name) => [name, await readFile(join(import.meta.dirname, name), "utf8")] as const))
)

/** The titles of the tests in a file, as they are written there; a title is what follows a parenthesis. */
const titlesIn = (source: string): ReadonlyArray<string> =>
  [...source.matchAll(/\(\s*"((?:[^"\\\n]|\\.)+)",/g)].map(([, title = ""]) => title)

/** What is wrong with a row, or nothing. */
const faultsOf = ({ id, behaviour, evidence, profile, file, title }: Row): ReadonlyArray<string> => [
  ...(behaviour === "" ? ["says of no behaviour"] : []),
  ...(/^(?:ours$|[DOI] (?:\d|S|P))/.test(evidence) ? [] : [`has no evidence: ${evidence}`]),
  ...(profile === "" ? ["names no profile"] : []),
  ...(titlesIn(sources.get(file) ?? "").includes(title) ? [] : [`names no test: ${file}: ${title}`]),
  ...(/^\[F\d+\]/.test(title) && !title.startsWith(`[${id}]`) ? ["names the test of another row"] : [])
]

describe("the table of behaviours", () => {
  it("has rows, each with an id of its own", () => {
    expect(rows.length).toBeGreaterThan(40)
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
  })

  it("has a row for every id that stands anywhere in it", () => {
    const named = table.split("\n").filter((line) => /^\|\s*F/.test(line))
    expect(named).toHaveLength(rows.length)
  })

  it.for(rows.map((row) => [row.id, row] as const))("holds for %s: a test, evidence and a profile", ([, row]) => {
    expect(faultsOf(row)).toEqual([])
  })

  it("has the row of every test that names one", () => {
    const named = [...sources].flatMap(([file, source]) =>
      titlesIn(source).flatMap((title) => {
        const id = /^\[(F\d+)\]/.exec(title)?.[1]
        return id === undefined ? [] : [`${id} | ${file}: ${title}`]
      })
    )
    expect(named.length).toBeGreaterThan(20)
    const known = new Set(rows.map(({ id, file, title }) => `${id} | ${file}: ${title}`))
    expect(named.filter((one) => !known.has(one))).toEqual([])
  })

  it("would notice a row without a test, and one that names another's", () => {
    const [row] = rows
    if (row === undefined) throw new Error("there is a first row")
    expect(faultsOf(row)).toEqual([])
    expect(faultsOf({ ...row, title: `${row.title}x` })).toHaveLength(1)
    expect(faultsOf({ ...row, file: "nowhere.test.ts", evidence: "", behaviour: "" })).toHaveLength(3)
    expect(
      faultsOf({ ...row, file: "rehearsal/profile.test.ts", title: "[F43] has no route for GET %s" })
    ).toHaveLength(1)
  })
})
