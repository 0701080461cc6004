import type { Context } from "hono"
import type { Authentication } from "./auth.ts"
import { ApiError } from "./render-error.ts"
import { isLoopbackUrl } from "../settings/loopback.ts"
import { unknownSegment } from "../graph/path.ts"
import { permissionsFor } from "./permissions.ts"
import type { Env } from "./reply.ts"

/** In characters; also what a link in an answer must fit into. */
export const longestUrl = 8_192

/** Asked by machines and people that have no token; nothing of these says anything of a tenant. */
const open: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/openapi.json", "/docs", "/metrics"])

const isOpen = (path: string): boolean => open.has(path) || path.startsWith("/docs/")

// A URL may have more in its host, such as quotes; but the links of answers begin with it.
const plainRoot = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?\//

/** Whether a request came over the network; one that the app is called with has nothing to come from. */
const isFromOutside = (c: Context<Env>): boolean => (c.env as Env["Bindings"] | undefined)?.incoming !== undefined

/**
 * Refuses names that are not those of this machine. A page in a browser can give its own name the address of this
 * machine, or send what needs no reading of the answer; the browser then says in `Host` by what name it came, and in
 * `Origin` from which page.
 */
const guardRoot = (isOpen: boolean): ((c: Context<Env>) => void) => {
  // Nearly all requests come under one name; to take it apart each time would cost as much as to find a device.
  let rootBefore: string | undefined
  return (c) => {
    const root = c.req.url.slice(0, c.req.url.indexOf("/", "https://".length) + 1)
    if (root === rootBefore) return
    if (!plainRoot.test(root)) throw new ApiError("BadRequest", "The Host header does not name a host.")
    if (isOpen && isFromOutside(c) && !isLoopbackUrl(root)) {
      throw new ApiError(
        "BadRequest",
        "Without authentication this service answers only under a loopback name: 127.0.0.1, [::1] or localhost."
      )
    }
    // What the app is called with may have any name, which says nothing about the next request from outside.
    if (!isOpen || isFromOutside(c)) rootBefore = root
  }
}

const refuseForeignPage = (c: Context<Env>): void => {
  const origin = c.req.header("origin")
  if (origin !== undefined && isFromOutside(c) && !isLoopbackUrl(origin)) {
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

/** No route has the path, or none has it for the method. */
export const noRoute = (path: string): ApiError => {
  const segment = unknownSegment(path)
  return new ApiError(
    "BadRequest",
    segment === undefined
      ? "No OData route is served for this path and method."
      : `Resource not found for the segment '${segment}'.`
  )
}

const authorizeUnlessNowhere = async (c: Context<Env>, known: Authentication): Promise<void> => {
  try {
    await authorize(c, known)
  } catch (error) {
    // Graph decides about the path first (reference 6.1).
    throw unknownSegment(c.req.path) === undefined ? error : noRoute(c.req.path)
  }
}

/** Fails with what a request lacks to be let through to the routes. */
export const admission = (
  authentication: Authentication | undefined
): ((c: Context<Env>) => Promise<void> | undefined) => {
  const refuseForeignRoot = guardRoot(authentication === undefined)

  return (c) => {
    if (c.req.url.length > longestUrl) {
      throw new ApiError("uriTooLong", `The URL is longer than the ${longestUrl} characters that are accepted.`)
    }
    refuseForeignRoot(c)
    if (authentication !== undefined) return isOpen(c.req.path) ? undefined : authorizeUnlessNowhere(c, authentication)
    refuseForeignPage(c)
    return undefined
  }
}
