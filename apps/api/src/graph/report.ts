import { routes } from "@workanywhere/domain"
import { type ReportType, reportProperties } from "./csdl.ts"
import { noProperty } from "./device-property.ts"
import { selectedNames } from "./query.ts"

export const readinessType = "userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric"

export const modelType = "userExperienceAnalyticsWorkFromAnywhereModelPerformance"

export const summaryType = "userExperienceAnalyticsWorkFromAnywhereDevicesSummary"

// Graph names the two navigation properties as their types, and the function in words of its own.
export const readinessPath = routes.readiness.path.slice(1)

export const modelsPath = routes.models.path.slice(1)

export const selectedOf = (select: string | undefined, type: ReportType): ReadonlyArray<string> | undefined =>
  selectedNames(select, (name) => {
    const names: ReadonlyArray<string> = reportProperties[type]
    if (!names.includes(name)) throw noProperty(name, names, `microsoft.graph.${type}`)
    return name
  })
