import {
  type PropertyName,
  type WholeDevice,
  enumOf,
  memberNumber,
  property,
  unknownFutureValue
} from "@workanywhere/domain"
import { QueryFault } from "./query-fault.ts"
import { deviceProperty } from "./device-property.ts"

/** One of the properties that devices are sorted by. */
export interface OrderKey {
  readonly property: PropertyName
  readonly descending: boolean
}

/** What devices are sorted by, the first key first. The last is always `id`, so no two devices stand equal. */
export type Order = ReadonlyArray<OrderKey>

/** A device's place in an order: for each key the value that is sorted by. */
export type Position = ReadonlyArray<string | number | boolean | null>

/** The order without `$orderby`. */
export const orderById: Order = [{ property: "id", descending: false }]

/** The longest `$orderby`, in characters. */
export const longestOrder = 4_096

const orderError = (problem: string): QueryFault =>
  new QueryFault(`The query option '$orderby' is not understood: ${problem}.`)

const keyOf = (text: string): OrderKey => {
  const [name = "", direction = "asc", ...rest] = text.trim().split(/\s+/)
  const row = deviceProperty(name)
  if (rest.length > 0 || !/^(?:asc|desc)$/i.test(direction)) {
    throw orderError(`'${row.name}' is followed by something other than 'asc' or 'desc'`)
  }
  return { property: row.name, descending: direction.toLowerCase() === "desc" }
}

/** Reads `$orderby`. Devices that are equal in all it names come in the order of their ids, in the last direction. */
export const deviceOrder = (text: string | undefined): Order => {
  if (text === undefined) return orderById
  if (text.length > longestOrder) throw orderError(`it is longer than ${longestOrder} characters`)
  const keys = text.split(",").map(keyOf)
  const names = keys.map((key) => key.property)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw orderError(`'${twice}' is named twice`)
  // Behind the id nothing is left to be decided.
  const id = names.indexOf("id")
  return id === -1 ? [...keys, { property: "id", descending: keys.at(-1)?.descending ?? false }] : keys.slice(0, id + 1)
}

/** Where a device stands in an order. */
export const positionOf = (order: Order, device: WholeDevice): Position =>
  order.map((key) => {
    const value = device[key.property]
    const of = enumOf(property(key.property)?.kind ?? "string")
    // Members that came later have numbers from the sentinel's on; which, is not known.
    return of === undefined ? value : (memberNumber(of, String(value)) ?? of[unknownFutureValue])
  })

/** How texts stand to each other in every store: by code point, where JavaScript compares UTF-16 units. */
export const compareTexts = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

const compareValues = (a: Position[number], b: Position[number]): number => {
  if (a === b) return 0
  // Nulls come before values.
  if (a === null || b === null) return a === null ? -1 : 1
  return typeof a === "string" && typeof b === "string" ? compareTexts(a, b) : Number(a) - Number(b)
}

/** Below 0 when the first of two places comes before the other, as a store would say. */
export const comparePositions = (order: Order, a: Position, b: Position): number => {
  for (const [index, { descending }] of order.entries()) {
    const compared = compareValues(a[index] ?? null, b[index] ?? null)
    if (compared !== 0) return descending ? -compared : compared
  }
  return 0
}

/** The order from its end to its beginning. */
export const reversed = (order: Order): Order =>
  order.map(({ property, descending }) => ({ property, descending: !descending }))
