import type { PropertyKind } from "@workanywhere/domain"

/** How Graph names the types of values that are not OData's own; the namespace stands before it (reference 1.3). */
const enumTypeNames = {
  upgradeEligibility: "microsoft.graph.operatingSystemUpgradeEligibility",
  healthState: "microsoft.graph.userExperienceAnalyticsHealthState"
} as const satisfies Partial<Record<PropertyKind, string>>

/** The type of a property's values when it is an enum. */
export const enumTypeName = (kind: PropertyKind): string | undefined =>
  kind === "upgradeEligibility" || kind === "healthState" ? enumTypeNames[kind] : undefined
