import {
  type Property,
  type PropertyKind,
  deviceODataType,
  kindRules,
  nearMiss,
  property,
  propertyNames
} from "@workanywhere/domain"
import { QueryFault } from "./query-fault.ts"

/** There is no such property; in the words of OData's library. */
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

/** How Graph names the type of a property's values when it is an enum. */
export const enumTypeName = (kind: PropertyKind): string | undefined =>
  kindRules[kind].members === undefined ? undefined : kindRules[kind].graphType
