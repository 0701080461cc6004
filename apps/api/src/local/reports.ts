import type { GraphVersion } from "@workanywhere/domain"
import { hash } from "node:crypto"
import { type Page, standingMetrics } from "@workanywhere/domain"
import type { FleetFigures, ModelPerformance } from "@workanywhere/domain/figures"
import { type Context, Hono } from "hono"
import type { ReportType } from "../graph/csdl.ts"
import type { Filter } from "../graph/device-filter.ts"
import { type Order, type Position, comparePositions, positionOf } from "../graph/device-order.ts"
import { pageTokens } from "../graph/page-token.ts"
import { preferencesOf } from "../graph/preferences.ts"
import {
  continuedOptions,
  countWanted,
  nextLink,
  pageSize,
  queryOptions,
  skippedRows,
  startOfPage
} from "../graph/query.ts"
import {
  type ModelProperty,
  modelFilterOf,
  modelOrder,
  modelType,
  modelsPath,
  readinessPath,
  readinessType,
  selectedOf,
  summaryType
} from "../graph/report.ts"
import { holdsFor } from "../graph/row-filter.ts"
import { ApiError } from "../http/api-error.ts"
import type { Env } from "../http/env.ts"
import { reply } from "../http/reply.ts"
import { addressOf, requireTextAccepted, rootOf } from "../http/request-target.ts"
import { otherMethods, patternOf } from "../http/router.ts"
import type { DeviceStore } from "../store/device-store.ts"
import { type LongWork, type Stint, pieceMillis } from "../store/long-work.ts"
import type { FiguresOf } from "./figures.ts"

/**
 * Microsoft does not say what the key of a model is: ours follows from its names, and is the same everywhere. No name
 * holds a NUL: it cannot be stored.
 */
const modelId = ({ manufacturer, model }: ModelPerformance): string =>
  hash("sha256", `${manufacturer ?? ""}\0${model ?? ""}`).replace(
    /^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/,
    "$1-$2-$3-$4-$5"
  )

const modelRows = ({ modelPerformance }: FleetFigures) => modelPerformance.map((row) => ({ id: modelId(row), ...row }))

type ModelRow = ReturnType<typeof modelRows>[number]

/** What is asked of the models. */
interface ModelQuery {
  readonly filter: Filter<ModelProperty> | undefined
  readonly order: Order<ModelProperty>
  readonly after: Position | undefined
  /** How many of the first are wanted. */
  readonly most: number
}

/** The first rows of an order behind a place, and how many fit the filter in all; others have their turn meanwhile. */
const firstModels = async (
  rows: ReadonlyArray<ModelRow>,
  { filter, order, after, most }: ModelQuery,
  { turn }: Stint
): Promise<{ readonly first: ReadonlyArray<ModelRow>; readonly total: number }> => {
  const first: Array<{ readonly row: ModelRow; readonly place: Position }> = []
  let total = 0
  let lastTurn = performance.now()
  for (const row of rows) {
    if (performance.now() - lastTurn > pieceMillis) {
      await turn()
      lastTurn = performance.now()
    }
    if (filter !== undefined && holdsFor(filter, row) !== true) continue
    total += 1
    const place = positionOf(order, row)
    if (after !== undefined && comparePositions(order, place, after) <= 0) continue
    const last = first.at(-1)
    if (last !== undefined && first.length >= most && comparePositions(order, place, last.place) > 0) continue
    let [low, high] = [0, first.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const other = first[middle]
      if (other !== undefined && comparePositions(order, other.place, place) < 0) low = middle + 1
      else high = middle
    }
    first.splice(low, 0, { row, place })
    if (first.length > most) first.pop()
  }
  return { first: first.map(({ row }) => row), total }
}

const projected = (row: object, selected: ReadonlyArray<string> | undefined): object =>
  selected === undefined ? row : Object.fromEntries(selected.map((name) => [name, Reflect.get(row, name)]))

const selectIn = (c: Context<Env>, type: ReportType) => selectedOf(queryOptions(c.req.url, ["select"]).select, type)

/** The routes of the reports under one root. All are about the devices that the standing metrics show. */
export const reportRoutes = (
  version: GraphVersion,
  { pageTokenKey }: Pick<DeviceStore, "pageTokenKey">,
  figuresOf: FiguresOf,
  work: LongWork
): Hono<Env> => {
  const models = async (c: Context<Env>, query: ModelQuery) => {
    const rows = modelRows(await figuresOf(c.get("tenant"), c.req.raw.signal))
    const stint = await work(c.get("tenant"), c.req.raw.signal)
    try {
      return await firstModels(rows, query, stint)
    } finally {
      stint.end()
    }
  }

  const context = (c: Context<Env>, of: string, selected: ReadonlyArray<string> | undefined): string =>
    `${rootOf(c, version)}/$metadata#${of}${selected === undefined ? "" : `(${selected.join(",")})`}`

  return new Hono<Env>()
    .get(patternOf("readiness"), async (c) => {
      const selected = selectIn(c, readinessType)
      const { hardwareReadiness } = await figuresOf(c.get("tenant"), c.req.raw.signal)
      return reply(c, 200, {
        "@odata.context": `${context(c, readinessPath, selected)}/$entity`,
        "@odata.type": `#microsoft.graph.${readinessType}`,
        ...projected({ id: standingMetrics[0], ...hardwareReadiness }, selected)
      })
    })
    .all(patternOf("readiness"), otherMethods("readiness"))

    .get(patternOf("models"), async (c) => {
      const options = queryOptions(c.req.url, ["count", "filter", "orderby", "select", "skip", "skiptoken", "top"])
      const selected = selectedOf(options.select, modelType)
      const preferences = preferencesOf(c.req.header("prefer"))
      const filter = modelFilterOf(options.filter, preferences)
      const order = modelOrder(options.orderby)
      const { size, preferenceApplied } = pageSize(options.top, preferences)
      const tokens = pageTokens(pageTokenKey, [c.get("tenant"), modelsPath, ...continuedOptions(options)])
      const after = startOfPage(options.skiptoken, tokens)
      const skip = skippedRows(options)
      const isCounted = countWanted(options.count)
      // One more tells whether there are more.
      const { first, total } = await models(c, { filter, order, after, most: skip + size + 1 })
      const rows = first.slice(skip, skip + size)
      const last = rows.at(-1)
      const page: Page<object> = {
        "@odata.context": context(c, modelsPath, selected),
        ...(isCounted ? { "@odata.count": total } : {}),
        ...(first.length > skip + size && last !== undefined
          ? { "@odata.nextLink": nextLink(addressOf(c), tokens.seal(positionOf(order, last))) }
          : {}),
        value: rows.map((row) => projected(row, selected))
      }
      return reply(c, 200, page, preferenceApplied ? { "preference-applied": `odata.maxpagesize=${size}` } : {})
    })
    .all(patternOf("models"), otherMethods("models"))

    .get(patternOf("modelsCount"), async (c) => {
      const { filter } = queryOptions(c.req.url, ["filter", "format"])
      const asked = modelFilterOf(filter, preferencesOf(c.req.header("prefer")))
      requireTextAccepted(c)
      const { total } = await models(c, { filter: asked, order: modelOrder(undefined), after: undefined, most: 0 })
      return reply(c, 200, total, { "content-type": "text/plain" })
    })
    .all(patternOf("modelsCount"), otherMethods("modelsCount"))

    .get(patternOf("model"), async (c) => {
      const id = c.req.param("modelId")
      const selected = selectIn(c, modelType)
      const found = modelRows(await figuresOf(c.get("tenant"), c.req.raw.signal)).find((row) => row.id === id)
      if (found === undefined) throw new ApiError("ResourceNotFound", `There is no model with the id '${id}'.`)
      return reply(c, 200, {
        "@odata.context": `${context(c, modelsPath, selected)}/$entity`,
        "@odata.type": `#microsoft.graph.${modelType}`,
        ...projected(found, selected)
      })
    })
    .all(patternOf("model"), otherMethods("model"))

    .get(patternOf("summary"), async (c) => {
      const selected = selectIn(c, summaryType)
      const { devicesSummary } = await figuresOf(c.get("tenant"), c.req.raw.signal)
      return reply(c, 200, {
        "@odata.context": context(c, `microsoft.graph.${summaryType}`, selected),
        "@odata.type": `#microsoft.graph.${summaryType}`,
        ...projected(devicesSummary, selected)
      })
    })
    .all(patternOf("summary"), otherMethods("summary"))
}
