import { type Issue, type Page, type Parsed, printable } from "@workanywhere/domain"
import { type Context, Hono } from "hono"
import { noProperty } from "../graph/device-property.ts"
import type { DeviceStore } from "../store/device-store.ts"
import { changed, created, deleted } from "../http/entity.ts"
import { ApiError, jsonBody, only } from "../http/render-error.ts"
import { isStanding } from "../store/metric-store.ts"
import { type Version, inParentheses, isAddressable, longestKey, metricsPath, rootOf } from "../graph/address.ts"
import { continuedOptions, nextLink, pageSize, queryOptions, selectedNames, startOfPage } from "../graph/query.ts"
import { pageTokens } from "../graph/page-token.ts"
import { preferencesOf } from "../graph/preferences.ts"
import { type Env, reply } from "../http/reply.ts"

const metricType = "microsoft.graph.userExperienceAnalyticsWorkFromAnywhereMetric"

export const selectable = (select: string | undefined) =>
  selectedNames(select, (name): "id" => {
    if (name !== "id") throw noProperty(name, ["id"], metricType)
    return name
  })

interface MetricBody {
  readonly id?: string
}

const metricIssue = (name: string, value: unknown): Issue | undefined => {
  const path = printable(name.slice(0, 60))
  const issue = (code: Issue["code"], expected: string): Issue => ({
    path,
    code,
    expected,
    received: typeof value,
    message: `${path}: expected ${expected}`
  })
  if (name === "@odata.type") {
    return value === `#${metricType}` ? undefined : issue("wrongODataType", `"#${metricType}", or leave it out`)
  }
  if (name.includes("@odata.")) return undefined
  if (name !== "id") return issue("unknownProperty", "no other property than id, because a metric has no other")
  if (typeof value === "string" && isAddressable(value) && value.isWellFormed() && !value.includes("\0"))
    return undefined
  return issue("wrongType", `a text of 1 to ${longestKey} characters`)
}

/** The body of a metric that is sent: it has no property but its key (reference 1.2). */
export const parseMetric = (body: unknown): Parsed<MetricBody> => {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    const message = "expected an object with the properties of a metric"
    return {
      success: false,
      issues: [{ path: "", code: "notAnObject", message, expected: "an object", received: typeof body }]
    }
  }
  const issues = Object.entries(body).flatMap(([name, value]) => metricIssue(name, value) ?? [])
  return issues.length === 0 ? { success: true, data: body } : { success: false, issues }
}

/** There is no such metric. */
export const noMetric = (id: string): ApiError =>
  new ApiError("ResourceNotFound", `There is no metric with the id '${id}'.`)

/** A standing metric cannot be deleted. */
export const standingStays = (id: string): ApiError =>
  new ApiError("Request_BadRequest", `The metric '${id}' belongs to every tenant and cannot be deleted.`, {
    headers: { allow: "GET, HEAD, PATCH" }
  })

/** Fails when a tenant has no metric with this id. */
export const requireMetric = async (store: DeviceStore, tenant: string, id: string): Promise<void> => {
  if (!isStanding(id) && !(await store.metrics.has(tenant, id))) throw noMetric(id)
}

/** The routes of metrics under one root. */
export const metricRoutes = (version: Version, store: DeviceStore): Hono<Env> => {
  const collectionPath = `/${metricsPath}` as const
  const metricPath = `${collectionPath}/:metricId` as const

  const contextOf = (c: Context<Env>, selected: ReadonlyArray<string> | undefined): string =>
    `${rootOf(c, version)}/$metadata#${metricsPath}${selected === undefined ? "" : `(${selected.join(",")})`}`

  const bodyOf = (c: Context<Env>, id: string, selected?: ReadonlyArray<string>) => ({
    "@odata.context": `${contextOf(c, selected)}/$entity`,
    "@odata.type": `#${metricType}`,
    id
  })

  return new Hono<Env>()
    .get(collectionPath, async (c) => {
      const options = queryOptions(c.req.url, ["select", "skiptoken", "top"])
      const selected = selectable(options.select)
      const { size, preferenceApplied } = pageSize(options.top, preferencesOf(c.req.header("prefer")))
      const tokens = pageTokens(store.pageTokenKey, [c.get("tenant"), collectionPath, ...continuedOptions(options)])
      const after = String(startOfPage(options.skiptoken, tokens)?.[0] ?? "")
      const { ids, more } = await store.metrics.page(c.get("tenant"), after, size)
      const last = ids.at(-1)
      const page: Page<{ readonly id: string }> = {
        "@odata.context": contextOf(c, selected),
        ...(more && last !== undefined ? { "@odata.nextLink": nextLink(c.req.url, tokens.seal([last])) } : {}),
        value: ids.map((id) => ({ id }))
      }
      return reply(c, 200, page, preferenceApplied ? { "preference-applied": `odata.maxpagesize=${size}` } : {})
    })
    .post(collectionPath, async (c) => {
      queryOptions(c.req.url, [])
      const { id = crypto.randomUUID() } = await jsonBody(c, parseMetric)
      if (!(await store.metrics.create(c.get("tenant"), id))) {
        throw new ApiError("nameAlreadyExists", `There is a metric with the id '${id}' already.`)
      }
      const address = `${rootOf(c, version)}/${metricsPath}${inParentheses(id)}`
      return created(c, address, { body: bodyOf(c, id) })
    })
    .all(collectionPath, only("GET, HEAD, POST"))

    .get(metricPath, async (c) => {
      const id = c.req.param("metricId")
      const selected = selectable(queryOptions(c.req.url, ["select"]).select)
      await requireMetric(store, c.get("tenant"), id)
      return reply(c, 200, bodyOf(c, id, selected))
    })
    .patch(metricPath, async (c) => {
      const id = c.req.param("metricId")
      queryOptions(c.req.url, [])
      await requireMetric(store, c.get("tenant"), id)
      await jsonBody(c, parseMetric)
      return changed(c, { body: bodyOf(c, id) })
    })
    .delete(metricPath, async (c) => {
      const id = c.req.param("metricId")
      queryOptions(c.req.url, [])
      if (isStanding(id)) {
        throw standingStays(id)
      }
      if (!(await store.metrics.remove(c.get("tenant"), id))) throw noMetric(id)
      return deleted(c)
    })
    .all(metricPath, (c, next) =>
      only(isStanding(c.req.param("metricId")) ? "GET, HEAD, PATCH" : "DELETE, GET, HEAD, PATCH")(c, next)
    )
}
