import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { GraphError } from "../facts/graph-error.ts"
import { steadyMillis } from "../pace/steady.ts"
import type { GraphRequest } from "../send/attempt.ts"
import { readBackOf } from "../send/send.ts"
import { isLast, verdictOn, waitAmongManyMillis } from "../send/verdict.ts"
import { type Mode, batchOrSingle } from "./batch-or-single.ts"
import { type DeviceChange, type DeviceOutcome, type Outcome, acknowledged, differing } from "./device-outcome.ts"
import { largestBatch, sendWithin } from "./post-batch.ts"
import { type Means, type Attempted, type Work, deviceIn, makeSendChanges, unanswered } from "./send-changes.ts"

/** How `updateDevices` goes about it. */
export interface UpdateDevicesOptions<C extends DeviceChange = DeviceChange> {
  /**
   * Ends it all: what cannot be sent in time fails, and what has no answer by then is `unknown`. None by default, because
   * it takes as long as the budget says.
   */
  readonly deadline?: Duration.Input
  /** Whether changes go in batches or one by one; by default whichever turns out to be faster. */
  readonly mode?: Mode
  /**
   * How many groups of up to twenty changes are under way at once. By default as many as the pace allows and the latency
   * asks for, up to 128, with four of them waiting to be sent.
   */
  readonly concurrency?: number
  /** Reads each device first, and writes only where something would change: reads are ten times as plentiful. */
  readonly skipEqual?: boolean
  /** Told, when the stream is left early, of the changes that were sent and not answered, as `unknown`. */
  readonly onInterrupt?: (outcomes: ReadonlyArray<DeviceOutcome<C>>) => Effect.Effect<void>
}

/** Gives an outcome for every change, as they come; the stream fails only as its source does. */
export type UpdateDevices = <C extends DeviceChange, E = never, R = never>(
  changes: Stream.Stream<C, E, R>,
  options?: UpdateDevicesOptions<C>
) => Stream.Stream<DeviceOutcome<C>, E, R>

/** So many groups wait at the gate, and so many are under way with them at most, in twenty times as much memory. */
const groupsWaiting = 4
const mostGroups = 128

/** A group that is not full is sent after this long. */
const lingerMillis = 50

/** In the place of what a caller without a compiler may give, such as the null of an empty line: it is refused. */
const noChange: DeviceChange = { metricId: "", deviceId: "", update: {} }

/** Ids are GUIDs, in which case does not matter. */
const deviceOf = ({ deviceId, metricId }: DeviceChange): string => JSON.stringify([metricId, deviceId]).toLowerCase()

/** Whether the changes before this one are done with its device. */
const isFree = ({ previous }: Work): boolean => previous === undefined || Deferred.isDoneUnsafe(previous)

/** Makes `updateDevices`; `requestOf` gives the request of a change, or what is wrong with it. */
export const makeUpdateDevices =
  (means: Means, requestOf: (change: DeviceChange) => GraphRequest | GraphError): UpdateDevices =>
  (source, options = {}) =>
    Stream.unwrap(Effect.map(start(means, requestOf, options), (outcomesOf) => outcomesOf(source)))

const start = Effect.fnUntraced(function* <C extends DeviceChange>(
  means: Means,
  requestOf: (change: DeviceChange) => GraphRequest | GraphError,
  { concurrency, deadline, mode = "auto", onInterrupt = () => Effect.void, skipEqual = false }: UpdateDevicesOptions<C>
) {
  const { device: schema, postBatch, settings } = means
  const { largest } = yield* settings.gates.at("write")
  // One that is no duration is the reason why each change is refused.
  const duration = Option.getOrElse(Duration.fromInput(deadline ?? Duration.infinity), () => Duration.infinity)
  const until = (yield* steadyMillis) + Duration.toMillis(duration)
  const withinMillis = Effect.map(steadyMillis, (now) => until - now)
  /** How many changes were taken from the source and not sent yet; while they are many, no more are taken. */
  let unsent = 0
  const mostUnsent = ((concurrency ?? groupsWaiting) - 1) * largestBatch
  const hasRoom = Latch.makeUnsafe(true)
  const count = (more: number): void => {
    unsent += more
    if (unsent > mostUnsent) hasRoom.closeUnsafe()
    else hasRoom.openUnsafe()
  }
  const leave = (work: Work): void => {
    if (!work.hasLeft) count(-1)
    work.hasLeft = true
  }
  const sendChanges = makeSendChanges(means, batchOrSingle(mode, largest), withinMillis, leave)
  const underWay = new Set<Work<C>>()
  const lastOf = new Map<string, Deferred.Deferred<void>>()

  const settle = (work: Work<C>, outcome: Outcome): DeviceOutcome<C> => {
    underWay.delete(work)
    leave(work)
    const key = deviceOf(work.change)
    if (lastOf.get(key) === work.settled) lastOf.delete(key)
    Deferred.doneUnsafe(work.settled, Effect.void)
    return { ...outcome, change: work.change, attempts: work.attempts }
  }

  /** What a device shows of a change whose answer was lost: made, not made, or nothing. */
  const readBack = Effect.fnUntraced(function* ({ change, request }: Work<C>) {
    const left = yield* withinMillis
    if (left <= 0) return undefined
    const read = yield* Effect.result(sendWithin(means, readBackOf(request), schema, left))
    if (Result.isFailure(read)) return read.failure.reason._tag === "NotFound" ? "notMade" : undefined
    const device = read.success.value
    return differing(device, change.update).length === 0 ? device : "notMade"
  })

  /** The outcome of an attempt, or `undefined` when there is to be another, after the wait for it. */
  const judge = Effect.fnUntraced(function* (work: Work<C>, attempted: Attempted) {
    work.isSent = false
    if (attempted.kind === "done") return acknowledged(work.change.update, attempted.device)
    const { error, isOfBatch } = attempted
    const { longestWaitMillis } = settings
    const verdict = isOfBatch ? "again" : verdictOn(error)
    work.isUnsure ||= verdict === "lost"
    const waitMillis = isOfBatch ? 0 : yield* waitAmongManyMillis(error, work.attempts, longestWaitMillis)
    const tries = {
      canPass: verdict !== "refused",
      attempts: isOfBatch ? 0 : work.attempts,
      most: settings.attempts,
      waitMillis,
      withinMillis: yield* withinMillis,
      longestWaitMillis
    }
    const isOver = isLast(error, tries)
    const isAsked = "retryAfterSeconds" in error.reason && error.reason.retryAfterSeconds !== undefined
    if (isAsked && !isOver) yield* Effect.withSpan(Effect.sleep(waitMillis), "GraphClient.wait")
    if (verdict === "lost" || (isOver && work.isUnsure)) {
      const shown = yield* readBack(work)
      if (shown !== undefined && shown !== "notMade") return acknowledged(work.change.update, shown)
      if (isOver && shown === undefined) return { kind: "unknown", error } satisfies Outcome
    }
    if (!isOver && !isAsked && waitMillis > 0) yield* Effect.withSpan(Effect.sleep(waitMillis), "GraphClient.wait")
    if (!isOver) return undefined
    return { kind: verdict === "refused" ? "refused" : "failed", error } satisfies Outcome
  })

  /** Sends the first change of each device that is free, and gives what is settled by it. */
  const round = Effect.fnUntraced(function* (pending: ReadonlyArray<Work<C>>) {
    const earlier = pending[0]?.previous
    if (earlier !== undefined && !pending.some(isFree)) yield* Deferred.await(earlier)
    const free = pending.filter(isFree)
    const attempts = yield* sendChanges(free)
    const judged = yield* Effect.forEach(
      attempts,
      (attempted, index) => {
        const work = free[index]
        return work === undefined ? Effect.undefined : judge(work, attempted)
      },
      { concurrency: "unbounded" }
    )
    const outcomes = free.flatMap((work, index) => {
      const outcome = judged[index]
      return outcome === undefined ? [] : [settle(work, outcome)]
    })
    const left = pending.filter((work) => underWay.has(work))
    return [outcomes, left.length === 0 ? Option.none() : Option.some(left)] as const
  })

  const rounds = (works: ReadonlyArray<Work<C>>): Stream.Stream<DeviceOutcome<C>> =>
    works.length === 0 ? Stream.empty : Stream.paginate(works, round)

  /** Settles the devices that have the values already; one that cannot be read is written. */
  const settleEqual = Effect.fnUntraced(function* (works: ReadonlyArray<Work<C>>) {
    const free = works.filter(({ previous }) => previous === undefined)
    if (free.length === 0) return []
    const requests = free.map(({ request }) => readBackOf(request))
    const read = yield* Effect.result(postBatch(requests, { lane: "read", withinMillis: yield* withinMillis }))
    // Where there was room for some only, the others are written without a look.
    const answers = Result.isSuccess(read) ? read.success.answers : []
    return free.flatMap((work, index) => {
      const answer = answers[index]
      const device =
        answer === undefined || answer.fault !== undefined || answer.answer.status !== 200
          ? undefined
          : deviceIn(schema, answer)
      if (device === undefined || differing(device, work.change.update).length > 0) return []
      return [settle(work, { kind: "unchanged", device, differing: [] })]
    })
  })

  const begin = (change: C): Work<C> | DeviceOutcome<C> => {
    const request = requestOf(change ?? noChange)
    if ("_tag" in request) return { change, attempts: 0, kind: "refused", error: request }
    const key = deviceOf(change)
    const settled = Deferred.makeUnsafe<void>()
    const previous = lastOf.get(key)
    lastOf.set(key, settled)
    const work = { change, request, previous, settled, attempts: 0, hasLeft: false, isSent: false, isUnsure: false }
    underWay.add(work)
    count(1)
    return work
  }

  const groupOutcomes = (group: ReadonlyArray<C>): Stream.Stream<DeviceOutcome<C>> => {
    const begun = group.map(begin)
    const wrong = begun.flatMap((one) => ("kind" in one ? [one] : []))
    const works = begun.flatMap((one) => ("kind" in one ? [] : [one]))
    const equal = skipEqual ? Stream.fromIterableEffect(settleEqual(works)) : Stream.empty
    const written = Stream.suspend(() => rounds(works.filter((work) => underWay.has(work))))
    return Stream.fromIterable(wrong).pipe(Stream.concat(equal), Stream.concat(written))
  }

  const tellUnanswered = Effect.suspend(() => {
    const outcomes = [...underWay]
      .filter(({ isSent, isUnsure }) => isSent || isUnsure)
      .map((work) => settle(work, { kind: "unknown", error: unanswered(work, "stopped before an answer came") }))
    return outcomes.length === 0 ? Effect.void : onInterrupt(outcomes)
  })

  return <E, R>(source: Stream.Stream<C, E, R>): Stream.Stream<DeviceOutcome<C>, E, R> => {
    // A source that fails does not take along what was sent before.
    let failure: Cause.Cause<E> | undefined
    const readable = Stream.catchCause(source, (cause) => {
      failure = cause
      return Stream.empty
    })
    const rest = Stream.suspend(() => (failure === undefined ? Stream.empty : Stream.failCause(failure)))
    return readable.pipe(
      Stream.groupedWithin(largestBatch, lingerMillis),
      Stream.mapEffect((group) => Effect.map(hasRoom.await, () => groupOutcomes(group))),
      Stream.flatMap((outcomes) => outcomes, { concurrency: concurrency ?? mostGroups }),
      Stream.concat(rest),
      Stream.ensuring(tellUnanswered),
      Stream.withSpan("GraphClient.updateDevices")
    )
  }
})
