import { type GraphErrorCode, type GraphErrorDetail, graphErrorStatus } from "@workanywhere/domain"

/** A failure that the caller is told about; its status follows from its code. Everything else that is thrown is a bug. */
export class ApiError extends Error {
  readonly code: string
  readonly status: number
  readonly details: ReadonlyArray<GraphErrorDetail>
  readonly headers: Readonly<Record<string, string>>
  /** What `innerError` says besides the date and the ids. */
  readonly innerError: Readonly<Record<string, string>>

  constructor(
    code: GraphErrorCode,
    message: string,
    {
      details = [],
      headers = {},
      innerError = {},
      saidBefore,
      cause
    }: {
      readonly details?: ReadonlyArray<GraphErrorDetail>
      readonly headers?: Readonly<Record<string, string>>
      readonly innerError?: Readonly<Record<string, string>>
      /** What another Graph called it, in place of the code and its status. */
      readonly saidBefore?: { readonly status: number; readonly code: string }
      /** Why it happened, for the log only. */
      readonly cause?: unknown
    } = {}
  ) {
    super(message, cause === undefined ? {} : { cause })
    this.name = "ApiError"
    this.code = saidBefore?.code ?? code
    this.status = saidBefore?.status ?? graphErrorStatus[code]
    this.details = details
    this.headers = headers
    this.innerError = innerError
  }
}
