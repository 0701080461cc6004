import { type Issue, type PropertyName, propertyNames, unknownPropertyIssue } from "@workanywhere/domain"
import type { Filter } from "./filter.ts"
import type { Checkpoint } from "./pages.ts"

/** A property to sort by, ascending unless it says `desc`. */
export type Order<Name extends string = PropertyName> = Name | `${Name} ${"asc" | "desc"}`

/** Narrows, orders and paces a list. */
export interface ListOptions<Name extends string = PropertyName, Sortable extends string = PropertyName> {
  /** Properties to fetch; all by default. The rows are typed by it. */
  readonly select?: ReadonlyArray<Name>
  /** What to sort by, the most important first. Enums sort by their number. */
  readonly orderBy?: ReadonlyArray<Order<Sortable>>
  /** Which rows to list: made by `filter`, or OData's own text. */
  readonly filter?: Filter | string
  /** Ends the list after this many rows, a whole number from 1. */
  readonly top?: number
  /** How many rows a page should have (`Prefer: odata.maxpagesize`); the service decides by default. */
  readonly pageSize?: number
  /**
   * Asks for the number of all rows, and fails the list when fewer or more come. `"whereServed"` reads the list all the same
   * from a service that does not count, and its last page tells whether it is proven.
   */
  readonly count?: boolean | "whereServed"
  /** The number of rows that is known from elsewhere; the list fails when fewer or more come. */
  readonly expectedCount?: number
  /**
   * Remembers each id, about 100 bytes a row, to tell repeated rows from others: by default where there is a number to
   * compare with, because a repeated row could stand in for one that is missing.
   */
  readonly countDuplicates?: boolean
  /** Goes on where an earlier list was left: the checkpoint of the last page that was dealt with. */
  readonly resumeFrom?: Checkpoint
}

/** Narrows, orders and paces a list that is read by pages. */
export interface PageOptions<
  Name extends string = PropertyName,
  Sortable extends string = PropertyName
> extends ListOptions<Name, Sortable> {
  /** Fails the list at its end when it has rows that could not be read, as a list that is read by rows does. */
  readonly refuseUnreadable?: boolean
}

/** Most that callers ask Graph to put on a page (docs/fidelity.md, F13). */
const largestPage = 999

const numberIssue = (path: string, value: number | undefined, least: number): ReadonlyArray<Issue> => {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least)) return []
  const expected = `a whole number from ${least}`
  const message = `${path}: ${value} is not ${expected}`
  return [{ path, code: "wrongType", message, expected, received: String(value) }]
}

const filterIssues = (of: Filter | string | undefined): ReadonlyArray<Issue> => {
  if (of === undefined) return []
  if (typeof of === "object" && Array.isArray(of?.issues)) return of.issues
  if (typeof of === "string" && of.trim() !== "" && of.isWellFormed()) return []
  const expected = "a condition such as windowsScore lt 50"
  const message = `filter: ${JSON.stringify(of)} is not ${expected}`
  return [{ path: "filter", code: "malformedText", message, expected, received: JSON.stringify(of) }]
}

/** `order` may be anything where no compiler has looked. */
const orderParts = (order: unknown) => {
  const [name = "", direction = "asc", ...more] = String(order).split(" ")
  return { name, isWhole: (direction === "asc" || direction === "desc") && more.length === 0 }
}

const orderIssue = (order: unknown): Issue => {
  const expected = "a property, with asc or desc behind it or nothing"
  const received = JSON.stringify(String(order).slice(0, 60).toWellFormed())
  return {
    path: "orderBy",
    code: "malformedText",
    message: `orderBy: ${received} is not ${expected}`,
    expected,
    received
  }
}

/** What is wrong with the options of a list whose rows have these properties. */
export const listIssues = (
  { expectedCount, filter, orderBy = [], pageSize, select = [], top }: ListOptions<string, string>,
  names: ReadonlyArray<string> = propertyNames
): ReadonlyArray<Issue> => [
  ...[...select, ...orderBy.map((order) => orderParts(order).name)]
    .filter((name) => !names.includes(name))
    .map(unknownPropertyIssue),
  ...orderBy.filter((order) => !orderParts(order).isWhole).map(orderIssue),
  ...filterIssues(filter),
  ...numberIssue("top", top, 1),
  ...numberIssue("pageSize", pageSize, 1),
  ...numberIssue("expectedCount", expectedCount, 0)
]

/** `$select` for these properties and the key; empty where all are wanted. */
export const selectQuery = (select: ReadonlyArray<string> = []): ReadonlyArray<string> =>
  select.length === 0 ? [] : [`$select=${[...new Set(["id", ...select])].join(",")}`]

/** Options as a query, with its question mark. */
export const queryOf = (options: ReadonlyArray<string>): string => (options.length === 0 ? "" : `?${options.join("&")}`)

/**
 * The query of a list's first page. `$top` is the whole list to OData, but a page to much of Graph, and values over 999
 * are refused in places: a longer list is asked for without it and cut here.
 */
export const listQuery = ({ count, filter, orderBy = [], select, top }: ListOptions<string, string>): string => {
  const condition = typeof filter === "object" ? filter.text : filter
  return queryOf([
    ...selectQuery(select),
    ...(orderBy.length === 0 ? [] : [`$orderby=${orderBy.map(encodeURIComponent).join(",")}`]),
    ...(condition === undefined ? [] : [`$filter=${encodeURIComponent(condition)}`]),
    ...(top === undefined || top > largestPage ? [] : [`$top=${top}`]),
    ...(count === true || count === "whereServed" ? ["$count=true"] : [])
  ])
}

/** The size of page to ask for, where it is not the service's to decide. */
export const pageSizeOf = ({ pageSize, top }: ListOptions<string, string>): number | undefined =>
  pageSize ?? (top !== undefined && top > largestPage ? largestPage : undefined)
