import { type RouteName, routeNames } from "@workanywhere/domain"
import { addressed } from "./path.ts"

/** Names of routes, as rules and reports have them; what no route of Graph has is `other`. */
export const targetNames: ReadonlyArray<RouteName | "other"> = [...routeNames, "other"]

/** What a request is aimed at, read from its address and method alone. */
export interface RouteTarget {
  readonly method: string
  readonly route: (typeof targetNames)[number]
  readonly metricId?: string
  readonly deviceId?: string
  /** The `$skiptoken`, when the request follows a link to a next page. */
  readonly skiptoken?: string
  /** The item's id, when the request is part of a batch. */
  readonly batchItem?: string
}

/** What a path names, spelled the one way the routes have. */
export const placeOf = (path: string): Pick<RouteTarget, "route" | "metricId" | "deviceId"> => {
  const found = addressed(path)
  if (found === undefined) return { route: "other" }
  const { deviceId, metricId } = found.keys
  return {
    route: found.route,
    ...(metricId === undefined ? {} : { metricId }),
    ...(deviceId === undefined ? {} : { deviceId })
  }
}

/** The value of a query option that is given in any case, with or without its `$`. */
export const optionIn = (url: string, option: "format" | "select" | "skiptoken" | "top"): string | undefined => {
  const start = url.indexOf("?")
  if (start === -1) return undefined
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    const lower = name.toLowerCase()
    if (lower === option || lower === `$${option}`) return value
  }
  return undefined
}
