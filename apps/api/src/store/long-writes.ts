import { once } from "node:events"
import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import type { WholeDevice } from "@workanywhere/domain"
import type { Settings } from "../settings/settings.ts"
import type { Use } from "./database.ts"
import { QueryStopped } from "./database-trouble.ts"
import { pauses } from "./long-work.ts"

/** A write that touches so much of a file that its commit alone takes a second. */
export type LongWrite =
  | { readonly is: "refill"; readonly tenant: string }
  | { readonly is: "removeMetric"; readonly tenant: string; readonly id: string }

/** What the thread is told to do. */
export interface Task {
  readonly path: string
  readonly write: LongWrite
}

/** What the thread says. It is answered only when it wants more: with devices, with none when there are no more, or "stop". */
export type Said =
  | { readonly is: "wantsMore" }
  | { readonly is: "done"; readonly result: unknown }
  | { readonly is: "failed"; readonly message: string; readonly errcode?: unknown; readonly why?: QueryStopped["why"] }

const devicesInMessage = 500

const failure = ({ message, errcode, why }: Extract<Said, { readonly is: "failed" }>): Error =>
  why === undefined
    ? Object.assign(new Error(message), errcode === undefined ? {} : { errcode })
    : new QueryStopped(why)

/** So many devices are written before a thread has started. */
export const fewDevices = 2_000

/** The first of many devices, and then all of them again; `areAll` when there are no more than a few. */
export const firstFew = async (devices: AsyncIterable<WholeDevice>) => {
  const source = devices[Symbol.asyncIterator]()
  const pause = pauses()
  const first: Array<WholeDevice> = []
  let areAll = false
  while (first.length <= fewDevices) {
    const next = await source.next()
    if (next.done === true) {
      areAll = true
      break
    }
    first.push(next.value)
    await pause()
  }
  const all = async function* () {
    yield* first
    if (!areAll) yield* { [Symbol.asyncIterator]: () => source }
  }
  return { areAll, all: all() }
}

/**
 * Makes long writes to a SQLite file in a thread of its own: SQLite works where it is called, and to flush what 200,000 devices
 * take, and to move it into the file proper, would keep everyone waiting for a second (drill/attack.ts).
 */
const longWritesTo =
  (path: string) =>
  async (write: LongWrite, devices?: AsyncIterable<WholeDevice>): Promise<unknown> => {
    const task: Task = { path, write }
    const worker = new Worker(new URL(`./long-writes-thread${extname(import.meta.filename)}`, import.meta.url), {
      workerData: task
    })
    const ended = once(worker, "exit")
    const source = devices?.[Symbol.asyncIterator]()
    const pause = pauses()

    const some = async (): Promise<ReadonlyArray<WholeDevice>> => {
      const taken: Array<WholeDevice> = []
      while (taken.length < devicesInMessage) {
        const next = await source?.next()
        if (next === undefined || next.done === true) break
        taken.push(next.value)
        await pause()
      }
      return taken
    }

    for (;;) {
      const [said] = (await once(worker, "message")) as [Said]
      if (said.is !== "wantsMore") {
        await ended
        if (said.is === "failed") throw failure(said)
        return said.result
      }
      try {
        worker.postMessage(await some())
      } catch (error) {
        // What it has written so far is rolled back.
        worker.postMessage("stop")
        await ended
        throw error
      }
    }
  }

/** What makes long writes to a store elsewhere; nothing where that is not needed. */
export const longWritesOf = (
  store: Settings["store"],
  use: Use = "requests"
): ReturnType<typeof longWritesTo> | undefined =>
  store.startsWith("sqlite:") && use === "requests" ? longWritesTo(store.slice("sqlite:".length)) : undefined
