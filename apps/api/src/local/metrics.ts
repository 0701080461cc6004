import { type GraphVersion, inParentheses } from "@workanywhere/domain"
import type { Page } from "@workanywhere/domain"
import { type Context, Hono } from "hono"
import { metricsPath } from "../graph/address.ts"
import { isStanding, metricType, parseMetric, selectable } from "../graph/metric.ts"
import { pageTokens } from "../graph/page-token.ts"
import { preferencesOf } from "../graph/preferences.ts"
import { continuedOptions, nextLink, pageSize, queryOptions, startOfPage } from "../graph/query.ts"
import { ApiError } from "../http/api-error.ts"
import { jsonBody } from "../http/body.ts"
import { changed, created, deleted } from "../http/entity.ts"
import type { Env } from "../http/env.ts"
import { reply } from "../http/reply.ts"
import { addressOf, requireTextAccepted, rootOf } from "../http/request-target.ts"
import { otherMethods, otherMethodsOfMetric, patternOf, standingStays } from "../http/router.ts"
import type { DeviceStore } from "../store/device-store.ts"

/** There is no such metric. */
export const noMetric = (id: string): ApiError =>
  new ApiError("ResourceNotFound", `There is no metric with the id '${id}'.`)

/** Fails when a tenant has no metric with this id. */
export const requireMetric = async (store: DeviceStore, tenant: string, id: string): Promise<void> => {
  if (!isStanding(id) && !(await store.metrics.has(tenant, id))) throw noMetric(id)
}

/** The routes of metrics under one root. */
export const metricRoutes = (version: GraphVersion, store: DeviceStore): Hono<Env> => {
  const contextOf = (c: Context<Env>, selected: ReadonlyArray<string> | undefined): string =>
    `${rootOf(c, version)}/$metadata#${metricsPath}${selected === undefined ? "" : `(${selected.join(",")})`}`

  const bodyOf = (c: Context<Env>, id: string, selected?: ReadonlyArray<string>) => ({
    "@odata.context": `${contextOf(c, selected)}/$entity`,
    "@odata.type": `#${metricType}`,
    id
  })

  return new Hono<Env>()
    .get(patternOf("metrics"), async (c) => {
      const options = queryOptions(c.req.url, ["select", "skiptoken", "top"])
      const selected = selectable(options.select)
      const { size, preferenceApplied } = pageSize(options.top, preferencesOf(c.req.header("prefer")))
      const tokens = pageTokens(store.pageTokenKey, [c.get("tenant"), metricsPath, ...continuedOptions(options)])
      const after = String(startOfPage(options.skiptoken, tokens)?.[0] ?? "")
      const { ids, more } = await store.metrics.page(c.get("tenant"), after, size)
      const last = ids.at(-1)
      const page: Page<{ readonly id: string }> = {
        "@odata.context": contextOf(c, selected),
        ...(more && last !== undefined ? { "@odata.nextLink": nextLink(addressOf(c), tokens.seal([last])) } : {}),
        value: ids.map((id) => ({ id }))
      }
      return reply(c, 200, page, preferenceApplied ? { "preference-applied": `odata.maxpagesize=${size}` } : {})
    })
    .post(patternOf("metrics"), async (c) => {
      queryOptions(c.req.url, [])
      const { id = crypto.randomUUID() } = await jsonBody(c, parseMetric)
      if (!(await store.metrics.create(c.get("tenant"), id))) {
        throw new ApiError("nameAlreadyExists", `There is a metric with the id '${id}' already.`)
      }
      const address = `${rootOf(c, version)}/${metricsPath}${inParentheses(id)}`
      return created(c, address, { body: bodyOf(c, id) })
    })
    .all(patternOf("metrics"), otherMethods("metrics"))

    .get(patternOf("metricsCount"), async (c) => {
      queryOptions(c.req.url, ["format"])
      requireTextAccepted(c)
      return reply(c, 200, await store.metrics.count(c.get("tenant")), { "content-type": "text/plain" })
    })
    .all(patternOf("metricsCount"), otherMethods("metricsCount"))

    .get(patternOf("metric"), async (c) => {
      const id = c.req.param("metricId")
      const selected = selectable(queryOptions(c.req.url, ["select"]).select)
      await requireMetric(store, c.get("tenant"), id)
      return reply(c, 200, bodyOf(c, id, selected))
    })
    .patch(patternOf("metric"), async (c) => {
      const id = c.req.param("metricId")
      queryOptions(c.req.url, [])
      await requireMetric(store, c.get("tenant"), id)
      await jsonBody(c, parseMetric)
      return changed(c, { body: bodyOf(c, id) })
    })
    .delete(patternOf("metric"), async (c) => {
      const id = c.req.param("metricId")
      queryOptions(c.req.url, [])
      if (isStanding(id)) {
        throw standingStays(id)
      }
      if (!(await store.metrics.remove(c.get("tenant"), id))) throw noMetric(id)
      return deleted(c)
    })
    .all(patternOf("metric"), otherMethodsOfMetric)
}
