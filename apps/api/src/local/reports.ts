import type { GraphVersion } from "@workanywhere/domain"
import { hash } from "node:crypto"
import { type Page, standingMetrics } from "@workanywhere/domain"
import type { FleetFigures, ModelPerformance } from "@workanywhere/domain/figures"
import { type Context, Hono } from "hono"
import { rootOf } from "../http/request-target.ts"
import type { ReportType } from "../graph/csdl.ts"
import { pageTokens } from "../graph/page-token.ts"
import { preferencesOf } from "../graph/preferences.ts"
import { continuedOptions, nextLink, pageSize, queryOptions, startOfPage } from "../graph/query.ts"
import { modelType, modelsPath, readinessPath, readinessType, selectedOf, summaryType } from "../graph/report.ts"
import { ApiError } from "../http/api-error.ts"
import type { Env } from "../http/env.ts"
import { reply } from "../http/reply.ts"
import { otherMethods, patternOf } from "../http/router.ts"
import type { DeviceStore } from "../store/device-store.ts"
import type { FiguresOf } from "./figures.ts"

/** What a model's row is sorted by; a page starts behind one of these. No name holds a NUL: it cannot be stored. */
const placeOf = ({ manufacturer, model }: ModelPerformance): string => `${manufacturer ?? ""}\0${model ?? ""}`

/** Microsoft does not say what the key of a model is: ours follows from its names, and is the same everywhere. */
const modelId = (row: ModelPerformance): string =>
  hash("sha256", placeOf(row)).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5")

const modelRows = ({ modelPerformance }: FleetFigures) =>
  modelPerformance
    .map((row) => ({ place: placeOf(row), row: { id: modelId(row), ...row } }))
    .toSorted((a, b) => (a.place < b.place ? -1 : 1))

const projected = (row: object, selected: ReadonlyArray<string> | undefined): object =>
  selected === undefined ? row : Object.fromEntries(selected.map((name) => [name, Reflect.get(row, name)]))

const selectIn = (c: Context<Env>, type: ReportType) => selectedOf(queryOptions(c.req.url, ["select"]).select, type)

/** The routes of the reports under one root. All are about the devices that the standing metrics show. */
export const reportRoutes = (
  version: GraphVersion,
  { pageTokenKey }: Pick<DeviceStore, "pageTokenKey">,
  figuresOf: FiguresOf
): Hono<Env> => {
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
      const options = queryOptions(c.req.url, ["select", "skiptoken", "top"])
      const selected = selectedOf(options.select, modelType)
      const { size, preferenceApplied } = pageSize(options.top, preferencesOf(c.req.header("prefer")))
      const tokens = pageTokens(pageTokenKey, [c.get("tenant"), modelsPath, ...continuedOptions(options)])
      const after = String(startOfPage(options.skiptoken, tokens)?.[0] ?? "")
      const rows = modelRows(await figuresOf(c.get("tenant"), c.req.raw.signal)).filter(({ place }) => place > after)
      const last = rows.slice(0, size).at(-1)
      const page: Page<object> = {
        "@odata.context": context(c, modelsPath, selected),
        ...(rows.length > size && last !== undefined
          ? { "@odata.nextLink": nextLink(c.req.url, tokens.seal([last.place])) }
          : {}),
        value: rows.slice(0, size).map(({ row }) => projected(row, selected))
      }
      return reply(c, 200, page, preferenceApplied ? { "preference-applied": `odata.maxpagesize=${size}` } : {})
    })
    .all(patternOf("models"), otherMethods("models"))

    .get(patternOf("model"), async (c) => {
      const id = c.req.param("modelId")
      const selected = selectIn(c, modelType)
      const found = modelRows(await figuresOf(c.get("tenant"), c.req.raw.signal)).find(({ row }) => row.id === id)
      if (found === undefined) throw new ApiError("ResourceNotFound", `There is no model with the id '${id}'.`)
      return reply(c, 200, {
        "@odata.context": `${context(c, modelsPath, selected)}/$entity`,
        "@odata.type": `#microsoft.graph.${modelType}`,
        ...projected(found.row, selected)
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
