import type { Context } from "hono"
import type { Env } from "../http/reply.ts"

/** The roots that everything is served under, alike in both (reference 1.6). */
export type Version = "beta" | "v1.0"

/** Path of the metrics below a root. */
export const metricsPath = "deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics"

/** What an address begins with: `http://127.0.0.1:4010`. */
export const originOf = (url: string): string => url.slice(0, url.indexOf("/", url.indexOf("//") + 2))

/** The root that a request came to, such as `http://127.0.0.1:4010/beta`. */
export const rootOf = (c: Context<Env>, version: Version): string => `${originOf(c.req.url)}/${version}`

/** A key as it stands behind the name of a collection. */
export const inParentheses = (key: string): string => `('${encodeURIComponent(key.replaceAll("'", "''"))}')`

/** The longest key that a caller may give to what it creates, so that its address stays one. */
export const longestKey = 256

/** Whether a key that a caller made up can be part of an address. */
export const isAddressable = (key: string): boolean => key !== "" && key.length <= longestKey
