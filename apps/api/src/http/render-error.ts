import type { GraphErrorBody } from "@workanywhere/domain"
import type { Context } from "hono"
import { QueryFault } from "../graph/query-fault.ts"
import { ApiError } from "./api-error.ts"
import type { Env } from "./env.ts"
import { reply } from "./reply.ts"

/** What a caller is told of a failure that is theirs to mend; `undefined` of any other. */
export const refusalOf = (error: unknown): ApiError | undefined => {
  if (error instanceof QueryFault) return new ApiError("BadRequest", error.message)
  return error instanceof ApiError ? error : undefined
}

/** A failure as it is answered: Graph's envelope (docs/fidelity.md, F9). */
export const renderError = (c: Context<Env>, error: ApiError): Response => {
  const { code, status, message, details, headers, innerError } = error
  const body: GraphErrorBody = {
    error: {
      code,
      message,
      ...(details.length === 0 ? {} : { details }),
      innerError: {
        ...(code === "ModelValidationFailure" ? { message } : {}),
        ...innerError,
        // UTC in seconds and without a zone, as Graph writes it.
        date: new Date().toISOString().slice(0, 19),
        "request-id": c.get("requestId"),
        "client-request-id": c.get("clientRequestId")
      }
    }
  }
  return reply(c, status, body, headers)
}
