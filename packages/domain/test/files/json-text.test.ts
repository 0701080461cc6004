import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { placeIn, readJson } from "../../src/index.ts"

const isDeeperThan = (depth: number, json: string) => readJson(json, { depth }).is === "tooDeep"

const hasMoreThan = (values: number, json: string) => readJson(json, { depth: Infinity, values }).is === "tooManyValues"

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

/** One for each object and array, and one for each comma in it. */
const countOf = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  const inside: ReadonlyArray<unknown> = Object.values(value)
  return inside.reduce<number>((sum, each) => sum + countOf(each), 1 + Math.max(0, inside.length - 1))
}

const json = fc.jsonValue({ maxDepth: 6, stringUnit: fc.constantFrom("{", "[", "]", "}", '"', "\\", ",", "a") })

describe("the depth of JSON", () => {
  it("is that of what it parses to, whatever its texts and names hold", () => {
    fc.assert(
      fc.property(json, fc.nat(8), fc.nat(2), (value, most, spaces) => {
        expect(isDeeperThan(most, JSON.stringify(value, undefined, spaces))).toBe(depthOf(value) > most)
      })
    )
  })

  it("is found out of texts that are very deep, or very long and flat", () => {
    expect(isDeeperThan(64, "[".repeat(1_000_000))).toBe(true)
    expect(isDeeperThan(64, `[${"[],".repeat(300_000)}[]]`)).toBe(false)
    expect(isDeeperThan(64, `["${"[".repeat(1_000_000)}"]`)).toBe(false)
  })

  it.for([63, 64])("of %i is not deeper than 64", (depth) => {
    expect(isDeeperThan(64, "[".repeat(depth) + "]".repeat(depth))).toBe(false)
  })
})

describe("the number of values in JSON", () => {
  it("is that of what it parses to, whatever its texts and names hold", () => {
    fc.assert(
      fc.property(json, fc.nat(12), fc.nat(2), (value, most, spaces) => {
        expect(hasMoreThan(most, JSON.stringify(value, undefined, spaces))).toBe(countOf(value) > most)
      })
    )
  })

  it("is found out of very many names, and of texts that only hold what looks like them", () => {
    const names = Array.from({ length: 300_000 }, (_, at) => `"k${at}":0`).join(",")
    expect(hasMoreThan(10_000, `{${names}}`)).toBe(true)
    expect(hasMoreThan(10_000, JSON.stringify([names, "\\", '\\"', names]))).toBe(false)
  })
})

/** JSON of a value whose objects may have each name several times, and the places where they do. */
type Tree = string | number | null | ReadonlyArray<Tree> | { readonly members: ReadonlyArray<readonly [string, Tree]> }

/** None that begins with a backslash: V8 takes the raw text of an escaped name for such a name, if it has met one before. */
const names = ["a", "b", "\u00e4", '"', "a\\", "__proto__", "{", ":"]

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Tree>(null, 7, "a:b", '{"a":1,"a":2}', "\\"),
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.record({ members: fc.array(fc.tuple(fc.constantFrom(...names), tie("tree")), { maxLength: 3 }) })
  )
}))

const isObject = (value: Tree): value is Extract<Tree, { readonly members: unknown }> =>
  typeof value === "object" && value !== null && "members" in value

/** The name itself, or every character of it as an escape. */
const spelled = (name: string, escaped: boolean): string =>
  escaped
    ? `"${name
        .split("")
        .map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`)
        .join("")}"`
    : JSON.stringify(name)

const textOf = (value: Tree, escaped: () => boolean): string => {
  if (Array.isArray(value)) return `[ ${value.map((one: Tree) => textOf(one, escaped)).join(",")} ]`
  if (!isObject(value)) return JSON.stringify(value)
  return `{${value.members.map(([name, one]) => `${spelled(name, escaped())}\n : ${textOf(one, escaped)}`).join(" ,")}}`
}

const repeatsIn = (value: Tree, path: ReadonlyArray<string | number> = []): ReadonlyArray<string> => {
  if (Array.isArray(value)) return value.flatMap((one: Tree, at) => repeatsIn(one, [...path, at]))
  if (!isObject(value)) return []
  const seen = new Set<string>()
  return value.members.flatMap(([name, one]) => {
    const again = seen.has(name) ? [placeIn([...path, name])] : []
    seen.add(name)
    return [...again, ...repeatsIn(one, [...path, name])]
  })
}

describe("a name that stands twice in an object", () => {
  it("is found wherever it stands, however it is spelled, and nothing else is", () => {
    fc.assert(
      fc.property(tree, fc.infiniteStream(fc.boolean()), (value, coins) => {
        const text = textOf(value, () => coins.next().value === true)
        const read = readJson(text, { depth: 64 })
        expect("value" in read && read.value).toEqual(JSON.parse(text))
        const found = read.is === "repeated" ? read.repeats.map(({ path }) => placeIn(path)) : []
        expect(found).toEqual(repeatsIn(value).slice(0, 20))
      }),
      { numRuns: 500 }
    )
  })

  it("is told with the text of what is around it", () => {
    const text = '{"requests":[{"body":{"a":1}},{"body": {"a":1, "\\u0061":2} }]}'
    const read = readJson(text, { depth: 64 })
    if (read.is !== "repeated") throw new Error("expected a repeated name")
    const [{ path, within } = { path: [], within: [] }] = read.repeats
    expect(path).toEqual(["requests", 1, "body", "a"])
    expect(within.map(({ start, end }) => text.slice(start, end))).toEqual([
      text,
      '[{"body":{"a":1}},{"body": {"a":1, "\\u0061":2} }]',
      '{"body": {"a":1, "\\u0061":2} }',
      '{"a":1, "\\u0061":2}'
    ])
  })

  it("is told twenty times at most", () => {
    const text = `{${'"a":0,'.repeat(100_000)}"a":0}`
    expect(readJson(text, { depth: 64 })).toMatchObject({ repeats: { length: 20 } })
  })
})

describe("reading JSON", () => {
  it("never throws, and says whether it is JSON as JSON.parse does", () => {
    const piece = fc.constantFrom("{", "}", "[", "]", ":", ",", '"', "\\", "a", "1", '"a"', '"a":1', " ", "\n", "null")
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("")
        let isJson = true
        try {
          JSON.parse(text)
        } catch {
          isJson = false
        }
        expect(readJson(text, { depth: 64 }).is !== "notJson").toBe(isJson)
      }),
      { numRuns: 2_000 }
    )
  })
})
