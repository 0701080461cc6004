import type { Spender } from "./request-budget.ts"
import { type RouteTarget, placeOf } from "../graph/target.ts"

/** One request, as a judge of its caller needs it. It holds no body, no token and no query. */
export interface Call extends RouteTarget {
  /** Counted from 1, in the order the requests came. */
  readonly number: number
  readonly caller: Spender
  readonly path: string
  /** Milliseconds since the epoch: when it came, and when its answer was ready. */
  readonly sentMillis: number
  readonly answeredMillis: number
  /** The number of the newest call at the time when its answer was ready. */
  readonly newestThen: number
  readonly status: number
  readonly requestId: string
  readonly hasClientRequestId: boolean
  /** For an item of a batch: the request-id of the batch. */
  readonly batchRequestId?: string
  /** For a batch: how many items were sent, when that could be read. */
  readonly batchSize?: number
  /** For a read: whether it says which properties it wants. */
  readonly hasSelect: boolean
  /** For a list: the size of page it asks for with `$top`. */
  readonly top?: number
  /** The `$skiptoken` in the link to the next page that the answer has. */
  readonly offeredSkiptoken?: string
  readonly retryAfterSeconds?: number
  /** Whether it was refused because the budget was spent. */
  readonly isOverBudget: boolean
  /** For a refused request: the same for the same method, address and body, and for no other. */
  readonly digest?: string
  /** The fault that was played. */
  readonly fault?: string
}

/** A call as it is kept; where it was aimed at is read from its path when somebody asks. */
export type KeptCall = Omit<Call, "route" | "metricId" | "deviceId">

/** The last calls, the oldest first; the memory they take is bounded. */
export interface Calls {
  /** The number of a call that comes now. */
  readonly start: () => number
  /** The number of the newest call. */
  readonly newest: () => number
  readonly end: (call: KeptCall) => void
  readonly kept: () => ReadonlyArray<Call>
  /** How many calls are too long ago to be kept. */
  readonly forgotten: () => number
  readonly reset: () => void
}

const mostKept = 10_000

/** Makes an empty ledger. */
export const createCalls = (most = mostKept): Calls => {
  let started = 0
  let ended = 0
  let generation: Array<KeptCall> = []
  let older: Array<KeptCall> = []
  return {
    start: () => ++started,
    newest: () => started,
    end: (call) => {
      ended += 1
      // Two halves, of which the older is dropped whole: cheaper than taking away one call at a time.
      if (generation.length === most / 2) {
        older = generation
        generation = []
      }
      generation.push(call)
    },
    kept: () =>
      [...older, ...generation]
        .toSorted((left, right) => left.number - right.number)
        .map((call) => Object.assign({}, call, placeOf(call.path))),
    forgotten: () => ended - older.length - generation.length,
    reset: () => {
      started = 0
      ended = 0
      generation = []
      older = []
    }
  }
}

/** A call as others are shown it: tokens in links are left out. */
export const shownCall = (call: Call) => {
  const {
    skiptoken,
    offeredSkiptoken,
    digest: _digest,
    newestThen: _newest,
    sentMillis,
    answeredMillis,
    ...shown
  } = call
  return {
    ...shown,
    sent: new Date(sentMillis).toISOString(),
    durationMillis: Math.round((answeredMillis - sentMillis) * 1_000) / 1_000,
    followsNextLink: skiptoken !== undefined,
    hasNextLink: offeredSkiptoken !== undefined
  }
}
