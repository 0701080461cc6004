import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** What is put behind a text of a file, or in its place; the file has that text once. */
export type Edit =
  | { readonly behind: string; readonly put: string }
  | { readonly inPlaceOf: string; readonly put: string }

/** A change of a kind that is made again and again, as CONTRIBUTING.md tells it. */
export interface Recipe {
  readonly name: string
  /** How its item in CONTRIBUTING.md begins. */
  readonly title: string
  /** The most files that it may touch besides tests and pages. */
  readonly most: number
  /** The edits of each file that is there, and the text of each that is new. */
  readonly files: Readonly<Record<string, ReadonlyArray<Edit> | string>>
  /** The root's scripts that it asks for. */
  readonly scripts: ReadonlyArray<"docs:openapi" | "docs:api">
  /** The folder of a package → the tests that show that the new thing works, and that it broke nothing; all without names. */
  readonly tests: Readonly<Record<string, ReadonlyArray<string>>>
}

/** Whether a file is none of those that a recipe shall have few of. */
export const isTestOrPage = (file: string): boolean => /(?:^|\/)test\/|^docs\/|^\.changeset\/|\.md$/.test(file)

/** The files that a recipe is to have few of. */
export const touchedBy = ({ files }: Recipe): ReadonlyArray<string> =>
  Object.keys(files).filter((file) => !isTestOrPage(file))

const edited = (file: string, text: string, edit: Edit): string => {
  const place = "behind" in edit ? edit.behind : edit.inPlaceOf
  const parts = text.split(place)
  if (parts.length !== 2) {
    throw new Error(`out of date: what ${file} has ${parts.length - 1} times, and should have once, is:\n${place}`)
  }
  return parts.join("behind" in edit ? place + edit.put : edit.put)
}

/** Makes the change of a recipe in a tree. */
export const follow = (files: Recipe["files"], tree: string): void => {
  for (const [file, change] of Object.entries(files)) {
    const path = join(tree, file)
    mkdirSync(dirname(path), { recursive: true })
    const text =
      typeof change === "string"
        ? change
        : change.reduce((before, edit) => edited(file, before, edit), readFileSync(path, "utf8"))
    writeFileSync(path, text, { flag: typeof change === "string" ? "wx" : "w" })
  }
}
