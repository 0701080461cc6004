import { graphErrorStatus, routes } from "@workanywhere/domain"
import { readFile, readdir } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { FaultScript } from "../src/rehearsal/fault-script.ts"
import { profiles, readOnlyPolicies } from "../src/settings/behaviour.ts"

interface Row {
  readonly id: string
  readonly behaviour: string
  readonly evidence: string
  readonly profile: string
  readonly file: string
  readonly title: string
}

const docs = join(import.meta.dirname, "../../../docs")

const table = await readFile(join(docs, "fidelity.md"), "utf8")

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

/** The tags of the list of sources, which is a table of its own. */
const listed = new Set([...table.matchAll(/^\| ((?:[SP]|RFC )\d+) +\|/gm)].map(([, tag = ""]) => tag))

/** The tags that an evidence cites, or nothing when it is none: kinds with their sources and, in parentheses, what they are for. */
const citedBy = (evidence: string): ReadonlyArray<string> | undefined => {
  const parts = evidence.split("; ")
  if (!parts.every((part) => /^(?:ours|I|[DO] (?:[SP]|RFC )\d+(?:, (?:[SP]|RFC )\d+)*)(?: \([^()]+\))?$/.test(part))) {
    return undefined
  }
  return evidence.match(/\b(?:[SP]|RFC )\d+/g) ?? []
}

/** What is wrong with a row, or nothing. */
const faultsOf = ({ id, behaviour, evidence, profile, file, title }: Row): ReadonlyArray<string> => [
  ...(behaviour === "" ? ["says of no behaviour"] : []),
  ...(citedBy(evidence) === undefined ? [`has no evidence: ${evidence}`] : []),
  ...(citedBy(evidence) ?? []).flatMap((tag) => (listed.has(tag) ? [] : [`cites what is in no list: ${tag}`])),
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

  it("cites every source that it lists", () => {
    const cited = new Set(rows.flatMap(({ evidence }) => citedBy(evidence) ?? []))
    expect(listed.size).toBeGreaterThan(10)
    expect([...listed].filter((tag) => !cited.has(tag))).toEqual([])
  })

  it("would notice a row without a test, and one that names another's", () => {
    const [row] = rows
    if (row === undefined) throw new Error("there is a first row")
    expect(faultsOf(row)).toEqual([])
    expect(faultsOf({ ...row, title: `${row.title}x` })).toHaveLength(1)
    expect(faultsOf({ ...row, file: "nowhere.test.ts", evidence: "", behaviour: "" })).toHaveLength(3)
    expect(faultsOf({ ...row, evidence: "D S1, S99" })).toEqual(["cites what is in no list: S99"])
    for (const evidence of ["D", "D 6.5", "O S1 P1", "X S1", "D S1; "])
      expect(faultsOf({ ...row, evidence })).toHaveLength(1)
    expect(
      faultsOf({ ...row, file: "rehearsal/profile.test.ts", title: "[F43] has no route for GET %s" })
    ).toHaveLength(1)
  })
})

const mentioned = new Set(rows.flatMap(({ behaviour }) => behaviour.match(/`[^`]+`/g) ?? []))

const described: unknown = JSON.parse(await readFile(join(docs, "openapi.json"), "utf8"))

/** The values under a name, wherever they stand in a JSON. */
const everyIn = (json: unknown, name: string): ReadonlyArray<unknown> =>
  typeof json === "object" && json !== null
    ? Object.entries(json).flatMap(([key, value]) => [...(key === name ? [value] : []), ...everyIn(value, name)])
    : []

const texts = (values: ReadonlyArray<unknown>): ReadonlyArray<string> => [
  ...new Set(values.filter((value) => typeof value === "string"))
]

describe("what is served has a row that names it", () => {
  const served = {
    "each operation": Object.values(routes).flatMap(({ operations }) =>
      Object.values(operations).map(({ id }: { readonly id: string }) => id)
    ),
    "each code of an error": Object.keys(graphErrorStatus),
    "each kind of fault": FaultScript.shape.rules
      .unwrap()
      .element.shape.effect.options.map(({ shape }) => shape.kind.value),
    "each query option": texts(everyIn(described, "name")).filter((name) => name.startsWith("$"))
  }

  it.each(Object.entries(served))("%s, in backticks", (_, names) => {
    expect(names.length).toBeGreaterThan(5)
    expect(names.filter((name) => !mentioned.has(`\`${name}\``))).toEqual([])
  })

  it("each profile and each read-only policy, in the column of profiles", () => {
    const shown = new Set(rows.map(({ profile }) => profile))
    const names = [...profiles, "gateway", ...readOnlyPolicies.map((policy) => `\`WFA_READ_ONLY=${policy}\``)]
    expect(names.filter((name) => !shown.has(name))).toEqual([])
  })
})
