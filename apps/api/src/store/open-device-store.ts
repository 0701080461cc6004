import { type WholeDevice, applyUpdate } from "@workanywhere/domain"
import { type Kysely, sql } from "kysely"
import type { Filter } from "../graph/device-filter.ts"
import { deviceIn } from "../graph/device-json.ts"
import { orderById } from "../graph/device-order.ts"
import { isStanding } from "../graph/metric.ts"
import type { Settings } from "../settings/settings.ts"
import type { Database, Use } from "./database.ts"
import { filtered, ordered, startingBehind } from "./device-query.ts"
import { type ScanOptions, isQuick, scansOf } from "./device-scan.ts"
import { devicesInStatement, statementsFor } from "./device-statements.ts"
import {
  type Collection,
  type DevicePage,
  type DeviceQuery,
  type DeviceStore,
  type Existing,
  type JsonRow,
  type WrittenDevice,
  standingCollection
} from "./device-store.ts"
import { groupCommit } from "./group-commit.ts"
import { type FoundRows, fitting, foundAmong } from "./found-rows.ts"
import { fewDevices, firstFew, longWritesOf } from "./long-writes.ts"
import { longWork, pauses, pieceMillis } from "./long-work.ts"
import { deleteDevices, holdMetric, metricStore } from "./metric-store.ts"
import { type Tables, migrate, pageTokenSecret } from "./migrations.ts"
import { openDatabase } from "./open-database.ts"
import { placesFor } from "./places.ts"

const nobody = new AbortController().signal

const waitsForever = (): AbortSignal => nobody

/** Who goes through all devices has so many at first, and then as many as take so long. */
const firstDevicesAtOnce = 50
const mostDevicesAtOnce = 500

/** How many devices are in memory while many more are put into a collection. */
const devicesInHand = 10_000

/**
 * PostgreSQL has processes of its own for what takes long, and a limit. But there are only so many connections to it (12:
 * postgres-database.ts), of which whatever one tenant asks for leaves some to others, and to what takes no time.
 */
const connections = { long: { inAll: 4, ofOne: 3 }, short: { inAll: 8, ofOne: 5 } }

const noPause = async (): Promise<void> => {}

/** Whether the metric is there, and stays until the end of the transaction. */
const holds = async (transaction: Kysely<Tables>, { tenant, metric }: Collection): Promise<boolean> =>
  isStanding(metric) || holdMetric(transaction, tenant, metric)

/** Opens the store that a setting names, on the newest version of its tables. */
export const openDeviceStore = async (store: Settings["store"], use?: Use): Promise<DeviceStore> => {
  const database = await openDatabase<Tables>(store, use)
  try {
    await migrate(database)
    return await deviceStoreOn(database, {}, longWritesOf(store, use))
  } catch (error) {
    await database.close()
    throw error
  }
}

const pageOf = (rows: ReadonlyArray<JsonRow>, more: boolean): DevicePage => ({
  get devices() {
    return rows.map(({ json }) => deviceIn(json))
  },
  get last() {
    const row = rows.at(-1)
    return row && deviceIn(row.json)
  },
  get json() {
    return rows.some(({ hasUnknownMember }) => hasUnknownMember) ? undefined : rows.map(({ json }) => json).join(",")
  },
  more
})

const writtenAs = ({ json, hasUnknownMember }: JsonRow): WrittenDevice => ({
  get device() {
    return deviceIn(json)
  },
  json: hasUnknownMember ? undefined : json
})

/** The store over an open database that has its tables. */
export const deviceStoreOn = async (
  database: Database<Tables>,
  options?: ScanOptions,
  elsewhere?: ReturnType<typeof longWritesOf>
): Promise<DeviceStore> => {
  const { kysely } = database
  const secret = await kysely
    .selectFrom("secrets")
    .select("value")
    .where("name", "=", pageTokenSecret)
    .executeTakeFirstOrThrow()
  const statements = statementsFor(database)
  const isSqlite = database.product === "SQLite"
  const work = longWork(database.queryLimitMillis, { ...(isSqlite ? {} : { atOnce: connections.long }), ...options })
  const enter = isSqlite ? undefined : placesFor(connections.short)

  /** What takes no time but that of a connection. */
  const briefly = async <A>({ tenant }: Pick<Collection, "tenant">, query: () => Promise<A>): Promise<A> => {
    // SQLite has one connection, in this thread.
    if (enter === undefined) return query()
    const leave = await enter(tenant, nobody, performance.now() + database.queryLimitMillis)
    try {
      return await query()
    } finally {
      leave()
    }
  }

  const scans = isSqlite ? scansOf(kysely, database.queryLimitMillis, options, work) : undefined
  // PostgreSQL lets the commits of many connections share a flush, and writes on several connections at once are quicker
  // than one after the other (1.3 × at 32 at once); groups of several processes could also lock each other's rows.
  const write = isSqlite ? groupCommit(database.transact) : database.transact

  const written = <A>(collection: Collection, work: (transaction: Kysely<Tables>) => Promise<A>): Promise<A> =>
    briefly(collection, () => write(work))

  /** The device before it is written, kept from others until the transaction ends. */
  const beforeWrite = async (
    transaction: Kysely<Tables>,
    collection: Collection,
    id: string
  ): Promise<WholeDevice | undefined> => {
    const { rows } = await statements.findToUpdate(transaction, collection, id)
    return rows[0] && deviceIn(rows[0].json)
  }

  /** In the order of the keys, which is up to three times as fast: neighbours share pages of the indexes. */
  const insert = async (
    on: Kysely<Tables>,
    collection: Collection,
    devices: ReadonlyArray<WholeDevice>,
    existing?: Existing,
    pause: () => Promise<void> = noPause
  ): Promise<number> => {
    const sorted = devices.toSorted((a, b) => (a.id < b.id ? -1 : 1))
    let changed = 0n
    for (let from = 0; from < sorted.length; from += devicesInStatement) {
      const some = sorted.slice(from, from + devicesInStatement)
      const { numAffectedRows = 0n } = await statements.insert(on, collection, some, existing)
      changed += numAffectedRows
      await pause()
    }
    return Number(changed)
  }

  const fill = async (
    on: Kysely<Tables>,
    collection: Collection,
    devices: AsyncIterable<WholeDevice>
  ): Promise<void> => {
    const pause = pauses()
    let some: Array<WholeDevice> = []
    for await (const device of devices) {
      await pause()
      if (some.push(device) < devicesInHand) continue
      await insert(on, collection, some, undefined, pause)
      some = []
    }
    await insert(on, collection, some, undefined, pause)
  }

  const metrics = metricStore(kysely, write, isSqlite ? database.transactAlone : write)

  const those = ({ tenant, metric }: Collection, filter: Filter | undefined) =>
    filtered(kysely.selectFrom("devices").where("tenant", "=", tenant).where("metric", "=", metric), filter)

  const hasMany = async ({
    tenant,
    metric
  }: {
    readonly tenant: string
    readonly metric?: string
  }): Promise<boolean> => {
    const ofTenant = kysely.selectFrom("devices").select("id").where("tenant", "=", tenant)
    const those = metric === undefined ? ofTenant : ofTenant.where("metric", "=", metric)
    return (await those.limit(1).offset(fewDevices).executeTakeFirst()) !== undefined
  }

  /** In one of the places for what takes long, where a database has its own processes for it. */
  const placed = async <A>({ tenant }: Collection, caller: () => AbortSignal, query: () => Promise<A>): Promise<A> => {
    const stint = await work(tenant, caller())
    try {
      return await query()
    } finally {
      stint.end()
    }
  }

  const rowsOf = async (
    collection: Collection,
    query: DeviceQuery,
    most: number,
    caller: () => AbortSignal
  ): Promise<FoundRows> => {
    const { filter, order, after, skip } = query
    if (filter === undefined && order === orderById && skip === 0) {
      return briefly(collection, () => statements.fittingPage(kysely, collection, String(after?.[0] ?? ""), most))
    }
    if (scans !== undefined && !isQuick(query)) return scans.search(collection, query, most, caller())
    const start = those(collection, filter)
    const rows = ordered(after === undefined ? start : startingBehind(start, order, after), order)
      .select(["json", "hasUnknownMember"])
      .limit(most)
      .$if(skip > 0, (devices) => devices.offset(skip))
    const found = async (): Promise<FoundRows> => foundAmong(await fitting(kysely, rows).execute())
    return isQuick(query) ? briefly(collection, found) : placed(collection, caller, found)
  }

  const search: DeviceStore["search"] = async (collection, query, size, caller = waitsForever) => {
    // One more tells whether there are more.
    const { rows, isCut } = await rowsOf(collection, query, size + 1, caller)
    return pageOf(rows.slice(0, size), isCut || rows.length > size)
  }

  const page: DeviceStore["page"] = async (collection, after, size) => {
    const { rows } = await briefly(collection, () => statements.page(kysely, collection, after, size + 1))
    return pageOf(rows.slice(0, size), rows.length > size)
  }

  return {
    find: async (collection, id) => {
      const { rows } = await briefly(collection, () => statements.find(kysely, collection, id))
      return rows[0] && deviceIn(rows[0].json)
    },
    findJson: async (collection, id) => {
      const { rows } = await briefly(collection, () => statements.find(kysely, collection, id))
      const [row] = rows
      return row === undefined || row.hasUnknownMember ? undefined : row.json
    },
    page,
    search,
    version: database.version,
    isEmpty: async () => {
      const device = await kysely.selectFrom("devices").select("id").limit(1).executeTakeFirst()
      return (device ?? (await kysely.selectFrom("metrics").select("id").limit(1).executeTakeFirst())) === undefined
    },
    count: async (collection, filter, caller = waitsForever) => {
      if (scans !== undefined) return scans.count(collection, filter, caller())
      const counted = those(collection, filter).select(({ fn }) => fn.countAll<number>().as("total"))
      return (await placed(collection, caller, () => counted.executeTakeFirstOrThrow())).total
    },
    update: (collection, id, update, expected) =>
      written(collection, async (transaction) => {
        const before = await beforeWrite(transaction, collection, id)
        if (before === undefined) return undefined
        if (expected !== undefined && !expected(before)) return "changed"
        return writtenAs(await statements.update(transaction, collection, before, applyUpdate(before, update)))
      }),
    create: (collection, device) =>
      written(collection, async (transaction) => {
        if (!(await holds(transaction, collection))) return "noMetric"
        return (await insert(transaction, collection, [device], "keep")) === 1 ? "created" : "exists"
      }),
    remove: (collection, id, expected) =>
      written(collection, async (transaction) => {
        const before = await beforeWrite(transaction, collection, id)
        if (before === undefined) return undefined
        if (expected !== undefined && !expected(before)) return "changed"
        await statements.remove(transaction, collection, id)
        return { device: before, json: undefined }
      }),
    all: async function* (collection, caller = waitsForever) {
      const stint = await work(collection.tenant, caller())
      try {
        let size = firstDevicesAtOnce
        let after = ""
        for (;;) {
          const asked = performance.now()
          const found = await search(collection, { order: orderById, after: [after], skip: 0 }, size)
          // SQLite looks for them in this thread, PostgreSQL elsewhere.
          const begun = isSqlite ? asked : performance.now()
          const { devices, more } = found
          yield* devices
          const last = devices.at(-1)
          if (!more || last === undefined) return
          after = last.id
          // What is done with each takes its time as well.
          const times = Math.min(2, pieceMillis / (performance.now() - begun))
          size = Math.max(1, Math.min(mostDevicesAtOnce, Math.floor(size * times)))
          await stint.turn()
        }
      } finally {
        stint.end()
      }
    },
    metrics: {
      has: (tenant, id) => briefly({ tenant }, () => metrics.has(tenant, id)),
      count: (tenant) => briefly({ tenant }, () => metrics.count(tenant)),
      page: (tenant, after, size) => briefly({ tenant }, () => metrics.page(tenant, after, size)),
      create: (tenant, id) => briefly({ tenant }, () => metrics.create(tenant, id)),
      remove: async (tenant, id) =>
        elsewhere !== undefined && (await hasMany({ tenant, metric: id }))
          ? (await elsewhere({ is: "removeMetric", tenant, id })) === true
          : briefly({ tenant }, () => metrics.remove(tenant, id))
    },
    put: (collection, devices, existing) => {
      // Each once: PostgreSQL does not let one statement touch a row twice.
      const inTurn = existing === "replace" ? devices : devices.toReversed()
      const each = [...new Map(inTurn.map((device) => [device.id, device])).values()]
      return database.transact(async (transaction) =>
        (await holds(transaction, collection)) ? insert(transaction, collection, each, existing) : "noMetric"
      )
    },
    fillEmpty: (collection, devices) =>
      database.transactAlone(async (transaction) => {
        const { rows } = await statements.page(transaction, collection, "", 1)
        if (rows.length > 0) return
        await fill(transaction, collection, devices)
      }),
    pageTokenKey: Buffer.from(secret.value, "base64url"),
    refill: async (tenant, devices) => {
      const { areAll, all } = await firstFew(devices)
      if (elsewhere !== undefined && (!areAll || (await hasMany({ tenant })))) {
        await elsewhere({ is: "refill", tenant }, all)
        return
      }
      await database.transactAlone(async (transaction) => {
        await deleteDevices(transaction, { tenant })
        await transaction.deleteFrom("metrics").where("tenant", "=", tenant).execute()
        await fill(transaction, standingCollection(tenant), all)
      })
    },
    ping: async () => {
      await sql`select 1`.execute(kysely)
    },
    close: database.close
  }
}
