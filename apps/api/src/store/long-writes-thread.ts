// Makes one long write to a file, beside the thread that answers requests: long-writes.ts.
import { once } from "node:events"
import { parentPort, workerData } from "node:worker_threads"
import type { WholeDevice } from "@workanywhere/domain"
import { QueryStopped } from "./database-trouble.ts"
import type { Said, Task } from "./long-writes.ts"
import type { Tables } from "./migrations.ts"
import { deviceStoreOn } from "./open-device-store.ts"
import { openDatabase } from "./open-database.ts"

const { path, write } = workerData as Task

const say = (said: Said): void => parentPort?.postMessage(said)

const devices = async function* (): AsyncGenerator<WholeDevice> {
  if (parentPort === null) return
  for (;;) {
    say({ is: "wantsMore" })
    const [some] = (await once(parentPort, "message")) as [ReadonlyArray<WholeDevice> | "stop"]
    if (some === "stop") throw new Error("the devices ended too soon")
    if (some.length === 0) return
    yield* some
  }
}

const database = await openDatabase<Tables>(`sqlite:${path}`, "bulk")
try {
  const store = await deviceStoreOn(database)
  const result =
    write.is === "refill"
      ? await store.refill(write.tenant, devices())
      : await store.metrics.remove(write.tenant, write.id)
  say({ is: "done", result })
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  const errcode = error instanceof Error && "errcode" in error ? { errcode: error.errcode } : {}
  say({ is: "failed", message, ...errcode, ...(error instanceof QueryStopped ? { why: error.why } : {}) })
} finally {
  await database.close()
}
