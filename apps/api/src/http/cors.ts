import type { Context, Next } from "hono"
import { cors } from "hono/cors"
import type { Env } from "./env.ts"

/** What a page may read of an answer besides its body. */
const shownHeaders = [
  "Allow",
  "client-request-id",
  "ETag",
  "Location",
  "OData-EntityId",
  "OData-Version",
  "Preference-Applied",
  "request-id",
  "Retry-After",
  "WWW-Authenticate"
]

/**
 * Lets pages of some origins read answers, and answers what their browsers ask beforehand, without a token as they do; what
 * pages of others send is left as it is.
 */
export const crossOrigin = (origins: ReadonlyArray<string>): ((c: Context<Env>, next: Next) => Promise<void>) => {
  if (origins.length === 0) return (_, next) => next()
  const known = new Set(origins)
  const share = cors({
    origin: [...origins],
    allowMethods: ["GET", "HEAD", "POST", "PATCH", "DELETE"],
    exposeHeaders: shownHeaders,
    maxAge: 600
  })
  return async (c, next) => {
    if (!known.has(c.req.header("origin") ?? "")) return next()
    const answered = await share(c, next)
    if (answered !== undefined) c.res = answered
  }
}
