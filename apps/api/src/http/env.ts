import type { IncomingMessage, ServerResponse } from "node:http"
import type { Span } from "effect/Tracer"
import type { RouteTarget } from "../graph/target.ts"
import type { ReadOnlyPolicy } from "../settings/behaviour.ts"

/** What is known about a request from its start. */
export interface RequestFacts {
  /** Made here; what a caller quotes when something went wrong. */
  readonly requestId: string
  /** The caller's own id, or ours when it sent none that is fit to be echoed. */
  readonly clientRequestId: string
  /** The root that the caller knows the service by, without a slash at its end. */
  readonly root: string
  /** Whose rows the request sees. */
  readonly tenant: string
  /** Client id of the app that sends it; `local` while nobody has to prove who they are. */
  readonly app: string
  /** Id of the user on whose behalf it does. */
  readonly user?: string | undefined
  /** What becomes of an update. */
  readonly readOnly: ReadOnlyPolicy
  /** What it is aimed at, once somebody has asked. */
  readonly target?: RouteTarget
  /** The link to a next page that the answer has. */
  readonly nextLink?: string
  /** What came as the body, for whoever compares requests. */
  readonly received?: Uint8Array
  /** The span of the request, while it is traced: the parent of whatever is done for it. */
  readonly span?: Span
  /** What rehearsal did to the request: the kind of a fault, or that the budget was spent. */
  readonly disturbance?: string
}

/** What a handler finds on Hono's context. */
export interface Env {
  Variables: RequestFacts
  Bindings: {
    /** What Node's server received; a request that was made in process has none. */
    readonly incoming?: IncomingMessage
    /** What the request came on; a batch item comes on nothing of its own. */
    readonly connection?: Connection
    /** Node's side of the connection, when there is a server. */
    readonly outgoing?: ServerResponse
    /** Which item of which batch the request is: its id, and the request-id and the span of the batch. */
    readonly batchItem?: { readonly id: string; readonly of: string; readonly span?: Span | undefined }
  }
}

/** What a request came on, for a fault that ends it. */
export interface Connection {
  /** Ends it at once, whatever is still under way. */
  readonly reset: () => void
  /** Ends it when what a body gave so far has been sent. */
  readonly end: (body: ReadableStreamDefaultController<Uint8Array>) => void
}

/** Whose rows everyone sees while nobody has to prove who they are. */
export const sharedTenant = "local"
