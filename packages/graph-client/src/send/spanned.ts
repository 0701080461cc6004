import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"

// The one that is there when nobody asked for traces; its spans go nowhere.
const standard = Effect.runSync(Tracer.Tracer)

/** Whether somebody traces. */
export const isTraced = (fiber: Fiber.Fiber<unknown, unknown>): boolean => fiber.getRef(Tracer.Tracer) !== standard

/** An effect as it is when somebody traces, or as it is else: spans that nobody sees would be a tenth of a request. */
export const whenTraced = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  traced: () => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.withFiber((fiber) => (isTraced(fiber) ? traced() : effect))

/** Gives what a function does a span, when somebody traces; it is called when its effect runs. */
export const spanned =
  <Arguments extends ReadonlyArray<unknown>, A, E, R>(
    name: string,
    work: (...args: Arguments) => Effect.Effect<A, E, R>
  ): ((...args: Arguments) => Effect.Effect<A, E, R>) =>
  (...args) =>
    Effect.withFiber((fiber) => (isTraced(fiber) ? Effect.withSpan(work(...args), name) : work(...args)))
