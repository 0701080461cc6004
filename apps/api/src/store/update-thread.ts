import { once } from "node:events"
import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import type { JsonRow } from "./device-store.ts"
import type { UpdateFacts } from "./device-update.ts"
import { tellOfCommit } from "./group-commit.ts"
import { type GroupsAnswer, type ThreadAnswer, closing, groupText, rowsIn } from "./update-thread-messages.ts"

/** A thread that updates devices in a file, while this one reads and answers requests. */
export interface UpdateThread {
  /**
   * Has a group of updates committed after those before; it fails when none of them was. `undefined` while there is no
   * thread, which is started by the first group that is large enough, and for a few updates that are made sooner here.
   */
  readonly commit: (updates: ReadonlyArray<UpdateFacts>) => Promise<ReadonlyArray<JsonRow | undefined>> | undefined
  readonly close: () => Promise<void>
}

/** A thread takes memory, and some 50 ms of a processor to start, which a few callers do not need. */
const fewestToStart = 8
/** To wake a thread that sleeps, and to be woken by it, takes as long as two updates. */
const fewestToWake = 3

/** A group that the thread was sent. */
interface Unanswered extends PromiseWithResolvers<ReadonlyArray<JsonRow | undefined>> {
  /** In updates. */
  readonly size: number
}

/** Readies a thread for updates in a SQLite file; `onCommitted` is called before anybody is told of a commit. */
export const updateThread = (file: string, onCommitted: () => void = () => {}): UpdateThread => {
  let worker: Worker | undefined
  let isReady = false
  let isClosed = false
  const unanswered: Array<Unanswered> = []

  const settle = ({ groups, lines }: GroupsAnswer): void => {
    onCommitted()
    const rows = lines === undefined ? undefined : rowsIn(lines)
    if (rows !== undefined) tellOfCommit(rows.length)
    let from = 0
    for (const { size, resolve, reject } of unanswered.splice(0, groups)) {
      if (rows === undefined) reject(new Error("no update of the group was made"))
      else resolve(rows.slice(from, (from += size)))
    }
    if (unanswered.length === 0) worker?.unref()
  }

  const start = (): Worker => {
    const started = new Worker(new URL(`./update-thread-entry${extname(import.meta.filename)}`, import.meta.url), {
      workerData: file,
      // Its garbage is short-lived; Node would let 128 MB of it gather before it is collected.
      resourceLimits: { maxYoungGenerationSizeMb: 24 }
    })
    started.unref()
    started.on("message", (answer: ThreadAnswer) => {
      if (answer === "ready") isReady = true
      else settle(answer)
    })
    started.on("error", (error) => {
      process.emitWarning(`the thread for updates ended, and they are made without it: ${error.message}`)
    })
    started.on("exit", () => {
      isReady = false
      settle({ groups: unanswered.length })
    })
    return started
  }

  return {
    commit: (updates) => {
      if (worker === undefined && !isClosed && updates.length >= fewestToStart) worker = start()
      if (!isReady || (unanswered.length === 0 && updates.length < fewestToWake)) return undefined
      const answer = Object.assign(Promise.withResolvers<ReadonlyArray<JsonRow | undefined>>(), {
        size: updates.length
      })
      // Whoever waits for the answer is not to find the process gone.
      if (unanswered.push(answer) === 1) worker?.ref()
      worker?.postMessage(groupText(updates))
      return answer.promise
    },
    close: async () => {
      isClosed = true
      if (worker === undefined || worker.threadId === -1) return
      const ended = once(worker, "exit")
      worker.postMessage(closing)
      await ended
    }
  }
}
