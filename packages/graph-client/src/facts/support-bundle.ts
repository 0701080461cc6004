import type { GraphError, GraphErrorReason } from "./graph-error.ts"

/** What Microsoft's support asks for, and nothing that a ticket should not hold. Plain data, ready for JSON. */
export interface SupportBundle {
  readonly request: string
  readonly reason: GraphErrorReason["_tag"]
  readonly message: string
  readonly status?: number
  readonly code?: string
  /** Codes of what was wrong in detail; their messages may name devices and are left out. */
  readonly detailCodes?: ReadonlyArray<string>
  readonly requestId?: string
  readonly clientRequestId: string
  readonly activityId?: string
  /** ISO 8601, UTC, by the service's clock. */
  readonly date?: string
  /** Which of Microsoft's machines answered. */
  readonly diagnostic?: unknown
  readonly attempts: number
  readonly waitedSeconds: number
  readonly outcomeUnknown?: true
}

const address = /[\w.+-]+@[\w-]+(\.[\w-]+)+/g
const guid = /[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}/gi
const url = /https?:\/\/[^\s"'<>]+/g
const quoted = /'[^']*'|"[^"]*"/g

/** Names of devices and people stand in quotes, ids are GUIDs: what is left says what happened, not to whom. */
const redacted = (text: string): string =>
  text.replaceAll(url, "{url}").replaceAll(address, "{address}").replaceAll(guid, "{guid}").replaceAll(quoted, "{text}")

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** Keys as they stand in the path; short ones are left, because they would be found in any sentence. */
const keysOf = ({ path, template }: GraphError): ReadonlyArray<string> => {
  const segments = path.split("/")
  return template.split("/").flatMap((name, at) => {
    const segment = segments[at]
    if (!name.startsWith("{") || segment === undefined || segment.length < 4) return []
    return [segment, decoded(segment)]
  })
}

const readDiagnostic = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** What a Microsoft ticket needs about a failure: codes, ids and times, without keys, names, tokens or bodies. */
export const supportBundle = (error: GraphError): SupportBundle => {
  const keys = keysOf(error)
  const hidden = (text: string) => redacted(keys.reduce((shown, key) => shown.replaceAll(key, "{key}"), text))
  const { activityId, code, date, details = [], diagnostic, outcomeUnknown, requestId, status } = error
  return {
    request: `${error.method} ${error.template}`,
    reason: error.reason._tag,
    message: hidden(error.message),
    ...(status === undefined ? {} : { status }),
    ...(code === undefined ? {} : { code: hidden(code) }),
    ...(details.length === 0 ? {} : { detailCodes: details.map((detail) => hidden(detail.code)) }),
    ...(requestId === undefined ? {} : { requestId }),
    clientRequestId: error.clientRequestId,
    ...(activityId === undefined ? {} : { activityId }),
    ...(date === undefined ? {} : { date }),
    ...(diagnostic === undefined ? {} : { diagnostic: readDiagnostic(diagnostic) }),
    attempts: error.attempts,
    waitedSeconds: error.waitedMillis / 1_000,
    ...(outcomeUnknown === undefined ? {} : { outcomeUnknown })
  }
}
