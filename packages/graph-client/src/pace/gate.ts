import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import { type Allowance, type Budget, type Lane, shareOf } from "../facts/budget.ts"
import type { GraphError } from "../facts/graph-error.ts"
import { makeLine } from "./line.ts"
import { type Told, makeRate } from "./rate.ts"
import { makeRoom } from "./room.ts"
import { makeTrouble, signalOf } from "./signal.ts"
import { steadyMillisBy } from "./steady.ts"
import { type Window, makeWindow } from "./window.ts"

/** The gate would let the request through too late; `waitMillis` is how long it would take at the least. */
export class TooLate extends Data.TaggedError("TooLate")<{ readonly waitMillis: number }> {}

/** Who shares a budget. */
export interface Identity {
  readonly origin: string
  readonly tenant: string
  readonly app: string
}

/** What a client wants of its gates; without a budget they only close when the service asks for it. */
export interface Ration {
  readonly budget: Budget | undefined
  /** The share of the budget that the client keeps to. */
  readonly share: number
  /** How long one answer of the service may close the gate. */
  readonly longestWaitMillis: number
}

/** How a gate stands. */
export interface Pacing {
  readonly lane: Lane
  /** What may be sent per second at the moment, batch items counted one by one; 0 while the gate is closed. */
  readonly perSecond: number
  /** What of the budget the gate believes in: below 1 after the service asked to slow down. */
  readonly learnedShare: number
  /** Requests and batch items that wait. */
  readonly queued: number
  /** Sent and not yet answered. */
  readonly inFlight: number
  readonly closedForMillis: number
  /** How long it takes to send what waits, at the present rate. */
  readonly drainMillis: number
}

/** How one item of a request ended: with an error, and the wait before it is sent again, or without. */
export interface Ended {
  readonly error: GraphError | undefined
  readonly waitMillis: number
}

/** A request that was let through. */
export interface Pass {
  /** How much of its cost was let through. */
  readonly granted: number
  /** How often in a row the service has asked to slow down. */
  readonly throttledInRow: number
  /**
   * What came of it, item by item, or of all of it alike; success need not be told. It says whether the gate is closed for
   * everyone by it, for the longest of the waits.
   */
  readonly answered: (ends: ReadonlyArray<Ended>) => boolean
}

/** One of several callers that share a gate. */
export interface Flow {
  /** Any text that tells it from the others. */
  readonly name: string
  /** How much of it may wait at the gate, batch items counted one by one; what comes on top fails at once. */
  readonly mostWaiting: number
}

/**
 * Who the requests of an effect belong to: `Effect.provideService(effect, CurrentFlow, flow)`. At a gate everyone who
 * waits gets the same share of the budget, so that one who sends much does not keep the others waiting. All that is
 * not said to belong to a flow is one flow without a limit.
 */
export const CurrentFlow: Context.Reference<Flow> = Context.Reference<Flow>("@workanywhere/graph-client/CurrentFlow", {
  defaultValue: () => ({ name: "", mostWaiting: Infinity })
})

/** What is to go through a gate: how much it counts, and how long it may wait. */
interface Terms {
  readonly cost: number
  /** So much of it may go first when there is no room for all: without it, what does not divide well wastes room. */
  readonly least?: number
  readonly withinMillis: number
}

/** A gate as one client sees it. */
export interface Gate {
  /** The most that can be sent at once. */
  readonly largest: number
  /**
   * Waits for its turn, and holds its places until `use` ends. A flow is served in the order of arrival, and flows share
   * alike. Fails at once when the turn would come too late; interruption gives the place in the queue up.
   */
  readonly through: <A, E, R>(
    terms: Terms,
    use: (pass: Pass) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | TooLate, R>
  /** Lets through what can go at once, and nothing else. */
  readonly enterNow: (terms: Terms) => Admitted | undefined
  readonly pacing: () => Pacing
}

/** A request that was let through, until it leaves. */
interface Admitted {
  readonly pass: Pass
  /** To be called once, when the request has ended: with success, or otherwise. */
  readonly leave: (isDone: boolean) => void
}

/** The part of a budget that may be sent at once after a pause; the rest is sent evenly. */
const burstShare = 0.1

/** Without a budget a piece of a batch is what is due in so long. */
const pieceMillis = 25

/** A timer that comes late takes nothing of the rate, up to so much. */
const lateMillis = 25

/** A budget's limits as one lane meets them: windows that must have room, and the pace that fills the narrowest. */
interface Limits {
  readonly windows: ReadonlyArray<Window>
  readonly millisEach: number
  readonly windowMillis: number
  readonly largest: number
  readonly longestWaitMillis: number
}

interface Waiting extends Terms {
  readonly limits: Limits
  readonly flow: string
  /** When it has to be through. */
  readonly until: number
  readonly wake: Latch.Latch
}

const unlimited = { windows: [], millisEach: 0, windowMillis: 20_000, largest: Infinity }

const toldBy = ({ millisEach, windowMillis }: Limits): Told | undefined =>
  millisEach === 0 ? undefined : { rate: 1 / millisEach, windowMillis }

const makeLane = (lane: Lane, clock: Clock.Clock) => {
  const now = () => steadyMillisBy(clock)
  const line = makeLine<Waiting>()
  let queued = 0
  let inFlight = 0
  let isHeadStuck = false
  /** When the next may go by the pace alone; lies in the past by as much as may go at once. */
  let nextAt = -Infinity
  let closedUntil = -Infinity
  let closings = 0
  let throttledInRow = 0
  const rate = makeRate()
  const room = makeRoom()
  const trouble = makeTrouble()

  /** Since the service refused, no more goes in one piece than is due in a moment: it need not let through more at once. */
  const pieceAt = (at: number, { windowMillis, windows }: Limits): number =>
    Math.max(1, rate.aimAt(at) * (windows.length > 0 ? Math.max(pieceMillis, windowMillis * burstShare) : pieceMillis))

  const millisEachAt = (at: number, { millisEach }: Limits): number => Math.max(millisEach, 1 / rate.at(at))

  /** What may be sent when no more than that is said. */
  const leastOf = ({ cost, least = cost }: Terms, limits: Limits, at: number): number =>
    least < cost ? Math.min(least, Math.floor(pieceAt(at, limits))) : least

  /** What may be under way besides what is; a budget says it by its windows. */
  const roomFor = ({ windows }: Limits): number => (windows.length > 0 ? Infinity : room.most() - inFlight)

  const waitMillis = (terms: Terms, limits: Limits, at: number): number => {
    const least = leastOf(terms, limits, at)
    let wait = Math.max(closedUntil, nextAt) - at
    for (const window of limits.windows) wait = Math.max(wait, window.waitMillis(least, at))
    if (inFlight > 0 && wait <= 0 && roomFor(limits) < least) {
      room.isTight()
      return Infinity
    }
    return wait
  }

  /** Lets through what there is room for, and says how much that is. */
  const admit = (terms: Terms, limits: Limits, at: number): number => {
    const { cost } = terms
    const least = leastOf(terms, limits, at)
    let granted = cost
    if (least < cost) {
      granted = Math.min(cost, Math.floor(pieceAt(at, limits)), roomFor(limits))
      for (const window of limits.windows) granted = Math.min(granted, window.free(at))
    }
    granted = Math.max(granted, least)
    const millisEach = millisEachAt(at, limits)
    const isWhole = millisEach === limits.millisEach
    const burstMillis = isWhole ? limits.windowMillis * burstShare : lateMillis + rate.burst() * millisEach
    nextAt = Math.max(nextAt, at - burstMillis) + granted * millisEach
    for (const window of limits.windows) window.take(granted)
    rate.sent(at, inFlight === 0)
    inFlight += granted
    return granted
  }

  const wakeHead = (): void => void line.head()?.wake.openUnsafe()

  const leave = (waiting: Waiting): void => {
    line.remove(waiting)
    queued -= waiting.cost
    wakeHead()
  }

  /** Runs where it cannot be interrupted, so that nothing is admitted and then forgotten. */
  const turn = Effect.fnUntraced(function* (
    waiting: Waiting,
    restore: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  ) {
    while (true) {
      const at = now()
      if (Math.max(at, closedUntil) >= waiting.until) {
        return yield* new TooLate({ waitMillis: Math.max(0, closedUntil - at, nextAt - at) })
      }
      const isHead = line.head() === waiting
      const wait = isHead ? waitMillis(waiting, waiting.limits, at) : Infinity
      if (wait <= 0) {
        const granted = admit(waiting, waiting.limits, at)
        line.went(waiting, granted)
        return granted
      }
      if (isHead) isHeadStuck = wait === Infinity
      waiting.wake.closeUnsafe()
      const atMost = Math.min(wait, waiting.until - at)
      yield* restore(
        atMost === Infinity ? waiting.wake.await : Effect.timeoutOption(waiting.wake.await, Math.ceil(atMost))
      )
    }
  })

  const canGoNow = (terms: Terms, limits: Limits, at: number): boolean =>
    line.isEmpty() && waitMillis(terms, limits, at) <= 0

  const enterNow = (terms: Terms, limits: Limits): Admitted | undefined => {
    const at = now()
    return canGoNow(terms, limits, at) ? admitted(admit(terms, limits, at), limits, at) : undefined
  }

  const enter = (
    terms: Terms,
    limits: Limits,
    { mostWaiting, name }: Flow,
    restore: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  ): Effect.Effect<number, TooLate> => {
    const at = now()
    const { cost, withinMillis } = terms
    if (canGoNow(terms, limits, at)) return Effect.succeed(admit(terms, limits, at))
    const ahead = line.costAhead(name, cost)
    const waitAtLeast = Math.max(0, closedUntil - at, nextAt - at) + ahead * millisEachAt(at, limits)
    if (waitAtLeast >= withinMillis || line.costOf(name) + cost > mostWaiting) {
      return Effect.fail(new TooLate({ waitMillis: waitAtLeast }))
    }
    const waiting: Waiting = {
      ...terms,
      limits,
      flow: name,
      until: at + withinMillis,
      wake: Latch.makeUnsafe()
    }
    line.add(waiting)
    queued += cost
    const waited = Effect.onExit(turn(waiting, restore), () => Effect.sync(() => leave(waiting)))
    return Effect.withSpan(waited, "GraphClient.wait")
  }

  /** Closes the gate for everyone; `isTold` when the service says how long. */
  const close = (millis: number, isTold: boolean, limits: Limits, sentAt: number, closingsBefore: number): void => {
    const at = now()
    if (!isTold && closingsBefore !== closings) return
    const until = at + Math.min(millis, limits.longestWaitMillis)
    rate.closed(at, Math.max(closedUntil, until), sentAt, toldBy(limits))
    if (closingsBefore === closings) {
      throttledInRow += 1
      closings += 1
    }
    closedUntil = Math.max(closedUntil, until)
    nextAt = Math.max(nextAt, closedUntil)
    line.forEach(({ wake }) => wake.openUnsafe())
  }

  const admitted = (granted: number, limits: Limits, sentAt: number): Admitted => {
    const closingsBefore = closings
    let isTold = false

    const answered: Pass["answered"] = (ends) => {
      isTold = true
      const each = granted / ends.length
      const at = now()
      let [taken, refused, longest, isAsked] = [0, 0, -1, false]
      for (const { error, waitMillis } of ends) {
        const signal = signalOf(error)
        trouble.saw(signal)
        const isOfService = error?.status !== undefined || error === undefined
        if (signal === "refused") refused += each
        else if (isOfService) taken += each
        const reason = error?.reason
        const asks = reason !== undefined && "retryAfterSeconds" in reason && reason.retryAfterSeconds !== undefined
        if (signal === "refused" || (signal === "unavailable" && asks && trouble.isGeneral())) {
          longest = Math.max(longest, waitMillis)
          isAsked ||= asks
        }
      }
      if (longest >= 0) close(longest, isAsked, limits, sentAt, closingsBefore)
      if (refused > 0) rate.refused(refused, sentAt, at)
      if (taken > 0) rate.taken(taken, sentAt, at)
      return longest >= 0
    }

    return {
      pass: { granted, throttledInRow, answered },
      leave: (isDone) => {
        const at = now()
        inFlight -= granted
        if (closingsBefore === closings) throttledInRow = 0
        if (isDone && !isTold) {
          trouble.saw("taken")
          rate.taken(granted, sentAt, at)
        }
        room.answered(granted, at)
        for (const window of limits.windows) window.answered(granted, at)
        wakeStuckHead()
      }
    }
  }

  const through =
    (limits: Limits): Gate["through"] =>
    (terms, use) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(
          Effect.flatMap(CurrentFlow, (flow) => enter(terms, limits, flow, restore)),
          (granted) => {
            const { leave, pass } = admitted(granted, limits, now())
            return Effect.onExit(restore(use(pass)), (exit) => Effect.sync(() => leave(Exit.isSuccess(exit))))
          }
        )
      )

  const pacing = (limits: Limits): Pacing => {
    const at = now()
    const closedForMillis = Math.max(0, closedUntil - at)
    const millisEach = millisEachAt(Math.max(at, closedUntil), limits)
    return {
      lane,
      perSecond: closedForMillis > 0 ? 0 : 1_000 / millisEach,
      learnedShare: rate.shareOf(at, toldBy(limits)),
      queued,
      inFlight,
      closedForMillis,
      drainMillis: queued === 0 ? 0 : Math.max(closedForMillis, nextAt - at) + queued * millisEach
    }
  }

  return {
    gate: (limits: Limits): Gate => {
      for (const { onAnswer } of limits.windows) onAnswer.add(wakeStuckHead)
      return {
        largest: limits.largest,
        through: through(limits),
        enterNow: (terms) => enterNow(terms, limits),
        pacing: () => pacing(limits)
      }
    }
  }

  function wakeStuckHead(): void {
    if (!isHeadStuck) return
    isHeadStuck = false
    wakeHead()
  }
}

const keep = <A>(kept: Map<string, A>, key: ReadonlyArray<unknown>, make: () => A): A => {
  const text = JSON.stringify(key)
  const found = kept.get(text)
  if (found !== undefined) return found
  const made = make()
  kept.set(text, made)
  return made
}

/** All gates and windows that live by one clock. */
const makeGates = (clock: Clock.Clock) => {
  const lanes = new Map<string, ReturnType<typeof makeLane>>()
  const windows = new Map<string, Window>()

  const limitsOf = ({ app, origin, tenant }: Identity, lane: Lane, ration: Ration): Limits => {
    const { budget, longestWaitMillis, share } = ration
    if (budget === undefined) return { ...unlimited, longestWaitMillis }
    const sizes: Array<Allowance> = []
    const shared = (scope: ReadonlyArray<string>, kind: "writes" | "requests", { limit, windowMillis }: Allowance) => {
      sizes.push({ limit, windowMillis })
      return keep(windows, [...scope, kind, limit, windowMillis], () => makeWindow({ limit, windowMillis }))
    }
    const windowsOf = (within: Budget, ...scope: ReadonlyArray<string>) => {
      const kinds = lane === "write" ? (["writes", "requests"] as const) : (["requests"] as const)
      return kinds.flatMap((kind) => [
        shared(["app", origin, tenant, app, ...scope], kind, within.app[kind]),
        shared(["tenant", origin, tenant, ...scope], kind, within.tenant[kind])
      ])
    }
    const all = windowsOf(budget)
    if (share < 1) all.push(...windowsOf(shareOf(budget, share), `share ${share}`))
    const slowest = sizes.reduce((one, other) =>
      one.windowMillis / one.limit >= other.windowMillis / other.limit ? one : other
    )
    return {
      windows: [...new Set(all)],
      millisEach: slowest.windowMillis / slowest.limit,
      windowMillis: slowest.windowMillis,
      largest: Math.min(...sizes.map(({ limit }) => limit)),
      longestWaitMillis
    }
  }

  return (identity: Identity, ration: Ration, lane: Lane): Gate => {
    const { app, origin, tenant } = identity
    const shared = keep(lanes, [origin, tenant, app, lane], () => makeLane(lane, clock))
    return shared.gate(limitsOf(identity, lane, ration))
  }
}

/**
 * By clock, because a gate remembers times: programs that run by the system's clock share the gates of the process,
 * and a test that moves time by itself has its own.
 */
const gatesByClock = new WeakMap<Clock.Clock, ReturnType<typeof makeGates>>()

/** The gates of one client. */
export interface Gates {
  /** The gate of a lane, shared with all clients of the same origin, tenant and app. */
  readonly at: (lane: Lane) => Effect.Effect<Gate>
  /** The gates of those who live by a clock. */
  readonly by: (clock: Clock.Clock) => Readonly<Record<Lane, Gate>>
}

/** Finds the gates of a client. */
export const gatesOf = (identity: Identity, ration: Ration): Gates => {
  const known = new WeakMap<Clock.Clock, Record<Lane, Gate>>()
  const gatesFor = (clock: Clock.Clock): Record<Lane, Gate> => {
    const found = known.get(clock)
    if (found !== undefined) return found
    const gates = gatesByClock.get(clock) ?? makeGates(clock)
    gatesByClock.set(clock, gates)
    const made = { read: gates(identity, ration, "read"), write: gates(identity, ration, "write") }
    known.set(clock, made)
    return made
  }
  return { by: gatesFor, at: (lane) => Clock.clockWith((clock) => Effect.succeed(gatesFor(clock)[lane])) }
}
