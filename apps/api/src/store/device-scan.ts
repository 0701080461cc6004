import { propertyNames } from "@workanywhere/domain"
import { type Kysely, sql } from "kysely"
import { type Filter, type Operand, textsIn } from "../graph/device-filter.ts"
import { deviceIn } from "../graph/device-json.ts"
import { type Position, comparePositions, positionOf, reversed } from "../graph/device-order.ts"
import { filtered, ordered, startingBehind } from "./device-query.ts"
import type { Collection, DeviceQuery, JsonRow } from "./device-store.ts"
import { type FoundRows, cutToFit } from "./found-rows.ts"
import { type LongWork, type MostLongWork, type Stint, longWork, pieceMillis } from "./long-work.ts"
import { type Tables, indexed } from "./migrations.ts"

// SQLite works on the thread that answers requests. What may take it long is asked for in pieces, stretches of the ids,
// with time for everyone else in between.

/** How scans go about it; what is left out is as a service has it. */
export interface ScanOptions extends MostLongWork {
  /** How many devices the first piece looks at; later ones as many as take about {@link pieceMillis}. */
  readonly firstPiece?: number
  readonly largestPiece?: number
  /** How many bytes of devices a piece looks at, times the functions of its filter: what `node:sqlite` may hold of them. */
  readonly pieceBytes?: number
  /** How many devices that a query leaves out are in memory at a time. */
  readonly mostInHand?: number
}

/** Whether an index leads to exactly the devices that a condition is true for, in the order of their ids. */
const isServedByIndex = (filter: Filter): boolean => {
  if (filter.is === "member") return filter.inside && filter.listed.length === 1 && indexed.includes(filter.property)
  if (filter.is !== "among" || filter.operand.is !== "property" || !indexed.includes(filter.operand.name)) return false
  return filter.orNull ? filter.values.length === 0 : filter.values.length === 1
}

/** The first condition of a filter that an index serves. */
const servedPart = (filter: Filter | undefined): Filter | undefined =>
  filter === undefined ? undefined : (filter.is === "all" ? filter.of : [filter]).find(isServedByIndex)

/** Whether SQLite finds a page at once: it comes to hardly more devices than it gives, or leaves out. */
export const isQuick = ({ filter, order, after, skip }: DeviceQuery): boolean => {
  if (skip > 1_000) return false
  const [first, second] = order
  if (first?.property === "id") return filter === undefined || isServedByIndex(filter)
  // An index has names in this order, and ids among equal ones; it is not entered from behind, or at a null.
  const isByName = first?.property === "deviceName" && second?.property === "id"
  if (!isByName || filter !== undefined || first.descending !== second.descending) return false
  return after === undefined || (!first.descending && after[0] !== null)
}

/** Answers queries over any number of devices without keeping others from their turn for long. */
export interface Scans {
  /** The first so many devices that a query asks for. */
  readonly search: (collection: Collection, query: DeviceQuery, most: number, signal: AbortSignal) => Promise<FoundRows>
  readonly count: (collection: Collection, filter: Filter | undefined, signal: AbortSignal) => Promise<number>
}

/** How often the functions of an operand go through a text of a device; what is joined counts with all its texts. */
const functionsIn = (operand: Operand | string): number => {
  if (typeof operand === "string" || operand.is === "property") return 0
  const before =
    operand.is === "concat" ? operand.of.reduce((sum, part) => sum + functionsIn(part), 0) : functionsIn(operand.of)
  return textsIn(operand) + before
}

/** How often a filter goes through the texts of a device, at most; and once they are read. */
const costOf = (filter: Filter | undefined): number => {
  switch (filter?.is) {
    case undefined:
    case "member":
      return 1
    case "all":
    case "any":
      return filter.of.reduce((cost, part) => cost + costOf(part), 1)
    case "not":
      return costOf(filter.of)
    case "holds":
    case "among":
      return 1 + functionsIn(filter.operand)
    case "same":
      return 1 + functionsIn(filter.left) + functionsIn(filter.right)
    case "ordered":
      return 1 + functionsIn(filter.left) + (typeof filter.right === "object" ? functionsIn(filter.right) : 0)
  }
}

/** Stretches of a collection's ids; only of those that an index leads to, where one does. */
const stretchesOf = (
  kysely: Kysely<Tables>,
  { tenant, metric }: Collection,
  filter: Filter | undefined,
  descending: boolean
) => {
  const those = filtered(
    kysely.selectFrom("devices").where("tenant", "=", tenant).where("metric", "=", metric),
    servedPart(filter)
  )
  const behind = (after: string | undefined) =>
    (after === undefined ? those : those.where("id", descending ? "<" : ">", after)).orderBy(
      "id",
      descending ? "desc" : "asc"
    )
  return {
    /** Where a stretch of so many devices ends; `undefined` when there are fewer. */
    endOf: async (after: string | undefined, size: number): Promise<string | undefined> => {
      const last = behind(after)
        .select("id")
        .limit(1)
        .offset(size - 1)
      return (await last.executeTakeFirst())?.id
    },
    /** How many bytes the JSON of the first so many devices is, without reading it. */
    bytesOf: async (after: string | undefined, size: number): Promise<number> => {
      const first = behind(after)
        .select(sql<number>`octet_length(json)`.as("bytes"))
        .limit(size)
      const { total } = await kysely
        .selectFrom(first.as("first"))
        .select(({ fn }) => fn.sum<number | null>("bytes").as("total"))
        .executeTakeFirstOrThrow()
      return total ?? 0
    },
    /**
     * Of a stretch, the devices that the filter is true for. By its ends and not by a number: another process can write
     * between the two statements, and then neither a device more nor one less belongs to it.
     */
    devices: (after: string | undefined, end: string | undefined) => {
      const stretch = end === undefined ? behind(after) : behind(after).where("id", descending ? ">=" : "<=", end)
      // A limit, though one that is never reached, keeps SQLite from making this one with the query around it, for which
      // it would choose other indexes.
      const alone = stretch
        .select(["tenant", "metric", ...propertyNames, "json", "hasUnknownMember"])
        .limit(Number.MAX_SAFE_INTEGER)
      return filtered(kysely.selectFrom(alone.as("devices")), filter)
    }
  }
}

type Stretches = ReturnType<typeof stretchesOf>

/** Scans of a database, which take turns with each other and with everything else in the process. */
export const scansOf = (
  kysely: Kysely<Tables>,
  limitMillis: number,
  options: ScanOptions = {},
  work: LongWork = longWork(limitMillis, options)
): Scans => {
  const { firstPiece = 50, largestPiece = 50_000, pieceBytes = 4 * 1_048_576, mostInHand = 10_000 } = options

  /**
   * Calls `visit` with the devices of one piece after the other until it returns false, or none is left. What a piece
   * costs is known of the one before; and of its own devices, how long they are: a few can be as long as a thousand others.
   */
  const eachPiece = async (
    stretches: Stretches,
    first: string | undefined,
    { stint, mostBytes }: { readonly stint: Stint; readonly mostBytes: number },
    visit: (devices: ReturnType<Stretches["devices"]>) => Promise<boolean>
  ): Promise<void> => {
    let size = firstPiece
    let after = first
    for (;;) {
      await stint.turn()
      const begun = performance.now()
      if (mostBytes < Infinity) {
        for (let bytes = Infinity; size > 1 && bytes > mostBytes;) {
          bytes = await stretches.bytesOf(after, size)
          if (bytes > mostBytes) size = Math.max(1, Math.floor((size * mostBytes) / bytes))
        }
      }
      const end = await stretches.endOf(after, size)
      if (!(await visit(stretches.devices(after, end))) || end === undefined) return
      after = end
      const times = Math.min(2, pieceMillis / (performance.now() - begun))
      size = Math.min(largestPiece, Math.max(1, Math.floor(size * times)))
    }
  }

  const scan = async <A>(
    { tenant }: Collection,
    signal: AbortSignal,
    look: (stint: Stint) => Promise<A>
  ): Promise<A> => {
    const stint = await work(tenant, signal)
    try {
      return await look(stint)
    } finally {
      stint.end()
    }
  }

  /** The first devices in the order of the ids, as soon as there are enough. */
  const firstById = async (
    collection: Collection,
    { filter, order, after }: DeviceQuery,
    most: number,
    stint: Stint
  ): Promise<FoundRows> => {
    let found: FoundRows = { rows: [], isCut: false }
    const stretches = stretchesOf(kysely, collection, filter, order[0]?.descending === true)
    const start = after === undefined ? undefined : String(after[0])
    const mostBytes = pieceBytes / costOf(filter)
    await eachPiece(stretches, start, { stint, mostBytes }, async (devices) => {
      const rows = await ordered(devices, order)
        .select(["json", "hasUnknownMember"])
        .limit(most - found.rows.length)
        .execute()
      found = cutToFit([...found.rows, ...rows])
      return found.rows.length < most && !found.isCut
    })
    return found
  }

  /** The first devices in any order: of each piece, those that come before the last of the best so far. */
  const firstInOrder = async (
    collection: Collection,
    { filter, order, after }: DeviceQuery,
    most: number,
    stint: Stint
  ): Promise<FoundRows> => {
    interface Placed extends JsonRow {
      readonly place: Position
    }
    let best: { readonly rows: ReadonlyArray<Placed>; readonly isCut: boolean } = { rows: [], isCut: false }
    const stretches = stretchesOf(kysely, collection, filter, false)
    const mostBytes = pieceBytes / costOf(filter)
    await eachPiece(stretches, undefined, { stint, mostBytes }, async (devices) => {
      const behind = after === undefined ? devices : startingBehind(devices, order, after)
      // Behind the end of what fits are others already, so that nothing else belongs there.
      const last = best.isCut || best.rows.length === most ? best.rows.at(-1) : undefined
      const better = last === undefined ? behind : startingBehind(behind, reversed(order), last.place)
      const rows = await ordered(better, order).select(["json", "hasUnknownMember"]).limit(most).execute()
      if (rows.length > 0) {
        const placed = rows.map((row) => ({ ...row, place: positionOf(order, deviceIn(row.json)) }))
        const sorted = [...best.rows, ...placed].toSorted((a, b) => comparePositions(order, a.place, b.place))
        const fitting = cutToFit(sorted.slice(0, most))
        best = { rows: fitting.rows, isCut: best.isCut || fitting.isCut }
      }
      return true
    })
    return best
  }

  const first = (collection: Collection, query: DeviceQuery, most: number, stint: Stint): Promise<FoundRows> =>
    query.order[0]?.property === "id"
      ? firstById(collection, query, most, stint)
      : firstInOrder(collection, query, most, stint)

  return {
    search: (collection, query, most, signal) =>
      scan(collection, signal, async (stint) => {
        let { after, skip } = query
        // Those that are left out are found in parts, so that never more than one part is in memory.
        for (;;) {
          const isPart = skip > mostInHand
          const { rows, isCut } = await first(collection, { ...query, after }, isPart ? mostInHand : skip + most, stint)
          const last = rows.at(-1)
          if (last === undefined || (!isCut && (!isPart || rows.length < mostInHand))) {
            return { rows: isPart ? [] : rows.slice(skip), isCut: false }
          }
          if (rows.length > skip) return { rows: rows.slice(skip), isCut }
          after = positionOf(query.order, deviceIn(last.json))
          skip -= rows.length
        }
      }),
    count: (collection, filter, signal) =>
      scan(collection, signal, async (stint) => {
        let counted = 0
        const stretches = stretchesOf(kysely, collection, filter, false)
        // All are counted without a look at any.
        const mostBytes = filter === undefined ? Infinity : pieceBytes / costOf(filter)
        await eachPiece(stretches, undefined, { stint, mostBytes }, async (devices) => {
          const { total } = await devices
            .select(({ fn }) => fn.countAll<number>().as("total"))
            .executeTakeFirstOrThrow()
          counted += total
          return true
        })
        return counted
      })
  }
}
