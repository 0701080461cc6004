import { type PropertyName, nearMiss, property, propertyNames } from "@workanywhere/domain"
import { ApiError } from "./errors.ts"

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
export type ServedOption = "select" | "skiptoken" | "top"

/** The served options that a request has, as text. */
export type QueryOptions = { readonly [Name in ServedOption]?: string }

const queryOf = (url: string): string => {
  const start = url.indexOf("?")
  return start === -1 ? "" : url.slice(start + 1)
}

/** The system option that a name means: in any case, with or without its `$` (reference 3). Others are the caller's. */
const systemOption = (name: string): string | undefined => {
  const lower = name.toLowerCase()
  if (lower.startsWith("$")) return lower.slice(1)
  return systemOptions.find((option) => option === lower)
}

/**
 * The query options of a request. Options that are not OData's, such as `dtFilter` or one without a name, are ignored;
 * OData's that the route does not serve are refused, because leaving one out would give a wrong answer.
 */
export const queryOptions = (url: string, served: ReadonlyArray<ServedOption>): QueryOptions => {
  const query = queryOf(url)
  const options: { [Name in ServedOption]?: string } = {}
  if (query === "") return options
  for (const [name, value] of new URLSearchParams(query)) {
    const option = systemOption(name)
    if (option === undefined) continue
    const known = served.find((one) => one === option)
    if (known === undefined) {
      throw new ApiError("BadRequest", `The query option '$${option.slice(0, 60)}' is not supported on this resource.`)
    }
    if (options[known] !== undefined) throw new ApiError("BadRequest", `The query option '$${known}' is given twice.`)
    options[known] = value
  }
  return options
}

/** The properties that `$select` asks for, each once, in the order asked; `undefined` when it asks for all. */
export const selectedProperties = (select: string | undefined): ReadonlyArray<PropertyName> | undefined => {
  if (select === undefined) return undefined
  const names = select.split(",").map((name) => name.trim())
  if (names.includes("*")) return undefined
  return [...new Set(names.map(selectedProperty))]
}

const selectedProperty = (name: string): PropertyName => {
  const known = property(name)
  if (known !== undefined) return known.name
  const meant = nearMiss(name, propertyNames)
  throw new ApiError(
    "BadRequest",
    `Could not find a property named '${name.slice(0, 60)}' on type ` +
      `'microsoft.graph.userExperienceAnalyticsWorkFromAnywhereDevice'${meant === undefined ? "" : `; did you mean '${meant}'?`}`
  )
}

const standardPageSize = 100
const largestPageSize = 999

/** What a caller asks a page to hold: `$top`, and a preference that wins when it is smaller. */
export const pageSize = (
  top: string | undefined,
  prefer: string | undefined
): { readonly size: number; readonly preferenceApplied: boolean } => {
  if (top !== undefined && !/^\d+$/.test(top)) {
    throw new ApiError("BadRequest", "The query option '$top' requires a non-negative integer.")
  }
  const asked = top === undefined ? undefined : Math.min(Number(top), largestPageSize)
  // A preference that is not understood is ignored, as the protocol wants it.
  const preferred = /(?:^|[,;\s])(?:odata\.)?maxpagesize\s*=\s*"?0*([1-9]\d*)\b/i.exec(prefer ?? "")?.[1]
  if (preferred === undefined) return { size: asked ?? standardPageSize, preferenceApplied: false }
  return { size: Math.min(Number(preferred), asked ?? largestPageSize), preferenceApplied: true }
}

// The letter is the version of the token: another one can follow without misreading old links.
const tokenPrefix = "a"

const tokenAfter = (id: string): string => tokenPrefix + Buffer.from(id).toString("base64url")

/** The id behind which a page starts; the empty text, which is before every id, when there is no token. */
export const startOfPage = (skiptoken: string | undefined): string => {
  if (skiptoken === undefined) return ""
  const id = Buffer.from(skiptoken.slice(tokenPrefix.length), "base64url").toString()
  if (id === "" || tokenAfter(id) !== skiptoken) {
    throw new ApiError("BadRequest", "The query option '$skiptoken' is not one that this service has made.")
  }
  return id
}

/** The address of the page behind a row: that of the request, with all its options and another `$skiptoken`. */
export const nextLink = (url: string, lastId: string): string => {
  const kept = queryOf(url)
    .split("&")
    .filter((option) => option !== "" && ![...new URLSearchParams(option).keys()].some(isSkiptoken))
  const path = url.split("?", 1)[0]
  return `${path}?${[...kept, `$skiptoken=${tokenAfter(lastId)}`].join("&")}`
}

const isSkiptoken = (name: string): boolean => systemOption(name) === "skiptoken"
