import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { GraphError } from "./graph-error.ts"

/** What a client is made from. */
export interface GraphClientOptions {
  /** Root with its version: https://graph.microsoft.com/beta, http://127.0.0.1:4010/beta. */
  readonly baseUrl: string | URL
  /** Bearer token. It is sent to the origin of `baseUrl` only, which has to be https or on this machine. */
  readonly token?: Redacted.Redacted
  /** Ends a request together with all its repeats and waits; 2 minutes by default. */
  readonly deadline?: Duration.Input
  /** How often one request is tried at most; 5 by default. */
  readonly attempts?: number
  /** Runs before each wait for a repeat, so that a person can be told why nothing happens. */
  readonly onRepeat?: (repeat: Repeat) => Effect.Effect<void>
}

/** A request that failed and is about to be sent again. */
export interface Repeat {
  readonly error: GraphError
  readonly waitMillis: number
}

/** A client cannot be made from these options; `problems` has a sentence for each that is wrong. */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  readonly problems: ReadonlyArray<string>
  readonly message: string
}> {}

/** Options after they were checked. */
export interface Settings {
  readonly origin: string
  /** `host:port`, for messages. */
  readonly host: string
  /** Path of the root, without a slash at its end. */
  readonly root: string
  readonly token: Redacted.Redacted | undefined
  readonly deadlineMillis: number
  readonly attempts: number
  readonly onRepeat: (repeat: Repeat) => Effect.Effect<void>
}

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** Anything else, such as a line break, would be refused by `fetch` with a message that quotes the token. */
const headerSafe = /^[\x21-\x7e]+$/

/** Checks the options of a client; all that is wrong with them comes in one error. */
export const settingsOf = (options: GraphClientOptions): Settings | InvalidOptions => {
  const { token, attempts = 5, onRepeat = () => Effect.void } = options
  const url = URL.parse(String(options.baseUrl))
  const deadline = Option.getOrElse(Duration.fromInput(options.deadline ?? "2 minutes"), () => Duration.zero)
  const problems: Array<string> = []
  if (url === null || !/^https?:$/.test(url.protocol)) {
    problems.push("baseUrl is not an http or https address such as https://graph.microsoft.com/beta")
  } else {
    if (url.username !== "" || url.password !== "") problems.push("baseUrl holds a user name or password")
    if (url.search !== "" || url.hash !== "") problems.push("baseUrl holds a query or fragment")
    if (token !== undefined && url.protocol === "http:" && !loopback.test(url.hostname)) {
      problems.push("baseUrl is neither https nor on this machine: a token is not sent there")
    }
  }
  if (token !== undefined && !headerSafe.test(Redacted.value(token))) {
    problems.push("token is empty or holds characters that no token has")
  }
  if (!Duration.isFinite(deadline) || !Duration.isPositive(deadline)) {
    problems.push("deadline is not a positive, finite duration")
  }
  if (!Number.isInteger(attempts) || attempts < 1) problems.push("attempts is not a whole number from 1")
  if (url === null || problems.length > 0) {
    return new InvalidOptions({ problems, message: `the options of the client are wrong: ${problems.join("; ")}` })
  }
  return {
    origin: url.origin,
    host: url.host,
    root: url.pathname.replace(/\/+$/, ""),
    token,
    deadlineMillis: Duration.toMillis(deadline),
    attempts,
    onRepeat
  }
}
