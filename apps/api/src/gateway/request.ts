import { type GraphRouteName, type GraphVersion, pathOf, routes } from "@workanywhere/domain"
import type { Answered } from "@workanywhere/graph-client"
import type { Context } from "hono"
import { includeUnknownMembers, preferencesOf } from "../graph/preferences.ts"
import type { Env } from "../http/env.ts"
import { acceptOf } from "../http/request-target.ts"

/** What stands in an address in place of the names. */
export type Keys = Readonly<Record<string, string>>

/** An address of the upstream below a version; the query is passed on as it is spelled. */
export const addressOf = (
  version: GraphVersion,
  route: GraphRouteName,
  keys: Keys,
  query = ""
): Pick<Passed, "version" | "url" | "template"> => {
  const path = pathOf(route, keys)
  return { version, template: routes[route].path, url: query === "" ? path : `${path}?${query}` }
}

const present = (values: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined))

/**
 * What of a caller's headers is about the resource. Whether an answer to a write has a body is seen to by the gateway,
 * which needs one.
 */
export const passedHeaders = (c: Context<Env>): Readonly<Record<string, string>> => {
  const accept = acceptOf(c)
  const preferences = preferencesOf(c.req.header("prefer"))
  const size = preferences.get("maxpagesize") ?? ""
  const prefer = [
    ...(preferences.has(includeUnknownMembers) ? [includeUnknownMembers] : []),
    ...(/^0*[1-9]\d*$/.test(size) ? [`odata.maxpagesize=${size}`] : [])
  ]
  return present({
    accept: accept !== undefined && /json/i.test(accept) ? accept : undefined,
    prefer: prefer.length === 0 ? undefined : prefer.join(", "),
    "if-match": c.req.header("if-match"),
    "if-none-match": c.req.header("if-none-match")
  })
}

/** The preferences that the upstream says it has followed. */
export const appliedIn = ({ headers }: Answered): ReadonlyArray<string> =>
  (headers["preference-applied"] ?? "")
    .split(",")
    .map((preference) => preference.trim())
    .filter((preference) => preference !== "" && !/^return\b/i.test(preference))

/** Properties of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>

/** Whether JSON is an object. */
export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A single resource, also where it is shown inside `{"value": …}`, as on Microsoft's pages. */
export const resourceIn = (body: unknown): unknown =>
  isFields(body) && isFields(body["value"]) && !("id" in body) ? body["value"] : body

/** A request for the upstream. */
export interface Passed {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  readonly version: GraphVersion
  /** Below the version, with its query. */
  readonly url: string
  /** The path with names in place of keys. */
  readonly template: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}
