/**
 * The codes that the service answers with, and the status each stands with; each has a row in docs/fidelity.md. Those
 * in camelCase are Graph's generic codes ("Microsoft Graph error responses and resource types"); which code the real
 * service sends with 409 to 424, 500, 503, 504 and 507 on this resource is not known.
 * `uriTooLong` and `badGateway` are none of Graph's list but their status, named as the guideline for new services wants
 * it.
 * Graph may send others: treat a code that is read as open text and decide on the status then.
 */
export const graphErrorStatus = {
  BadRequest: 400,
  ModelValidationFailure: 400,
  InternalError: 400,
  "No method match route template": 400,
  InvalidAuthenticationToken: 401,
  Forbidden: 403,
  ResourceNotFound: 404,
  Request_BadRequest: 405,
  nameAlreadyExists: 409,
  resyncRequired: 410,
  resourceModified: 412,
  invalidRequest: 413,
  uriTooLong: 414,
  notSupported: 415,
  FailedDependency: 424,
  TooManyRequests: 429,
  generalException: 500,
  badGateway: 502,
  serviceNotAvailable: 503,
  gatewayTimeout: 504,
  quotaLimitReached: 507
} as const

/** A code of {@link graphErrorStatus}. */
export type GraphErrorCode = keyof typeof graphErrorStatus

/** One of several things that were wrong, inside an error. */
export interface GraphErrorDetail {
  readonly code: string
  readonly message: string
  readonly target?: string
}

/** Graph's error body as it is written. */
export interface GraphErrorBody {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly details?: ReadonlyArray<GraphErrorDetail>
    readonly innerError?: { readonly [name: string]: unknown }
  }
}
