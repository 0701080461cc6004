import { type PropertyKind, routes } from "@workanywhere/domain"
import type { ModelPerformance } from "@workanywhere/domain/figures"
import { type ReportType, reportProperties } from "./csdl.ts"
import { type Filtered, filterOver } from "./device-filter.ts"
import { type Order, orderOver } from "./device-order.ts"
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

/** What a model's row has, as filters and orders name it. */
export type ModelProperty = "id" | keyof ModelPerformance

/** Its numbers are filtered and sorted as scores are. */
const kindsOfModel: Readonly<Record<ModelProperty, PropertyKind>> = {
  id: "string",
  manufacturer: "string",
  model: "string",
  modelDeviceCount: "score",
  workFromAnywhereScore: "score",
  windowsScore: "score",
  cloudManagementScore: "score",
  cloudIdentityScore: "score",
  cloudProvisioningScore: "score",
  healthStatus: "healthState"
}

const isModelProperty = (name: string): name is ModelProperty => Object.hasOwn(kindsOfModel, name)

const modelProperty = (name: string): Filtered<ModelProperty> => {
  if (!isModelProperty(name)) throw noProperty(name, Object.keys(kindsOfModel), `microsoft.graph.${modelType}`)
  return { name, kind: kindsOfModel[name] }
}

/** A filter on the rows of models that may be missing. */
export const modelFilterOf = filterOver(modelProperty)

const readModelOrder = orderOver(modelProperty)

const byNames: Order<ModelProperty> = readModelOrder("manufacturer,model")

/** The order of models that `$orderby` asks for; that of their names without it. */
export const modelOrder = (text: string | undefined): Order<ModelProperty> =>
  text === undefined ? byNames : readModelOrder(text)
