import {
  type PropertyKind,
  healthState,
  isNullable,
  properties,
  readinessChecks,
  upgradeEligibility
} from "@workanywhere/domain"
import type { DevicesSummary, HardwareReadinessMetric, ModelPerformance } from "@workanywhere/domain/figures"

/** The types that are served, by Graph's names (docs/fidelity.md, F77). */
const enumTypes = {
  operatingSystemUpgradeEligibility: upgradeEligibility,
  userExperienceAnalyticsHealthState: healthState
} as const

/** Type of a property: one of OData's, or one of ours, for which `graph` is the namespace. */
export type EdmType = `Edm.${"Boolean" | "Double" | "Int32" | "String"}` | `graph.${string}`

/** A type, or a type and that its values may be null. */
export type Declared = EdmType | readonly [type: EdmType, nullable: "nullable"]

type Declarations<Of> = { readonly [Name in keyof Of]-?: Declared }

const typeOfKind: Readonly<Record<PropertyKind, EdmType>> = {
  string: "Edm.String",
  boolean: "Edm.Boolean",
  score: "Edm.Double",
  upgradeEligibility: "graph.operatingSystemUpgradeEligibility",
  healthState: "graph.userExperienceAnalyticsHealthState"
}

const device: Readonly<Record<string, Declared>> = Object.fromEntries(
  properties
    .filter(({ name }) => name !== "id")
    .map((row) => [row.name, isNullable(row) ? [typeOfKind[row.kind], "nullable"] : typeOfKind[row.kind]])
)

const percentages = Object.fromEntries(
  readinessChecks.map((check) => [`${check}Percentage`, "Edm.Double"])
) as unknown as Declarations<Omit<HardwareReadinessMetric, "totalDeviceCount" | "upgradeEligibleDeviceCount">>

const hardwareReadiness: Declarations<HardwareReadinessMetric> = {
  totalDeviceCount: "Edm.Int32",
  upgradeEligibleDeviceCount: "Edm.Int32",
  ...percentages
}

const modelPerformance: Declarations<ModelPerformance> = {
  manufacturer: ["Edm.String", "nullable"],
  model: ["Edm.String", "nullable"],
  modelDeviceCount: "Edm.Int32",
  workFromAnywhereScore: "Edm.Double",
  windowsScore: "Edm.Double",
  cloudManagementScore: "Edm.Double",
  cloudIdentityScore: "Edm.Double",
  cloudProvisioningScore: "Edm.Double",
  healthStatus: "graph.userExperienceAnalyticsHealthState"
}

const devicesSummary: Declarations<DevicesSummary> = {
  totalDevices: "Edm.Int32",
  coManagedDevices: "Edm.Int32",
  intuneDevices: "Edm.Int32",
  tenantAttachDevices: "Edm.Int32",
  windows10Devices: "Edm.Int32",
  windows10DevicesWithoutTenantAttach: "Edm.Int32",
  unsupportedOSversionDevices: "Edm.Int32",
  devicesWithoutCloudIdentity: "Edm.Int32",
  devicesNotAutopilotRegistered: "Edm.Int32",
  devicesWithoutAutopilotProfileAssigned: "Edm.Int32",
  autopilotDevicesSummary: ["graph.userExperienceAnalyticsAutopilotDevicesSummary", "nullable"],
  cloudManagementDevicesSummary: ["graph.userExperienceAnalyticsCloudManagementDevicesSummary", "nullable"],
  windows10DevicesSummary: ["graph.userExperienceAnalyticsWindows10DevicesSummary", "nullable"],
  cloudIdentityDevicesSummary: ["graph.userExperienceAnalyticsCloudIdentityDevicesSummary", "nullable"]
}

type Part<Name extends `${string}DevicesSummary` & keyof DevicesSummary> = Declarations<DevicesSummary[Name]>

const autopilotPart: Part<"autopilotDevicesSummary"> = {
  devicesNotAutopilotRegistered: "Edm.Int32",
  devicesWithoutAutopilotProfileAssigned: "Edm.Int32",
  totalWindows10DevicesWithoutTenantAttached: "Edm.Int32"
}

const cloudManagementPart: Part<"cloudManagementDevicesSummary"> = {
  coManagedDeviceCount: "Edm.Int32",
  intuneDeviceCount: "Edm.Int32",
  tenantAttachDeviceCount: "Edm.Int32"
}

const windows10Part: Part<"windows10DevicesSummary"> = { unsupportedOSversionDeviceCount: "Edm.Int32" }

const cloudIdentityPart: Part<"cloudIdentityDevicesSummary"> = { deviceWithoutCloudIdentityCount: "Edm.Int32" }

const complexTypes: Readonly<Record<string, Readonly<Record<string, Declared>>>> = {
  userExperienceAnalyticsAutopilotDevicesSummary: autopilotPart,
  userExperienceAnalyticsCloudManagementDevicesSummary: cloudManagementPart,
  userExperienceAnalyticsWindows10DevicesSummary: windows10Part,
  userExperienceAnalyticsCloudIdentityDevicesSummary: cloudIdentityPart,
  userExperienceAnalyticsWorkFromAnywhereDevicesSummary: { ...devicesSummary }
}

/** The types of the reports and of what is inside them, with their properties; entities have an `id` as well. */
export const reportTypes: Readonly<Record<string, Readonly<Record<string, Declared>>>> = {
  userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric: { id: "Edm.String", ...hardwareReadiness },
  userExperienceAnalyticsWorkFromAnywhereModelPerformance: { id: "Edm.String", ...modelPerformance },
  ...complexTypes
}

/** The properties of the reports, as `$select` may name them. */
export const reportProperties = {
  userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric: ["id", ...Object.keys(hardwareReadiness)],
  userExperienceAnalyticsWorkFromAnywhereModelPerformance: ["id", ...Object.keys(modelPerformance)],
  userExperienceAnalyticsWorkFromAnywhereDevicesSummary: Object.keys(devicesSummary)
} as const

/** Name of a report's type. */
export type ReportType = keyof typeof reportProperties

const indented = (lines: ReadonlyArray<string>): ReadonlyArray<string> => lines.map((line) => `  ${line}`)

/** An element, line by line. All names and values are ours and need no escape. */
const element = (
  name: string,
  attributes: Readonly<Record<string, string>>,
  ...children: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> => {
  const opening = [name, ...Object.entries(attributes).map(([key, value]) => `${key}="${value}"`)].join(" ")
  if (children.length === 0) return [`<${opening}/>`]
  return [`<${opening}>`, ...indented(children.flat()), `</${name}>`]
}

const propertyElements = (declarations: Readonly<Record<string, Declared>>): ReadonlyArray<ReadonlyArray<string>> =>
  Object.entries(declarations).map(([Name, declared]) =>
    typeof declared === "string"
      ? element("Property", { Name, Type: declared, Nullable: "false" })
      : element("Property", { Name, Type: declared[0] })
  )

const entityType = (Name: string, ...children: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> =>
  element("EntityType", { Name, BaseType: "graph.entity" }, ...children)

const contained = (Name: string, Type: string): ReadonlyArray<string> =>
  element("NavigationProperty", { Name, Type, ContainsTarget: "true" })

const schema = (): ReadonlyArray<string> =>
  element(
    "Schema",
    { xmlns: "http://docs.oasis-open.org/odata/ns/edm", Namespace: "microsoft.graph", Alias: "graph" },
    ...Object.entries(enumTypes).map(([Name, members]) =>
      element(
        "EnumType",
        { Name },
        ...Object.entries(members).map(([member, value]) => element("Member", { Name: member, Value: String(value) }))
      )
    ),
    element(
      "EntityType",
      { Name: "entity", Abstract: "true" },
      element("Key", {}, element("PropertyRef", { Name: "id" })),
      ...propertyElements({ id: "Edm.String" })
    ),
    entityType(
      "deviceManagement",
      contained(
        "userExperienceAnalyticsWorkFromAnywhereMetrics",
        "Collection(graph.userExperienceAnalyticsWorkFromAnywhereMetric)"
      ),
      contained(
        "userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric",
        "graph.userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric"
      ),
      contained(
        "userExperienceAnalyticsWorkFromAnywhereModelPerformance",
        "Collection(graph.userExperienceAnalyticsWorkFromAnywhereModelPerformance)"
      )
    ),
    entityType(
      "userExperienceAnalyticsWorkFromAnywhereMetric",
      contained("metricDevices", "Collection(graph.userExperienceAnalyticsWorkFromAnywhereDevice)")
    ),
    entityType("userExperienceAnalyticsWorkFromAnywhereDevice", ...propertyElements(device)),
    entityType(
      "userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric",
      ...propertyElements(hardwareReadiness)
    ),
    entityType("userExperienceAnalyticsWorkFromAnywhereModelPerformance", ...propertyElements(modelPerformance)),
    ...Object.entries(complexTypes).map(([Name, declarations]) =>
      element("ComplexType", { Name }, ...propertyElements(declarations))
    ),
    element(
      "Function",
      { Name: "userExperienceAnalyticsSummarizeWorkFromAnywhereDevices", IsBound: "true" },
      element("Parameter", { Name: "bindingParameter", Type: "graph.deviceManagement" }),
      element("ReturnType", { Type: "graph.userExperienceAnalyticsWorkFromAnywhereDevicesSummary" })
    ),
    element(
      "EntityContainer",
      { Name: "GraphService" },
      element("Singleton", { Name: "deviceManagement", Type: "graph.deviceManagement" })
    )
  )

/** What is served, as OData's XML describes it (CSDL 4.0): from the same table as everything else. */
export const metadataDocument = (): string =>
  [
    '<?xml version="1.0" encoding="utf-8"?>',
    ...element(
      "edmx:Edmx",
      { Version: "4.0", "xmlns:edmx": "http://docs.oasis-open.org/odata/ns/edmx" },
      element("edmx:DataServices", {}, schema())
    ),
    ""
  ].join("\n")
