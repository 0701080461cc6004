import { setImmediate } from "node:timers"
import type { GraphVersion } from "@workanywhere/domain"
import { type Context, Hono } from "hono"
import { outsideRoutes } from "./describe/outside-routes.ts"
import { originOf } from "./graph/address.ts"
import { isOwnPath, odataPath } from "./graph/path.ts"
import { admission } from "./http/admission.ts"
import { ApiError } from "./http/api-error.ts"
import type { Authentication } from "./http/auth.ts"
import type { Backend } from "./http/backend.ts"
import { crossOrigin } from "./http/cors.ts"
import { type Env, sharedTenant } from "./http/env.ts"
import { type Exposition, type Log, type Observer, routeOf, silent } from "./http/observation.ts"
import { type Reach, rootFinder, straight } from "./http/reach.ts"
import { refusalOf, renderError } from "./http/render-error.ts"
import { idsOf, reply } from "./http/reply.ts"
import { noRoute, quickRouter } from "./http/router.ts"
import { inTurn } from "./http/turn.ts"
import { type StoreBackendOptions, seedFleet, storeBackend } from "./local/backend.ts"
import { controlRoutes } from "./rehearsal/control-routes.ts"
import type { Rehearsal } from "./rehearsal/rehearsal.ts"
import { requestLog } from "./watch/request-log.ts"

/**
 * Resolves when every socket that is ready has been read. Answers that wait for it are sent together, which makes 1.4 ×
 * as many (bench/http.ts, GET): to send each as soon as it is there wakes its receiver each time.
 */
const answersTogether = (): (() => Promise<void>) => {
  let turn: Promise<void> | undefined
  return () => {
    turn ??= new Promise((resolve) => {
      // Not the global one, which tests with a clock of their own replace.
      setImmediate(() => {
        turn = undefined
        resolve()
      })
    })
    return turn
  }
}

/** What stands around the routes, whatever is behind them. */
export interface Surroundings {
  readonly log?: Log
  /** How callers prove who they are; without it nobody has to, and everyone sees the same rows. */
  readonly authentication?: Authentication | undefined
  /** How callers come to it; straight when not given. */
  readonly reach?: Reach | undefined
  /** Who is told of each request: figures, traces. */
  readonly observers?: ReadonlyArray<Observer>
  /** What `/metrics` shows, and to whom; without it there is no such route. */
  readonly exposition?: Exposition | undefined
}

/** What the app works on. */
export interface Dependencies extends Surroundings, StoreBackendOptions {
  /** What happens around the answers; without it, nothing does. */
  readonly rehearsal?: Rehearsal
  /** Puts the devices that a new store starts with in the place of all that there are. */
  readonly restore?: () => Promise<void>
}

/** What a store has around it and another Graph has not. */
interface Rehearsed {
  readonly rehearsal?: Rehearsal | undefined
  readonly local?: Hono<Env> | undefined
  readonly etag?: boolean | undefined
}

/** The service without a port over anything that can stand behind its routes. */
export const appOver = (
  backend: Backend,
  { log = silent, authentication, reach = straight, observers = [], exposition }: Surroundings,
  { rehearsal, local, etag = false }: Rehearsed = {}
): Hono<Env> => {
  const versionRoutes = (version: GraphVersion): Hono<Env> =>
    backend.routes(version, (request, bindings) => app.fetch(request, bindings))

  // The log comes last: it names the span that a tracer made.
  const watching = [...observers, requestLog(log)]
  const admit = admission(authentication, reach)
  const findRoot = rootFinder(reach)
  const share = crossOrigin(reach.cors)
  const endOfTurn = answersTogether()

  const failed = (c: Context<Env>, error: Error): Response => {
    const known = refusalOf(error) ?? backend.troubleOf?.(error)
    if (known === undefined || known.cause !== undefined) {
      log.error({ err: error, requestId: c.get("requestId") }, "a request failed for a reason of ours")
    }
    const general = `The service failed; its log says why, under request-id ${c.get("requestId")}.`
    return renderError(c, known ?? new ApiError("generalException", general))
  }

  const around = rehearsal === undefined ? [] : [rehearsal.around]

  const app = new Hono<Env>({ getPath: odataPath, router: quickRouter() })
    .use(async (c, next) => {
      const started = performance.now()
      const ids = idsOf(c.req.header("client-request-id"))
      c.set("requestId", ids.requestId)
      c.set("clientRequestId", ids.clientRequestId)
      c.set("root", originOf(c.req.url))
      c.set("tenant", sharedTenant)
      c.set("app", sharedTenant)
      c.set("readOnly", "accept")
      const observed = watching.map((observe) => observe(c))
      await share(c, async () => {
        try {
          if (findRoot !== undefined) c.set("root", findRoot(c))
          await admit(c)
          // What asks how the service does is answered also by one that has much to do.
          if (isOwnPath(c.req.path)) await next()
          else await inTurn(c.get("tenant"), next)
        } catch (error) {
          c.res = failed(c, error instanceof Error ? error : new Error(String(error)))
        }
      })
      if ((c.env as Env["Bindings"] | undefined)?.outgoing !== undefined) await endOfTurn()
      const route = routeOf(c)
      const seconds = (performance.now() - started) / 1000
      for (const end of observed) end({ route, seconds })
    })
    .get("/healthz", (c) => reply(c, 200, { status: "up" }))
    .get("/readyz", async (c) => {
      await backend.ready(c)
      return reply(c, 200, { status: "ready" })
    })
    .route(
      "/",
      outsideRoutes({
        authentication,
        hasControls: local !== undefined,
        isGateway: backend.isGateway,
        publicUrl: reach.publicUrl,
        etag,
        exposition
      })
    )
    .route("/_local", local ?? new Hono<Env>())
    .use("/beta/*", ...around)
    .use("/v1.0/*", ...around)
    .route("/beta", versionRoutes("beta"))
    .route("/v1.0", versionRoutes("v1.0"))
    .notFound((c) => renderError(c, noRoute(c.req.path)))
    .onError((error, c) => failed(c, error))

  return app
}

/** The service without a port: `fetch` and `request` answer as a server would. */
export const createApp = (dependencies: Dependencies): Hono<Env> => {
  const { store, rehearsal, restore, etag } = dependencies
  const local =
    rehearsal?.hasControls === true ? controlRoutes(rehearsal, (fleet) => seedFleet(store, fleet), restore) : undefined
  return appOver(storeBackend(dependencies), dependencies, { rehearsal, local, etag })
}
