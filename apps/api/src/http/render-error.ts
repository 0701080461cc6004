import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import {
  type GraphErrorBody,
  type GraphErrorCode,
  type GraphErrorDetail,
  type Issue,
  type Parsed,
  graphErrorStatus
} from "@workanywhere/domain"
import type { Context, Handler } from "hono"
import { type DatabaseTrouble, databaseTrouble } from "../store/database-trouble.ts"
import { isDeeperThan } from "../graph/json-depth.ts"
import { type Env, reply } from "./reply.ts"

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

const troubles: Record<DatabaseTrouble, readonly [GraphErrorCode, string]> = {
  full: ["quotaLimitReached", "The store is full. Nothing was written."],
  readOnly: ["serviceNotAvailable", "The store cannot be written to at present. Nothing was written."],
  busy: ["serviceNotAvailable", "The store is busy with other work. Nothing was written."],
  unreachable: ["serviceNotAvailable", "The store does not answer. Whether something was written is not known."],
  tooLong: [
    "gatewayTimeout",
    "The query took longer than the store may work on one, and was stopped. Compare 'upgradeEligibility', 'healthStatus' " +
      "or 'deviceName' with 'eq', which have indexes, or leave out '$orderby', '$skip' and '$count'."
  ]
}

const troubleOf = (error: Error): ApiError | undefined => {
  const trouble = databaseTrouble(error)
  return trouble && new ApiError(...troubles[trouble])
}

/** The one place where a failure gets its words, status and shape: Graph's envelope (reference 6.1). */
export const renderError = (c: Context<Env>, error: Error): Response => {
  const known =
    error instanceof ApiError
      ? error
      : (troubleOf(error) ??
        new ApiError(
          "generalException",
          `The service failed; its log says why, under request-id ${c.get("requestId")}.`
        ))
  const { code, status, message, details, headers, innerError } = known
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

/** Answers every method that no route before has taken. */
export const only =
  (allow: string): Handler<Env> =>
  (c) => {
    throw new ApiError("Request_BadRequest", `The method ${c.req.method} is not served here, only ${allow}.`, {
      headers: { allow }
    })
  }

/** The largest body that is read, but for that of a batch. */
export const largestBodyBytes = 1_048_576

const tooLarge = (mostBytes: number) =>
  new ApiError("invalidRequest", `The body is larger than the ${mostBytes} bytes that are accepted.`)

const unreadable = () =>
  new ApiError(
    "BadRequest",
    "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
  )

/** Of undeclared length: as much is read as shows that it is too much. */
const undeclared = async (body: ReadableStream<Uint8Array>, mostBytes: number): Promise<Buffer> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > mostBytes) throw tooLarge(mostBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Nearly every body comes in one piece, which is not copied. Fails when the caller goes away in the middle of it. */
const arrived = (incoming: IncomingMessage): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    incoming
      .on("data", (chunk: Buffer) => chunks.push(chunk))
      .once("end", () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)))
      .once("error", reject)
      // An error costs more than to read a body; and this comes at the end of every one.
      .once("close", () => incoming.readableEnded || reject(new Error("The body ended too soon.")))
  })

const bytesOf = async (c: Context<Env>, mostBytes: number): Promise<Buffer> => {
  const declared = c.req.header("content-length")
  if (declared !== undefined) {
    if (Number(declared) > mostBytes) throw tooLarge(mostBytes)
    // The server cuts a body at its declared length; and the stream below is several times as slow as this.
    const { incoming, batchItem } = (c.env as Env["Bindings"] | undefined) ?? {}
    const isFromServer = incoming !== undefined && batchItem === undefined
    return isFromServer ? arrived(incoming) : Buffer.from(await c.req.raw.arrayBuffer())
  }
  return c.req.raw.body === null ? Buffer.alloc(0) : undeclared(c.req.raw.body, mostBytes)
}

const isJson = (contentType: string): boolean => {
  const [type = "", ...parameters] = contentType.toLowerCase().split(";")
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith("charset="))
  return type.trim() === "application/json" && (charset === undefined || /^charset="?utf-?8"?$/.test(charset))
}

const sentence = ({ message }: Issue): string => `${message.slice(0, 1).toUpperCase()}${message.slice(1)}.`

const summary = (issues: ReadonlyArray<Issue>): string =>
  issues.length === 1
    ? `The body does not fit the model: ${issues[0]?.message}.`
    : `The body does not fit the model in ${issues.length} places: ${issues.map(({ path }) => path).join(", ")}.`

/** Far above what a device has; each stray name is compared with every property, which must not be made to take long. */
const mostNames = 200

const fitting = <A>(body: unknown, parse: (body: unknown) => Parsed<A>): A => {
  const names = typeof body === "object" && body !== null && !Array.isArray(body) ? Object.keys(body).length : 0
  if (names > mostNames) {
    throw new ApiError("ModelValidationFailure", `The body has ${names} names; at most ${mostNames} are looked at.`)
  }
  const parsed = parse(body)
  if (parsed.success) return parsed.data
  const [first] = parsed.issues
  if (first?.code === "notAnObject") throw new ApiError("BadRequest", `${unreadable().message} ${sentence(first)}`)
  throw new ApiError("ModelValidationFailure", summary(parsed.issues), {
    details: parsed.issues.map(({ code, message, path }) =>
      path === "" ? { code, message } : { code, message, target: path }
    )
  })
}

const deepestJson = 64

const parseJson = (text: string): unknown => {
  if (isDeeperThan(deepestJson, text)) {
    throw new ApiError(
      "BadRequest",
      `The JSON of the body is nested deeper than the ${deepestJson} levels that are read.`
    )
  }
  try {
    return JSON.parse(text)
  } catch {
    throw unreadable()
  }
}

/** The body of a request, if it is JSON of at most so many bytes. */
export const jsonOf = async (c: Context<Env>, mostBytes: number): Promise<unknown> => {
  const contentType = c.req.header("content-type")
  if (contentType === undefined) {
    throw new ApiError(
      "BadRequest",
      "Write requests (excluding DELETE) must contain the Content-Type header declaration."
    )
  }
  const bytes = await bytesOf(c, mostBytes).catch((error: unknown) => {
    // Else the caller went away in the middle of its body.
    throw error instanceof ApiError ? error : unreadable()
  })
  c.set("received", bytes)
  if (!isJson(contentType)) throw unreadable()
  if (bytes.length === 0) throw new ApiError("BadRequest", "Empty Payload. JSON content expected.")
  if (!isUtf8(bytes)) throw unreadable()
  return parseJson(bytes.toString())
}

/** The body of a request, if it is JSON that `parse` accepts. */
export const jsonBody = async <A>(c: Context<Env>, parse: (body: unknown) => Parsed<A>): Promise<A> =>
  fitting(await jsonOf(c, largestBodyBytes), parse)
