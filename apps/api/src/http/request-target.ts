import type { GraphVersion } from "@workanywhere/domain"
import type { Context } from "hono"
import { originOf } from "../graph/address.ts"
import { acceptsText } from "../graph/content-type.ts"
import { mediaTypeOf } from "../graph/query.ts"
import { type RouteTarget, optionIn, placeOf } from "../graph/target.ts"
import { ApiError } from "./api-error.ts"
import type { Env } from "./env.ts"

/** The root of a version as the caller knows it, such as `http://127.0.0.1:4010/beta`. */
export const rootOf = (c: Context<Env>, version: GraphVersion): string => `${c.get("root")}/${version}`

/** The root of a version where the request came to, which a proxy may have another name for. */
export const askedRootOf = (c: Context<Env>, version: GraphVersion): string => `${originOf(c.req.url)}/${version}`

/** The address of a request as the caller knows it. */
export const addressOf = (c: Context<Env>): string => `${c.get("root")}${c.req.url.slice(originOf(c.req.url).length)}`

/** What a caller accepts: `$format` says it in place of the header. */
export const acceptOf = (c: Context<Env>): string | undefined => {
  // Hardly any address has it, and to take each apart would cost more than the rest of this.
  const format = /format|%/i.test(c.req.url) ? optionIn(c.req.url, "format") : undefined
  return format === undefined ? c.req.header("accept") : mediaTypeOf(format)
}

/** Fails where a caller takes no text, which a count is. */
export const requireTextAccepted = (c: Context<Env>): void => {
  if (acceptsText(acceptOf(c))) return
  throw new ApiError(
    "notSupported",
    "A count is answered as text/plain, which the Accept header or $format of the request does not accept."
  )
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
