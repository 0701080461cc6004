import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import { type GraphRequest, hidden, unsent } from "./attempt.ts"
import type { Lane } from "./budget.ts"
import type { Pass } from "./gate.ts"
import { type Answer, type GraphError, type Sent, answerOf, refusal } from "./graph-error.ts"
import type { Settings } from "./options.ts"
import { type Received, type Send, backoffMillis, tooLate } from "./send.ts"
import { whenTraced } from "./spanned.ts"

/** Most requests in one batch (reference 6.4). */
export const largestBatch = 20

/** No less than this part of a batch is sent when there is no room for more. */
const fewestOfBatch = 4

/** One answer of a batch: what a response would be, and its body as JSON. */
export interface ItemAnswer {
  readonly answer: Answer
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
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
  /** How long it may wait at the gate. */
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

const headersOf = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(isFields(value) ? value : {}).map(([name, text]) => [name.toLowerCase(), String(text)])
  )

const isDone = ({ answer: { status } }: ItemAnswer): boolean => status >= 200 && status < 300

/** By id, because answers come in any order; of two with the same id a success counts, because it did happen. */
const byId = (responses: ReadonlyArray<Fields>): ReadonlyMap<string, ItemAnswer> => {
  const found = new Map<string, ItemAnswer>()
  for (const { body, headers, id, status } of responses) {
    if ((typeof id !== "string" && typeof id !== "number") || typeof status !== "number") continue
    const named = headersOf(headers)
    const text = typeof body === "string" ? body : (JSON.stringify(body) ?? "")
    const item: ItemAnswer = { answer: answerOf(status, (name) => named[name], text), headers: named, body }
    const other = found.get(String(id).toLowerCase())
    if (other === undefined || (!isDone(other) && isDone(item))) found.set(String(id).toLowerCase(), item)
  }
  return found
}

/** What makes an item a failure; `undefined` for one that was done. */
export type ItemFailure = (request: GraphRequest, sent: Sent, item: ItemAnswer, now: number) => GraphError | undefined

/** Reads the error of a batch item as that of a request by itself. */
export const itemFailureOf =
  ({ tokens }: Settings): ItemFailure =>
  ({ method, path, template }, sent, item, now) => {
    if (isDone(item)) return undefined
    return refusal({ ...sent, method, path, template }, hidden(tokens, item.answer), now)
  }

type Ended = Exit.Exit<BatchReceived, GraphError>

/** How an item of a batch went, as OpenTelemetry's conventions for HTTP name it. */
const attributesOf = (ended: Ended, index: number): Readonly<Record<string, string | number>> => {
  if (Exit.isFailure(ended)) {
    const error = Result.getOrUndefined(Cause.findError(ended.cause))
    return { "error.type": error === undefined ? "interrupted" : String(error.status ?? error.reason._tag) }
  }
  const status = ended.value.answers[index]?.answer.status
  if (status === undefined) return { "error.type": "unanswered" }
  return { "http.response.status_code": status, ...(status >= 400 ? { "error.type": String(status) } : {}) }
}

/** Gives each item of a batch a span that is as long as the batch, when somebody traces. */
const spannedItems = (
  requests: ReadonlyArray<GraphRequest>,
  batch: Effect.Effect<BatchReceived, GraphError>
): Effect.Effect<BatchReceived, GraphError> =>
  whenTraced(batch, () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const spans = yield* Effect.forEach(requests, ({ method, template }) =>
        Effect.makeSpan("GraphClient.batchItem", {
          attributes: { "http.request.method": method, "url.template": template }
        })
      )
      const end = (ended: Ended) =>
        Effect.sync(() => {
          const now = clock.currentTimeNanosUnsafe()
          for (const [index, span] of spans.entries()) {
            const attributes = Object.entries(attributesOf(ended, index))
            for (const [name, value] of attributes) span.attribute(name, value)
            span.end(now, Exit.void)
          }
        })
      return yield* Effect.onExit(batch, end)
    })
  )

/** Makes the function that sends batches. */
export const makePostBatch = (settings: Settings, send: Send): PostBatch => {
  const { root } = settings
  const failureOf = itemFailureOf(settings)
  const template = `${root}/$batch`

  const itemOf = ({ body, headers = {}, method, path, query }: GraphRequest, index: number) => ({
    id: String(index + 1),
    method,
    url: path.slice(root.length) + query,
    ...(body === undefined ? { headers } : { headers: { ...headers, "content-type": "application/json" }, body })
  })

  /** Each item is throttled by itself; who waits for the longest is safe with all (reference 6.4). */
  const closeFor = Effect.fnUntraced(function* (
    requests: ReadonlyArray<GraphRequest>,
    { answers, sent }: BatchReceived,
    pass: Pass
  ) {
    const now = yield* Clock.currentTimeMillis
    let longest: number | undefined
    for (const [index, request] of requests.entries()) {
      const item = answers[index]
      const error = item && failureOf(request, sent, item, now)
      if (error?.reason._tag !== "Throttled") continue
      const wait = yield* backoffMillis(error, pass.throttledInRow + 1)
      longest = Math.max(longest ?? 0, wait)
    }
    if (longest !== undefined) pass.close(longest)
  })

  const post = Effect.fnUntraced(function* (
    all: ReadonlyArray<GraphRequest>,
    onSent: (count: number) => void,
    pass: Pass
  ) {
    const requests = all.slice(0, pass.granted)
    onSent(requests.length)
    const startedAt = yield* Clock.currentTimeMillis
    const body = { requests: requests.map(itemOf) }
    const batch = yield* spannedItems(
      requests,
      Effect.gen(function* () {
        const { sent, value }: Received<ReadonlyArray<Fields>> = yield* send(
          { method: "POST", template, path: template, query: "", body, pass },
          envelope
        )
        const found = byId(value)
        const answers = requests.map((_, index) => found.get(String(index + 1)))
        const tookMillis = (yield* Clock.currentTimeMillis) - startedAt
        return { sent, answers, tookMillis }
      })
    )
    yield* closeFor(requests, batch, pass)
    return batch
  })

  return Effect.fn("GraphClient.postBatch")(function* (requests, { lane, onSent = () => undefined, withinMillis }) {
    const gate = yield* settings.gates.at(lane)
    const cost = requests.length
    const terms = { cost, least: Math.ceil(cost / fewestOfBatch), withinMillis }
    const through = gate.through(terms, (pass) => post(requests, onSent, pass))
    return yield* Effect.catchTag(through, "TooLate", ({ waitMillis }) =>
      Effect.fail(tooLate(settings.host, unsent({ method: "POST", path: template, template }), waitMillis))
    )
  })
}
