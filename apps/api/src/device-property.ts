import { type Property, nearMiss, property, propertyNames } from "@workanywhere/domain"
import { ApiError } from "./errors.ts"

/** The property that a query option names; refused in OData's words when there is none (reference 6.2). */
export const deviceProperty = (name: string): Property => {
  const known = property(name)
  if (known !== undefined) return known
  const meant = nearMiss(name, propertyNames)
  throw new ApiError(
    "BadRequest",
    `Could not find a property named '${name.slice(0, 60)}' on type ` +
      `'microsoft.graph.userExperienceAnalyticsWorkFromAnywhereDevice'${meant === undefined ? "" : `; did you mean '${meant}'?`}`
  )
}
