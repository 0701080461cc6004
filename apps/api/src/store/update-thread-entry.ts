// Runs in the thread that update-thread.ts starts.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads"
import { statementsFor } from "./device-statements.ts"
import { deviceUpdate } from "./device-update.ts"
import type { JsonRow } from "./device-store.ts"
import type { Tables } from "./migrations.ts"
import { sqliteDatabase } from "./sqlite-database.ts"
import { type GroupsAnswer, type ThreadAnswer, closing, rowLines, updatesIn } from "./update-thread-messages.ts"

const database = await sqliteDatabase<Tables>(String(workerData), "requests", Number.POSITIVE_INFINITY)
const updateDevice = deviceUpdate(statementsFor(database))

const commit = (groups: ReadonlyArray<string>): Promise<GroupsAnswer> =>
  database.transact(async (transaction) => {
    const rows: Array<JsonRow | undefined> = []
    for (const update of groups.flatMap(updatesIn)) {
      const row = await updateDevice(transaction, update)
      // Nothing was expected of the device, so it was not left alone.
      rows.push(row === "changed" ? undefined : row)
    }
    return { groups: groups.length, lines: rowLines(rows) }
  })

const serve = (port: MessagePort): void => {
  const answer = (what: ThreadAnswer): void => port.postMessage(what)
  let isClosing = false
  port.on("message", async (first: string) => {
    const groups: Array<string> = []
    // What came while the last commit was under way shares the next one.
    for (let next: string | undefined = first; next !== undefined; next = receiveMessageOnPort(port)?.message) {
      if (next === closing) isClosing = true
      else groups.push(next)
    }
    // Each is made again by itself where the thread was started from, which tells what is wrong, and with which.
    if (groups.length > 0) answer(await commit(groups).catch(() => ({ groups: groups.length })))
    if (isClosing) {
      await database.close()
      port.close()
    }
  })
  answer("ready")
}

if (parentPort !== null) serve(parentPort)
