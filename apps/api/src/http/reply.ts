import type { IncomingMessage, ServerResponse } from "node:http"
import type { Span } from "effect/Tracer"
import type { Context } from "hono"
import type { Connection } from "../rehearsal/connection.ts"
import type { Bundle } from "../gateway/upstream.ts"
import type { ReadOnlyPolicy } from "../rehearsal/profile.ts"
import type { RouteTarget } from "../graph/target.ts"

/** What is known about a request from its start. */
export interface RequestFacts {
  /** Made here; what a caller quotes when something went wrong. */
  readonly requestId: string
  /** The caller's own id, or ours when it sent none that is fit to be echoed. */
  readonly clientRequestId: string
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
    /** What a gateway sends the items of that batch with. */
    readonly bundle?: Bundle
  }
}

const graphJson = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

const echoable = /^[\w.-]{1,64}$/

/** The ids of a request, from the header that the caller may have sent. */
export const idsOf = (clientRequestId: string | undefined): Pick<RequestFacts, "requestId" | "clientRequestId"> => {
  const requestId = crypto.randomUUID()
  const theirs = clientRequestId !== undefined && echoable.test(clientRequestId)
  return { requestId, clientRequestId: theirs ? clientRequestId : requestId }
}

/**
 * An answer with the headers that Graph's have (reference 6.5). Made in one piece, because a header that is added to a
 * finished answer makes the server build a slower kind of it.
 */
export const answer = (
  c: Context<Env>,
  status: number,
  body: string | Uint8Array<ArrayBuffer> | null,
  headers: Readonly<Record<string, string>>
): Response =>
  new Response(body, {
    status,
    headers: {
      "odata-version": "4.0",
      "cache-control": "no-cache",
      "request-id": c.get("requestId"),
      "client-request-id": c.get("clientRequestId"),
      ...headers
    }
  })

/** An answer whose body is JSON already, as a text or, quicker to send when it is long, in UTF-8. */
export const replyJson = (
  c: Context<Env>,
  status: number,
  json: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {}
): Response => answer(c, status, json, { "content-type": graphJson, ...headers })

/** An answer whose body becomes JSON. */
export const reply = (
  c: Context<Env>,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): Response => {
  if (typeof body === "object" && body !== null && "@odata.nextLink" in body) {
    c.set("nextLink", String(body["@odata.nextLink"]))
  }
  return replyJson(c, status, JSON.stringify(body), headers)
}
