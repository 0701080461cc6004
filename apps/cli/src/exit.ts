import type { GraphError } from "@workanywhere/graph-client"
import type * as CliError from "effect/cli/CliError"
import type { ConfigurationError, OutputClosed, UsageError } from "./failure.ts"

/** Everything a command can fail with. */
export type Failure = GraphError | UsageError | ConfigurationError | OutputClosed | CliError.CliError

type Reason = GraphError["reason"]

/** The exit codes that scripts rely on; the README explains them. */
export const exitCode = {
  done: 0,
  bug: 1,
  usage: 2,
  configuration: 3,
  notAllowed: 4,
  notFound: 5,
  refused: 6,
  tryLater: 7,
  notUnderstood: 8,
  incomplete: 10,
  interrupted: 130
} as const

const codeForReason: Record<Reason["_tag"], number> = {
  Invalid: exitCode.usage,
  Unauthorized: exitCode.notAllowed,
  Forbidden: exitCode.notAllowed,
  NotFound: exitCode.notFound,
  RouteUnsupported: exitCode.refused,
  TenantNotReady: exitCode.refused,
  Rejected: exitCode.refused,
  Throttled: exitCode.tryLater,
  Unavailable: exitCode.tryLater,
  Unreadable: exitCode.notUnderstood,
  Incomplete: exitCode.incomplete
}

const notStarted =
  "Nothing listens there. The local service is started with wfa-api (in the repository: npx -y pnpm@12 start); another target is named with --target or WFA_TARGET."

const adviceFor: Record<Reason["_tag"], string | undefined> = {
  Invalid: undefined,
  Unauthorized: "Set WFA_TOKEN to a valid access token for the target.",
  Forbidden:
    "The token needs DeviceManagementConfiguration.ReadWrite.All or DeviceManagementManagedDevices.ReadWrite.All (for reading, the Read.All of either is enough).",
  NotFound: "List what is there: wfa device list",
  RouteUnsupported:
    "The target does not serve this operation; Microsoft's own service may not, though its documentation has it. Try another version of the root.",
  TenantNotReady:
    "The tenant needs an active Intune licence; in a new tenant it can take a while until Intune answers.",
  Rejected: undefined,
  Throttled: "Run the command again later.",
  Unavailable:
    "Check that the target (--target or WFA_TARGET) is running and can be reached, through the proxy that HTTPS_PROXY names if it names one; then run the command again.",
  Unreadable: "Is the target a Microsoft Graph root with its version, such as https://graph.microsoft.com/beta?",
  Incomplete: "What was printed may not be the whole list; run the command again."
}

/** A write that may have taken effect was neither made nor refused, whatever its last answer says. */
const codeOf = ({ outcomeUnknown, reason }: GraphError): number =>
  outcomeUnknown === true ? exitCode.tryLater : codeForReason[reason._tag]

/** What is left to do about a write of which nobody knows. */
export const unknownOutcome =
  "Whether the write took effect is not known: read the device back with wfa device get before you repeat it."

/** What networks fail with; of a certificate or a proxy the message says what to do. */
const networkCode = /^(E(?!RR)[A-Z_]+|UND_ERR_\w+)$/

/** A proxy's address is not in the message. */
const onThisMachine = /^the connection to (localhost|127\.|\[::1\])/

const adviceOn = ({ message, outcomeUnknown, reason, systemCode }: GraphError): string | undefined => {
  if (systemCode === "ECONNREFUSED" && onThisMachine.test(message)) return notStarted
  if (systemCode !== undefined && !networkCode.test(systemCode)) return undefined
  const isForLater = reason._tag === "Unavailable" || reason._tag === "Throttled"
  return outcomeUnknown === true && isForLater ? undefined : adviceFor[reason._tag]
}

const graphLines = (error: GraphError): ReadonlyArray<string> => {
  const { reason } = error
  const answer = error.status === undefined ? [] : [`${error.status} ${error.code ?? ""}`.trim()]
  const facts = [
    `${error.method} ${error.path}`,
    ...answer,
    ...(error.requestId === undefined ? [] : [`request-id ${error.requestId}`]),
    ...(error.activityId === undefined ? [] : [`activity-id ${error.activityId}`]),
    `client-request-id ${error.clientRequestId}`
  ]
  const details =
    reason._tag === "Invalid"
      ? reason.issues.map((issue) => issue.message)
      : (error.details ?? []).map((detail) => detail.message)
  const advice = adviceOn(error)
  return [
    reason._tag === "Invalid" ? "the request cannot be sent as it is; nothing was sent" : error.message,
    ...details.map((detail) => `  - ${detail}`),
    ...(reason._tag === "Invalid" ? [] : [`  ${facts.join(", ")}`]),
    ...(error.outcomeUnknown === true ? [`  ${unknownOutcome}`] : []),
    ...(advice === undefined ? [] : [`  ${advice}`])
  ]
}

/** The code a failure ends the process with, and the lines that tell a person about it. */
export const outcomeOf = (failure: Failure): { readonly code: number; readonly lines: ReadonlyArray<string> } => {
  switch (failure._tag) {
    case "GraphError":
      return { code: codeOf(failure), lines: graphLines(failure) }
    case "UsageError":
      return {
        code: exitCode.usage,
        lines: [failure.message, ...(failure.problems ?? []).map((problem) => `  - ${problem}`)]
      }
    case "ConfigurationError":
      return { code: exitCode.configuration, lines: [failure.message] }
    case "OutputClosed":
      return { code: exitCode.done, lines: [] }
    case "ShowHelp":
      // The presenter has already said what was wrong; no errors means that help was what was wanted.
      return { code: failure.errors.length === 0 ? exitCode.done : exitCode.usage, lines: [] }
    default:
      return { code: exitCode.usage, lines: [failure.message] }
  }
}
