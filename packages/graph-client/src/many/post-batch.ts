import { routes } from "@workanywhere/domain"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import type { Span } from "effect/Tracer"
import { type Answer, answerOf, refusal, unreadable } from "../facts/answer.ts"
import type { Lane } from "../facts/budget.ts"
import { GraphError, type Sent, Unavailable } from "../facts/graph-error.ts"
import { isDeeperThan, mostLevelsOfItem } from "../facts/levels.ts"
import type { Pass } from "../pace/gate.ts"
import { steadyMillis } from "../pace/steady.ts"
import { type GraphRequest, hidden, unsent } from "../send/attempt.ts"
import type { Settings } from "../send/options.ts"
import { type Received, type Send, tooLate } from "../send/send.ts"
import { whenTraced } from "../send/spanned.ts"
import { backoffMillis } from "../send/verdict.ts"

/** Most requests in one batch (Microsoft: "Combine multiple HTTP requests using JSON batching"). */
export const largestBatch = 20

const idOf = (index: number): string => String(index + 1)

const indexOf: ReadonlyMap<string, number> = new Map(
  Array.from({ length: largestBatch }, (_, index) => [idOf(index), index])
)

/** No less than this part of a batch is sent when there is no room for more. */
const fewestOfBatch = 4

/** One answer of a batch: what a response would be, and its body as JSON. */
export interface ItemAnswer {
  readonly answer: Answer
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  /** Why it is none that can be relied on. */
  readonly fault?: string
}

/**
 * What came back for a batch: an answer for each request that has one, in the order of the requests. There may have been
 * room for the first few only.
 */
export interface BatchReceived {
  readonly sent: Sent
  readonly answers: ReadonlyArray<ItemAnswer | undefined>
  /** From sending to the answer, waiting for the gate not included. */
  readonly tookMillis: number
}

/** How a batch is sent. */
interface BatchTerms {
  readonly lane: Lane
  /** How long it may take, the wait at the gate included. */
  readonly withinMillis: number
  /** Runs when it leaves, with how many of its requests. */
  readonly onSent?: (count: number) => void
}

/** Sends up to twenty requests in one, through the gate, once. */
export type PostBatch = (
  requests: ReadonlyArray<GraphRequest>,
  terms: BatchTerms
) => Effect.Effect<BatchReceived, GraphError>

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null

/** Looks at the envelope only: an answer that does not fit counts as one that did not come. */
const envelope: StandardSchemaV1<unknown, ReadonlyArray<Fields>> = {
  "~standard": {
    version: 1,
    vendor: "workanywhere",
    validate: (body) =>
      isFields(body) && Array.isArray(body["responses"])
        ? { value: body["responses"].filter(isFields) }
        : { issues: [{ message: "no responses", path: ["responses"] }] }
  }
}

const fieldName = /^[\w!#$%&'*+.^`|~-]+$/
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

/** `undefined` when there are some that would be no headers of an answer by itself. */
const headersOf = (value: unknown): Readonly<Record<string, string>> | undefined => {
  const headers: Array<readonly [string, string]> = []
  for (const [name, given] of Object.entries(isFields(value) ? value : {})) {
    if (given === null) continue
    const text = typeof given === "number" ? String(given) : given
    if (typeof text !== "string" || !fieldName.test(name) || !fieldValue.test(text)) return undefined
    headers.push([name.toLowerCase(), text])
  }
  return Object.fromEntries(headers)
}

const isStatus = (status: number): boolean => Number.isInteger(status) && status >= 200 && status <= 599

const isDone = ({ answer: { status }, fault }: ItemAnswer): boolean =>
  fault === undefined && status >= 200 && status < 300

const itemOf = ({ body, headers, status }: Fields): ItemAnswer | undefined => {
  if (typeof status !== "number") return undefined
  const named = headersOf(headers)
  const fault = !isStatus(status)
    ? "no answer can have that status"
    : named === undefined
      ? "headers that no answer can have"
      : isDeeperThan(mostLevelsOfItem, body)
        ? "JSON that is nested too deeply"
        : undefined
  const isText = typeof body === "string"
  const text = isText ? body : fault === undefined ? (JSON.stringify(body) ?? "") : ""
  const answer = answerOf(status, (name) => named?.[name], text)
  return { answer, headers: named ?? {}, body, ...(fault === undefined ? {} : { fault }) }
}

const isSame = (one: ItemAnswer, other: ItemAnswer): boolean =>
  one.answer.status === other.answer.status && one.answer.text === other.answer.text

/** Of two with the same id a success counts, because it did happen; of two that differ nobody knows which it is. */
const oneOf = (one: ItemAnswer, other: ItemAnswer): ItemAnswer => {
  if (isDone(one) !== isDone(other)) return isDone(one) ? one : other
  return isSame(one, other) ? one : { ...one, fault: "another answer for the same request" }
}

/** By position, because answers come in any order. */
const inOrder = (responses: ReadonlyArray<Fields>, count: number): ReadonlyArray<ItemAnswer | undefined> => {
  const answers = Array.from({ length: count }, (): ItemAnswer | undefined => undefined)
  for (const response of responses) {
    const { id } = response
    const index = typeof id === "string" || typeof id === "number" ? indexOf.get(String(id)) : undefined
    if (index === undefined || index >= count) continue
    const [before, item] = [answers[index], itemOf(response)]
    if (item !== undefined) answers[index] = before === undefined ? item : oneOf(before, item)
  }
  return answers
}

/** What makes an item a failure; `undefined` for one that was done. */
export type ItemFailure = (request: GraphRequest, sent: Sent, item: ItemAnswer, now: number) => GraphError | undefined

/** Reads the error of a batch item as that of a request by itself. */
export const itemFailureOf =
  ({ tokens }: Settings): ItemFailure =>
  ({ method, path, template }, sent, item, now) => {
    if (isDone(item)) return undefined
    const [own, answer] = [{ ...sent, method, path, template }, hidden(tokens, item.answer)]
    return item.fault === undefined ? refusal(own, answer, now) : unreadable(own, answer, item.fault)
  }

/** No time was left to send a request. */
export const outOfTime = (host: string, request: Pick<GraphRequest, "method" | "path" | "template">): GraphError =>
  new GraphError({
    ...unsent(request),
    message: `there was no time left to send this to ${host}`,
    reason: new Unavailable({ isTimeUp: true })
  })

/** Sends a request, and gives it up when the time is over, although it may take effect. */
export const sendWithin = <A>(
  { send, settings: { host } }: { readonly send: Send; readonly settings: Settings },
  request: GraphRequest,
  schema: StandardSchemaV1<unknown, A>,
  withinMillis: number
): Effect.Effect<Received<A>, GraphError> => {
  if (withinMillis === Infinity) return send(request, schema)
  const { clientRequestId = crypto.randomUUID() } = request
  return Effect.timeoutOrElse(send({ ...request, clientRequestId }, schema), {
    duration: Math.max(0, withinMillis),
    orElse: () =>
      Effect.fail(
        new GraphError({
          ...unsent(request),
          clientRequestId,
          attempts: 1,
          outcomeUnknown: true,
          message: `${host} did not answer before the time was up`,
          reason: new Unavailable({ isTimeUp: true })
        })
      )
  })
}

/** Items are no requests of their own, so each has a span here, which goes from sending the batch to its answer. */
const spansOf = (requests: ReadonlyArray<GraphRequest>): Effect.Effect<ReadonlyArray<Span>> =>
  whenTraced(Effect.succeed([]), () =>
    Effect.forEach(requests, ({ method, template }) =>
      Effect.makeSpan("GraphClient.item", {
        attributes: { "http.request.method": method, "url.template": template }
      })
    )
  )

/** What came of sending a batch once, with the error of each item that was not done. */
interface Exchanged {
  readonly batch: BatchReceived
  readonly failures: ReadonlyArray<GraphError | undefined>
}

/** How an item ended: as the batch did, where it came back with nothing. */
const itemExit = (exit: Exit.Exit<Exchanged, GraphError>, index: number): Exit.Exit<void, GraphError | string> => {
  if (Exit.isFailure(exit)) return Exit.failCause(exit.cause)
  const { batch, failures } = exit.value
  if (batch.answers[index] === undefined) return Exit.fail("no answer")
  const failure = failures[index]
  return failure === undefined ? Exit.void : Exit.fail(failure)
}

/** Ends the spans of items as that of an attempt ends. */
const endSpans = (spans: ReadonlyArray<Span>, exit: Exit.Exit<Exchanged, GraphError>): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeNanos, (at) => {
    for (const [index, span] of spans.entries()) {
      const status = Exit.isSuccess(exit) ? exit.value.batch.answers[index]?.answer.status : undefined
      if (status !== undefined) span.attribute("http.response.status_code", status)
      const ended = itemExit(exit, index)
      const error = Exit.isFailure(ended) ? Option.getOrUndefined(Cause.findErrorOption(ended.cause)) : undefined
      if (error !== undefined) {
        const tag = typeof error === "string" ? "Unavailable" : error.reason._tag
        span.attribute("error.type", status === undefined ? tag : String(status))
      }
      span.end(at, ended)
    }
  })

/** Makes the function that sends batches. */
export const makePostBatch = (settings: Settings, send: Send): PostBatch => {
  const { root } = settings
  const failureOf = itemFailureOf(settings)
  const template = root + routes.batch.path

  const asItem = ({ body, headers = {}, method, path, query }: GraphRequest, index: number) => ({
    id: idOf(index),
    method,
    url: path.slice(root.length) + query,
    ...(body === undefined ? { headers } : { headers: { ...headers, "content-type": "application/json" }, body })
  })

  /** Each item is throttled by itself (docs/fidelity.md, F81); who waits for the longest is safe with all. */
  const tell = Effect.fnUntraced(function* (failures: ReadonlyArray<GraphError | undefined>, pass: Pass) {
    const ends = yield* Effect.forEach(failures, (error) =>
      Effect.map(
        error === undefined ? Effect.succeed(0) : backoffMillis(error, pass.throttledInRow + 1),
        (waitMillis) => ({
          error,
          waitMillis
        })
      )
    )
    pass.answered(ends)
  })

  const exchange = Effect.fnUntraced(function* (
    requests: ReadonlyArray<GraphRequest>,
    pass: Pass,
    withinMillis: number
  ) {
    const startedAt = yield* steadyMillis
    const body = { requests: requests.map(asItem) }
    const request = { method: "POST", template, path: template, query: "", body, pass, takesDeepParts: true } as const
    const { sent, value } = yield* sendWithin({ send, settings }, request, envelope, withinMillis)
    const tookMillis = (yield* steadyMillis) - startedAt
    const answers = inOrder(value, requests.length)
    const now = yield* Clock.currentTimeMillis
    const failures = requests.map((request, index) => {
      const item = answers[index]
      return item && failureOf(request, sent, item, now)
    })
    return { batch: { sent, answers, tookMillis }, failures } satisfies Exchanged
  })

  const post = Effect.fnUntraced(function* (
    all: ReadonlyArray<GraphRequest>,
    onSent: (count: number) => void,
    pass: Pass,
    until: number
  ) {
    const requests = all.slice(0, pass.granted)
    const withinMillis = until - (yield* steadyMillis)
    if (withinMillis <= 0) return yield* outOfTime(settings.host, { method: "POST", path: template, template })
    onSent(requests.length)
    const spans = yield* spansOf(requests)
    const exchanged = exchange(requests, pass, withinMillis)
    const { batch, failures } = yield* spans.length === 0
      ? exchanged
      : Effect.onExit(exchanged, (exit) => endSpans(spans, exit))
    yield* tell(failures, pass)
    return batch
  })

  return Effect.fn("GraphClient.postBatch")(function* (requests, { lane, onSent = () => undefined, withinMillis }) {
    const gate = yield* settings.gates.at(lane)
    const until = (yield* steadyMillis) + withinMillis
    const cost = requests.length
    const terms = { cost, least: Math.ceil(cost / fewestOfBatch), withinMillis }
    const through = gate.through(terms, (pass) => post(requests, onSent, pass, until))
    return yield* Effect.catchTag(through, "TooLate", ({ waitMillis }) =>
      Effect.fail(tooLate(settings.host, unsent({ method: "POST", path: template, template }), waitMillis))
    )
  })
}
