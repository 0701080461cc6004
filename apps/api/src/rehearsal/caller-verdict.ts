import type { Call } from "./calls.ts"

/** One thing that a caller did and should not. */
export interface Finding {
  /** Number of the call. */
  readonly call: number
  readonly caller: string
  readonly message: string
}

/** What one rule of good manners found. */
export interface Judgement {
  readonly id: string
  readonly title: string
  readonly passed: boolean
  readonly count: number
  /** The first of the findings. */
  readonly findings: ReadonlyArray<Finding>
}

/** What is to be said of those who called. */
export interface CallerVerdict {
  readonly passed: boolean
  readonly calls: number
  /** Calls that were too long ago to be judged. */
  readonly forgotten: number
  readonly judgements: ReadonlyArray<Judgement>
}

const isRead = ({ method }: Call): boolean => method === "GET" || method === "HEAD"

const nameOf = ({ caller: { tenant, app } }: Call): string => `${tenant}/${app}`

const found = (call: Call, message: string): Finding => ({
  call: call.number,
  caller: nameOf(call),
  message: `${call.method} ${call.path}${call.batchItem === undefined ? "" : ` (batch item ${call.batchItem})`}: ${message}`
})

/** A timer may fire this much before its time. */
const timerMillis = 5

/** A request on another connection may have been under way while the caller was told to wait. */
const underWayMillis = 25

/** To its caller, an item of a batch was sent and answered when the batch was. */
const seenByCaller = (calls: ReadonlyArray<Call>) => {
  const batches = new Map(calls.filter(({ route }) => route === "batch").map((call) => [call.requestId, call]))
  return (call: Call): Call | undefined =>
    call.batchItem === undefined ? call : batches.get(call.batchRequestId ?? "")
}

/** After these faults a caller has no answer to a batch, or not the whole of it. */
const losing: ReadonlySet<string | undefined> = new Set([
  "dropBatchAnswers",
  "hang",
  "reset",
  "timeout",
  "truncate",
  "unavailable"
])

/** The same for the same caller and the same of something else, and for nothing else. */
const keyOf = ({ caller: { app, tenant } }: Call, of: string): string => JSON.stringify([tenant, app, of])

/** Writes may be throttled while reads pass, so each closes its own gate only. */
const gateOf = (call: Call): string => keyOf(call, isRead(call) ? "read" : "write")

const early = (calls: ReadonlyArray<Call>): ReadonlyArray<Finding> => {
  const seen = seenByCaller(calls)
  const isEarly = (call: Call, refused: Call): boolean => {
    const sent = seen(call)
    const told = seen(refused)
    if (sent === undefined || told === undefined || sent.number <= told.newestThen) return false
    // What an item was told stood in an answer that its caller may never have seen.
    if (refused.batchItem !== undefined && losing.has(told.fault)) return false
    const waited = sent.sentMillis - told.answeredMillis
    // A repeat shows that the caller had its answer; another request does not.
    const least = call.method === refused.method && call.path === refused.path ? -1 : underWayMillis
    return waited > least && waited < (refused.retryAfterSeconds ?? 0) * 1_000 - timerMillis
  }
  const told = Map.groupBy(
    calls.filter(({ retryAfterSeconds }) => retryAfterSeconds !== undefined),
    gateOf
  )
  return calls.flatMap((call) => {
    if (call.route === "batch") return []
    const ignored = told.get(gateOf(call))?.find((refused) => isEarly(call, refused))
    if (ignored === undefined) return []
    const { number, retryAfterSeconds } = ignored
    return [found(call, `sent before the ${retryAfterSeconds} s were over that call ${number} was told to wait`)]
  })
}

const overBudget = (calls: ReadonlyArray<Call>): ReadonlyArray<Finding> =>
  calls.filter((call) => call.isOverBudget).map((call) => found(call, "over the budget; it counts all the same"))

const noClientRequestId = (calls: ReadonlyArray<Call>): ReadonlyArray<Finding> =>
  calls
    .filter((call) => !call.hasClientRequestId && call.batchItem === undefined)
    .map((call) => found(call, "no client-request-id, by which support finds a request"))

/** Who asks for fewer rows than a page has anyway wants the first ones, not all. */
const smallestPageOfAll = 100

const ignoredNextLink = (calls: ReadonlyArray<Call>): ReadonlyArray<Finding> => {
  const followed = new Set(calls.flatMap((call) => (call.skiptoken === undefined ? [] : [keyOf(call, call.skiptoken)])))
  return calls
    .filter(
      (call) =>
        call.offeredSkiptoken !== undefined &&
        (call.top ?? Infinity) >= smallestPageOfAll &&
        !followed.has(keyOf(call, call.offeredSkiptoken))
    )
    .map((call) => found(call, "the @odata.nextLink of its answer was never followed, so the list is not whole"))
}

const notSelected = (calls: ReadonlyArray<Call>): ReadonlyArray<Finding> =>
  calls
    .filter((call) => call.route === "devices" && isRead(call) && !call.hasSelect && call.status === 200)
    .map((call) => found(call, "whole rows, because no $select says which properties are wanted"))

const largestBatch = 20

const batchTooLarge = (calls: ReadonlyArray<Call>): ReadonlyArray<Finding> =>
  calls
    .filter(({ batchSize = 0 }) => batchSize > largestBatch)
    .map((call) => found(call, `${call.batchSize} items, and a batch takes ${largestBatch}`))

/** A new token may change a 401, and a 424 was no answer to the request itself. */
const isRefused = ({ status }: Call): boolean => status >= 400 && status < 500 && ![401, 424, 429, 444].includes(status)

const retriedRefused = (calls: ReadonlyArray<Call>): ReadonlyArray<Finding> => {
  const refused = new Map<string, Call>()
  return calls.flatMap((call) => {
    if (!isRefused(call) || call.digest === undefined) return []
    const same = keyOf(call, call.digest)
    const before = refused.get(same)
    refused.set(same, call)
    if (before === undefined) return []
    return [found(call, `the same as call ${before.number}, which was refused with ${before.status} and will be again`)]
  })
}

const rules: ReadonlyArray<{
  readonly id: string
  readonly title: string
  readonly find: (calls: ReadonlyArray<Call>) => ReadonlyArray<Finding>
}> = [
  { id: "early", title: "waits as long as Retry-After says", find: early },
  { id: "overBudget", title: "stays within the budget", find: overBudget },
  { id: "noClientRequestId", title: "sends a client-request-id", find: noClientRequestId },
  { id: "ignoredNextLink", title: "follows every link to a next page", find: ignoredNextLink },
  { id: "notSelected", title: "selects the properties it wants of a list", find: notSelected },
  { id: "batchTooLarge", title: "sends at most 20 items in a batch", find: batchTooLarge },
  { id: "retriedRefused", title: "does not repeat what was refused", find: retriedRefused }
]

const mostShown = 20

/** Judges the callers by what they did, in the order they did it. */
export const callerVerdictOf = (calls: ReadonlyArray<Call>, forgotten = 0): CallerVerdict => {
  const judgements = rules.map(({ id, title, find }) => {
    const findings = find(calls)
    return { id, title, passed: findings.length === 0, count: findings.length, findings: findings.slice(0, mostShown) }
  })
  return { passed: judgements.every(({ passed }) => passed), calls: calls.length, forgotten, judgements }
}

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }

/** Text fit for XML 1.0, which has no way to write most control characters. */
const xml = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/[^\P{Cc}\t\n]|[\uFFFE\uFFFF]/gu, "\uFFFD")
    .replaceAll(/[&<>"]/g, (character) => escapes[character] ?? character)

/** The verdict as a JUnit report, one test case for each rule. */
export const junitOf = ({ judgements }: CallerVerdict): string => {
  const failures = judgements.filter(({ passed }) => !passed).length
  const cases = judgements.map(({ id, title, passed, count, findings }) => {
    const start = `    <testcase classname="verdict" name="${xml(`${id}: ${title}`)}" time="0"`
    if (passed) return `${start}/>`
    const lines = findings.map(({ call, caller, message }) => `call ${call} of ${caller}: ${message}`).join("\n")
    return `${start}>\n      <failure message="${count} ${count === 1 ? "call" : "calls"}">${xml(lines)}</failure>\n    </testcase>`
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${judgements.length}" failures="${failures}">`,
    `  <testsuite name="workanywhere verdict" tests="${judgements.length}" failures="${failures}" errors="0">`,
    ...cases,
    "  </testsuite>",
    "</testsuites>",
    ""
  ].join("\n")
}
