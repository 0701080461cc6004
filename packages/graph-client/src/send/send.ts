import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import { type Answer, unreadable } from "../facts/answer.ts"
import type { Lane } from "../facts/budget.ts"
import { isDeeperThan, mostLevels, readable } from "../facts/levels.ts"
import { GraphError, type Sent, Throttled, Unauthorized } from "../facts/graph-error.ts"
import type { Pass } from "../pace/gate.ts"
import { steadyMillis, steadyMillisBy } from "../pace/steady.ts"
import { type GraphRequest, type Success, amended, hidden, makeAttempts } from "./attempt.ts"
import type { Held, TokenUnavailable } from "./credentials.ts"
import type { Settings } from "./options.ts"
import { isTraced } from "./spanned.ts"
import { type Transport, standardClock } from "./transport.ts"
import { backoffMillis, isLast, isPassing } from "./verdict.ts"

/** What came back, and on which request. */
export interface Received<A> extends Success {
  readonly value: A
  /** Its answer does not show what an acknowledged write made, and reading it did not either: `value` is what is known. */
  readonly notReadBack?: true
}

/** What an answer has to show: something of the shape that was asked for, or why it is nothing of the kind. */
type Shown<A> = { readonly value: A } | { readonly isNothing: boolean; readonly what: string }

/** An attempt that came to nothing, and how long to wait before the next. */
interface Failure {
  readonly sent: Sent
  readonly token: Redacted.Redacted | undefined
  readonly error: GraphError
  readonly wait: number
  /** Whether the gate is closed for that long, where everyone waits. */
  readonly isHeld: boolean
}

/**
 * Sends a request and reads its answer. Repeats it where the service or the way to it is in trouble (`isPassing`), never
 * earlier than `Retry-After`, within the deadline and the number of attempts. An update whose answer does not show what it
 * made, such as 204, is read back; it was made, whether that can be read or not.
 */
export type Send = <A>(
  request: GraphRequest,
  schema: StandardSchemaV1<unknown, A>
) => Effect.Effect<Received<A>, GraphError>

const noToken = (sent: Sent, { claims, code, message }: TokenUnavailable): GraphError =>
  new GraphError({
    ...sent,
    ...(code === undefined ? {} : { code }),
    message: `no token could be had: ${message}`,
    reason: new Unauthorized(claims === undefined ? {} : { claims })
  })

/** The request that reads what another one changed; what that one was conditional on is past. */
export const readBackOf = ({ headers = {}, path, template }: GraphRequest): GraphRequest => ({
  method: "GET",
  path,
  template,
  query: "",
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !/^if-(none-)?match$/i.test(name)))
})

/** How long to wait before the next attempt, and whether the gate does so. */
const judged = (
  error: GraphError,
  sent: Sent,
  token: Redacted.Redacted | undefined,
  pass: Pass
): Effect.Effect<Failure> => {
  const isThrottled = error.reason._tag === "Throttled"
  const failures = isThrottled ? Math.max(sent.attempts, pass.throttledInRow + 1) : sent.attempts
  return Effect.map(backoffMillis(error, failures), (wait): Failure => {
    return { token, sent, error, wait, isHeld: pass.answered([{ error, waitMillis: wait }]) }
  })
}

const pathOf = ({ path = [] }: StandardSchemaV1.Issue): string =>
  path.map((segment) => String(typeof segment === "object" ? segment.key : segment)).join(".")

/** The error of a request that could not leave in time. */
export const tooLate = (host: string, sent: Sent, waitMillis: number): GraphError => {
  const wait = Duration.format(Duration.millis(Math.ceil(waitMillis)))
  return new GraphError({
    ...sent,
    message: `${host} has to be left alone for ${wait} first, and this request may not take that long`,
    reason: new Throttled({ retryAfterSeconds: waitMillis / 1_000 })
  })
}

/** Also where nothing is said, as some stand-ins for Graph do. */
const isJson = (contentType: string | undefined): boolean =>
  contentType === undefined || /^application\/(?:[\w.-]+\+)?json\b/i.test(contentType)

/** What a schema makes of a value, or else what `otherwise` makes of the first thing that is wrong with it. */
const validated = <A, B>(
  schema: StandardSchemaV1<unknown, A>,
  value: unknown,
  otherwise: (issue: StandardSchemaV1.Issue | undefined) => B
): { readonly value: A } | B | Promise<{ readonly value: A } | B> => {
  const shown = (result: StandardSchemaV1.Result<A>) =>
    result.issues === undefined ? { value: result.value } : otherwise(result.issues[0])
  const result = schema["~standard"].validate(value)
  return result instanceof Promise ? result.then(shown) : shown(result)
}

/** Whether JSON is as good as no body: empty, or nothing but annotations. */
const showsNothing = (json: unknown): boolean =>
  json === null ||
  json === "" ||
  (typeof json === "object" && !Array.isArray(json) && Object.keys(json).every((name) => name.includes("@")))

/** What a body calls itself, in characters that may be shown. */
const typeIn = ({ contentType = "" }: Answer): string => /^[a-z]+\/[\w.+-]{1,40}/i.exec(contentType)?.[0] ?? "a body"

const laneOf = (method: Sent["method"]): Lane => (method === "GET" ? "read" : "write")

/** Reads what came back as what was asked for. */
const shownIn = <A>(
  { method, takesAnyType, takesDeepParts }: GraphRequest,
  schema: StandardSchemaV1<unknown, A>,
  { answer }: Success
): Shown<A> | Promise<Shown<A>> => {
  const isDeleted = method === "DELETE"
  const isEmpty = answer.text.trim() === ""
  const takesNothing = isDeleted || (method !== "PATCH" && takesAnyType === true && answer.status === 204)
  if (isEmpty && !takesNothing) return { what: "no body", isNothing: true }
  // Of a removal nothing is read, but a page of a proxy between does not say that anything was removed.
  const takesType = isEmpty || (!isDeleted && takesAnyType === true)
  if (!takesType && !isJson(answer.contentType)) return { what: `${typeIn(answer)} in place of JSON`, isNothing: false }
  let body: unknown
  try {
    body = isDeleted || isEmpty ? undefined : JSON.parse(readable(answer.text))
  } catch {
    return { what: "a body that is not JSON", isNothing: false }
  }
  if (takesDeepParts !== true && isDeeperThan(mostLevels, body))
    return { what: "JSON that is nested too deeply", isNothing: false }
  return validated(schema, body, (issue) => {
    const at = issue === undefined ? "" : pathOf(issue)
    return { what: `JSON of an unexpected shape${at === "" ? "" : ` (at ${at})`}`, isNothing: showsNothing(body) }
  })
}

/** Makes the one function that all operations send through. */
export const makeSend = (settings: Settings, transport: Transport): Send => {
  const { tokens } = settings
  const { attempt, noAnswer, outcomeOf, wireRequest } = makeAttempts(settings, transport)

  /** Attempts until one succeeds or no other can; the first may have been made, and failed. `until` on the steady clock. */
  const exchange = Effect.fnUntraced(function* (request: GraphRequest, until: number, first?: Failure) {
    const { method, path, template } = request
    const { clientRequestId = crypto.randomUUID() } = first?.sent ?? request
    let attempts = first?.sent.attempts ?? 0
    let waitedMillis = 0
    let isUnknown = false
    let isRenewed = false
    let queuedAt: number | undefined
    const gate = yield* settings.gates.at(laneOf(method))
    const sentSoFar = (): Sent => ({ method, path, template, clientRequestId, attempts, waitedMillis })
    const failed = (error: GraphError): GraphError => (isUnknown ? amended(error, { outcomeUnknown: true }) : error)
    /** What others do for a request may not take longer than it may itself. */
    const bounded = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E | GraphError> =>
      Effect.flatMap(steadyMillis, (now) =>
        Effect.timeoutOrElse(work, {
          duration: Math.max(0, until - now),
          orElse: () => Effect.fail(failed(noAnswer(sentSoFar(), false)))
        })
      )

    const current = Effect.mapError(tokens.current, (error) => failed(noToken(sentSoFar(), error)))
    const token = tokens.isFixed ? current : bounded(current)

    const paced = Effect.fnUntraced(function* () {
      const early = yield* token
      const once = Effect.fnUntraced(function* (pass: Pass) {
        const waited = queuedAt === undefined ? 0 : Math.round((yield* steadyMillis) - queuedAt)
        queuedAt = undefined
        waitedMillis += waited
        // It may have expired in the queue.
        const current = waited > 0 ? yield* token : early
        attempts += 1
        const sent = sentSoFar()
        const withinMillis = until - (yield* steadyMillis)
        const outcome = yield* Effect.result(attempt(request, sent, current, withinMillis))
        return Result.isSuccess(outcome) ? outcome.success : yield* judged(outcome.failure, sent, current, pass)
      })
      if (request.pass !== undefined) return yield* once(request.pass)
      queuedAt = yield* steadyMillis
      return yield* gate.through({ cost: 1, withinMillis: until - queuedAt }, once)
    })

    return yield* Effect.gen(function* () {
      let made = first
      while (true) {
        const outcome: Success | Failure = made ?? (yield* paced())
        made = undefined
        if (!("error" in outcome)) return outcome
        const { error, isHeld, sent, wait } = outcome
        if (method === "DELETE" && isUnknown && error.reason._tag === "NotFound") {
          return { sent, answer: { status: 204, text: "" }, headers: () => ({}) }
        }
        isUnknown ||= error.outcomeUnknown === true
        if (error.status === 401 && outcome.token !== undefined && !isRenewed) {
          isRenewed = true
          const claims = error.reason._tag === "Unauthorized" ? error.reason.claims : undefined
          const renewed = tokens.renew(outcome.token, claims)
          if (yield* bounded(Effect.mapError(renewed, (cause) => failed(noToken(sentSoFar(), cause))))) continue
        }
        const withinMillis = until - (yield* steadyMillis)
        const most = request.pass === undefined ? settings.attempts : 1
        const { longestWaitMillis } = settings
        const tries = { canPass: isPassing(error), attempts, most, waitMillis: wait, withinMillis, longestWaitMillis }
        if (isLast(error, tries)) return yield* failed(error)
        if ((yield* bounded(settings.onRepeat({ error, waitMillis: wait }))) === false) return yield* failed(error)
        // Where everyone has to wait, it is at the gate; for longer than that is closed, by itself.
        if (isHeld && wait <= longestWaitMillis) continue
        yield* Effect.withSpan(Effect.sleep(wait), "GraphClient.wait")
        waitedMillis += wait
      }
    }).pipe(
      Effect.catchTag("TooLate", ({ waitMillis }) =>
        Effect.fail(failed(tooLate(settings.host, sentSoFar(), waitMillis)))
      )
    )
  })

  /** What is known of a write that was acknowledged, where its answer does not show it. */
  const unshown = Effect.fnUntraced(function* <A>(
    request: GraphRequest,
    schema: StandardSchemaV1<unknown, A>,
    success: Success,
    until: number
  ) {
    if (request.method === "PATCH" && request.isReadBack !== false) {
      const whole = yield* Effect.result(exchange(readBackOf(request), until))
      if (Result.isSuccess(whole)) {
        const shown = yield* Effect.promise(async () => shownIn(request, schema, whole.success))
        if ("value" in shown) return { ...whole.success, value: shown.value }
      }
    }
    const known = request.known?.(success.headers())
    const shown = yield* Effect.promise(async () => validated(schema, known, () => undefined))
    return shown && { ...success, value: shown.value, notReadBack: true as const }
  })

  const finished = <A>(
    request: GraphRequest,
    schema: StandardSchemaV1<unknown, A>,
    success: Success,
    until: number
  ): Effect.Effect<Received<A>, GraphError> => {
    const unexpected = (what: string) => Effect.fail(unreadable(success.sent, hidden(tokens, success.answer), what))
    const received = (shown: Shown<A>): Effect.Effect<Received<A>, GraphError> => {
      if ("value" in shown) return Effect.succeed({ value: shown.value, ...success })
      const { isNothing, what } = shown
      // What shows something else may be a page of a proxy between, through which nothing got.
      if (request.method === "GET" || !isNothing) return unexpected(what)
      return Effect.flatMap(unshown(request, schema, success, until), (known) =>
        known === undefined ? unexpected(what) : Effect.succeed(known)
      )
    }
    const shown = shownIn(request, schema, success)
    return shown instanceof Promise
      ? Effect.flatMap(
          Effect.promise(() => shown),
          received
        )
      : received(shown)
  }

  const inTurn = <A>(
    request: GraphRequest,
    schema: StandardSchemaV1<unknown, A>,
    until: number,
    first?: Failure
  ): Effect.Effect<Received<A>, GraphError> =>
    Effect.flatMap(exchange(request, until, first), (success) => finished(request, schema, success, until))

  /**
   * The first attempt where nobody has to be waited for: a token is there, and room at the gate. As one step instead of
   * an effect of many parts it makes 1.1 to 1.3 × as many requests (bench/unthrottled.ts). Whatever does not succeed goes
   * on as one of those.
   */
  const atOnce = <A>(
    request: GraphRequest,
    schema: StandardSchemaV1<unknown, A>,
    start: NonNullable<Transport["start"]>,
    { token }: Held
  ): Effect.Effect<Received<A>, GraphError> =>
    Effect.callback((resume) => {
      const { clientRequestId = crypto.randomUUID(), method, path, template } = request
      const until = steadyMillisBy(standardClock) + settings.deadlineMillis
      const gate = settings.gates.by(standardClock)[laneOf(method)]
      const admitted = gate.enterNow({ cost: 1, withinMillis: settings.deadlineMillis })
      if (admitted === undefined) return resume(inTurn(request, schema, until))
      const sent = { method, path, template, clientRequestId, attempts: 1, waitedMillis: 0 }
      const stop = start(wireRequest(request, sent, token, settings.deadlineMillis), (ended) => {
        const outcome = outcomeOf(ended, sent, Date.now)
        if (Result.isSuccess(outcome)) {
          admitted.leave(true)
          return resume(finished(request, schema, outcome.success, until))
        }
        const failure = Effect.onExit(judged(outcome.failure, sent, token, admitted.pass), () =>
          Effect.sync(() => admitted.leave(false))
        )
        resume(Effect.flatMap(failure, (first) => inTurn(request, schema, until, first)))
      })
      return Effect.sync(() => {
        stop()
        admitted.leave(false)
      })
    })

  return (request, schema) =>
    Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const work = Effect.suspend(() => inTurn(request, schema, steadyMillisBy(clock) + settings.deadlineMillis))
      if (isTraced(fiber)) return Effect.withSpan(work, "GraphClient.send")
      if (transport.start === undefined || clock !== standardClock || request.pass !== undefined) return work
      const held = tokens.inHand(clock.currentTimeMillisUnsafe())
      if (held === undefined) return work
      return atOnce(request, schema, transport.start, held)
    })
}
