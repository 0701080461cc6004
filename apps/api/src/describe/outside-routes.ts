import type { GraphVersion } from "@workanywhere/domain"
import { type Context, Hono } from "hono"
import { ApiError } from "../http/api-error.ts"
import type { Authentication } from "../http/auth.ts"
import type { Env } from "../http/env.ts"
import type { Exposition } from "../http/observation.ts"
import { answer } from "../http/reply.ts"
import { isLoopback, isLoopbackUrl } from "../settings/loopback.ts"
import { packageVersion } from "../settings/package-version.ts"
import { referencePage, referencePageFile, referencePageFiles } from "./reference-page.ts"

const graphVersions: ReadonlyArray<GraphVersion> = ["beta", "v1.0"]

/** What decides about the description of the service. */
export interface Outside {
  readonly authentication: Authentication | undefined
  readonly hasControls: boolean
  readonly etag: boolean
  readonly isGateway: boolean
  readonly publicUrl: string | undefined
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
export const outsideRoutes = ({
  authentication,
  hasControls,
  isGateway,
  publicUrl,
  etag,
  exposition
}: Outside): Hono<Env> => {
  let document: Promise<string> | undefined
  const base = publicUrl === undefined ? "" : new URL(publicUrl).pathname.replace(/\/$/, "")

  const routes = new Hono<Env>()
    .get("/", (c) => {
      const root = c.get("root")
      // A person's browser asks for a page; all else gets what a program can follow.
      if (/\btext\/html\b/i.test(c.req.header("accept") ?? "")) {
        return answer(c, 302, null, { location: `${root}/docs`, vary: "Accept" })
      }
      const links = {
        ...Object.fromEntries(graphVersions.map((version) => [version, `${root}/${version}`])),
        openapi: `${root}/openapi.json`,
        docs: `${root}/docs`,
        health: `${root}/healthz`,
        readiness: `${root}/readyz`,
        ...(exposition === undefined ? {} : { metrics: `${root}/metrics` })
      }
      const service = { name: "workanywhere", version: packageVersion(), kind: isGateway ? "gateway" : "local Graph" }
      return answer(c, 200, JSON.stringify({ ...service, links }), {
        "content-type": "application/json",
        vary: "Accept"
      })
    })
    .get("/openapi.json", async (c) => {
      // Imported and made when it is asked for: most processes never are.
      document ??= import("./openapi.ts").then(({ openApiDocument }) =>
        JSON.stringify(
          openApiDocument({
            isAuthenticated: authentication !== undefined,
            hasControls,
            isGateway,
            hasEtags: etag,
            hasExposition: exposition !== undefined,
            // Without one, what reads the document takes the addresses in it from where it got it.
            root: publicUrl ?? ""
          })
        )
      )
      return answer(c, 200, await document, { "content-type": "application/json" })
    })
    .get("/docs", () => referencePage(base))
    .get("/docs/:file", (c) => {
      const file = referencePageFiles.find((name) => name === c.req.param("file"))
      return file === undefined ? c.notFound() : referencePageFile(file, base)
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
