import { type FileHandle, open } from "node:fs/promises"
import { setTimeout } from "node:timers/promises"

/** What became of a write: made; refused by the upstream; not made; or nobody knows. */
export type WriteOutcome = "done" | "refused" | "failed" | "unknown"

/** A write that is about to be sent. */
export interface Intent {
  readonly method: string
  /** As the routes spell it, without the query. */
  readonly path: string
  readonly metricId?: string
  readonly deviceId?: string
  /** Who sends it: as their token says, or `local` where there are none. */
  readonly caller: { readonly tenant: string; readonly app: string; readonly user?: string }
  readonly requestId: string
  readonly clientRequestId: string
  /** The item and the request-id of the batch that it came in. */
  readonly batchItem?: { readonly id: string; readonly of: string }
  /** Where the old values are from: the upstream, or nowhere, because there were none or they could not be read. */
  readonly old: "read" | "none" | "unknown"
  /** Why the old values could not be read. */
  readonly oldUnknownBecause?: string
  /** Each property that is written: what it was, and what it is to be; a property that goes away has no `new`. */
  readonly changes: Readonly<Record<string, { readonly old?: unknown; readonly new?: unknown }>>
}

/** What came of it. */
export interface Ending {
  readonly outcome: WriteOutcome
  /** The status that the upstream answered with, when it did. */
  readonly status?: number
  /** Graph's code, when there is one. */
  readonly code?: string
  readonly upstreamRequestId?: string
  /** The key that the upstream gave to what is new. */
  readonly createdId?: string
}

/** The log of writes: each is in it before it is sent, and again with what came of it. */
export interface Audit {
  /** Resolves when the intent is on disk, with what writes the outcome; rejects when it cannot be kept. */
  readonly begin: (intent: Intent) => Promise<(ending: Ending) => Promise<void>>
  /** Waits a moment for the outcomes that are still to come. */
  readonly close: () => Promise<void>
}

const graceMillis = 2_000

interface Job {
  readonly line: string
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Whether the file ends in the middle of a line, as after a crash. */
const isTorn = async (path: string): Promise<boolean> => {
  await using file = await open(path, "r")
  const { size } = await file.stat()
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer.toString() !== "\n"
}

/** Lines that are wanted at the same time are written together, because flushing to disk is what costs. */
const makeAppend = (file: FileHandle, startsTorn: boolean): ((record: object) => Promise<void>) => {
  let waiting: Array<Job> = []
  let isWriting = false
  let torn = startsTorn

  const append = async (group: ReadonlyArray<Job>): Promise<void> => {
    const lines = group.map(({ line }) => line).join("")
    const text = torn ? `\n${lines}` : lines
    // What a failure leaves behind is half a line at the worst; the next one begins with a line of its own.
    torn = true
    await file.appendFile(text)
    await file.datasync()
    torn = false
  }

  const drain = async (): Promise<void> => {
    isWriting = true
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        await append(group)
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    isWriting = false
  }

  return (record) =>
    new Promise((resolve, reject) => {
      waiting.push({ line: `${JSON.stringify(record)}\n`, resolve, reject })
      if (!isWriting) void drain()
    })
}

/**
 * Opens the log of writes for appending, and makes it when it is not there; only this user may read it. One line of JSON
 * for each record. An intent whose id has no outcome was on its way when the process ended.
 */
export const openAudit = async (path: string): Promise<Audit> => {
  const file = await open(path, "a", 0o600)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new Error("it is not a file")
    if ((stat.mode & 0o077) !== 0) await file.chmod(0o600)
    const append = makeAppend(file, await isTorn(path))
    const underWay = new Set<string>()
    const allEnded = Promise.withResolvers<void>()
    let isClosing = false
    return {
      begin: async (intent) => {
        // First in each line, so that a search for it needs no JSON.
        const id = crypto.randomUUID()
        await append({ id, event: "intent", time: new Date().toISOString(), ...intent })
        underWay.add(id)
        return async (ending) => {
          try {
            await append({ id, event: "outcome", time: new Date().toISOString(), ...ending })
          } finally {
            underWay.delete(id)
            if (isClosing && underWay.size === 0) allEnded.resolve()
          }
        }
      },
      close: async () => {
        isClosing = true
        if (underWay.size > 0)
          await Promise.race([allEnded.promise, setTimeout(graceMillis, undefined, { ref: false })])
        await file.close()
      }
    }
  } catch (error) {
    await file.close()
    throw error
  }
}
