// Runs in the thread that update-thread.ts starts.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import type { DeviceUpdate } from "@workanywhere/domain"
import { statementsFor } from "./device-statements.ts"
import { deviceUpdate } from "./device-update.ts"
import type { JsonRow } from "./device-store.ts"
import type { Tables } from "./migrations.ts"
import { sqliteDatabase } from "./sqlite-database.ts"
import type { GroupAnswer, SentUpdate, ThreadAnswer } from "./update-thread.ts"

type Group = ReadonlyArray<SentUpdate>

const database = await sqliteDatabase<Tables>(String(workerData), "requests", Number.POSITIVE_INFINITY)
const update = deviceUpdate(statementsFor(database))

const made = async (
  transaction: Parameters<typeof update>[0],
  [tenant, metric, id, json]: SentUpdate
): Promise<JsonRow | undefined> => {
  const facts = { collection: { tenant, metric }, id, update: JSON.parse(json) as DeviceUpdate }
  const row = await update(transaction, facts)
  // Nothing was expected of the device, so it was not left alone.
  return row === undefined || row === "changed" ? undefined : { json: row.json, hasUnknownMember: row.hasUnknownMember }
}

const commit = (groups: ReadonlyArray<Group>): Promise<ReadonlyArray<GroupAnswer>> =>
  database.transact(async (transaction) => {
    const answers: Array<ReadonlyArray<JsonRow | undefined>> = []
    for (const group of groups) {
      const rows: Array<JsonRow | undefined> = []
      for (const one of group) rows.push(await made(transaction, one))
      answers.push(rows)
    }
    return answers
  })

const serve = (port: MessagePort): void => {
  const answer = (what: ThreadAnswer): void => port.postMessage(what)
  let isClosing = false
  port.on("message", async (first: Group | "close") => {
    const groups: Array<Group> = []
    // What came while the last commit was under way shares the next one.
    for (
      let next: Group | "close" | undefined = first;
      next !== undefined;
      next = receiveMessageOnPort(port)?.message
    ) {
      if (next === "close") isClosing = true
      else groups.push(next)
    }
    // Each is made again by itself where the thread was started from, which tells what is wrong, and with which.
    if (groups.length > 0) answer(await commit(groups).catch(() => groups.map(() => "failed" as const)))
    if (isClosing) {
      await database.close()
      port.close()
    }
  })
  answer("ready")
}

if (parentPort !== null) serve(parentPort)
