import {
  type EvolvableEnum,
  type Property,
  enumOf,
  isNullable,
  property,
  unknownFutureValue
} from "@workanywhere/domain"
import { type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from "kysely"
import {
  type Filter,
  type FunctionOfText,
  type Operand,
  type Ordering,
  charactersOf,
  whiteSpace
} from "../graph/device-filter.ts"
import type { Order, OrderKey, Position } from "../graph/device-order.ts"
import type { Tables } from "./migrations.ts"

// Written so that SQLite and PostgreSQL understand it alike, with every value of a caller as a bound parameter.

type Condition = RawBuilder<SqlBool>

const always: Condition = sql`1 = 1`
const never: Condition = sql`1 = 0`

const joined = (conditions: ReadonlyArray<Condition>, by: "and" | "or"): Condition => {
  const [first = by === "and" ? always : never] = conditions
  return conditions.length < 2 ? first : sql`(${sql.join(conditions, sql.raw(` ${by} `))})`
}

/** As the numbers of properties are: PostgreSQL would take what it is compared with for a whole number, too. */
const wholeNumber = (number: RawBuilder<unknown>): RawBuilder<unknown> => sql`cast(${number} as double precision)`

const ofText: Readonly<Record<FunctionOfText, (text: RawBuilder<unknown>) => RawBuilder<unknown>>> = {
  tolower: (text) => sql`lower(${text})`,
  toupper: (text) => sql`upper(${text})`,
  trim: (text) => sql`trim(${text}, ${whiteSpace})`,
  length: (text) => wholeNumber(sql`length(${text})`)
}

/** Not `like`: SQLite's knows no case, and both would need escapes. */
const operandSql = (operand: Operand): RawBuilder<unknown> => {
  if (operand.is === "property") return sql.ref(operand.name)
  if (operand.is === "concat") {
    const parts = operand.of.map((part) => (typeof part === "string" ? sql`${part}` : operandSql(part)))
    return sql`(${sql.join(parts, sql` || `)})`
  }
  const of = operandSql(operand.of)
  if (operand.is === "substring") {
    const { start, length } = operand
    return length === undefined ? sql`substr(${of}, ${start + 1})` : sql`substr(${of}, ${start + 1}, ${length})`
  }
  if (!("part" in operand)) return ofText[operand.is](of)
  const { part } = operand
  if (operand.is === "indexof") return wholeNumber(sql`(strpos(${of}, ${part}) - 1)`)
  // Every text has the empty one in it, and null has not.
  if (part === "") return sql`(length(${of}) >= 0)`
  const length = charactersOf(part).length
  if (operand.is === "startswith") return sql`(substr(${of}, 1, ${length}) = ${part})`
  if (operand.is === "contains") return sql`(replace(${of}, ${part}, '') <> ${of})`
  return sql`(length(${of}) >= ${length} and substr(${of}, length(${of}) - ${length - 1}) = ${part})`
}

const symbols: Record<Ordering, string> = { gt: ">", ge: ">=", lt: "<", le: "<=" }
const opposites: Record<Ordering, string> = { gt: "<=", ge: "<", lt: ">=", le: ">" }

const memberSql = (name: string, listed: ReadonlyArray<string>, inside: boolean): Condition => {
  if (listed.length === 0) return inside ? never : always
  return sql`${sql.ref(name)} ${sql.raw(inside ? "in" : "not in")} (${sql.join(listed)})`
}

/**
 * The devices that a filter is true for or, when it is `not` so, false for. Carried down to where the values are
 * compared: there it is known which way null goes.
 */
const conditionOf = (filter: Filter, so = true): Condition => {
  switch (filter.is) {
    case "all":
    case "any":
      return joined(
        filter.of.map((part) => conditionOf(part, so)),
        (filter.is === "all") === so ? "and" : "or"
      )
    case "not":
      return conditionOf(filter.of, !so)
    case "holds": {
      const operand = operandSql(filter.operand)
      return so ? sql`${operand}` : sql`not ${operand}`
    }
    case "among": {
      const operand = operandSql(filter.operand)
      const isNull: Condition = sql`${operand} is ${sql.raw(so ? "null" : "not null")}`
      const { values, orNull } = filter
      if (values.length === 0) return orNull ? isNull : so ? never : always
      const equal: Condition = sql`${operand} ${sql.raw(so ? "in" : "not in")} (${sql.join(values)})`
      if (orNull) return joined([equal, isNull], so ? "or" : "and")
      return so ? equal : sql`(${equal} or ${operand} is null)`
    }
    case "same":
      return sql`${operandSql(filter.left)} ${sql.raw(so ? "is not distinct from" : "is distinct from")} ${operandSql(filter.right)}`
    case "ordered": {
      const left = operandSql(filter.left)
      const isValue = typeof filter.right !== "object"
      const right = typeof filter.right === "object" ? operandSql(filter.right) : sql.val(filter.right)
      if (so) return sql`${left} ${sql.raw(symbols[filter.operator])} ${right}`
      const otherwise: Condition = sql`${left} ${sql.raw(opposites[filter.operator])} ${right}`
      return sql`(${otherwise} or ${left} is null${isValue ? sql`` : sql` or ${right} is null`})`
    }
    case "member":
      return memberSql(filter.property, filter.listed, filter.inside === so)
  }
}

/** Graph sorts an enum by its numbers; members that came later are together at the sentinel's. */
const numberSql = (name: string, of: EvolvableEnum): RawBuilder<unknown> => {
  const cases = Object.entries(of)
    .filter(([member]) => member !== unknownFutureValue)
    .map(([member, number]) => sql`when ${sql.lit(member)} then ${sql.lit(number)}`)
  return sql`(case ${sql.ref(name)} ${sql.join(cases, sql` `)} else ${sql.lit(of[unknownFutureValue])} end)`
}

const rowOf = ({ property: name }: OrderKey): Property => {
  const row = property(name)
  if (row === undefined) throw new TypeError(`${name} is no property`)
  return row
}

const keySql = (key: OrderKey): RawBuilder<unknown> => {
  const of = enumOf(rowOf(key).kind)
  return of === undefined ? sql.ref(key.property) : numberSql(key.property, of)
}

/** Whether a device stands behind a place in one key: no alternative when nothing can. Nulls come before values. */
const behindKey = (key: OrderKey, value: Position[number]): ReadonlyArray<Condition> => {
  const column = keySql(key)
  if (value === null) return key.descending ? [] : [sql`${column} is not null`]
  if (!key.descending) return [sql`${column} > ${value}`]
  const less: Condition = sql`${column} < ${value}`
  return isNullable(rowOf(key)) ? [less, sql`${column} is null`] : [less]
}

const equalIn = (key: OrderKey, value: Position[number]): Condition =>
  value === null ? sql`${keySql(key)} is null` : sql`${keySql(key)} = ${value}`

/**
 * The devices behind a place, as conditions of which exactly one is true for each of them: equal in the first keys and
 * behind in the next one. Each of them is one stretch of an index on the order.
 */
const behind = (order: Order, position: Position): ReadonlyArray<Condition> =>
  order.flatMap((key, index) => {
    const before = order.slice(0, index).map((earlier, at) => equalIn(earlier, position[at] ?? null))
    return behindKey(key, position[index] ?? null).map((condition) => joined([...before, condition], "and"))
  })

type Devices<Row> = SelectQueryBuilder<Tables, "devices", Row>

/** Only those that a filter is true for. */
export const filtered = <Row>(devices: Devices<Row>, filter: Filter | undefined): Devices<Row> =>
  filter === undefined ? devices : devices.where(conditionOf(filter))

/** Sorted, nulls first when ascending. */
export const ordered = <Row>(devices: Devices<Row>, order: Order): Devices<Row> =>
  order.reduce(
    (sorted, key) =>
      sorted.orderBy(keySql(key), (by) => {
        const directed = key.descending ? by.desc() : by.asc()
        // What cannot be null is left as it is, so that an index on it serves in either dialect.
        if (!isNullable(rowOf(key))) return directed
        return key.descending ? directed.nullsLast() : directed.nullsFirst()
      }),
    devices
  )

/** Only those behind a place. */
export const startingBehind = <Row>(devices: Devices<Row>, order: Order, position: Position): Devices<Row> =>
  devices.where(joined(behind(order, position), "or"))
