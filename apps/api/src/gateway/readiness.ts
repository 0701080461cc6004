import { GraphClient, type GraphError, type TokenSource } from "@workanywhere/graph-client"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/** An outcome is as good as a new one for so long. */
const readyForMillis = 5_000
const readyWithin = Duration.seconds(5)

/** So often an upstream is asked all the same, whatever it says of its next answer: else one may take the gateway away. */
const longestWait = Duration.minutes(1)

/** Asks an upstream for next to nothing; fails when it does not answer, or does not take the token. */
export const probeOf = (origin: string, tenant: string, token: TokenSource | undefined) =>
  Layer.build(
    GraphClient.layer({
      baseUrl: `${origin}/v1.0`,
      // Apart from what callers ask: it neither waits behind them nor takes from their budget.
      app: "readiness",
      tenant,
      attempts: 1,
      deadline: readyWithin,
      longestWait,
      budget: "unlimited",
      ...(token === undefined ? {} : { token })
    })
  ).pipe(
    Effect.orDie,
    Effect.flatMap((context) =>
      Context.get(context, GraphClient).request({ method: "GET", url: "/deviceManagement?$select=id" })
    ),
    Effect.scoped,
    Effect.as(undefined),
    // Whatever it says below 500, it does answer; without credentials of our own it asks for some.
    Effect.catchIf(
      ({ status = 500 }) => status < 500 && (status !== 401 || token === undefined),
      () => Effect.undefined
    )
  )

/** Whether the upstream asked before to be left alone now, so that nothing is known but what it said then. */
const wasNotAsked = (exit: Exit.Exit<undefined, GraphError>): boolean =>
  Exit.isFailure(exit) &&
  Option.exists(
    Cause.findErrorOption(exit.cause),
    ({ attempts, reason }) => attempts === 0 && reason._tag === "Throttled"
  )

/** Whether an upstream is ready, as far as is known from a probe a moment ago; `told` of each new failure. */
export const readinessBy = (
  probe: () => Promise<Exit.Exit<undefined, GraphError>>,
  told: (failure: Exit.Failure<undefined, GraphError>) => void
): (() => Promise<boolean>) => {
  let probed: { readonly at: number; readonly outcome: Promise<Exit.Exit<undefined, GraphError>> } | undefined
  return async () => {
    if (probed !== undefined && performance.now() < probed.at + readyForMillis) {
      return Exit.isSuccess(await probed.outcome)
    }
    const before = probed?.outcome
    const outcome = probe().then((exit) => (before !== undefined && wasNotAsked(exit) ? before : exit))
    probed = { at: performance.now(), outcome }
    const exit = await outcome
    if (Exit.isFailure(exit) && exit !== (await before)) told(exit)
    return Exit.isSuccess(exit)
  }
}
