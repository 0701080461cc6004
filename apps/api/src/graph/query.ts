import type { PropertyName } from "@workanywhere/domain"
import { QueryFault } from "./query-fault.ts"
import { longestUrl } from "./address.ts"
import type { Position } from "./device-order.ts"
import { deviceProperty } from "./device-property.ts"
import type { PageTokens } from "./page-token.ts"
import type { Preferences } from "./preferences.ts"

const systemOptions = [
  "apply",
  "compute",
  "count",
  "deltatoken",
  "expand",
  "filter",
  "format",
  "index",
  "levels",
  "orderby",
  "schemaversion",
  "search",
  "select",
  "skip",
  "skiptoken",
  "top"
] as const

/** A query option of OData that some route serves. */
export type ServedOption = "count" | "filter" | "format" | "orderby" | "select" | "skip" | "skiptoken" | "top"

/** The served options that a request has, as text. */
export type QueryOptions = { readonly [Name in ServedOption]?: string }

/** The query of an address, without its question mark. */
export const queryOf = (url: string): string => {
  const start = url.indexOf("?")
  return start === -1 ? "" : url.slice(start + 1)
}

/**
 * The system option that a name means: in any case, with or without its `$` (Microsoft: "Use query parameters to
 * customize responses"). Others are the caller's.
 */
const systemOption = (name: string): string | undefined => {
  const lower = name.toLowerCase()
  if (lower.startsWith("$")) return lower.slice(1)
  return systemOptions.find((option) => option === lower)
}

/**
 * The query options of a request. Options that are not OData's, such as `dtFilter` or one without a name, are ignored;
 * OData's that the route does not serve are refused, because leaving one out would give a wrong answer. `$format` may say
 * everywhere what `Accept` says; a route with more to give than JSON serves it by itself.
 */
export const queryOptions = (url: string, served: ReadonlyArray<ServedOption>): QueryOptions => {
  const query = queryOf(url)
  const options: { [Name in ServedOption]?: string } = {}
  if (query === "") return options
  for (const [name, value] of new URLSearchParams(query)) {
    const option = systemOption(name)
    if (option === undefined) continue
    const known = [...served, "format" as const].find((one) => one === option)
    if (known === undefined) {
      throw new QueryFault(`The query option '$${option.slice(0, 60)}' is not supported on this resource.`)
    }
    if (options[known] !== undefined) throw new QueryFault(`The query option '$${known}' is given twice.`)
    options[known] = value
  }
  const { format } = options
  if (format !== undefined && !served.includes("format")) requireFormat(format, "json")
  return options
}

/** Fails when `$format` asks for something else than what a route gives. */
export const requireFormat = (format: string | undefined, given: "json" | "xml"): void => {
  if (format === undefined || format.split(";", 1)[0]?.trim().toLowerCase().replace("application/", "") === given)
    return
  throw new QueryFault(`The query option '$format' asks for what is not served here; there is '${given}'.`)
}

/** The media type that a `$format` means, as `Accept` would name it. */
export const mediaTypeOf = (format: string): string => (format.includes("/") ? format : `application/${format}`)

/** The longest `$select`, in characters. */
export const longestSelect = 4_096

/** What `$select` asks for by names that `known` understands, each once, in the order asked; `undefined` for all. */
export const selectedNames = <Name extends string>(
  select: string | undefined,
  known: (name: string) => Name
): ReadonlyArray<Name> | undefined => {
  if (select === undefined) return undefined
  if (select.length > longestSelect) {
    throw new QueryFault(`The query option '$select' is longer than ${longestSelect} characters.`)
  }
  const names = select.split(",").map((name) => name.trim())
  if (names.includes("*")) return undefined
  return [...new Set(names.map(known))]
}

/** The properties of a device that `$select` asks for. */
export const selectedProperties = (select: string | undefined): ReadonlyArray<PropertyName> | undefined =>
  selectedNames(select, (name) => deviceProperty(name).name)

/** How many rows a page has when nobody asks for a number of them, and at most. */
export const standardPageSize = 100
export const largestPageSize = 999

const wholeNumber = (option: ServedOption, text: string): number => {
  if (!/^\d+$/.test(text)) {
    throw new QueryFault(`The query option '$${option}' requires a non-negative integer.`)
  }
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}

/** What a caller asks a page to hold: `$top`, and a preference that wins when it is smaller. */
export const pageSize = (
  top: string | undefined,
  preferences: Preferences
): { readonly size: number; readonly preferenceApplied: boolean } => {
  const asked = top === undefined ? undefined : Math.min(wholeNumber("top", top), largestPageSize)
  const preferred = preferences.get("maxpagesize") ?? ""
  // A preference that is not understood is ignored, as the protocol wants it.
  if (!/^0*[1-9]\d*$/.test(preferred)) return { size: asked ?? standardPageSize, preferenceApplied: false }
  return { size: Math.min(Number(preferred), asked ?? largestPageSize), preferenceApplied: true }
}

/** How many devices `$skip` leaves out. A link goes on behind the page before, so the two do not go together. */
export const skippedRows = ({ skip, skiptoken }: QueryOptions): number => {
  if (skip === undefined) return 0
  if (skiptoken !== undefined) {
    throw new QueryFault("The query options '$skip' and '$skiptoken' cannot be given together.")
  }
  return wholeNumber("skip", skip)
}

/** Whether `$count` asks for the number of all matches. */
export const countWanted = (count: string | undefined): boolean => {
  if (count === undefined || /^false$/i.test(count)) return false
  if (/^true$/i.test(count)) return true
  throw new QueryFault("The query option '$count' requires 'true' or 'false'.")
}

/** The options that a link repeats: with others it would continue another query. */
export const continuedOptions = ({
  count,
  filter,
  orderby,
  select,
  top
}: QueryOptions): ReadonlyArray<string | undefined> => [count, filter, orderby, select, top]

/** The place behind which a page starts; `undefined` for the first page. */
export const startOfPage = (skiptoken: string | undefined, tokens: PageTokens): Position | undefined => {
  if (skiptoken === undefined) return undefined
  const position = tokens.open(skiptoken)
  if (position === undefined) {
    throw new QueryFault("The query option '$skiptoken' is not one that this service has made for this query.")
  }
  return position
}

/** The address of the page behind a place: that of the request with its options, and `$skiptoken` in place of `$skip`. */
export const nextLink = (url: string, skiptoken: string): string => {
  const kept = queryOf(url)
    .split("&")
    .filter((option) => option !== "" && ![...new URLSearchParams(option).keys()].some(startsThePage))
  const path = url.split("?", 1)[0]
  const link = `${path}?${[...kept, `$skiptoken=${skiptoken}`].join("&")}`
  if (link.length > longestUrl) {
    throw new QueryFault(
      `The link to the next page would be longer than the ${longestUrl} characters that are accepted; ` +
        "use a shorter query, or an '$orderby' of shorter texts."
    )
  }
  return link
}

const startsThePage = (name: string): boolean => ["skip", "skiptoken"].includes(systemOption(name) ?? "")
