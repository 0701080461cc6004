import { type Permission, methodsOf, permissionsFor, routeNames } from "@workanywhere/domain"
import type { Context } from "hono"
import { longestUrl, originOf } from "../graph/address.ts"
import { type Addressed, addressed, isOwnPath, unknownSegment } from "../graph/path.ts"
import { isLoopbackUrl } from "../settings/loopback.ts"
import { ApiError } from "./api-error.ts"
import type { Authentication } from "./auth.ts"
import type { Env } from "./env.ts"
import { type Reach, incomingOf, isPlainRoot, straight } from "./reach.ts"
import { noRoute } from "./router.ts"

/** Whether a request came over the network. */
const isFromOutside = (c: Context<Env>): boolean => incomingOf(c) !== undefined

const notByThisName = (): ApiError =>
  new ApiError(
    "BadRequest",
    "Without authentication this service answers only under a loopback name: 127.0.0.1, [::1] or localhost; or under that of WFA_PUBLIC_URL."
  )

/**
 * Refuses names that are not those of this machine. A page in a browser can give its own name the address of this
 * machine, or send what needs no reading of the answer; the browser then says in `Host` by what name it came, and in
 * `Origin` from which page.
 */
const guardRoot = (isOpen: boolean, { publicUrl, trustedProxies }: Reach): ((c: Context<Env>) => void) => {
  // Nearly all requests come under one name; to take it apart each time would cost as much as to find a device.
  let rootBefore: string | undefined
  const isOurs = (root: string): boolean =>
    isLoopbackUrl(root) || (publicUrl !== undefined && new URL(root).host === new URL(publicUrl).host)
  return (c) => {
    const root = originOf(c.req.url)
    if (isOpen && trustedProxies.length > 0 && isFromOutside(c) && !isOurs(c.get("root"))) throw notByThisName()
    if (root === rootBefore) return
    if (!isPlainRoot(root)) throw new ApiError("BadRequest", "The Host header does not name a host.")
    if (isOpen && isFromOutside(c) && !isOurs(root)) throw notByThisName()
    // What the app is called with may have any name, which says nothing about the next request from outside.
    if (!isOpen || isFromOutside(c)) rootBefore = root
  }
}

const foreignPageRefusal = ({ publicUrl, cors }: Reach): ((c: Context<Env>) => void) => {
  const known = new Set([...cors, ...(publicUrl === undefined ? [] : [new URL(publicUrl).origin])])
  return (c) => {
    const origin = c.req.header("origin")
    if (origin === undefined || !isFromOutside(c) || isLoopbackUrl(origin) || known.has(origin)) return
    throw new ApiError(
      "BadRequest",
      "Without authentication this service answers no pages of other sites but those of WFA_CORS."
    )
  }
}

/** Whoever has none of these can do nothing, however it is asked for. */
export const everyPermission: ReadonlyArray<Permission> = [
  ...new Set(
    routeNames.flatMap((name) =>
      methodsOf(name).flatMap((method) => [
        ...permissionsFor(name, method, "beta"),
        ...permissionsFor(name, method, "v1.0")
      ])
    )
  )
]

const neededFor = ({ route, version }: Addressed, method: string): ReadonlyArray<Permission> =>
  // Each item is asked for its own; but a batch is large, and is not read for who may do nothing that could be in it.
  route === "batch" ? everyPermission : permissionsFor(route, method, version)

const authorize = async (c: Context<Env>, { callerOf, challenge }: Authentication): Promise<void> => {
  const { tenant, app, user, permissions } = await callerOf(c.req.header("authorization"))
  const aim = addressed(c.req.path)
  // What is no address of Graph is refused as such, whatever its sender may do.
  const needed = aim === undefined ? [] : neededFor(aim, c.req.method)
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

const authorizeUnlessNowhere = async (c: Context<Env>, known: Authentication): Promise<void> => {
  try {
    await authorize(c, known)
  } catch (error) {
    // Graph decides about the path first (docs/fidelity.md, F37).
    throw unknownSegment(c.req.path) === undefined ? error : noRoute(c.req.path)
  }
}

/** Fails with what a request lacks to be let through to the routes. */
export const admission = (
  authentication: Authentication | undefined,
  reach: Reach = straight
): ((c: Context<Env>) => Promise<void> | undefined) => {
  const refuseForeignRoot = guardRoot(authentication === undefined && reach.expose === "off", reach)
  const refuseForeignPage = foreignPageRefusal(reach)

  return (c) => {
    if (c.req.url.length > longestUrl) {
      throw new ApiError("uriTooLong", `The URL is longer than the ${longestUrl} characters that are accepted.`)
    }
    refuseForeignRoot(c)
    // Asked by machines and people that have no token, the service's own paths say nothing of a tenant.
    if (authentication !== undefined)
      return isOwnPath(c.req.path) ? undefined : authorizeUnlessNowhere(c, authentication)
    refuseForeignPage(c)
    return undefined
  }
}
