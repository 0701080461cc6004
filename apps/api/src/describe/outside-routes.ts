import { type Context, Hono } from "hono"
import { ApiError } from "../http/api-error.ts"
import type { Authentication } from "../http/auth.ts"
import type { Env } from "../http/env.ts"
import type { Exposition } from "../http/observation.ts"
import { answer } from "../http/reply.ts"
import { isLoopback, isLoopbackUrl } from "../settings/loopback.ts"
import { referencePage, referencePageFile, referencePageFiles } from "./reference-page.ts"

/** What decides about the description of the service. */
export interface Outside {
  readonly authentication: Authentication | undefined
  readonly hasControls: boolean
  readonly etag: boolean
  readonly isGateway: boolean
  readonly exposition: Exposition | undefined
}

/**
 * Only what is on this machine can have such an address, but a proxy on it may pass on what others ask. A request
 * without a connection was made in process.
 */
const isFromThisMachine = (c: Context<Env>): boolean => {
  const incoming = (c.env as Env["Bindings"] | undefined)?.incoming
  if (incoming === undefined) return true
  // A page in a browser can give its own name the address of this machine.
  if (!isLoopbackUrl(c.req.url)) return false
  if (["forwarded", "x-forwarded-for", "via"].some((name) => c.req.header(name) !== undefined)) return false
  return isLoopback(incoming.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "")
}

/** Routes by which people and machines find out what the service is and how it does; none of them shows a tenant's data. */
export const outsideRoutes = ({ authentication, hasControls, isGateway, etag, exposition }: Outside): Hono<Env> => {
  let document: Promise<string> | undefined

  const routes = new Hono<Env>()
    .get("/openapi.json", async (c) => {
      // Imported and made when it is asked for: most processes never are.
      document ??= import("./openapi.ts").then(({ openApiDocument }) =>
        JSON.stringify(
          openApiDocument({
            isAuthenticated: authentication !== undefined,
            hasControls,
            isGateway,
            hasEtags: etag,
            hasExposition: exposition !== undefined
          })
        )
      )
      return answer(c, 200, await document, { "content-type": "application/json" })
    })
    .get("/docs", () => referencePage())
    .get("/docs/:file", (c) => {
      const file = referencePageFiles.find((name) => name === c.req.param("file"))
      return file === undefined ? c.notFound() : referencePageFile(file)
    })

  if (exposition !== undefined) {
    routes.get("/metrics", async (c) => {
      if (exposition.visibleTo === "loopback" && !isFromThisMachine(c)) {
        throw new ApiError(
          "Forbidden",
          "Metrics are shown to callers on the same machine only; with WFA_METRICS=on, to whoever reaches the service."
        )
      }
      return answer(c, 200, await exposition.text(), { "content-type": "text/plain; version=0.0.4; charset=utf-8" })
    })
  }
  return routes
}
