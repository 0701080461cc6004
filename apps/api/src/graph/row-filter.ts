import { type Filter, type Operand, type Ordering, ofPart, ofText, substringOf } from "./device-filter.ts"
import { type Position, compareTexts } from "./device-order.ts"

/** A row in memory, by the names of its properties. */
export type FilteredRow<Name extends string> = { readonly [Key in Name]: Position[number] }

const valueOf = <Name extends string>(operand: Operand<Name>, row: FilteredRow<Name>): Position[number] => {
  if (operand.is === "property") return row[operand.name]
  if (operand.is === "concat") {
    const parts = operand.of.map((part) => (typeof part === "string" ? part : valueOf(part, row)))
    return parts.includes(null) ? null : parts.join("")
  }
  const of = valueOf(operand.of, row)
  if (of === null) return null
  const text = String(of)
  if (operand.is === "substring") return substringOf(text, operand.start, operand.length)
  return "part" in operand ? ofPart[operand.is].valueFor(text, operand.part) : ofText[operand.is].valueFor(text)
}

const stands: Record<Ordering, (compared: number) => boolean> = {
  gt: (compared) => compared > 0,
  ge: (compared) => compared >= 0,
  lt: (compared) => compared < 0,
  le: (compared) => compared <= 0
}

const compareValues = (a: string | number | boolean, b: string | number | boolean): number =>
  typeof a === "string" && typeof b === "string" ? compareTexts(a, b) : Number(a) - Number(b)

/** Whether a filter is true for a row; null where that is not known, as a store would say of a device. */
export const holdsFor = <Name extends string>(filter: Filter<Name>, row: FilteredRow<Name>): boolean | null => {
  switch (filter.is) {
    case "all":
    case "any": {
      const decides = filter.is === "any"
      let isKnown = true
      for (const part of filter.of) {
        const holds = holdsFor(part, row)
        if (holds === decides) return decides
        if (holds === null) isKnown = false
      }
      return isKnown ? !decides : null
    }
    case "not": {
      const holds = holdsFor(filter.of, row)
      return holds === null ? null : !holds
    }
    case "holds": {
      const truth = valueOf(filter.operand, row)
      return truth === null ? null : truth === true
    }
    case "among": {
      const value = valueOf(filter.operand, row)
      return value === null ? filter.orNull : filter.values.includes(value)
    }
    case "ordered": {
      const left = valueOf(filter.left, row)
      const right = typeof filter.right === "object" ? valueOf(filter.right, row) : filter.right
      return left !== null && right !== null && stands[filter.operator](compareValues(left, right))
    }
    case "same":
      return valueOf(filter.left, row) === valueOf(filter.right, row)
    case "member":
      return filter.listed.includes(String(row[filter.property])) === filter.inside
  }
}
