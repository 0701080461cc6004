import { type Issue, type Parsed, namesType, printable, standingMetrics } from "@workanywhere/domain"
import { isAddressable, longestKey } from "./address.ts"
import { noProperty } from "./device-property.ts"
import { selectedNames } from "./query.ts"

/** Whether every tenant has this metric, from the start and for good. */
export const isStanding = (id: string): boolean => standingMetrics.some((standing) => standing === id)

export const metricType = "microsoft.graph.userExperienceAnalyticsWorkFromAnywhereMetric"

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
  if (name === "@odata.type" || name === "@type") {
    return namesType(value, metricType) ? undefined : issue("wrongODataType", `"#${metricType}", or leave it out`)
  }
  // Any other annotation is ignored, whoever defined it.
  if (name.includes("@")) return undefined
  if (name !== "id") return issue("unknownProperty", "no other property than id, because a metric has no other")
  if (typeof value === "string" && isAddressable(value) && value.isWellFormed() && !value.includes("\0"))
    return undefined
  return issue("wrongType", `a text of 1 to ${longestKey} characters`)
}

/** The body of a metric that is sent: it has no property but its key (docs/fidelity.md, F129). */
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
