import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Lane } from "../facts/budget.ts"
import type { Gate, Gates, Pacing } from "./gate.ts"

const lanes: ReadonlyArray<Lane> = ["read", "write"]

const figures = {
  graph_client_rate: {
    description: "Requests and batch items that may be sent per second",
    of: (pacing: Pacing) => pacing.perSecond
  },
  graph_client_queued: { description: "Requests and batch items that wait", of: (pacing: Pacing) => pacing.queued },
  graph_client_in_flight: {
    description: "Requests and batch items not yet answered",
    of: (pacing: Pacing) => pacing.inFlight
  },
  graph_client_drain_seconds: {
    description: "Seconds until what waits is sent",
    of: (pacing: Pacing) => pacing.drainMillis / 1_000
  },
  graph_client_learned_share: {
    description: "What of the budget the service was found to allow",
    of: (pacing: Pacing) => pacing.learnedShare
  }
} as const

/** How a gate stands, now and then every so often; for progress bars. */
export const pacingOf = (
  gates: Gates,
  lane: Lane,
  every: Duration.Input = Duration.seconds(1)
): Stream.Stream<Pacing> =>
  Stream.fromEffectSchedule(
    Effect.map(gates.at(lane), (gate) => gate.pacing()),
    Schedule.spaced(every)
  )

/** Gauges that are registered, and for which clients. */
interface Shown {
  readonly clients: Set<Readonly<Record<Lane, Gate>>>
  readonly registered: ReadonlyArray<Metric.Registration>
}

/** By registry, and in it by whose gates they are: clients that share gates share their gauges. */
const shownIn = new WeakMap<object, Map<string, Shown>>()

/** Of clients that keep to different shares of a budget, the one that is let through most speaks for the gate. */
const fastest = (clients: Iterable<Readonly<Record<Lane, Gate>>>, lane: Lane): Pacing | undefined => {
  let found: Pacing | undefined
  for (const gates of clients) {
    const pacing = gates[lane].pacing()
    if (found === undefined || pacing.perSecond > found.perSecond) found = pacing
  }
  return found
}

/** Shows both gates as gauges that are read when somebody asks, until the scopes of all clients that share them end. */
export const observeGates = (
  gates: Gates,
  labels: Readonly<Record<string, string>>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const context = yield* Effect.context()
      const own = yield* Effect.all({ read: gates.at("read"), write: gates.at("write") })
      const registry = yield* Metric.MetricRegistry
      const attributes = yield* Metric.CurrentMetricAttributes
      const all = shownIn.get(registry) ?? new Map<string, Shown>()
      shownIn.set(registry, all)
      const key = JSON.stringify([labels, attributes])
      const others = all.get(key)
      others?.clients.add(own)
      if (others !== undefined) return { all, key, own }

      const clients = new Set([own])
      const registered = lanes.flatMap((lane) =>
        Object.entries(figures).map(([name, { description, of }]) => {
          const gauge = Metric.gauge(name, { description, attributes: { ...labels, lane } })
          const get = () => {
            const pacing = fastest(clients, lane)
            return { value: pacing === undefined ? 0 : of(pacing) }
          }
          return Metric.registerUnsafe(gauge, context, { get, update: () => undefined, modify: () => undefined })
        })
      )
      all.set(key, { clients, registered })
      return { all, key, own }
    }),
    ({ all, key, own }) =>
      Effect.sync(() => {
        const shown = all.get(key)
        if (shown?.clients.delete(own) !== true || shown.clients.size > 0) return
        all.delete(key)
        for (const { remove } of shown.registered) remove()
      })
  ).pipe(Effect.asVoid)
