import { type GraphRouteName, type GraphVersion, inParentheses } from "@workanywhere/domain"
import { parseDeviceUpdate } from "@workanywhere/domain"
import type { Answered } from "@workanywhere/graph-client"
import { type Context, Hono } from "hono"
import { longestUrl, metricsPath } from "../graph/address.ts"
import { filterOf } from "../graph/device-filter.ts"
import { deviceOrder } from "../graph/device-order.ts"
import { isStanding, parseMetric, selectable } from "../graph/metric.ts"
import { preferencesOf } from "../graph/preferences.ts"
import { countWanted, pageSize, queryOf, queryOptions, selectedProperties, skippedRows } from "../graph/query.ts"
import { modelFilterOf, modelOrder, modelType, readinessType, selectedOf, summaryType } from "../graph/report.ts"
import { ApiError } from "../http/api-error.ts"
import type { Backend } from "../http/backend.ts"
import { batchRoutes } from "../http/batch.ts"
import { jsonBody, newDeviceIn } from "../http/body.ts"
import { type Entity, changed, created, deleted, found } from "../http/entity.ts"
import type { Env } from "../http/env.ts"
import { answer, reply } from "../http/reply.ts"
import { requireTextAccepted, rootOf } from "../http/request-target.ts"
import { otherMethods, otherMethodsOfMetric, patternOf, standingStays } from "../http/router.ts"
import { serviceRoutes } from "../http/service-document.ts"
import type { UpstreamRoute } from "../settings/upstream.ts"
import { UpstreamFailure } from "./failure.ts"
import { readdressing } from "./readdress.ts"
import { type Keys, addressOf, appliedIn, isFields, passedHeaders, resourceIn } from "./request.ts"
import type { Upstream } from "./upstream.ts"
import { type Writes, creation } from "./writes.ts"

const jsonTypeOf = ({ headers }: Answered): string | undefined => {
  const type = headers["content-type"]
  return type !== undefined && /^application\/json\b/i.test(type) ? type : undefined
}

const pageOptions = (c: Context<Env>, served: Parameters<typeof queryOptions>[1]) => {
  // A link of the upstream may go on with either of the two ("Paging Microsoft Graph data in your app").
  const options = queryOptions(c.req.url, [...served, "select", "skip", "skiptoken", "top"])
  pageSize(options.top, preferencesOf(c.req.header("prefer")))
  skippedRows(options.skip === undefined ? {} : { skip: options.skip })
  return options
}

/** The routes of the service over another Graph: the same addresses, options and bodies, and nothing is kept. */
export const gatewayBackend = (
  upstream: Upstream,
  writes: Writes,
  allowList: ReadonlyArray<UpstreamRoute>
): Backend => {
  const allowed: ReadonlySet<string> = new Set(allowList)

  const requireAllowed = (route: UpstreamRoute): void => {
    if (allowed.has(route)) return
    throw new ApiError("Forbidden", `This gateway does not pass '${route}' on: whoever runs it decides what it does.`)
  }

  const requireWrite = (route: UpstreamRoute): void => {
    requireAllowed(route)
    writes.require()
  }

  const entityOf = (c: Context<Env>, answered: Answered): Entity => {
    const contentType = jsonTypeOf(answered)
    return {
      body: readdressing(c, upstream.origin).body(answered.body),
      ...(contentType === undefined ? {} : { contentType }),
      etag: answered.headers["etag"],
      applied: appliedIn(answered)
    }
  }

  /** What a write made: it was made, whether the upstream shows it or not. */
  const madeOf = (c: Context<Env>, answered: Answered): Entity => {
    const { body, headers } = answered
    return body === undefined || body === null || body === ""
      ? { body: undefined, etag: headers["etag"], applied: appliedIn(answered) }
      : entityOf(c, answered)
  }

  const newAddress = (
    c: Context<Env>,
    version: GraphVersion,
    answered: Answered,
    collection: string
  ): string | undefined => {
    const { location = "" } = answered.headers
    const place = readdressing(c, upstream.origin).place(location)
    // It was made, wherever the upstream says that it is: that is no reason to fail, and none to send a caller elsewhere.
    if (location !== "" && place !== undefined && place.length <= longestUrl) return place
    const resource = resourceIn(answered.body)
    if (!isFields(resource)) return undefined
    const id = String(resource["id"])
    return `${rootOf(c, version)}/${collection}${inParentheses(id)}`
  }

  const routes = (version: GraphVersion): Hono<Env> => {
    const get = (c: Context<Env>, address: GraphRouteName, keys: Keys, headers = passedHeaders(c)): Promise<Answered> =>
      upstream.send(c, { method: "GET", ...addressOf(version, address, keys, queryOf(c.req.url)), headers })

    /** Not modified is no failure. */
    const single = async (c: Context<Env>, address: GraphRouteName, keys: Keys): Promise<Response> => {
      try {
        return found(c, entityOf(c, await get(c, address, keys)))
      } catch (error) {
        if (error instanceof UpstreamFailure && error.upstream.status === 304) return answer(c, 304, null, {})
        throw error
      }
    }

    const list = async (c: Context<Env>, address: GraphRouteName, keys: Keys): Promise<Response> => {
      const { applied = [], body, contentType } = entityOf(c, await get(c, address, keys))
      return reply(c, 200, body, {
        ...(contentType === undefined ? {} : { "content-type": contentType }),
        ...(applied.length === 0 ? {} : { "preference-applied": applied.join(", ") })
      })
    }

    const count = async (c: Context<Env>, address: GraphRouteName, keys: Keys): Promise<Response> => {
      requireTextAccepted(c)
      const answered = await get(c, address, keys, { ...passedHeaders(c), accept: "text/plain" })
      // In a batch it is a text.
      const total = /^\d+$/.test(String(answered.body)) ? Number(answered.body) : undefined
      if (total === undefined) {
        throw new ApiError("badGateway", "The upstream's answer cannot be passed on: it is no number.")
      }
      const applied = appliedIn(answered)
      return reply(c, 200, total, {
        "content-type": "text/plain",
        ...(applied.length === 0 ? {} : { "preference-applied": applied.join(", ") })
      })
    }

    return new Hono<Env>()
      .get(patternOf("metrics"), async (c) => {
        requireAllowed("metrics")
        selectable(pageOptions(c, []).select)
        return list(c, "metrics", {})
      })
      .post(patternOf("metrics"), async (c) => {
        requireWrite("metrics")
        queryOptions(c.req.url, [])
        const body = await jsonBody(c, parseMetric)
        const writing = { version, address: "metrics", method: "POST", body, changes: creation(body) } as const
        const answered = await writes.send(c, writing)
        return created(c, newAddress(c, version, answered, metricsPath), madeOf(c, answered))
      })
      .all(patternOf("metrics"), otherMethods("metrics"))

      .get(patternOf("metricsCount"), async (c) => {
        requireAllowed("metrics")
        queryOptions(c.req.url, ["format"])
        return count(c, "metricsCount", {})
      })
      .all(patternOf("metricsCount"), otherMethods("metricsCount"))

      .get(patternOf("metric"), async (c) => {
        requireAllowed("metric")
        selectable(queryOptions(c.req.url, ["select"]).select)
        return single(c, "metric", c.req.param())
      })
      .patch(patternOf("metric"), async (c) => {
        requireWrite("metric")
        queryOptions(c.req.url, [])
        const body = await jsonBody(c, parseMetric)
        const writing = { version, address: "metric", method: "PATCH", keys: c.req.param(), body } as const
        return changed(c, madeOf(c, await writes.send(c, { ...writing, changes: creation(body) })))
      })
      .delete(patternOf("metric"), async (c) => {
        requireAllowed("metric")
        const keys = c.req.param()
        queryOptions(c.req.url, [])
        if (isStanding(keys.metricId)) throw standingStays(keys.metricId)
        writes.require()
        await writes.send(c, { version, address: "metric", method: "DELETE", keys, changes: creation({}) })
        return deleted(c)
      })
      .all(patternOf("metric"), otherMethodsOfMetric)

      .get(patternOf("devices"), async (c) => {
        requireAllowed("devices")
        const { count: wanted, filter, orderby, select } = pageOptions(c, ["count", "filter", "orderby"])
        selectedProperties(select)
        filterOf(filter, preferencesOf(c.req.header("prefer")))
        deviceOrder(orderby)
        countWanted(wanted)
        return list(c, "devices", c.req.param())
      })
      .post(patternOf("devices"), async (c) => {
        requireWrite("devices")
        queryOptions(c.req.url, [])
        const keys = c.req.param()
        const body = await newDeviceIn(c)
        const writing = { version, address: "devices", method: "POST", keys, body, changes: creation(body) } as const
        const answered = await writes.send(c, writing)
        const collection = `${metricsPath}${inParentheses(keys.metricId)}/metricDevices`
        return created(c, newAddress(c, version, answered, collection), madeOf(c, answered))
      })
      .all(patternOf("devices"), otherMethods("devices"))

      .get(patternOf("count"), async (c) => {
        requireAllowed("count")
        filterOf(queryOptions(c.req.url, ["filter", "format"]).filter, preferencesOf(c.req.header("prefer")))
        return count(c, "count", c.req.param())
      })
      .all(patternOf("count"), otherMethods("count"))

      .get(patternOf("device"), async (c) => {
        requireAllowed("device")
        selectedProperties(queryOptions(c.req.url, ["select"]).select)
        return single(c, "device", c.req.param())
      })
      .patch(patternOf("device"), async (c) => {
        requireWrite("device")
        const keys = c.req.param()
        queryOptions(c.req.url, [])
        const body = await jsonBody(c, parseDeviceUpdate)
        const changes = await writes.changesTo(c, version, keys, body)
        const writing = { version, address: "device", method: "PATCH", keys, body, changes } as const
        return changed(c, madeOf(c, await writes.send(c, writing)))
      })
      .delete(patternOf("device"), async (c) => {
        requireWrite("device")
        const keys = c.req.param()
        queryOptions(c.req.url, [])
        const changes = await writes.changesTo(c, version, keys)
        await writes.send(c, { version, address: "device", method: "DELETE", keys, changes })
        return deleted(c)
      })
      .all(patternOf("device"), otherMethods("device"))

      .get(patternOf("readiness"), async (c) => {
        requireAllowed("readiness")
        selectedOf(queryOptions(c.req.url, ["select"]).select, readinessType)
        return single(c, "readiness", {})
      })
      .all(patternOf("readiness"), otherMethods("readiness"))

      .get(patternOf("models"), async (c) => {
        requireAllowed("models")
        const { count: wanted, filter, orderby, select } = pageOptions(c, ["count", "filter", "orderby"])
        selectedOf(select, modelType)
        modelFilterOf(filter, preferencesOf(c.req.header("prefer")))
        modelOrder(orderby)
        countWanted(wanted)
        return list(c, "models", {})
      })
      .all(patternOf("models"), otherMethods("models"))

      .get(patternOf("modelsCount"), async (c) => {
        requireAllowed("models")
        modelFilterOf(queryOptions(c.req.url, ["filter", "format"]).filter, preferencesOf(c.req.header("prefer")))
        return count(c, "modelsCount", {})
      })
      .all(patternOf("modelsCount"), otherMethods("modelsCount"))

      .get(patternOf("model"), async (c) => {
        requireAllowed("models")
        selectedOf(queryOptions(c.req.url, ["select"]).select, modelType)
        return single(c, "model", c.req.param())
      })
      .all(patternOf("model"), otherMethods("model"))

      .get(patternOf("summary"), async (c) => {
        requireAllowed("summary")
        selectedOf(queryOptions(c.req.url, ["select"]).select, summaryType)
        return single(c, "summary", {})
      })
      .all(patternOf("summary"), otherMethods("summary"))
  }

  return {
    routes: (version, dispatch) =>
      new Hono<Env>()
        .route("/", serviceRoutes(version))
        .route("/", routes(version))
        .use(patternOf("batch"), (_, next) => {
          requireAllowed("batch")
          return next()
        })
        .route(
          "/",
          batchRoutes(version, (c) => upstream.bundled(c, dispatch))
        ),
    ready: upstream.ready,
    isGateway: true
  }
}
