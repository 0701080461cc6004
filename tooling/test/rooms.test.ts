import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { mayImport } from "../rooms.ts"
import { copyOfTree, root } from "../src/tree-copy.ts"

let copy: string

/** What oxlint refuses of these files of the copy, as `file: rule` or `file:line: rule`. */
const refused = (files: ReadonlyArray<string>, withLines = false): ReadonlyArray<string> => {
  const { stdout } = spawnSync(join(root, "node_modules/.bin/oxlint"), ["--format=json", ...files], {
    cwd: copy,
    encoding: "utf8",
    maxBuffer: 2 ** 26
  })
  const { diagnostics } = JSON.parse(stdout) as {
    readonly diagnostics: ReadonlyArray<{
      readonly code: string
      readonly filename: string
      readonly labels: ReadonlyArray<{ readonly span: { readonly line: number } }>
    }>
  }
  return diagnostics
    .map(({ code, filename, labels }) => `${filename}${withLines ? `:${labels[0]?.span.line}` : ""}: ${code}`)
    .toSorted()
}

/** What is found while these files are in the copy. */
const planted = <Found>(texts: Readonly<Record<string, string>>, find: () => Found): Found => {
  for (const [file, text] of Object.entries(texts)) {
    mkdirSync(join(copy, dirname(file)), { recursive: true })
    writeFileSync(join(copy, file), text)
  }
  try {
    return find()
  } finally {
    for (const file of Object.keys(texts)) rmSync(join(copy, file))
  }
}

const refusedOf = (texts: Readonly<Record<string, string>>, withLines = false): ReadonlyArray<string> =>
  planted(texts, () => refused(Object.keys(texts), withLines))

const circles = () =>
  spawnSync(process.execPath, [join(root, "tooling/src/circles.ts")], { cwd: copy, encoding: "utf8" })

const isRoom = (folder: string): boolean => dirname(folder) in mayImport

const rooms = Object.keys(mayImport).filter(isRoom)

const packages = [
  ...new Set(Object.values(mayImport).flatMap((row) => row.split(" ").filter((name) => name !== "")))
].filter((name) => !name.endsWith("/"))

const restricted = "eslint(no-restricted-imports)"

describe("the lint of imports", () => {
  beforeAll(() => {
    copy = copyOfTree()
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  it("has nothing against the sources as they are", () => {
    expect(refused(["packages", "apps", "tooling"])).toEqual([])
  })

  it("refuses values and types of a room that may not be entered, in every way to import them", () => {
    const file = "apps/api/src/graph/planted.ts"
    const lines = [
      'import { createDatabase } from "../store/database.ts"',
      'import type { Database } from "../store/database.ts"',
      'export { createDatabase as other } from "../store/database.ts"',
      'export * from "../store/database.ts"',
      'export const later = () => import("../store/database.ts")',
      'import type { Around } from "../graph/../store/database.ts"',
      "export const used = (): Database | Around => createDatabase()"
    ]
    expect(refusedOf({ [file]: lines.join("\n") }, true)).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => `${file}:${n}: ${restricted}`)
    )
    const below = "apps/api/src/graph/below/planted.ts"
    expect(refusedOf({ [below]: 'export * from "../../store/database.ts"' })).toEqual([`${below}: ${restricted}`])
  })

  it("refuses a circle of files, though one only imports the other's types", () => {
    const one = "packages/domain/src/planted-one.ts"
    const two = "packages/domain/src/planted-two.ts"
    const circle = {
      [one]: 'export * from "./planted-two.ts"\nexport type One = string',
      [two]: 'import type { One } from "./planted-one.ts"\nexport type Two = One'
    }
    expect(refusedOf(circle)).toEqual([one, two].map((file) => `${file}: import(no-cycle)`))
  })

  it("refuses a circle that a dynamic import closes, which oxlint does not see", () => {
    expect(circles()).toMatchObject({ status: 0, stderr: "" })
    const late = planted(
      {
        "apps/api/src/store/planted-one.ts": 'export * from "./planted-two.ts"',
        "apps/api/src/store/planted-two.ts": 'export const one = () => import("./planted-one.ts")'
      },
      circles
    )
    expect(late.status).toBe(1)
    expect(late.stderr).toContain(
      "store/planted-one.ts → apps/api/src/store/planted-two.ts → apps/api/src/store/planted-one.ts"
    )
  })

  it("refuses Effect's main entry in every source and room, where its modules are allowed too", () => {
    const barrels = Object.keys(mayImport).flatMap((folder) =>
      ['export { Effect } from "effect"', 'export const all = () => import("effect")'].map(
        (text, index) => [`${folder}/planted-${index}.ts`, text] as const
      )
    )
    expect(refusedOf(Object.fromEntries(barrels))).toEqual(barrels.map(([file]) => `${file}: ${restricted}`).toSorted())
  })

  it("refuses another package's files by their path, in tests as well", () => {
    const elsewhere = {
      "apps/cli/src/planted.ts": 'export * from "../../api/src/service.ts"',
      "apps/cli/src/planted-name.ts": 'export * from "@workanywhere/api"',
      "apps/cli/test/planted.ts": 'export * from "../../api/src/service.ts"',
      "apps/api/src/store/planted.ts": 'export * from "../../../cli/src/cli.ts"',
      "packages/graph-client/src/planted.ts": 'export * from "../../domain/src/index.ts"'
    }
    expect(refusedOf(elsewhere)).toEqual(
      Object.keys(elsewhere)
        .map((file) => `${file}: ${restricted}`)
        .toSorted()
    )
  })

  it("lets each folder import what its row names, and nothing else", () => {
    const rows = Object.entries(mayImport).map(([folder, row]) => {
      const allowed = row.split(" ")
      const parent = dirname(folder)
      const imports = [
        { module: "./beside.ts", isAllowed: true },
        { module: "a-package-that-nobody-names", isAllowed: false },
        ...packages.map((name) => ({
          module: name.replace("*", name === "node:*" ? "fs" : "below"),
          isAllowed: allowed.some((one) => one === name || `${one}/*` === name)
        })),
        ...rooms
          .filter((room) => room !== folder && isRoom(folder) && dirname(room) === parent)
          .map((room) => room.slice(parent.length + 1))
          .map((name) => ({ module: `../${name}/file.ts`, isAllowed: allowed.includes(`${name}/`) })),
        ...(isRoom(folder) ? [{ module: "../beside-the-rooms.ts", isAllowed: false }] : [])
      ]
      return { file: `${folder}/planted.ts`, imports }
    })
    const texts = rows.map(({ file, imports }) => [
      file,
      imports.map(({ module }) => `export * from "${module}"`).join("\n")
    ])
    expect(refusedOf(Object.fromEntries(texts), true)).toEqual(
      rows
        .flatMap(({ file, imports }) =>
          imports.flatMap(({ isAllowed }, index) => (isAllowed ? [] : [`${file}:${index + 1}: ${restricted}`]))
        )
        .toSorted()
    )
  })
})

describe("the table of rooms", () => {
  it("names folders that exist, and every folder of a source that has rooms", () => {
    expect(Object.keys(mayImport).filter((folder) => !existsSync(join(root, folder)))).toEqual([])
    const sources = new Set(rooms.map((room) => dirname(room)))
    const folders = [...sources].flatMap((source) =>
      readdirSync(join(root, source), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `${source}/${name}`)
    )
    expect(folders.filter((folder) => !(folder in mayImport))).toEqual([])
  })
})
