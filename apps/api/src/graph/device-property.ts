import { type Property, deviceODataType, nearMiss, property, propertyNames } from "@workanywhere/domain"
import { ApiError } from "../http/render-error.ts"

/** There is no such property; in OData's words (reference 6.2). */
export const noProperty = (name: string, names: ReadonlyArray<string>, type: string): ApiError => {
  const meant = nearMiss(name, names)
  return new ApiError(
    "BadRequest",
    `Could not find a property named '${name.slice(0, 60)}' on type '${type}'${meant === undefined ? "" : `; did you mean '${meant}'?`}`
  )
}

/** The property of a device that a query option names. */
export const deviceProperty = (name: string): Property => {
  const known = property(name)
  if (known === undefined) throw noProperty(name, propertyNames, deviceODataType.slice(1))
  return known
}
