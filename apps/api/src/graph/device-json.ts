import { type WholeDevice, enumOf, properties, propertyNames } from "@workanywhere/domain"

const enums = properties.flatMap(({ name, kind }) => {
  const of = enumOf(kind)
  return of === undefined ? [] : [{ name, of }]
})

/**
 * Whether a device has an enum member that came after the sentinel, which not every caller is shown (docs/fidelity.md,
 * F33).
 */
export const hasUnknownMember = (device: WholeDevice): boolean =>
  !enums.every(({ name, of }) => Object.hasOwn(of, String(device[name])))

/** A device as JSON: every property, in the order of the table, and nothing else that it may carry. */
export const jsonOf = (device: WholeDevice): string => {
  const properties: Partial<Record<keyof WholeDevice, unknown>> = {}
  for (const name of propertyNames) properties[name] = device[name]
  return JSON.stringify(properties)
}

/** The device that `jsonOf` wrote, with its properties in that order. */
export const deviceIn = (json: string): WholeDevice => JSON.parse(json) as WholeDevice
