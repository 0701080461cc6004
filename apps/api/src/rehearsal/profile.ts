import { type RouteName, properties, routes, standingMetrics, subScores } from "@workanywhere/domain"
import type { Context } from "hono"
import type { RouteTarget } from "../graph/target.ts"
import { ApiError } from "../http/api-error.ts"
import type { Env } from "../http/env.ts"
import { intuneMessage } from "../http/intune-message.ts"
import { changedBody } from "./fault-effects.ts"

/** How Intune writes the path of a route: `~/singleton/navigation/key`. */
const templateOf = (name: RouteName): string => {
  const [, ...below] = routes[name].path.slice(1).split("/")
  return ["~", "singleton", ...below.map((part) => (part.startsWith("{") ? "key" : "navigation"))].join("/")
}

/** What was seen to be refused in part or altogether; of the rest nothing is known. */
const probed = ["metrics", "metric", "devices", "device"] as const

const templates: ReadonlyMap<string, string> = new Map(probed.map((name) => [name, templateOf(name)]))

const reads: ReadonlySet<string> = new Set(["GET", "HEAD"])

/** Refuses what the observed service has no route for (docs/fidelity.md, F43 and F44). */
export const refuseUnobserved = (c: Context<Env>, { method, route }: RouteTarget): void => {
  const template = templates.get(route)
  if (template === undefined) return
  if (!reads.has(method)) {
    const sentence = `No method match route template "${template}" for the verb ${method}.`
    throw new ApiError("No method match route template", intuneMessage(c, sentence))
  }
  if (route === "metrics" || route === "metric") {
    throw new ApiError("BadRequest", `No OData route exists that match template ${template} with http verb ${method}.`)
  }
}

const scores: ReadonlySet<string> = new Set(["workFromAnywhereScore", ...subScores, "healthStatus"])

/** What a standing metric does not know of a device, and what it says instead (docs/fidelity.md, F40 and F41). */
const unknownUnder = (metric: (typeof standingMetrics)[number]): ReadonlyMap<string, unknown> => {
  const hidden = properties.filter(({ name }) =>
    metric === "allDevices" ? scores.has(name) || name === "deviceId" : !scores.has(name) && name !== "id"
  )
  const neverNull = new Set(["healthStatus", "upgradeEligibility"])
  return new Map(hidden.map(({ name }) => [name, neverNull.has(name) ? "unknown" : null]))
}

const hiddenBy: ReadonlyMap<string, ReadonlyMap<string, unknown>> = new Map(
  standingMetrics.map((metric) => [metric, unknownUnder(metric)])
)

type Row = Readonly<Record<string, unknown>>

const seenRow = (row: Row, hidden: ReadonlyMap<string, unknown>): Row =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, hidden.has(name) ? hidden.get(name) : value]))

/** An answer as the observed service gives it: under `allDevices` facts without scores, under the other the reverse. */
export const observedAnswer = async (answer: Response, { route, metricId = "" }: RouteTarget): Promise<Response> => {
  const hidden = hiddenBy.get(metricId)
  if (hidden === undefined || answer.status !== 200) return answer
  if (route === "device") return changedBody(answer, (body) => seenRow(body as Row, hidden))
  if (route !== "devices") return answer
  return changedBody(answer, (body) => {
    const page = body as { readonly value: ReadonlyArray<Row> }
    return { ...page, value: page.value.map((row) => seenRow(row, hidden)) }
  })
}
