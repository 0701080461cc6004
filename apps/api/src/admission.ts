import type { Context, MiddlewareHandler } from "hono"
import type { Authentication } from "./auth.ts"
import { ApiError } from "./errors.ts"
import { isLoopbackUrl } from "./loopback.ts"
import { unknownSegment } from "./odata-path.ts"
import { permissionsFor } from "./permissions.ts"
import type { Env } from "./reply.ts"

/** In characters; also what a link in an answer must fit into. */
export const longestUrl = 8_192

/** Probes are asked by machines that have no token. */
const open: ReadonlySet<string> = new Set(["/healthz", "/readyz"])

// A URL may have more in its host, such as quotes; but the links of answers begin with it.
const plainRoot = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?\//

/**
 * A page in a browser can give its own name the address of this machine, or send what needs no reading of the answer.
 * The browser then says in `Host` by what name it came, and in `Origin` from which page.
 */
const refuseForeignPages = (c: Context<Env>): void => {
  if (!isLoopbackUrl(c.req.url)) {
    throw new ApiError(
      "BadRequest",
      "Without authentication this service answers only under a loopback name: 127.0.0.1, [::1] or localhost."
    )
  }
  const origin = c.req.header("origin")
  if (origin !== undefined && !isLoopbackUrl(origin)) {
    throw new ApiError("BadRequest", "Without authentication this service answers no pages of other sites.")
  }
}

const authorize = async (c: Context<Env>, { callerOf, challenge }: Authentication): Promise<void> => {
  const { tenant, app, user, permissions } = await callerOf(c.req.header("authorization"))
  const needed = permissionsFor(c.req.method, c.req.path)
  if (needed.length > 0 && !needed.some((permission) => permissions.has(permission))) {
    throw new ApiError(
      "Forbidden",
      `Application is not authorized to perform this operation. Application must have one of the following scopes: ${needed.join(", ")}.`,
      { headers: { "www-authenticate": challenge(`error="insufficient_scope", scope="${needed.join(" ")}"`) } }
    )
  }
  c.set("tenant", tenant)
  c.set("app", app)
  c.set("user", user)
}

/** Lets a request through to the routes, or says what it lacks. */
export const admission =
  (authentication: Authentication | undefined): MiddlewareHandler<Env> =>
  async (c, next) => {
    if (c.req.url.length > longestUrl) {
      throw new ApiError("uriTooLong", `The URL is longer than the ${longestUrl} characters that are accepted.`)
    }
    if (!plainRoot.test(c.req.url)) throw new ApiError("BadRequest", "The Host header does not name a host.")
    if (authentication === undefined) {
      // `env` is missing when the app is called with nothing but a request.
      if ((c.env as Env["Bindings"] | undefined)?.incoming !== undefined) refuseForeignPages(c)
    } else if (!open.has(c.req.path)) {
      try {
        await authorize(c, authentication)
      } catch (error) {
        // Graph decides about the path first (reference 6.1).
        if (unknownSegment(c.req.path) === undefined) throw error
        return c.notFound()
      }
    }
    return next()
  }
