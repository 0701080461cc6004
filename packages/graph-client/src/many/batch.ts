import { type Issue, routes } from "@workanywhere/domain"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Lane } from "../facts/budget.ts"
import { GraphError, Rejected, type Sent } from "../facts/graph-error.ts"
import { steadyMillis } from "../pace/steady.ts"
import { type GraphRequest, amended, unsent, withoutTokens } from "../send/attempt.ts"
import type { Settings } from "../send/options.ts"
import { readBackOf } from "../send/send.ts"
import { isLast, mayPass, waitAmongManyMillis } from "../send/verdict.ts"
import { type BatchOrSingle, batchOrSingle } from "./batch-or-single.ts"
import { type BatchReceived, type PostBatch, itemFailureOf, largestBatch } from "./post-batch.ts"
import { noItemAnswer, ofItem, tooLarge, unanswered } from "./send-changes.ts"

/** One request of a batch: any that the service has. */
export interface BatchRequest {
  readonly method: Sent["method"]
  /** Below the client's root, with its query: `/deviceManagement/managedDevices?$top=1`. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** JSON. */
  readonly body?: unknown
  /** Positions of earlier requests that have to succeed before this one is sent. */
  readonly dependsOn?: ReadonlyArray<number>
}

/** Any request that the service has, sent by itself. */
export interface SingleRequest extends Omit<BatchRequest, "dependsOn"> {
  /** The path with names in place of keys, for spans and errors: `/deviceManagement/managedDevices/{id}`. */
  readonly template?: string
  /** What ties the request to one of the caller's own: up to 64 letters, digits, dots and dashes; a new GUID by default. */
  readonly clientRequestId?: string
}

/** An answer with a status from 200 to 299. */
export interface Answered {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** JSON; `undefined` where there is none. */
  readonly body: unknown
  /** An update was made, its answer does not show what it made, and reading that back failed. */
  readonly notReadBack?: true
}

/** What became of one request of a batch. */
export type BatchOutcome =
  | ({ readonly kind: "answered" } & Answered)
  | { readonly kind: "failed"; readonly error: GraphError }

/** How a batch is sent. */
export interface BatchOptions {
  /** Ends it all, requests under way included; the client's deadline by default. */
  readonly deadline?: Duration.Input
  /**
   * Reads what was changed by a PATCH that is answered without a body, such as 204, as `request` does: its outcome is then
   * that of the reading, or the answer as it came, with `notReadBack`, where reading failed. By default the answer is given
   * as it came.
   */
  readonly readBack?: boolean
}

const longestUrl = 8_192

/** Anything else might lead elsewhere than below the root, or not be the address that it looks like. */
const isBelowRoot = (url: unknown): boolean =>
  typeof url === "string" &&
  url.length <= longestUrl &&
  /^\/[^/\s\\][^\s\\#]*$/.test(url) &&
  !/(^|\/|%2f)(\.|%2e){1,2}(\/|%2f|\?|$)/i.test(url)

const issue = (path: string, expected: string): Issue => {
  const message = `${path}: it is not ${expected}`
  return { path, code: "malformedText", message, expected, received: "something else" }
}

const urlIssues = (path: string, url: unknown): ReadonlyArray<Issue> =>
  isBelowRoot(url) ? [] : [issue(path, "a path below the root, such as /deviceManagement")]

const methods: ReadonlySet<string> = new Set<Sent["method"]>(["GET", "POST", "PATCH", "DELETE"])

const methodIssues = (path: string, method: string): ReadonlyArray<Issue> =>
  methods.has(method) ? [] : [issue(path, `one of ${[...methods].join(", ")}`)]

/** What is wrong with a request that is sent by itself. */
export const singleIssues = ({ clientRequestId = "", method, url }: SingleRequest): ReadonlyArray<Issue> => [
  ...methodIssues("method", method),
  ...urlIssues("url", url),
  ...(/^[\w.-]{0,64}$/.test(clientRequestId)
    ? []
    : [issue("clientRequestId", "up to 64 letters, digits, dots, dashes and underscores")])
]

const itemIssues = ({ dependsOn = [], method, url }: BatchRequest, index: number): ReadonlyArray<Issue> => [
  ...methodIssues(`requests[${index}].method`, method),
  ...urlIssues(`requests[${index}].url`, url),
  ...(dependsOn.every((other) => Number.isInteger(other) && other >= 0 && other < index)
    ? []
    : [issue(`requests[${index}].dependsOn`, "positions of earlier requests")])
]

/** What is wrong with the deadline of some work; the caller may be JavaScript. */
export const deadlineIssues = (deadline: Duration.Input | undefined): ReadonlyArray<Issue> =>
  deadline === undefined || Option.isSome(Duration.fromInput(deadline))
    ? []
    : [issue("deadline", 'a duration, such as "30 seconds"')]

/** What is wrong with the requests of a batch, and with its deadline. */
export const batchIssues = (
  requests: ReadonlyArray<BatchRequest | null>,
  { deadline }: BatchOptions = {}
): ReadonlyArray<Issue> => [
  ...deadlineIssues(deadline),
  ...requests.flatMap((request, index) =>
    request === null ? [issue(`requests[${index}]`, "a request")] : itemIssues(request, index)
  )
]

interface Item {
  readonly request: GraphRequest
  readonly dependsOn: ReadonlyArray<number>
  outcome: BatchOutcome | undefined
  attempts: number
  /** Sent once without an answer that says what came of it. */
  isUnsure: boolean
}

const unsentItem = (request: GraphRequest, dependsOn: ReadonlyArray<number> = []): Item => ({
  request,
  dependsOn,
  outcome: undefined,
  attempts: 0,
  isUnsure: false
})

/** The answer to an update that was made, where it shows nothing. */
const bodilessAnswer = ({ outcome, request: { method } }: Item) =>
  method === "PATCH" && outcome?.kind === "answered" && (outcome.body ?? "") === "" ? outcome : undefined

const isFailed = (outcome: BatchOutcome | undefined): boolean => outcome?.kind === "failed"

const failedBefore = ({ request }: Item): BatchOutcome => ({
  kind: "failed",
  error: new GraphError({
    ...unsent(request),
    message: "it was not sent, because a request that has to succeed before it failed",
    reason: new Rejected()
  })
})

/** Makes `batch` for requests that were checked. */
export const makeBatch = (settings: Settings, postBatch: PostBatch) => {
  const { root } = settings
  const template = root + routes.batch.path
  const failureOf = itemFailureOf(settings)

  const itemOf = ({ body, dependsOn = [], headers = {}, method, url }: BatchRequest): Item => {
    const [path = ""] = url.split("?")
    const query = url.slice(path.length)
    const request = { method, template, path: root + path, query, headers, ...(body === undefined ? {} : { body }) }
    return unsentItem(request, dependsOn)
  }

  /** The wait before the item is sent again; 0 when it is settled, or waits at the gate. */
  const settle = Effect.fnUntraced(function* (item: Item, error: GraphError, withinMillis: number) {
    const { method } = item.request
    if (method === "DELETE" && item.isUnsure && error.reason._tag === "NotFound") {
      item.outcome = { kind: "answered", status: 204, headers: {}, body: undefined }
      return 0
    }
    item.isUnsure ||= error.outcomeUnknown === true
    const { attempts } = item
    const { attempts: most, longestWaitMillis } = settings
    const waitMillis = yield* waitAmongManyMillis(error, attempts, longestWaitMillis)
    const tries = { canPass: mayPass(error), attempts, most, waitMillis, withinMillis, longestWaitMillis }
    if (!isLast(error, tries)) return waitMillis
    item.outcome = { kind: "failed", error: item.isUnsure ? amended(error, { outcomeUnknown: true }) : error }
    return 0
  })

  const take = (item: Item, received: BatchReceived, index: number, now: number): GraphError | undefined => {
    const { request } = item
    const sent = { ...received.sent, attempts: item.attempts }
    const answer = received.answers[index]
    if (answer === undefined) return unanswered(item, noItemAnswer, sent)
    const error = failureOf(request, sent, answer, now)
    if (error !== undefined) return error
    item.outcome = {
      kind: "answered",
      status: answer.answer.status,
      headers: withoutTokens(settings, answer.headers),
      body: answer.body
    }
    return undefined
  }

  return Effect.fn("GraphClient.batch")(function* (requests: ReadonlyArray<BatchRequest>, options: BatchOptions = {}) {
    const deadline = options.deadline ?? Duration.millis(settings.deadlineMillis)
    const until = (yield* steadyMillis) + Duration.toMillis(Duration.fromInputUnsafe(deadline))
    const withinMillis = Effect.map(steadyMillis, (now) => until - now)

    const sendFirstOf = Effect.fnUntraced(function* (all: ReadonlyArray<Item>, lane: Lane, sizes: BatchOrSingle) {
      let group = all
      const onSent = (count: number) => {
        group = all.slice(0, count)
        for (const item of group) item.attempts += 1
      }
      const outcome = yield* Effect.result(
        postBatch(
          all.map(({ request }) => request),
          { lane, withinMillis: yield* withinMillis, onSent }
        )
      )
      const now = yield* Clock.currentTimeMillis
      if (Result.isSuccess(outcome)) sizes.batchTook(outcome.success.tookMillis / group.length)
      else if (outcome.failure.status !== undefined) sizes.halve(group.length)
      let longest = 0
      for (const [index, item] of group.entries()) {
        const error = Result.isSuccess(outcome)
          ? take(item, outcome.success, index, now)
          : ofItem(item, outcome.failure)
        if (error === undefined) continue
        const isTooLarge = Result.isFailure(outcome) && error.status === tooLarge && group.length > 1
        if (isTooLarge) item.attempts -= 1
        else longest = Math.max(longest, yield* settle(item, error, yield* withinMillis))
      }
      if (longest > 0) yield* Effect.withSpan(Effect.sleep(longest), "GraphClient.wait")
    })

    const sendAll = Effect.fnUntraced(function* (items: ReadonlyArray<Item>) {
      const lane = items.every(({ request }) => request.method === "GET") ? "read" : "write"
      const { largest } = yield* settings.gates.at(lane)
      const sizes = batchOrSingle("batch", largest)
      while (true) {
        for (const item of items) {
          if (item.outcome === undefined && item.dependsOn.some((other) => isFailed(items[other]?.outcome))) {
            item.outcome = failedBefore(item)
          }
        }
        const isReady = ({ dependsOn, outcome }: Item) =>
          outcome === undefined && dependsOn.every((other) => items[other]?.outcome !== undefined)
        const group = items.filter(isReady).slice(0, sizes.sizeFor(largestBatch))
        if (group.length === 0) return
        yield* sendFirstOf(group, lane, sizes)
      }
    })

    const items = requests.map(itemOf)
    yield* sendAll(items)
    if (options.readBack === true) {
      const bodiless = items.filter((item) => bodilessAnswer(item) !== undefined)
      const reads = bodiless.map(({ request }) => unsentItem(readBackOf(request)))
      yield* sendAll(reads)
      for (const [index, { outcome }] of reads.entries()) {
        const item = bodiless[index]
        const answered = item && bodilessAnswer(item)
        if (item !== undefined && answered !== undefined) {
          item.outcome = outcome?.kind === "answered" ? outcome : { ...answered, notReadBack: true }
        }
      }
    }
    return items.flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome]))
  })
}
