// Many items through a gate to a service that limits them, in the time of a TestClock: hours of work in a second.
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { type Limiter, latencyOf, randomOf } from "../../bench/limiters.ts"
import { GraphError, Throttled, Unavailable } from "../../src/facts/graph-error.ts"
import { CurrentFlow, type Pass, type Ration, gatesOf } from "../../src/pace/gate.ts"

export interface Simulated {
  readonly items: number
  readonly seed: number
  readonly limiter: Limiter
  /** How many go in one request; 1 by default. */
  readonly batch?: number
  readonly latencyMillis: number
  /** Between how many callers the items are divided; 1 by default. */
  readonly flows?: number
  /** Shares of the items that end in 503 with a second to wait. */
  readonly unavailable?: number
  readonly ration?: Partial<Ration>
  readonly hasRetryAfter?: boolean
  /** In place of what the limiter says, once. */
  readonly once?: { readonly at: number; readonly retryAfterSeconds: number }
  readonly mostSeconds?: number
}

export interface Result {
  /** When each item was taken by the service. */
  readonly taken: ReadonlyArray<number>
  /** When each refusal came about at the service. */
  readonly refused: ReadonlyArray<number>
  readonly sentWhileClosed: number
  readonly seconds: number
  readonly isDone: boolean
  readonly mostUnderWay: number
  /** How far the flow that got most was ahead of the one that got least, while both had something to send. */
  readonly mostAhead: number
}

let tenants = 0
const sent = { method: "PATCH", path: "/", template: "/", clientRequestId: "", attempts: 1, waitedMillis: 0 } as const

/** Sends all items as often as they are refused. */
export const simulated = (options: Simulated): Effect.Effect<Result> =>
  Effect.gen(function* () {
    const {
      batch = 1,
      hasRetryAfter = true,
      items,
      latencyMillis,
      limiter,
      flows = 1,
      mostSeconds = 600,
      once,
      seed
    } = options
    const random = randomOf(seed)
    const ration = { budget: undefined, share: 1, longestWaitMillis: Infinity, ...options.ration }
    const gate = yield* gatesOf({ origin: "https://s", tenant: `simulated ${tenants++}`, app: "" }, ration).at("write")
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const startedAt = now()
    const taken: Array<number> = []
    const refused: Array<number> = []
    let [left, sentWhileClosed, closedUntil, underWay, mostUnderWay, endedAt, done] = [items, 0, -1, 0, 0, 0, 0]
    const sentBy = Array<number>(flows).fill(0)
    let mostAhead = 0
    let isOnceOver = once === undefined

    const latency = latencyOf(latencyMillis, random)

    const asked = (waitMillis: number): GraphError => {
      const seconds = Math.ceil(waitMillis / 1_000)
      return new GraphError({
        ...sent,
        status: 429,
        message: "",
        reason: new Throttled(hasRetryAfter ? { retryAfterSeconds: seconds } : {})
      })
    }

    const answerTo = (): GraphError | undefined => {
      const at = now() - startedAt
      if (!isOnceOver && once !== undefined && at >= once.at) {
        isOnceOver = true
        refused.push(at)
        return asked(once.retryAfterSeconds * 1_000)
      }
      const wait = limiter(at)
      if (wait !== undefined) {
        refused.push(at)
        return asked(wait)
      }
      if (random() < (options.unavailable ?? 0)) {
        return new GraphError({ ...sent, status: 503, message: "", reason: new Unavailable({ retryAfterSeconds: 1 }) })
      }
      taken.push(at)
      return undefined
    }

    const waitAfter = (error: GraphError | undefined, pass: Pass): number => {
      if (error === undefined) return 0
      const seconds = "retryAfterSeconds" in error.reason ? error.reason.retryAfterSeconds : undefined
      return seconds === undefined ? random() * 1_000 * 2 ** pass.throttledInRow : seconds * 1_000
    }

    /** Another turn for a flow is noted while all of them have something to send. */
    const note = (flow: number, count: number): void => {
      sentBy[flow] = (sentBy[flow] ?? 0) + count
      if (left > 0) mostAhead = Math.max(mostAhead, Math.max(...sentBy) - Math.min(...sentBy))
    }

    const request = (flow: number, count: number) =>
      gate.through({ cost: count, least: Math.min(count, 5), withinMillis: Infinity }, (pass) =>
        Effect.gen(function* () {
          if (now() < closedUntil) sentWhileClosed += 1
          note(flow, pass.granted)
          underWay += pass.granted
          mostUnderWay = Math.max(mostUnderWay, underWay)
          const half = latency() / 2
          yield* Effect.sleep(half)
          const answers = Array.from({ length: pass.granted }, answerTo)
          yield* Effect.sleep(half)
          underWay -= pass.granted
          const ends = answers.map((error) => ({ error, waitMillis: waitAfter(error, pass) }))
          let sleep = 0
          for (const { error, waitMillis } of ends) {
            if (error === undefined) continue
            if (error.status === 429 && hasRetryAfter) closedUntil = Math.max(closedUntil, now() + waitMillis)
            else if (error.status === 503) sleep = Math.max(sleep, waitMillis)
          }
          if (ends.some(({ error }) => error !== undefined)) pass.answered(ends)
          return { granted: pass.granted, failed: ends.filter(({ error }) => error !== undefined).length, sleep }
        })
      )

    const lane = Effect.fnUntraced(function* (flow: number) {
      while (left > 0) {
        let count = Math.min(batch, left)
        left -= count
        while (count > 0) {
          const { failed, granted, sleep } = yield* Effect.orDie(request(flow, count))
          count += failed - granted
          done += granted - failed
          if (sleep > 0) yield* Effect.sleep(sleep)
        }
      }
      endedAt = now()
    })

    const lanes = Math.ceil(Math.min(2_560, items) / batch)
    const fiber = yield* Effect.forkChild(
      Effect.all(
        Array.from({ length: lanes }, (_, index) => {
          const flow = index % flows
          return Effect.provideService(lane(flow), CurrentFlow, { name: `flow ${flow}`, mostWaiting: Infinity })
        }),
        { concurrency: "unbounded" }
      )
    )
    for (let second = 0; second < mostSeconds * 20 && fiber.pollUnsafe() === undefined; second++) {
      yield* TestClock.adjust(50)
    }
    yield* Fiber.interrupt(fiber)
    const seconds = (endedAt - startedAt) / 1_000
    return { taken, refused, sentWhileClosed, seconds, isDone: done === items, mostUnderWay, mostAhead }
  }).pipe(Effect.provide(TestClock.layer()))
