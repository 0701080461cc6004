import type { IncomingMessage } from "node:http"
import type { Context } from "hono"

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
}

/** What a handler finds on Hono's context. */
export interface Env {
  Variables: RequestFacts
  Bindings: {
    /** What Node's server received; a request that was made in process has none. */
    readonly incoming?: IncomingMessage
    /** Which item of which batch the request is: its id, and the request-id of the batch. */
    readonly batchItem?: { readonly id: string; readonly of: string }
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
  text: string | null,
  headers: Readonly<Record<string, string>>
): Response =>
  new Response(text, {
    status,
    headers: {
      "odata-version": "4.0",
      "cache-control": "no-cache",
      "request-id": c.get("requestId"),
      "client-request-id": c.get("clientRequestId"),
      ...headers
    }
  })

/** An answer whose body is JSON. */
export const reply = (
  c: Context<Env>,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): Response => answer(c, status, JSON.stringify(body), { "content-type": graphJson, ...headers })
