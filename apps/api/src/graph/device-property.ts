import {
  type Property,
  type PropertyKind,
  deviceODataType,
  nearMiss,
  property,
  propertyNames
} from "@workanywhere/domain"
import { QueryFault } from "./query-fault.ts"

/** There is no such property; in the words of the OData library (docs/fidelity.md, F28). */
export const noProperty = (name: string, names: ReadonlyArray<string>, type: string): QueryFault => {
  const meant = nearMiss(name, names)
  return new QueryFault(
    `Could not find a property named '${name.slice(0, 60)}' on type '${type}'${meant === undefined ? "" : `; did you mean '${meant}'?`}`
  )
}

/** The property of a device that a query option names. */
export const deviceProperty = (name: string): Property => {
  const known = property(name)
  if (known === undefined) throw noProperty(name, propertyNames, deviceODataType.slice(1))
  return known
}

/** How Graph names the types of values that are not OData's own; the namespace stands before it. */
const enumTypeNames = {
  upgradeEligibility: "microsoft.graph.operatingSystemUpgradeEligibility",
  healthState: "microsoft.graph.userExperienceAnalyticsHealthState"
} as const satisfies Partial<Record<PropertyKind, string>>

/** The type of a property's values when it is an enum. */
export const enumTypeName = (kind: PropertyKind): string | undefined =>
  kind === "upgradeEligibility" || kind === "healthState" ? enumTypeNames[kind] : undefined
