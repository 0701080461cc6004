import type { Context, MiddlewareHandler } from "hono"
import { ApiError } from "../http/api-error.ts"
import type { Env } from "../http/env.ts"
import { renderError } from "../http/render-error.ts"
import { targetOf } from "../http/request-target.ts"
import {
  type RequestBudgetSetting,
  type Profile,
  type ReadOnlyPolicy,
  profiles,
  readOnlyPolicies
} from "../settings/behaviour.ts"
import { type Calls, createCalls } from "./calls.ts"
import { type Clock, machineClock } from "./clock.ts"
import { performFault, tooManyRequests } from "./fault-effects.ts"
import { FaultScript } from "./fault-script.ts"
import { startFaults } from "./faults.ts"
import { observedAnswer, refuseUnobserved } from "./profile.ts"
import { callerOf, recordCall } from "./record-call.ts"
import { createRequestBudget } from "./request-budget.ts"

/** How the service is to behave around its answers. What is not given is as Microsoft's pages have it. */
export interface RehearsalOptions {
  readonly profile?: Profile
  readonly readOnly?: ReadOnlyPolicy
  readonly budget?: RequestBudgetSetting
  readonly faults?: FaultScript
  /** Whether only this machine can reach the service: then callers may look into it, and change how it behaves. */
  readonly hasControls?: boolean
  readonly clock?: Clock
}

/** Behaviour around the routes: profiles, budgets, faults, and the record of who did what. */
export interface Rehearsal {
  readonly hasControls: boolean
  readonly calls: Calls
  /** To be used before the routes of Graph. One for all of it: each more costs every request as much as a parsed body. */
  readonly around: MiddlewareHandler<Env>
  readonly script: () => FaultScript
  /** Starts a script from its beginning. */
  readonly play: (script: FaultScript) => void
  /** Forgets calls and what was spent, and starts the script that it was made with. */
  readonly reset: () => void
  /** Lets go of the requests that a fault holds. */
  readonly close: () => void
}

const chosen = <A extends string>(c: Context<Env>, header: string, choices: ReadonlyArray<A>): A | undefined => {
  const text = c.req.header(header)
  if (text === undefined) return undefined
  const choice = choices.find((one) => one === text)
  if (choice === undefined) throw new ApiError("BadRequest", `The header ${header} takes ${choices.join(", ")}.`)
  return choice
}

const reads: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"])

const observed: MiddlewareHandler<Env> = async (c, next) => {
  const target = targetOf(c)
  refuseUnobserved(c, target)
  await next()
  const made = c.res
  // Hono would copy the headers of an answer that is replaced onto the one that replaces it.
  c.res = undefined
  c.res = await observedAnswer(made, target)
}

/** Makes what is refused the answer, so that a fault can spoil it, and a record can be kept of it. */
const answered = async (c: Context<Env>, answer: () => Promise<Response | void>): Promise<void> => {
  try {
    const early = await answer()
    if (early !== undefined && !c.finalized) c.res = early
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    c.res = renderError(c, error)
  }
}

/** Makes the behaviour around the routes. */
export const createRehearsal = ({
  profile = "documented",
  readOnly = "accept",
  budget: setting = "off",
  faults: firstScript = FaultScript.parse({}),
  hasControls = false,
  clock = machineClock
}: RehearsalOptions = {}): Rehearsal => {
  const calls = createCalls()
  const closing = new AbortController()
  const budget = setting === "off" ? undefined : createRequestBudget(setting, clock)
  let script = firstScript
  let faults = startFaults(script)

  const play = (next: FaultScript): void => {
    script = next
    faults = startFaults(next)
  }

  const disturbed: MiddlewareHandler<Env> = async (c, next) => {
    const target = targetOf(c)
    const { delayMillis, fault } = faults.next(target)
    // The items of a batch are counted, so the batch itself is not.
    const refused = target.route === "batch" ? undefined : budget?.spend(callerOf(c), !reads.has(target.method))
    if (refused !== undefined) {
      c.set("disturbance", "overBudget")
      throw tooManyRequests(script.retryAfter ? String(Math.ceil(refused.waitMillis / 1_000)) : undefined)
    }
    if (delayMillis > 0) await clock.sleep(delayMillis, AbortSignal.any([c.req.raw.signal, closing.signal]))
    if (fault === undefined) return next()
    c.set("disturbance", fault.effect.kind)
    return performFault(c, fault, next, { nowMillis: clock.nowMillis(), closing: closing.signal })
  }

  const present: MiddlewareHandler<Env> = (c, next) => {
    const shown = (hasControls ? chosen(c, "x-wfa-profile", profiles) : undefined) ?? profile
    c.set("readOnly", (hasControls ? chosen(c, "x-wfa-read-only", readOnlyPolicies) : undefined) ?? readOnly)
    return shown === "documented" ? next() : observed(c, next)
  }

  const behave: MiddlewareHandler<Env> = (c, next) => {
    if (budget === undefined && script.rules.length === 0) return present(c, next)
    return disturbed(c, () => answered(c, () => present(c, next)))
  }

  const around: MiddlewareHandler<Env> = async (c, next) => {
    if (!hasControls) return behave(c, next)
    const end = recordCall(c, calls, clock)
    await answered(c, () => behave(c, next))
    end()
  }

  return {
    hasControls,
    calls,
    around,
    script: () => script,
    play,
    reset: () => {
      calls.reset()
      budget?.reset()
      play(firstScript)
    },
    close: () => closing.abort()
  }
}
