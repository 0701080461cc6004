import { type Context, Hono } from "hono"
import { only } from "./render-error.ts"
import { type Version, rootOf } from "../graph/address.ts"
import { metadataDocument } from "../graph/csdl.ts"
import { queryOptions } from "../graph/query.ts"
import { type Env, answer, reply } from "./reply.ts"

/** The routes by which an OData client finds out what there is under one root. */
export const serviceRoutes = (version: Version): Hono<Env> => {
  const contextOf = (c: Context<Env>): string => `${rootOf(c, version)}/$metadata`
  const metadata = metadataDocument()

  return new Hono<Env>()
    .get("/", (c) => {
      queryOptions(c.req.url, [])
      return reply(c, 200, {
        "@odata.context": contextOf(c),
        value: [{ name: "deviceManagement", kind: "Singleton", url: "deviceManagement" }]
      })
    })
    .all("/", only("GET, HEAD"))

    .get("/$metadata", (c) => {
      queryOptions(c.req.url, [])
      return answer(c, 200, metadata, { "content-type": "application/xml" })
    })
    .all("/$metadata", only("GET, HEAD"))

    .get("/deviceManagement", (c) => {
      queryOptions(c.req.url, [])
      return reply(c, 200, { "@odata.context": `${contextOf(c)}#deviceManagement/$entity`, id: c.get("tenant") })
    })
    .all("/deviceManagement", only("GET, HEAD"))
}
