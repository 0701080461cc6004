import type { Issue } from "@workanywhere/domain"
import type { StandardSchemaV1 } from "effect/StandardSchema"

/** How a property of a report is read. */
type Kind = "string" | "number"

interface Shape {
  readonly [name: string]: Kind | Shape
}

/** Read like a device: anything may be missing or null, and what Graph adds later stays on the object. */
type Read<Of extends Shape> = {
  readonly [Name in keyof Of]?:
    | (Of[Name] extends "string"
        ? string
        : Of[Name] extends "number"
          ? number
          : Of[Name] extends Shape
            ? Read<Of[Name]>
            : never)
    | null
}

const misfits = (shape: Shape, body: unknown, path: ReadonlyArray<string>): ReadonlyArray<StandardSchemaV1.Issue> => {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return [{ message: "not an object", path }]
  return Object.entries(shape).flatMap(([name, kind]) => {
    const value: unknown = Reflect.get(body, name)
    if (value === undefined || value === null) return []
    const at = [...path, name]
    if (typeof kind === "object") return misfits(kind, value, at)
    return typeof value === kind ? [] : [{ message: `not a ${kind}`, path: at }]
  })
}

const schemaOf = <Of extends Shape>(shape: Of): StandardSchemaV1<unknown, Read<Of>> => ({
  "~standard": {
    version: 1,
    vendor: "workanywhere",
    validate: (body) => {
      const issues = misfits(shape, body, [])
      if (issues.length > 0) return { issues }
      const isOfShape = Object.keys(shape).some((name) => Object.hasOwn(body as object, name))
      return isOfShape ? { value: body as Read<Of> } : { issues: [{ message: "has none of its properties" }] }
    }
  }
})

const counts = <Name extends string>(...names: ReadonlyArray<Name>) =>
  Object.fromEntries(names.map((name) => [name, "number"])) as { readonly [N in Name]: "number" }

const metricShape = { id: "string" } as const

const hardwareReadinessShape = {
  id: "string",
  ...counts(
    "totalDeviceCount",
    "upgradeEligibleDeviceCount",
    "osCheckFailedPercentage",
    "processor64BitCheckFailedPercentage",
    "processorCoreCountCheckFailedPercentage",
    "processorFamilyCheckFailedPercentage",
    "processorSpeedCheckFailedPercentage",
    "ramCheckFailedPercentage",
    "secureBootCheckFailedPercentage",
    "storageCheckFailedPercentage",
    "tpmCheckFailedPercentage"
  )
} as const

const modelPerformanceShape = {
  id: "string",
  manufacturer: "string",
  model: "string",
  ...counts(
    "modelDeviceCount",
    "workFromAnywhereScore",
    "windowsScore",
    "cloudManagementScore",
    "cloudIdentityScore",
    "cloudProvisioningScore"
  ),
  healthStatus: "string"
} as const

const devicesSummaryShape = {
  ...counts(
    "totalDevices",
    "coManagedDevices",
    "intuneDevices",
    "tenantAttachDevices",
    "windows10Devices",
    "windows10DevicesWithoutTenantAttach",
    "unsupportedOSversionDevices",
    "devicesWithoutCloudIdentity",
    "devicesNotAutopilotRegistered",
    "devicesWithoutAutopilotProfileAssigned"
  ),
  autopilotDevicesSummary: counts(
    "devicesNotAutopilotRegistered",
    "devicesWithoutAutopilotProfileAssigned",
    "totalWindows10DevicesWithoutTenantAttached"
  ),
  cloudManagementDevicesSummary: counts("coManagedDeviceCount", "intuneDeviceCount", "tenantAttachDeviceCount"),
  windows10DevicesSummary: counts("unsupportedOSversionDeviceCount"),
  cloudIdentityDevicesSummary: counts("deviceWithoutCloudIdentityCount")
} as const

/** A metric: the collection that devices are in. It has no property but its key. */
export interface Metric {
  readonly id: string
}

/** How many devices fail which hardware check: `userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric`. */
export type HardwareReadiness = Read<typeof hardwareReadinessShape>

/** Scores of a model: `userExperienceAnalyticsWorkFromAnywhereModelPerformance`. -1 is "no score". */
export type ModelPerformance = Read<typeof modelPerformanceShape>

/** A property of {@link ModelPerformance}. */
export type ModelPropertyName = keyof ModelPerformance

/** Counts over all devices: `userExperienceAnalyticsWorkFromAnywhereDevicesSummary`. */
export type DevicesSummary = Read<typeof devicesSummaryShape>

/** Reads a metric, whose key has to be there. */
export const Metric: StandardSchemaV1<unknown, Metric> = {
  "~standard": {
    version: 1,
    vendor: "workanywhere",
    validate: (body) => {
      const issues = misfits(metricShape, body, [])
      if (issues.length > 0) return { issues }
      return typeof (body as Partial<Metric>).id === "string"
        ? { value: body as Metric }
        : { issues: [{ message: "no key", path: ["id"] }] }
    }
  }
}

/** Reads {@link HardwareReadiness}. */
export const HardwareReadiness = schemaOf(hardwareReadinessShape)

/** Reads {@link ModelPerformance}. */
export const ModelPerformance = schemaOf(modelPerformanceShape)

/** Reads {@link DevicesSummary}. */
export const DevicesSummary = schemaOf(devicesSummaryShape)

/** The properties of {@link ModelPerformance}. */
export const modelPropertyNames: ReadonlyArray<string> = Object.keys(modelPerformanceShape)

const metricODataType = "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereMetric"

/** What a caller may send for a metric. */
export interface MetricBody {
  readonly "@odata.type"?: typeof metricODataType
  /** The key of a new metric; the service chooses one otherwise. */
  readonly id?: string
}

/** What is wrong with the body of a metric. */
export const metricIssues = (body: MetricBody): ReadonlyArray<Issue> => {
  const expected = "an object with an id, or nothing in it"
  const received = Array.isArray(body) ? "array" : body === null ? "null" : typeof body
  if (received !== "object") {
    return [{ path: "", code: "notAnObject", message: `a metric is ${expected}`, expected, received }]
  }
  return Object.entries(body).flatMap(([name, value]): ReadonlyArray<Issue> => {
    if (name === "@odata.type" ? value === metricODataType : name === "id" && typeof value === "string") return []
    const path = name.slice(0, 60).toWellFormed()
    const message = `${path}: a metric has no such property, or not with this value`
    return [{ path, code: "unknownProperty", message, expected, received: typeof value }]
  })
}
