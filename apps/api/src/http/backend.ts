import type { GraphVersion } from "@workanywhere/domain"
import type { Context, Hono } from "hono"
import type { ApiError } from "./api-error.ts"
import type { Dispatch } from "./batch.ts"
import type { Env } from "./env.ts"

/** What stands behind the routes of the versions: a store, or another Graph. */
export interface Backend {
  readonly routes: (version: GraphVersion, dispatch: Dispatch) => Hono<Env>
  /** Fails with an {@link ApiError} while it cannot answer. */
  readonly ready: (c: Context<Env>) => Promise<void>
  /** What a caller is told of an error of what stands there; `undefined` for any other error. */
  readonly troubleOf?: (error: Error) => ApiError | undefined
  /** Whether what stands there is another service. */
  readonly isGateway: boolean
}
