import { type PropertyKind, type PropertyName, enumOf, memberNumber, unknownFutureValue } from "@workanywhere/domain"
import type { Filtered } from "./device-filter.ts"
import { deviceProperty } from "./device-property.ts"
import { QueryFault } from "./query-fault.ts"

/** One of the properties that rows are sorted by. */
export interface OrderKey<Name extends string = PropertyName> {
  readonly property: Name
  readonly kind: PropertyKind
  readonly descending: boolean
}

/** What rows are sorted by, the first key first. The last is always `id`, so no two rows stand equal. */
export type Order<Name extends string = PropertyName> = ReadonlyArray<OrderKey<Name>>

/** A row's place in an order: for each key the value that is sorted by. */
export type Position = ReadonlyArray<string | number | boolean | null>

const byId = { property: "id", kind: "string", descending: false } as const

/** The order without `$orderby`. */
export const orderById: Order = [byId]

/** The longest `$orderby`, in characters. */
export const longestOrder = 4_096

const orderError = (problem: string): QueryFault =>
  new QueryFault(`The query option '$orderby' is not understood: ${problem}.`)

/** Reads `$orderby`. Rows that are equal in all it names come in the order of their ids, in the last direction. */
export const orderOver = <Name extends string>(propertyOf: (name: string) => Filtered<Name | "id">) => {
  const keyOf = (text: string): OrderKey<Name | "id"> => {
    const [name = "", direction = "asc", ...rest] = text.trim().split(/\s+/)
    const row = propertyOf(name)
    if (rest.length > 0 || !/^(?:asc|desc)$/i.test(direction)) {
      throw orderError(`'${row.name}' is followed by something other than 'asc' or 'desc'`)
    }
    return { property: row.name, kind: row.kind, descending: direction.toLowerCase() === "desc" }
  }

  return (text: string): Order<Name | "id"> => {
    if (text.length > longestOrder) throw orderError(`it is longer than ${longestOrder} characters`)
    const keys = text.split(",").map(keyOf)
    const names = keys.map((key) => key.property)
    const twice = names.find((name, index) => names.indexOf(name) !== index)
    if (twice !== undefined) throw orderError(`'${twice}' is named twice`)
    // Behind the id nothing is left to be decided.
    const id = names.indexOf("id")
    return id === -1 ? [...keys, { ...byId, descending: keys.at(-1)?.descending ?? false }] : keys.slice(0, id + 1)
  }
}

const readDeviceOrder = orderOver(deviceProperty)

/** The order of devices that `$orderby` asks for. */
export const deviceOrder = (text: string | undefined): Order => (text === undefined ? orderById : readDeviceOrder(text))

/** Where a row stands in an order. */
export const positionOf = <Name extends string>(
  order: Order<Name>,
  row: { readonly [Key in Name]: Position[number] }
): Position =>
  order.map((key) => {
    const value = row[key.property]
    const of = enumOf(key.kind)
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
export const comparePositions = (order: Order<string>, a: Position, b: Position): number => {
  for (const [index, { descending }] of order.entries()) {
    const compared = compareValues(a[index] ?? null, b[index] ?? null)
    if (compared !== 0) return descending ? -compared : compared
  }
  return 0
}

/** The order from its end to its beginning. */
export const reversed = (order: Order): Order => order.map((key) => ({ ...key, descending: !key.descending }))
