import type { GraphVersion } from "@workanywhere/domain"
import { type Context, Hono } from "hono"
import { rootOf } from "./request-target.ts"
import { metadataDocument } from "../graph/csdl.ts"
import { queryOptions, requireFormat } from "../graph/query.ts"
import type { Env } from "./env.ts"
import { answer, reply } from "./reply.ts"
import { otherMethods, patternOf } from "./router.ts"

/** The routes by which an OData client finds out what there is under one root. */
export const serviceRoutes = (version: GraphVersion): Hono<Env> => {
  const contextOf = (c: Context<Env>): string => `${rootOf(c, version)}/$metadata`
  const metadata = metadataDocument()

  return new Hono<Env>()
    .get(patternOf("serviceDocument"), (c) => {
      queryOptions(c.req.url, [])
      return reply(c, 200, {
        "@odata.context": contextOf(c),
        value: [{ name: "deviceManagement", kind: "Singleton", url: "deviceManagement" }]
      })
    })
    .all(patternOf("serviceDocument"), otherMethods("serviceDocument"))

    .get(patternOf("metadata"), (c) => {
      requireFormat(queryOptions(c.req.url, ["format"]).format, "xml")
      return answer(c, 200, metadata, { "content-type": "application/xml" })
    })
    .all(patternOf("metadata"), otherMethods("metadata"))

    .get(patternOf("deviceManagement"), (c) => {
      queryOptions(c.req.url, [])
      return reply(c, 200, { "@odata.context": `${contextOf(c)}#deviceManagement/$entity`, id: c.get("tenant") })
    })
    .all(patternOf("deviceManagement"), otherMethods("deviceManagement"))
}
