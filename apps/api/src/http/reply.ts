import type { Context } from "hono"
import { acceptedOf, jsonType } from "../graph/content-type.ts"
import type { Env, RequestFacts } from "./env.ts"

/** What a body is called while its caller wants nothing else. */
const graphJson = jsonType(acceptedOf(undefined))

const echoable = /^[\w.-]{1,64}$/

/** The ids of a request, from the header that the caller may have sent. */
export const idsOf = (clientRequestId: string | undefined): Pick<RequestFacts, "requestId" | "clientRequestId"> => {
  const requestId = crypto.randomUUID()
  const theirs = clientRequestId !== undefined && echoable.test(clientRequestId)
  return { requestId, clientRequestId: theirs ? clientRequestId : requestId }
}

/**
 * An answer with the headers that Graph's have (docs/fidelity.md, F6). Made in one piece, because a header that is
 * added to a finished answer makes the server build a slower kind of it.
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
