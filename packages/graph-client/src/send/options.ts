import type { GraphVersion } from "@workanywhere/domain"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { type Cloud, clouds, isCloud } from "../facts/clouds.ts"
import { type TokenSource, type Tokens, tokenProblem, tokensOf } from "./credentials.ts"
import { type Budget, isBudget, publishedBudget } from "../facts/budget.ts"
import { type Gates, type Ration, gatesOf } from "../pace/gate.ts"
import type { GraphError } from "../facts/graph-error.ts"

/** What a client is made from. */
export interface GraphClientOptions {
  /** Root with its version: https://graph.microsoft.com/beta, http://127.0.0.1:4010/beta. Either this or `cloud`. */
  readonly baseUrl?: string | URL
  /** One of Microsoft's clouds by name; either this or `baseUrl`. */
  readonly cloud?: Cloud
  /** Which version of a `cloud` is asked; `beta` by default. */
  readonly version?: GraphVersion
  /** Bearer token, or where tokens come from. They are sent to the origin of the root only. */
  readonly token?: Redacted.Redacted | TokenSource
  /**
   * Origins, such as `http://graph.internal:8080`, that may be asked without encryption, token and all. Anywhere else
   * than on this machine the root has to be https.
   */
  readonly insecureOrigins?: ReadonlyArray<string>
  /** Ends a request together with all its repeats and waits; 2 minutes by default. */
  readonly deadline?: Duration.Input
  /** How often one request is tried at most; 5 by default. */
  readonly attempts?: number
  /** Whose budget is used, with `app`: clients that name the same two share it. Any text; `unknown` by default. */
  readonly tenant?: string
  /** Whose budget is used, with `tenant`; `unknown` by default. */
  readonly app?: string
  /**
   * How much is sent in a stretch of time: a share of the published limits (`0.5`), other limits, or `"unlimited"`. All
   * of what is published by default, and unlimited on this machine.
   */
  readonly budget?: number | Budget | "unlimited"
  /**
   * How long one `Retry-After` may hold all requests; an hour by default, and then the service is asked again. The request
   * that was asked to wait longer does so if its deadline allows it, and fails at once otherwise.
   */
  readonly longestWait?: Duration.Input
  /** Runs before each wait for a repeat, so that a person can be told why nothing happens; with `false` there is none. */
  readonly onRepeat?: (repeat: Repeat) => Effect.Effect<void | false>
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
  readonly tokens: Tokens
  readonly deadlineMillis: number
  readonly attempts: number
  readonly longestWaitMillis: number
  readonly gates: Gates
  /** What its metrics are told apart by. */
  readonly labels: Readonly<Record<string, string>>
  readonly onRepeat: (repeat: Repeat) => Effect.Effect<void | false>
}

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** A version that Graph does not have is for the service to refuse. */
const endsInVersion = /\/(beta|v\d+(\.\d+)?)\/*$/i

const rootOf = ({ baseUrl, cloud, version = "beta" }: GraphClientOptions): URL | string => {
  if (baseUrl !== undefined && cloud !== undefined) return "baseUrl and cloud name two targets; leave one out"
  if (cloud !== undefined) {
    if (!isCloud(cloud)) return `cloud is not one of ${Object.keys(clouds).join(", ")}`
    if (version !== "beta" && version !== "v1.0") return "version is neither beta nor v1.0"
    return new URL(`${clouds[cloud].graph}/${version}`)
  }
  const url = URL.parse(String(baseUrl))
  return url !== null && /^https?:$/.test(url.protocol) && endsInVersion.test(url.pathname)
    ? url
    : "baseUrl is not the address of a Graph root with its version, such as https://graph.microsoft.com/beta"
}

const rationOf = (
  budget: GraphClientOptions["budget"],
  hostname: string
): Pick<Ration, "budget" | "share"> | undefined => {
  if (budget === "unlimited") return { budget: undefined, share: 1 }
  if (budget === undefined) return { budget: loopback.test(hostname) ? undefined : publishedBudget, share: 1 }
  if (typeof budget === "object") return isBudget(budget) ? { budget, share: 1 } : undefined
  return budget > 0 && budget <= 1 ? { budget: publishedBudget, share: budget } : undefined
}

/** Checks the options of a client; all that is wrong with them comes in one error. */
export const settingsOf = (options: GraphClientOptions): Settings | InvalidOptions => {
  const { token, attempts = 5, insecureOrigins = [], onRepeat = () => Effect.void } = options
  const url = rootOf(options)
  const deadline = Option.getOrElse(Duration.fromInput(options.deadline ?? "2 minutes"), () => Duration.zero)
  const longestWait = Option.getOrElse(Duration.fromInput(options.longestWait ?? "1 hour"), () => Duration.zero)
  const problems: Array<string> = []
  if (typeof url === "string") {
    problems.push(url)
  } else {
    if (url.username !== "" || url.password !== "") problems.push("baseUrl holds a user name or password")
    if (url.search !== "" || url.hash !== "") problems.push("baseUrl holds a query or fragment")
    if (url.protocol === "http:" && !loopback.test(url.hostname) && !insecureOrigins.includes(url.origin)) {
      problems.push("baseUrl is neither https nor on this machine, and its origin is not among insecureOrigins")
    }
  }
  const wrongToken = Redacted.isRedacted(token) ? tokenProblem(token) : undefined
  if (wrongToken !== undefined) problems.push(`token ${wrongToken}`)
  if (!Duration.isFinite(deadline) || !Duration.isPositive(deadline)) {
    problems.push("deadline is not a positive, finite duration")
  }
  if (!Duration.isFinite(longestWait) || !Duration.isPositive(longestWait)) {
    problems.push("longestWait is not a positive, finite duration")
  }
  if (!Number.isInteger(attempts) || attempts < 1) problems.push("attempts is not a whole number from 1")
  const { app = "unknown", tenant = "unknown" } = options
  const ration = rationOf(options.budget, typeof url === "string" ? "" : url.hostname)
  if (ration === undefined) problems.push("budget is not a share above 0 and up to 1, limits from 1, or unlimited")
  if (typeof url === "string" || ration === undefined || problems.length > 0) {
    return new InvalidOptions({ problems, message: `the options of the client are wrong: ${problems.join("; ")}` })
  }
  const longestWaitMillis = Duration.toMillis(longestWait)
  return {
    origin: url.origin,
    host: url.host,
    root: url.pathname.replace(/\/+$/, ""),
    tokens: tokensOf(token),
    deadlineMillis: Duration.toMillis(deadline),
    attempts,
    longestWaitMillis,
    gates: gatesOf({ origin: url.origin, tenant, app }, { ...ration, longestWaitMillis }),
    labels: { server: url.host, tenant, app },
    onRepeat
  }
}
