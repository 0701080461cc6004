import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Lane } from "./budget.ts"
import type { Pacing } from "./gate.ts"
import type { Settings } from "./options.ts"

export type { Pacing } from "./gate.ts"

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
  { gates }: Settings,
  lane: Lane,
  every: Duration.Input = Duration.seconds(1)
): Stream.Stream<Pacing> =>
  Stream.fromEffectSchedule(
    Effect.map(gates.at(lane), (gate) => gate.pacing()),
    Schedule.spaced(every)
  )

/** Shows both gates as gauges that are read when somebody asks, until the scope ends. */
export const observeGates = (settings: Settings): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const context = yield* Effect.context()
      const gates = yield* Effect.all({ read: settings.gates.at("read"), write: settings.gates.at("write") })
      return lanes.flatMap((lane) =>
        Object.entries(figures).map(([name, { description, of }]) => {
          const gauge = Metric.gauge(name, { description, attributes: { ...settings.labels, lane } })
          const get = () => ({ value: of(gates[lane].pacing()) })
          return Metric.registerUnsafe(gauge, context, { get, update: () => undefined, modify: () => undefined })
        })
      )
    }),
    (registered) =>
      Effect.sync(() => {
        for (const { remove } of registered) remove()
      })
  ).pipe(Effect.asVoid)
