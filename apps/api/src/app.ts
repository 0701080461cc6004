import { type Context, Hono } from "hono"
import { admission } from "./admission.ts"
import type { Authentication } from "./auth.ts"
import { type DeviceStore, localTenant } from "./device-store.ts"
import { deviceRoutes } from "./devices.ts"
import { ApiError, renderError } from "./errors.ts"
import { contentEtag, noEtag } from "./etag.ts"
import { metricRoutes } from "./metrics.ts"
import { type Version } from "./odata-address.ts"
import { type Dispatch, batchRoutes } from "./odata-batch.ts"
import { localRoutes } from "./local-routes.ts"
import { odataPath, unknownSegment } from "./odata-path.ts"
import type { Rehearsal } from "./rehearsal.ts"
import { reportRoutes } from "./reports.ts"
import { serviceRoutes } from "./service-document.ts"
import { type Env, idsOf, reply } from "./reply.ts"

/** Where the service says what it did; a pino logger is one. Lines hold ids and no bodies, headers or queries. */
export interface Log {
  readonly info: (facts: object, message: string) => void
  readonly error: (facts: object, message: string) => void
}

/** Says nothing. */
export const silent: Log = { info: () => {}, error: () => {} }

/** What stands behind the routes of the versions: a store, or another Graph. */
export interface Backend {
  readonly routes: (version: Version, dispatch: Dispatch) => Hono<Env>
  /** Fails with an {@link ApiError} while it cannot answer. */
  readonly ready: (c: Context<Env>) => Promise<void>
}

/** What stands around the routes, whatever is behind them. */
export interface Surroundings {
  readonly log?: Log
  /** How callers prove who they are; without it nobody has to, and everyone sees the same rows. */
  readonly authentication?: Authentication | undefined
}

/** What the app works on. */
export interface Dependencies extends Surroundings {
  readonly store: DeviceStore
  /** Whether devices have etags, by which a caller can avoid to undo another's update unseen. */
  readonly etag?: boolean
  /** What happens around the answers; without it, nothing does. */
  readonly rehearsal?: Rehearsal
  /** Puts the devices that a new store starts with in the place of all that there are. */
  readonly restore?: () => Promise<void>
}

/** The devices of a store behind the routes. */
const storeBackend = ({ store, log = silent, etag = false }: Dependencies): Backend => ({
  routes: (version, dispatch) =>
    new Hono<Env>()
      .route("/", serviceRoutes(version))
      .route("/", metricRoutes(version, store))
      .route("/", deviceRoutes(version, store, etag ? contentEtag : noEtag))
      .route("/", reportRoutes(version, store))
      .route(
        "/",
        batchRoutes(version, () => dispatch)
      ),
  ready: async (c) => {
    try {
      await store.ping()
    } catch (err) {
      log.error({ err, requestId: c.get("requestId") }, "the store does not answer")
      throw new ApiError("serviceNotAvailable", "The store does not answer.")
    }
  }
})

/** The service without a port over anything that can stand behind its routes. */
export const appOver = (
  backend: Backend,
  { log = silent, authentication }: Surroundings,
  { rehearsal, local }: { readonly rehearsal?: Rehearsal | undefined; readonly local?: Hono<Env> | undefined } = {}
): Hono<Env> => {
  const versionRoutes = (version: Version): Hono<Env> =>
    backend.routes(version, (request, bindings) => app.fetch(request, bindings))

  const app = new Hono<Env>({ getPath: odataPath })
    .use(async (c, next) => {
      const started = performance.now()
      const ids = idsOf(c.req.header("client-request-id"))
      c.set("requestId", ids.requestId)
      c.set("clientRequestId", ids.clientRequestId)
      c.set("tenant", localTenant)
      c.set("app", localTenant)
      c.set("readOnly", "accept")
      await next()
      log.info(
        {
          method: c.req.method,
          path: c.req.path,
          status: c.res.status,
          durationMs: Math.round((performance.now() - started) * 1000) / 1000,
          ...ids
        },
        "request"
      )
    })
    .use(admission(authentication))
    .get("/healthz", (c) => reply(c, 200, { status: "up" }))
    .get("/readyz", async (c) => {
      await backend.ready(c)
      return reply(c, 200, { status: "ready" })
    })
    .route("/_local", local ?? new Hono<Env>())
    .use("/beta/*", ...(rehearsal?.middleware ?? []))
    .use("/v1.0/*", ...(rehearsal?.middleware ?? []))
    .route("/beta", versionRoutes("beta"))
    .route("/v1.0", versionRoutes("v1.0"))
    .notFound((c) => {
      const segment = unknownSegment(c.req.path)
      const message =
        segment === undefined
          ? "No OData route is served for this path and method."
          : `Resource not found for the segment '${segment}'.`
      return renderError(c, new ApiError("BadRequest", message))
    })
    .onError((error, c) => {
      if (!(error instanceof ApiError) || error.cause !== undefined) {
        log.error({ err: error, requestId: c.get("requestId") }, "a request failed for a reason of ours")
      }
      return renderError(c, error)
    })

  return app
}

/** The service without a port: `fetch` and `request` answer as a server would. */
export const createApp = (dependencies: Dependencies): Hono<Env> => {
  const { store, rehearsal, restore } = dependencies
  const local = rehearsal?.isLocal === true ? localRoutes(rehearsal, store, restore) : undefined
  return appOver(storeBackend(dependencies), dependencies, { rehearsal, local })
}
