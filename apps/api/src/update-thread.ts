import { once } from "node:events"
import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import type { JsonRow } from "./device-store.ts"
import type { UpdateFacts } from "./device-update.ts"

/** What the thread is sent: an update and where it goes. The update is JSON, which is copied faster than an object. */
export type SentUpdate = readonly [tenant: string, metric: string, id: string, update: string]

/** What it answers: that it is ready; what became of each update of a group; or that none of them was made. */
export type ThreadAnswer = "ready" | ReadonlyArray<JsonRow | undefined> | "failed"

/** A thread that updates devices in a file, while this one reads and answers requests. */
export interface UpdateThread {
  /**
   * Has a group of updates committed; it fails when none of them was. `undefined` for a group that is made sooner here,
   * and while there is no thread: it is started by the first group that is large enough. One group at a time.
   */
  readonly commit: (updates: ReadonlyArray<UpdateFacts>) => Promise<ReadonlyArray<JsonRow | undefined>> | undefined
  readonly close: () => Promise<void>
}

/** A thread takes memory, and some 50 ms of a processor to start, which a few callers do not need. */
const fewestToStart = 8
/** To wake a thread and to be woken takes as long as two updates. */
const fewestToHandOver = 3

/** Readies a thread for updates in a SQLite file. */
export const updateThread = (file: string): UpdateThread => {
  let worker: Worker | undefined
  let isReady = false
  let isClosed = false
  let current: PromiseWithResolvers<ReadonlyArray<JsonRow | undefined>> | undefined

  const settle = (answer: Exclude<ThreadAnswer, "ready">): void => {
    worker?.unref()
    if (answer === "failed") current?.reject(new Error("no update of the group was made"))
    else current?.resolve(answer)
    current = undefined
  }

  const start = (): void => {
    worker = new Worker(new URL(`./update-thread-entry${extname(import.meta.filename)}`, import.meta.url), {
      workerData: file
    })
    worker.unref()
    worker.on("message", (answer: ThreadAnswer) => {
      if (answer === "ready") isReady = true
      else settle(answer)
    })
    worker.on("error", (error) => {
      process.emitWarning(`the thread for updates ended, and they are made without it: ${error.message}`)
    })
    worker.on("exit", () => {
      isReady = false
      settle("failed")
    })
  }

  return {
    commit: (updates) => {
      if (worker === undefined && !isClosed && updates.length >= fewestToStart) start()
      if (!isReady || updates.length < fewestToHandOver) return undefined
      current = Promise.withResolvers()
      worker?.ref()
      worker?.postMessage(
        updates.map(({ collection: { tenant, metric }, id, update }): SentUpdate => [
          tenant,
          metric,
          id,
          JSON.stringify(update)
        ])
      )
      return current.promise
    },
    close: async () => {
      isClosed = true
      if (worker === undefined || worker.threadId === -1) return
      const ended = once(worker, "exit")
      worker.postMessage("close")
      await ended
    }
  }
}
