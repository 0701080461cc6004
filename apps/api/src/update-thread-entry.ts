// Runs in the thread that update-thread.ts starts.
import { parentPort, workerData } from "node:worker_threads"
import type { DeviceUpdate } from "@workanywhere/domain"
import { statementsFor } from "./device-statements.ts"
import { deviceUpdate } from "./device-update.ts"
import type { JsonRow } from "./device-store.ts"
import type { Tables } from "./migrations.ts"
import { sqliteDatabase } from "./sqlite-database.ts"
import type { SentUpdate, ThreadAnswer } from "./update-thread.ts"

const database = await sqliteDatabase<Tables>(String(workerData), "requests", Number.POSITIVE_INFINITY)
const update = deviceUpdate(statementsFor(database))

const answer = (what: ThreadAnswer): void => parentPort?.postMessage(what)

const commit = (updates: ReadonlyArray<SentUpdate>): Promise<ReadonlyArray<JsonRow | undefined>> =>
  database.transact(async (transaction) => {
    const rows: Array<JsonRow | undefined> = []
    for (const [tenant, metric, id, json] of updates) {
      const facts = { collection: { tenant, metric }, id, update: JSON.parse(json) as DeviceUpdate }
      const written = await update(transaction, facts)
      // Nothing was expected of it, so nothing else can come.
      const row = written === "changed" ? undefined : written
      rows.push(row && { json: row.json, hasUnknownMember: row.hasUnknownMember })
    }
    return rows
  })

parentPort?.on("message", async (message: ReadonlyArray<SentUpdate> | "close") => {
  if (message === "close") {
    await database.close()
    parentPort?.close()
    return
  }
  // Each is made again by itself where the thread was started from, which tells what is wrong, and with which.
  answer(await commit(message).catch(() => "failed" as const))
})

answer("ready")
