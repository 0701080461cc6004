import type { KeyedDevice } from "@workanywhere/domain"
import * as Clock from "effect/Clock"
import type * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import { GraphError, Unavailable } from "../facts/graph-error.ts"
import { steadyMillis } from "../pace/steady.ts"
import { type GraphRequest, amended, unsent } from "../send/attempt.ts"
import type { Settings } from "../send/options.ts"
import { type Send, tooLate } from "../send/send.ts"
import { neverLeft } from "../send/verdict.ts"
import type { BatchOrSingle } from "./batch-or-single.ts"
import type { DeviceChange } from "./device-outcome.ts"
import { type ItemAnswer, type PostBatch, itemFailureOf, outOfTime, sendWithin } from "./post-batch.ts"

/** A change on its way to an outcome. */
export interface Work<C extends DeviceChange = DeviceChange> {
  readonly change: C
  readonly request: GraphRequest
  /** The change before this one to the same device. */
  readonly previous: Deferred.Deferred<void> | undefined
  readonly settled: Deferred.Deferred<void>
  attempts: number
  /** It was sent before, or will not be. */
  hasLeft: boolean
  /** Under way now. */
  isSent: boolean
  /** Sent once without an answer: it may have taken effect. */
  isUnsure: boolean
}

/** What one attempt came to. */
export type Attempted =
  | { readonly kind: "done"; readonly device: KeyedDevice | undefined }
  /** `isOfBatch` when the batch was at fault and not the change, so that it is no attempt at it. */
  | { readonly kind: "failed"; readonly error: GraphError; readonly isOfBatch: boolean }

/** What the client lends to a bulk update. */
export interface Means {
  readonly settings: Settings
  readonly send: Send
  readonly postBatch: PostBatch
  readonly device: StandardSchemaV1<unknown, KeyedDevice>
}

/** Single requests cost everyone more than a batch, so they have to be quicker than four at once would make them. */
const singlesInBatchTime = 4

/** What says that batches cannot be had here, or not with these items. */
const noBatches: ReadonlySet<number | undefined> = new Set([400, 404, 405, 501])

/** Status of a batch that a smaller one may not meet. */
export const tooLarge = 413

const failed = (error: GraphError): Attempted => ({ kind: "failed", error, isOfBatch: false })

/** The device in an acknowledged item, where there is one. */
export const deviceIn = (schema: Means["device"], { body }: ItemAnswer): KeyedDevice | undefined => {
  const result = schema["~standard"].validate(body)
  return result instanceof Promise || result.issues !== undefined ? undefined : result.value
}

/** The error of a change that was sent and not answered. */
export const unanswered = (
  { attempts, request }: Pick<Work, "attempts" | "request">,
  message: string,
  sent = unsent(request)
): GraphError => {
  const { method, path, template } = request
  return new GraphError({
    ...sent,
    method,
    path,
    template,
    attempts,
    message,
    reason: new Unavailable({}),
    outcomeUnknown: true
  })
}

export const noItemAnswer = "the batch came back without an answer to this request"

/** The error of a whole batch as that of one of its items. */
export const ofItem = ({ attempts, request }: Pick<Work, "attempts" | "request">, error: GraphError): GraphError => {
  const { method, path, template } = request
  return amended(error, { method, path, template, attempts: neverLeft(error) ? 0 : attempts })
}

/** Makes the function that sends changes once each, in batches or one by one, and gives what became of each. */
export const makeSendChanges = (
  { device, postBatch, send, settings }: Means,
  choice: BatchOrSingle,
  withinMillis: Effect.Effect<number>,
  onSent: (work: Work) => void
) => {
  const failureOf = itemFailureOf(settings)

  const begin = (works: ReadonlyArray<Work>): void => {
    for (const work of works) {
      work.attempts += 1
      work.isSent = true
      onSent(work)
    }
  }

  const single = Effect.fnUntraced(function* (work: Work) {
    const gate = yield* settings.gates.at("write")
    const through = gate.through({ cost: 1, withinMillis: yield* withinMillis }, (pass) =>
      Effect.gen(function* () {
        const left = yield* withinMillis
        if (left <= 0) return yield* outOfTime(settings.host, work.request)
        begin([work])
        const startedAt = yield* steadyMillis
        const { notReadBack, value } = yield* sendWithin({ send, settings }, { ...work.request, pass }, device, left)
        choice.singleTook(((yield* steadyMillis) - startedAt) / singlesInBatchTime)
        return notReadBack === true ? undefined : value
      })
    )
    const outcome = yield* Effect.result(
      Effect.catchTag(through, "TooLate", ({ waitMillis }) =>
        Effect.fail(tooLate(settings.host, unsent(work.request), waitMillis))
      )
    )
    if (Result.isSuccess(outcome)) return { kind: "done", device: outcome.success } satisfies Attempted
    const error = outcome.failure
    return failed(neverLeft(error) ? error : amended(error, { attempts: work.attempts }))
  })

  const failedBatch = (works: ReadonlyArray<Work>, error: GraphError): ReadonlyArray<Attempted> => {
    if (error.status !== undefined) choice.halve(works.length)
    const isRefusal = noBatches.has(error.status)
    if (isRefusal) choice.forgetBatches()
    const isOfBatch = isRefusal || (error.status === tooLarge && works.length > 1)
    return works.map((work) => ({ kind: "failed", error: ofItem(work, error), isOfBatch }))
  }

  /** Sends what there is room for: the first of the changes, or all of them. */
  const firstOf = Effect.fnUntraced(function* (all: ReadonlyArray<Work>) {
    let works = all
    const requests = all.map(({ request }) => request)
    const terms = {
      lane: "write",
      withinMillis: yield* withinMillis,
      onSent: (count: number) => {
        works = all.slice(0, count)
        begin(works)
      }
    } as const
    const outcome = yield* Effect.result(postBatch(requests, terms))
    if (Result.isFailure(outcome)) return failedBatch(works, outcome.failure)
    const { answers, sent, tookMillis } = outcome.success
    choice.batchTook(tookMillis / works.length)
    const now = yield* Clock.currentTimeMillis
    return works.map((work, index): Attempted => {
      const item = answers[index]
      if (item === undefined) return failed(unanswered(work, noItemAnswer, sent))
      const error = failureOf(work.request, { ...sent, attempts: work.attempts }, item, now)
      return error === undefined ? { kind: "done", device: deviceIn(device, item) } : failed(error)
    })
  })

  /** What there is no room for yet waits for the answer to what went before, which may ask everyone to wait. */
  const batch = Effect.fnUntraced(function* (works: ReadonlyArray<Work>) {
    const attempted: Array<Attempted> = []
    while (attempted.length < works.length) attempted.push(...(yield* firstOf(works.slice(attempted.length))))
    return attempted
  })

  return (works: ReadonlyArray<Work>): Effect.Effect<ReadonlyArray<Attempted>> => {
    const size = choice.sizeFor(works.length)
    if (size === 1) return Effect.forEach(works, single, { concurrency: "unbounded" })
    const chunks = Array.from({ length: Math.ceil(works.length / size) }, (_, index) =>
      works.slice(index * size, (index + 1) * size)
    )
    return Effect.map(Effect.forEach(chunks, batch), (attempted) => attempted.flat())
  }
}
