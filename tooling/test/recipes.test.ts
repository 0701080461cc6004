import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { type Edit, type Recipe, follow, isTestOrPage, touchedBy } from "../src/recipe.ts"
import { recipes } from "../src/recipes.ts"
import { root } from "../src/tree-copy.ts"

const guide = readFileSync(join(root, "CONTRIBUTING.md"), "utf8")

/** The names in backticks that CONTRIBUTING.md has in what it says of a recipe, those of files or of scripts. */
const namesIn = ({ title }: Recipe, pattern: RegExp): ReadonlyArray<string> => {
  const [, behind = ""] = guide.split(`\n- **${title}**: `)
  const [item = ""] = behind.split(/\n(?=- |\n)/)
  return [...item.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name).filter((name) => pattern.test(name))
}

const examples = recipes.map((recipe) => [recipe.name, recipe] as const)

describe("the recipes of CONTRIBUTING.md", () => {
  it.for(examples)("name the files that the example of %s touches, a new one by its folder", ([, recipe]) => {
    const told = Object.entries(recipe.files).flatMap(([file, change]) => {
      if (typeof change !== "string") return [file]
      // That it has a test, and a visible change a changeset, goes without saying.
      return isTestOrPage(file) ? [] : [dirname(file)]
    })
    expect(told.length).toBeGreaterThan(1)
    expect(namesIn(recipe, /^(?:apps|packages|tooling|docs)\//).toSorted()).toEqual(told.toSorted())
  })

  it.for(examples)("name the scripts that the example of %s runs", ([, recipe]) => {
    expect(namesIn(recipe, /^pnpm /)).toEqual(recipe.scripts.map((script) => `pnpm ${script}`))
  })

  it.for(examples)("have in the example of %s a test, a changeset, and no more files than promised", ([, recipe]) => {
    const added = Object.keys(recipe.files).filter((file) => typeof recipe.files[file] === "string")
    expect(added.filter((file) => file.startsWith(".changeset/"))).toHaveLength(1)
    expect(added.filter((file) => /\/test\/.*\.test\.ts$/.test(file))).not.toEqual([])
    expect(touchedBy(recipe).length).toBeLessThanOrEqual(recipe.most)
  })
})

/** What becomes of a text. */
const followed = (text: string, ...edits: ReadonlyArray<Edit>): string => {
  const tree = mkdtempSync(join(tmpdir(), "workanywhere-recipe-"))
  try {
    writeFileSync(join(tree, "a.ts"), text)
    follow({ "a.ts": edits, "new/b.ts": "b" }, tree)
    expect(readFileSync(join(tree, "new/b.ts"), "utf8")).toBe("b")
    return readFileSync(join(tree, "a.ts"), "utf8")
  } finally {
    rmSync(tree, { recursive: true })
  }
}

describe("a recipe that is followed", () => {
  it("puts its texts behind places, and in place of them, one after the other", () => {
    expect(followed("one two", { behind: "one", put: " and a half" }, { inPlaceOf: "half two", put: "$&" })).toBe(
      "one and a $&"
    )
  })

  it("says which file is not as it expects, when a place is not there once", () => {
    const missing = "out of date: what a.ts has 0 times, and should have once, is:\nthree"
    expect(() => followed("one two", { behind: "three", put: "" })).toThrow(missing)
    expect(() => followed("one one", { behind: "one", put: "" })).toThrow("what a.ts has 2 times")
  })
})
