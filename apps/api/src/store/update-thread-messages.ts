import type { DeviceUpdate } from "@workanywhere/domain"
import type { JsonRow } from "./device-store.ts"
import type { UpdateFacts } from "./device-update.ts"

// What a thread for updates and the one that started it say to each other. Devices and updates go as texts, which are
// copied faster than objects.

type SentUpdate = readonly [tenant: string, metric: string, id: string, update: DeviceUpdate]

/** What the thread is sent: a group of updates, or this to end it after those before. */
export const closing = "close"

/** A group of updates as the thread is sent it. */
export const groupText = (updates: ReadonlyArray<UpdateFacts>): string =>
  JSON.stringify(
    updates.map(({ collection: { tenant, metric }, id, update }): SentUpdate => [tenant, metric, id, update])
  )

/** The updates of a group that the thread was sent. */
export const updatesIn = (group: string): ReadonlyArray<UpdateFacts> =>
  (JSON.parse(group) as ReadonlyArray<SentUpdate>).map(([tenant, metric, id, update]) => ({
    collection: { tenant, metric },
    id,
    update
  }))

/** What became of the groups that the thread tried to commit at once: the lines of their rows, or none was made. */
export interface GroupsAnswer {
  readonly groups: number
  readonly lines?: string
}

/** What the thread says: first that it is ready. */
export type ThreadAnswer = "ready" | GroupsAnswer

/** Rows as one text: a line for each, since the JSON of a device is one; an empty line where there was no device. */
export const rowLines = (rows: ReadonlyArray<JsonRow | undefined>): string =>
  rows.map((row) => (row === undefined ? "" : `${row.hasUnknownMember ? "?" : "="}${row.json}`)).join("\n")

/** The rows that were made those lines. */
export const rowsIn = (lines: string): ReadonlyArray<JsonRow | undefined> =>
  lines
    .split("\n")
    .map((line) => (line === "" ? undefined : { json: line.slice(1), hasUnknownMember: line.startsWith("?") }))
