import { largestBatch } from "./post-batch.ts"

/** How changes are sent. */
export type Mode = "auto" | "batch" | "single"

/** The slower way is measured again after so many groups, because services change. */
const groupsBetweenMeasures = 32

/** A batch that was made smaller is doubled after so many that went well. */
const batchesBeforeGrowth = 4

const weightOfLast = 0.2

/** Decides how groups are sent, by what they cost so far; starts with batches. */
export interface BatchOrSingle {
  /** The size of the batches to send a group in; 1 is one by one. */
  readonly sizeFor: (groupSize: number) => number
  /** A batch went well. */
  readonly batchTook: (millisEach: number) => void
  /** One request went well; `millisEach` takes into account that several are under way at once. */
  readonly singleTook: (millisEach: number) => void
  /** A batch of this size came back as a whole with a failure that a smaller one may not meet. */
  readonly halve: (size: number) => void
  /** The service has no batches. */
  readonly forgetBatches: () => void
}

const averaged = (before: number | undefined, last: number): number =>
  before === undefined ? last : (1 - weightOfLast) * before + weightOfLast * last

/** Makes the chooser of one bulk update; `largest` is what the budget allows. */
export const batchOrSingle = (mode: Mode, largest: number): BatchOrSingle => {
  const most = Math.min(largestBatch, largest)
  let size = most
  let areServed = mode !== "single"
  let wellInRow = 0
  let groups = 0
  let batch: number | undefined
  let single: number | undefined

  const isBatchFaster = (): boolean => {
    if (mode === "batch" || batch === undefined) return true
    if (single === undefined) return false
    groups = (groups + 1) % groupsBetweenMeasures
    return groups === 0 ? batch > single : batch <= single
  }

  const wentWell = (): void => {
    wellInRow += 1
    if (wellInRow % batchesBeforeGrowth === 0) size = Math.min(most, size * 2)
  }

  return {
    sizeFor: (groupSize) => {
      const isBatch = areServed && (mode === "batch" || (groupSize > 1 && size > 1)) && isBatchFaster()
      return isBatch ? size : 1
    },
    batchTook: (millisEach) => {
      batch = averaged(batch, millisEach)
      wentWell()
    },
    singleTook: (millisEach) => {
      single = averaged(single, millisEach)
      // Where batches were halved down to one, these are what tells that the trouble is over.
      if (size === 1) wentWell()
    },
    halve: (failed) => {
      wellInRow = 0
      // Batches of the old size may still be under way, and of one that had one request only its size tells nothing.
      if (failed > 1) size = Math.min(size, Math.floor(failed / 2))
    },
    forgetBatches: () => {
      areServed = false
    }
  }
}
