import type { Context } from "hono"
import type { Env } from "../http/reply.ts"

/** Kinds of routes, as rules and reports name them. */
export const routes = ["metrics", "metric", "devices", "device", "batch", "other"] as const

/** What a request is aimed at, read from its address and method alone. */
export interface RouteTarget {
  readonly method: string
  readonly route: (typeof routes)[number]
  readonly metricId?: string
  readonly deviceId?: string
  /** The `$skiptoken`, when the request follows a link to a next page. */
  readonly skiptoken?: string
  /** The item's id, when the request is part of a batch. */
  readonly batchItem?: string
}

const decoded = (key: string): string => {
  if (!key.includes("%")) return key
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/** The path is the one way to spell it that the routes have: both ways to write a key are one here. */
export const placeOf = (path: string): Pick<RouteTarget, "route" | "metricId" | "deviceId"> => {
  const [, , first, metrics, metricId, devices, deviceId, more] = path.split("/")
  if (first === "$batch") return { route: "batch" }
  if (metrics !== "userExperienceAnalyticsWorkFromAnywhereMetrics" || more !== undefined) return { route: "other" }
  if (metricId === undefined) return { route: "metrics" }
  if (devices === undefined) return { route: "metric", metricId: decoded(metricId) }
  if (devices !== "metricDevices" || deviceId?.startsWith("$") === true) return { route: "other" }
  if (deviceId === undefined) return { route: "devices", metricId: decoded(metricId) }
  return { route: "device", metricId: decoded(metricId), deviceId: decoded(deviceId) }
}

/** The value of a query option that is given in any case, with or without its `$`. */
export const optionIn = (url: string, option: "select" | "skiptoken" | "top"): string | undefined => {
  const start = url.indexOf("?")
  if (start === -1) return undefined
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    const lower = name.toLowerCase()
    if (lower === option || lower === `$${option}`) return value
  }
  return undefined
}

/** The item of a batch that a request is. */
export const batchItemOf = (c: Context<Env>): Env["Bindings"]["batchItem"] =>
  (c.env as Env["Bindings"] | undefined)?.batchItem

const readTarget = (c: Context<Env>): RouteTarget => {
  const skiptoken = optionIn(c.req.url, "skiptoken")
  const batchItem = batchItemOf(c)
  return {
    method: c.req.method,
    ...placeOf(c.req.path),
    ...(skiptoken === undefined ? {} : { skiptoken }),
    ...(batchItem === undefined ? {} : { batchItem: batchItem.id })
  }
}

/** Where a request is aimed at. */
export const targetOf = (c: Context<Env>): RouteTarget => {
  const known = c.get("target")
  if (known !== undefined) return known
  const target = readTarget(c)
  c.set("target", target)
  return target
}
