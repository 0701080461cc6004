import { setImmediate } from "node:timers/promises"
import { type DeviceUpdate, type WholeDevice, standingMetrics } from "@workanywhere/domain"
import { type Kysely, sql } from "kysely"
import type { Settings } from "../settings/config.ts"
import { type Database, type Use, openDatabase } from "./database.ts"
import type { Filter } from "../graph/device-filter.ts"
import { deviceIn } from "../graph/device-json.ts"
import { type Order, type Position, orderById } from "../graph/device-order.ts"
import { filtered, ordered, startingBehind } from "./device-query.ts"
import { type ScanOptions, isQuick, scansOf } from "./device-scan.ts"
import { devicesInStatement, statementsFor } from "./device-statements.ts"
import { type UpdateFacts, beforeWrite, deviceUpdate } from "./device-update.ts"
import { groupCommit } from "./group-commit.ts"
import { type MetricStore, holdMetric, isStanding, metricStore } from "./metric-store.ts"
import { type DeviceRow, type Tables, migrate, pageTokenSecret } from "./migrations.ts"
import { updateThread } from "./update-thread.ts"

/** Whose rows everyone sees while nobody has to prove who they are. */
export const localTenant = "local"

/** Some devices that belong together: those of one metric of one tenant. */
export interface Collection {
  readonly tenant: string
  readonly metric: string
}

/** The devices that both standing metrics show. */
export const standingCollection = (tenant: string): Collection => ({ tenant, metric: standingMetrics[0] })

/** The devices that a metric shows, if there is such a metric. */
export const collectionOf = (tenant: string, metricId: string): Collection =>
  isStanding(metricId) ? standingCollection(tenant) : { tenant, metric: metricId }

/** Part of a collection, in some order. */
interface DevicePage {
  readonly devices: ReadonlyArray<WholeDevice>
  readonly last: WholeDevice | undefined
  /**
   * The JSON of the devices, with commas between them: without a look inside, which takes longer than to find them.
   * `undefined` where one has an enum member that not everyone is shown.
   */
  readonly json: string | undefined
  /** Whether there are devices behind the last one. */
  readonly more: boolean
}

/** What is read of a device. */
export type JsonRow = Pick<DeviceRow, "json" | "hasUnknownMember">

/** Which devices of a collection are asked for, and in which order. */
export interface DeviceQuery {
  readonly filter?: Filter | undefined
  readonly order: Order
  /** Only those behind this place in the order. */
  readonly after?: Position | undefined
  /** How many to leave out first; they cost as much as if they were read. */
  readonly skip: number
}

/** What became of a write: the device, nothing found, or a device that was left alone because it is not as expected. */
export type Written = WrittenDevice | undefined | "changed"

/** A device that was written. */
interface WrittenDevice {
  readonly device: WholeDevice
  /** Its JSON; `undefined` where it has an enum member that not everyone is shown, and where nothing is left of it. */
  readonly json: string | undefined
}

/** Whether a device is what a caller expects it to be. */
export type Expectation = (device: WholeDevice) => boolean

/** What becomes of a device whose id is put again. */
export type Existing = "replace" | "keep"

/** The devices, wherever they are kept. A promise of a write resolves when it is durable. */
export interface DeviceStore {
  readonly find: (collection: Collection, id: string) => Promise<WholeDevice | undefined>
  /** The JSON of a device; `undefined` also where it has an enum member that not everyone is shown. */
  readonly findJson: (collection: Collection, id: string) => Promise<string | undefined>
  /** Another text after every write, whoever made it; `undefined` where that cannot be known, or not at the moment. */
  readonly version: () => string | undefined
  /** At most `size` devices whose ids come after `after`; the empty text is before all. */
  readonly page: (collection: Collection, after: string, size: number) => Promise<DevicePage>
  /**
   * At most `size` devices that a query asks for, in its order. No snapshot where the store has to look at many: a device
   * that is written meanwhile is found as it was before or after. Fails when it takes too long, or when the `caller`, who
   * is asked for only then, has gone away.
   */
  readonly search: (
    collection: Collection,
    query: DeviceQuery,
    size: number,
    caller?: () => AbortSignal
  ) => Promise<DevicePage>
  /** How many devices a filter is true for; all, without one. As `search`, no snapshot, and not for long. */
  readonly count: (collection: Collection, filter: Filter | undefined, caller?: () => AbortSignal) => Promise<number>
  /** The device after the update. */
  readonly update: (
    collection: Collection,
    id: string,
    update: DeviceUpdate,
    expected?: Expectation
  ) => Promise<Written>
  readonly create: (collection: Collection, device: WholeDevice) => Promise<"created" | "exists" | "noMetric">
  /** The device that was there. */
  readonly remove: (collection: Collection, id: string, expected?: Expectation) => Promise<Written>
  /**
   * Every device of a collection, in the order of the keys, with little in memory and time for others in between. No
   * snapshot: a device that is written meanwhile comes as it was before or after.
   */
  readonly all: (collection: Collection) => AsyncIterable<WholeDevice>
  readonly metrics: MetricStore
  /**
   * Puts devices into a collection, all or none, and says how many: one that is there already is replaced as a whole,
   * or kept and not counted. Of several with one id, that decides as well.
   */
  readonly put: (
    collection: Collection,
    devices: ReadonlyArray<WholeDevice>,
    existing: Existing
  ) => Promise<number | "noMetric">
  /** Puts devices into an empty collection, all or none; a collection that has devices is left as it is. */
  readonly fillEmpty: (collection: Collection, devices: AsyncIterable<WholeDevice>) => Promise<void>
  /** Random bytes that stay with the store; they sign page tokens. */
  readonly pageTokenKey: Uint8Array
  /** Puts devices into the standing collection of a tenant, in the place of all devices and metrics that it has. */
  readonly refill: (tenant: string, devices: AsyncIterable<WholeDevice>) => Promise<void>
  /** Fails when the store does not answer. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}

const nobody = new AbortController().signal
const waitsForever = (): AbortSignal => nobody

const devicesAtOnce = 200

/** How many devices are in memory while many more are put into a collection. */
const devicesInHand = 10_000

/** Whether the metric is there, and stays until the end of the transaction. */
const holds = async (transaction: Kysely<Tables>, { tenant, metric }: Collection): Promise<boolean> =>
  isStanding(metric) || holdMetric(transaction, tenant, metric)

/** Opens the store that a setting names, on the newest version of its tables. */
export const openDeviceStore = async (store: Settings["store"], use?: Use): Promise<DeviceStore> => {
  const database = await openDatabase<Tables>(store, use)
  try {
    await migrate(database)
    return await deviceStoreOn(database)
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
export const deviceStoreOn = async (database: Database<Tables>, options?: ScanOptions): Promise<DeviceStore> => {
  const { kysely } = database
  const secret = await kysely
    .selectFrom("secrets")
    .select("value")
    .where("name", "=", pageTokenSecret)
    .executeTakeFirstOrThrow()
  const statements = statementsFor(database)
  // PostgreSQL has processes of its own for what takes long, and a limit.
  const scans = database.product === "SQLite" ? scansOf(kysely, database.queryLimitMillis, options) : undefined
  // PostgreSQL lets the commits of many connections share a flush, and writes on several connections at once are quicker
  // than one after the other (1.3 × at 32 at once); groups of several processes could also lock each other's rows.
  const thread = database.file === undefined ? undefined : updateThread(database.file, database.committedElsewhere)
  const write =
    database.product === "SQLite"
      ? groupCommit<Kysely<Tables>, UpdateFacts>(database.transact, thread?.commit)
      : database.transact
  const updateIn = deviceUpdate(statements)
  const findToUpdate = beforeWrite(statements)

  /** In the order of the keys, which is up to three times as fast: neighbours share pages of the indexes. */
  const insert = async (
    on: Kysely<Tables>,
    collection: Collection,
    devices: ReadonlyArray<WholeDevice>,
    existing?: Existing
  ): Promise<number> => {
    const sorted = devices.toSorted((a, b) => (a.id < b.id ? -1 : 1))
    let changed = 0n
    for (let from = 0; from < sorted.length; from += devicesInStatement) {
      const some = sorted.slice(from, from + devicesInStatement)
      const { numAffectedRows = 0n } = await statements.insert(on, collection, some, existing)
      changed += numAffectedRows
    }
    return Number(changed)
  }

  const fill = async (
    on: Kysely<Tables>,
    collection: Collection,
    devices: AsyncIterable<WholeDevice>
  ): Promise<void> => {
    let some: Array<WholeDevice> = []
    for await (const device of devices) {
      if (some.push(device) < devicesInHand) continue
      await insert(on, collection, some)
      some = []
    }
    await insert(on, collection, some)
  }

  const those = ({ tenant, metric }: Collection, filter: Filter | undefined) =>
    filtered(kysely.selectFrom("devices").where("tenant", "=", tenant).where("metric", "=", metric), filter)

  const rowsOf = async (
    collection: Collection,
    query: DeviceQuery,
    most: number,
    caller: () => AbortSignal
  ): Promise<ReadonlyArray<JsonRow>> => {
    const { filter, order, after, skip } = query
    if (filter === undefined && order === orderById && skip === 0) {
      return (await statements.page(kysely, collection, String(after?.[0] ?? ""), most)).rows
    }
    if (scans !== undefined && !isQuick(query)) return scans.search(collection, query, most, caller())
    const start = those(collection, filter)
    return ordered(after === undefined ? start : startingBehind(start, order, after), order)
      .select(["json", "hasUnknownMember"])
      .limit(most)
      .$if(skip > 0, (devices) => devices.offset(skip))
      .execute()
  }

  const search: DeviceStore["search"] = async (collection, query, size, caller = waitsForever) => {
    // One more tells whether there are more.
    const rows = await rowsOf(collection, query, size + 1, caller)
    return pageOf(rows.slice(0, size), rows.length > size)
  }

  const page = (collection: Collection, after: string, size: number): Promise<DevicePage> =>
    search(collection, { order: orderById, after: [after], skip: 0 }, size)

  return {
    find: async (collection, id) => {
      const { rows } = await statements.find(kysely, collection, id)
      return rows[0] && deviceIn(rows[0].json)
    },
    findJson: async (collection, id) => {
      const { rows } = await statements.find(kysely, collection, id)
      const [row] = rows
      return row === undefined || row.hasUnknownMember ? undefined : row.json
    },
    page,
    search,
    version: database.version,
    count: async (collection, filter, caller = waitsForever) => {
      if (scans !== undefined) return scans.count(collection, filter, caller())
      const { total } = await those(collection, filter)
        .select(({ fn }) => fn.countAll<number>().as("total"))
        .executeTakeFirstOrThrow()
      return total
    },
    update: async (collection, id, update, expected) => {
      const facts = { collection, id, update }
      const row = await write(
        (transaction) => updateIn(transaction, facts, expected),
        expected === undefined ? facts : undefined
      )
      return row === undefined || row === "changed" ? row : writtenAs(row)
    },
    create: (collection, device) =>
      write(async (transaction) => {
        if (!(await holds(transaction, collection))) return "noMetric"
        return (await insert(transaction, collection, [device], "keep")) === 1 ? "created" : "exists"
      }),
    remove: (collection, id, expected) =>
      write(async (transaction) => {
        const before = await findToUpdate(transaction, collection, id)
        if (before === undefined) return undefined
        if (expected !== undefined && !expected(before)) return "changed"
        await statements.remove(transaction, collection, id)
        return { device: before, json: undefined }
      }),
    all: async function* (collection) {
      let after = ""
      for (;;) {
        const { devices, more } = await page(collection, after, devicesAtOnce)
        yield* devices
        const last = devices.at(-1)
        if (!more || last === undefined) return
        after = last.id
        // SQLite answers at once, so that nothing else would get its turn.
        await setImmediate()
      }
    },
    metrics: metricStore(kysely, write),
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
    refill: (tenant, devices) =>
      database.transactAlone(async (transaction) => {
        await transaction.deleteFrom("devices").where("tenant", "=", tenant).execute()
        await transaction.deleteFrom("metrics").where("tenant", "=", tenant).execute()
        await fill(transaction, standingCollection(tenant), devices)
      }),
    ping: async () => {
      await sql`select 1`.execute(kysely)
    },
    close: async () => {
      await thread?.close()
      await database.close()
    }
  }
}
