import { syntheticFleet } from "@workanywhere/domain/fleet"
import { Hono } from "hono"
import { ApiError } from "../http/api-error.ts"
import type { Backend } from "../http/backend.ts"
import { batchRoutes } from "../http/batch.ts"
import { type Env, sharedTenant } from "../http/env.ts"
import { type Log, silent } from "../http/observation.ts"
import { serviceRoutes } from "../http/service-document.ts"
import type { DeviceStore } from "../store/device-store.ts"
import { longWork } from "../store/long-work.ts"
import { standardQueryLimitMillis } from "../store/open-database.ts"
import { deviceRoutes } from "./devices.ts"
import { contentEtag, noEtag } from "./etag.ts"
import { sharedFigures } from "./figures.ts"
import { metricRoutes } from "./metrics.ts"
import { reportRoutes } from "./reports.ts"
import { troubleOf } from "./store-trouble.ts"

/** Puts a synthetic fleet in the place of all devices. */
export const seedFleet = (store: DeviceStore, fleet: { readonly size: number; readonly seed: number }): Promise<void> =>
  store.refill(sharedTenant, syntheticFleet(fleet))

/** What stands behind the routes of the local Graph. */
export interface StoreBackendOptions {
  readonly store: DeviceStore
  readonly log?: Log
  /** Whether devices have etags, by which a caller can avoid to undo another's update unseen. */
  readonly etag?: boolean
}

/** Of one batch: PostgreSQL is quicker with several, SQLite with none. */
const readsAtOnce = 4

/** The devices of a store behind the routes. */
export const storeBackend = ({ store, log = silent, etag = false }: StoreBackendOptions): Backend => {
  // For both versions: they count the same.
  const figuresOf = sharedFigures(store)
  // Over rows in memory, of which no more are held than there are: nobody is refused a place.
  const work = longWork(standardQueryLimitMillis, { mostScans: Infinity, mostScansOfOne: Infinity })
  return {
    routes: (version, dispatch) =>
      new Hono<Env>()
        .route("/", serviceRoutes(version))
        .route("/", metricRoutes(version, store))
        .route("/", deviceRoutes(version, store, etag ? contentEtag : noEtag))
        .route("/", reportRoutes(version, store, figuresOf, work))
        .route(
          "/",
          batchRoutes(version, () => dispatch, readsAtOnce)
        ),
    ready: async (c) => {
      try {
        await store.ping()
      } catch (err) {
        log.error({ err, requestId: c.get("requestId") }, "the store does not answer")
        throw new ApiError("serviceNotAvailable", "The store does not answer.")
      }
    },
    troubleOf,
    isGateway: false
  }
}
