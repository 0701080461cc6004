/**
 * Folder → what its files may import besides each other. A name ending in `/` is a room, a folder beside this one; all else
 * is a package, `/*` behind its name standing for the modules below it without its main entry. What no row names is refused
 * by `pnpm lint`, in types and dynamic imports too. Rooms have no folders of their own; files beside rooms may enter all of them.
 *
 * It is always `effect/*`: Effect's main entry loads all of Effect, which costs the command line a third of a second.
 */
export const mayImport: Readonly<Record<string, string>> = {
  "packages/domain/src": "",
  "packages/domain/src/device": "zod",
  "packages/domain/src/graph": "zod",
  "packages/domain/src/windows": "device/",
  "packages/domain/src/files": "device/ papaparse",
  "packages/domain/src/scores": "device/ windows/",
  "packages/domain/src/fleet": "device/ scores/ windows/",
  "packages/domain/src/figures": "device/ scores/ windows/",

  "packages/graph-client/src": "@azure/identity @workanywhere/domain effect/*",
  "packages/graph-client/src/facts": "@workanywhere/domain effect/*",
  "packages/graph-client/src/pace": "facts/ effect/*",
  "packages/graph-client/src/send": "facts/ pace/ @workanywhere/domain effect/*",
  "packages/graph-client/src/many": "facts/ pace/ send/ @workanywhere/domain effect/*",
  "packages/graph-client/src/list": "facts/ send/ @workanywhere/domain effect/*",

  "apps/cli/src": "node:* @effect/platform-node/* @workanywhere/domain @workanywhere/graph-client effect/*",

  "apps/api/src": "node:* @hono/node-server @workanywhere/domain env-paths hono",
  "apps/api/src/settings": "node:* @workanywhere/domain zod",
  "apps/api/src/graph": "node:* @workanywhere/domain hono/*",
  "apps/api/src/http": "graph/ settings/ node:* @workanywhere/domain effect/* hono hono/* jose selfsigned zod",
  "apps/api/src/store": "graph/ settings/ node:* @workanywhere/domain kysely pg",
  "apps/api/src/local": "graph/ http/ store/ node:* @workanywhere/domain hono",
  "apps/api/src/gateway":
    "graph/ http/ settings/ node:* @azure/identity @workanywhere/domain @workanywhere/graph-client effect/* hono",
  "apps/api/src/rehearsal": "graph/ http/ settings/ node:* @workanywhere/domain hono zod",
  "apps/api/src/watch": "http/ settings/ store/ node:* @workanywhere/domain effect/* pino prom-client",
  "apps/api/src/describe": "graph/ http/ rehearsal/ settings/ node:* @workanywhere/domain hono"
}

const folders = Object.keys(mayImport)

const namedFor = (folder: string): ReadonlyArray<string> =>
  (mayImport[folder] ?? "").split(" ").filter((name) => name !== "")

const parentOf = (folder: string): string => folder.slice(0, folder.lastIndexOf("/"))

const nameOf = (folder: string): string => folder.slice(folder.lastIndexOf("/") + 1)

/** The rooms of the same source, this folder included; none where the folder is a source itself. */
const roomsBeside = (folder: string): ReadonlyArray<string> =>
  folders.filter((other) => folders.includes(parentOf(folder)) && parentOf(other) === parentOf(folder)).map(nameOf)

/** Relative paths out of a package lead past its `exports`. */
const intoAnotherPackage = String.raw`(?:^|/)\.\./(?:apps|packages|tooling|api|cli|domain|graph-client)/`

const refusedPaths = (folder: string): string => {
  const rooms = roomsBeside(folder)
  if (rooms.length === 0) return intoAnotherPackage
  const closed = rooms.filter((room) => room !== nameOf(folder) && !namedFor(folder).includes(`${room}/`))
  // Out of the room to a closed one, to a file beside the rooms, or out of all rooms.
  return String.raw`(?:^|/)\.\./(?:(?:${closed.join("|")})/|[^/]+$|\.\./)`
}

/** As in a `.gitignore`: everything is refused, but for files, which `refusedPaths` judges, and for what is named. */
const allowedPackages = (folder: string): ReadonlyArray<string> => [
  "*",
  "!*.ts",
  ...namedFor(folder)
    .filter((name) => !name.endsWith("/"))
    .flatMap((name) => (name.endsWith("/*") ? [`!${name}*`] : [`!${name}`, `!${name}/**`]))
]

const refusing = (
  files: Array<string>,
  patterns: Array<{ readonly regex?: string; readonly group?: Array<string>; readonly message: string }>
) => ({
  files,
  rules: { "no-restricted-imports": ["error", { patterns }] satisfies ["error", unknown] }
})

/** The table as overrides of oxlint's configuration; of those that fit a file, the last one counts. */
export const roomOverrides = [
  refusing(
    ["apps/**", "packages/**"],
    [{ regex: intoAnotherPackage, message: "a package is imported by its name, and only by what its exports name" }]
  ),
  ...folders.map((folder) => {
    const message = `${folder} may import ${namedFor(folder).join(", ") || "nothing"} (tooling/rooms.ts)`
    return refusing(
      [`${folder}/**`],
      // In this order: a pattern that lets an import pass ends the search.
      [
        { regex: refusedPaths(folder), message },
        { group: [...allowedPackages(folder)], message }
      ]
    )
  })
]
