import { type DeviceUpdate, properties, standingMetrics, subScores } from "@workanywhere/domain"
import type { Context } from "hono"
import { ApiError } from "../http/render-error.ts"
import type { Env } from "../http/reply.ts"
import { changedBody } from "./response-body.ts"
import type { RouteTarget } from "../graph/target.ts"

/** Which behaviour of Graph is shown: that of Microsoft's pages, or what public probes of the service saw. */
export const profiles = ["documented", "observed"] as const
export type Profile = (typeof profiles)[number]

/**
 * What becomes of an update of properties that the pages call read-only and update all the same: it is made; it answers
 * 200 and changes nothing, as OData 4.01 wants it; it is refused, as Intune does elsewhere (reference 6.6).
 */
export const readOnlyPolicies = ["accept", "ignore", "reject"] as const
export type ReadOnlyPolicy = (typeof readOnlyPolicies)[number]

const zeros = "00000000-0000-0000-0000-000000000000"

/** A message as Intune nests it: a JSON text inside the JSON (reference 6.1). */
const intuneMessage = (c: Context<Env>, sentence: string): string => {
  const support =
    `Operation ID (for customer support): ${zeros} - Activity ID: ${c.get("clientRequestId")} - ` +
    "Url: https://fef.msub01.manage.microsoft.invalid/UXAnalyticsService/deviceManagement?api-version=5026-10-01"
  const facts = {
    _version: 3,
    Message: `${sentence} - ${support}`,
    CustomApiErrorPhrase: "",
    RetryAfter: null,
    ErrorSourceService: "",
    HttpHeaders: "{}"
  }
  return JSON.stringify(facts, null, 2).replaceAll("\n", "\r\n")
}

const templates: Partial<Record<RouteTarget["route"], string>> = {
  metrics: "~/singleton/navigation",
  metric: "~/singleton/navigation/key",
  devices: "~/singleton/navigation/key/navigation",
  device: "~/singleton/navigation/key/navigation/key"
}

const reads: ReadonlySet<string> = new Set(["GET", "HEAD"])

/** Refuses what the observed service has no route for (reference 5.2). */
export const refuseUnobserved = (c: Context<Env>, { method, route }: RouteTarget): void => {
  const template = templates[route]
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

/** What a standing metric does not know of a device, and what it says instead (reference 3, 5.1). */
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

/** As much of an update as the policy lets through: all of it, or nothing. */
export const permittedUpdate = (c: Context<Env>, update: DeviceUpdate): DeviceUpdate =>
  c.get("readOnly") === "accept" ? update : {}

/** Refuses an update of a device that is there, if the policy says so. */
export const refuseReadOnly = (c: Context<Env>, update: DeviceUpdate): void => {
  if (c.get("readOnly") !== "reject") return
  const names = Object.keys(update)
    .filter((name) => !name.startsWith("@"))
    .join(", ")
  throw new ApiError("InternalError", intuneMessage(c, `Property is read-only and cannot be updated: ${names}`))
}
