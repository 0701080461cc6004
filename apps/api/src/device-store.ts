import { setImmediate } from "node:timers/promises"
import {
  type DeviceUpdate,
  type WholeDevice,
  applyUpdate,
  properties,
  propertyNames,
  standingMetrics
} from "@workanywhere/domain"
import { type CompiledQuery, type Kysely, sql } from "kysely"
import type { Settings } from "./config.ts"
import { openDatabase } from "./database.ts"
import type { Filter } from "./device-filter.ts"
import { type Order, type Position, orderById } from "./device-order.ts"
import { filtered, ordered, startingBehind } from "./device-query.ts"
import { groupCommit } from "./group-commit.ts"
import { type MetricStore, holdMetric, isStanding, metricStore } from "./metric-store.ts"
import { type DeviceRow, type Stored, type Tables, migrate, pageTokenSecret } from "./migrations.ts"

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

/** Part of a collection, in the order of the keys. */
interface DevicePage {
  readonly devices: ReadonlyArray<WholeDevice>
  /** Whether there are devices behind the last one. */
  readonly more: boolean
}

/** Which devices of a collection are asked for, and in which order. */
interface DeviceQuery {
  readonly filter?: Filter | undefined
  readonly order: Order
  /** Only those behind this place in the order. */
  readonly after?: Position | undefined
  /** How many to leave out first; they cost as much as if they were read. */
  readonly skip: number
}

/** What became of a write: the device, nothing found, or a device that was left alone because it is not as expected. */
export type Written = WholeDevice | undefined | "changed"

/** Whether a device is what a caller expects it to be. */
export type Expectation = (device: WholeDevice) => boolean

/** The devices, wherever they are kept. A promise of a write resolves when it is durable. */
export interface DeviceStore {
  readonly find: (collection: Collection, id: string) => Promise<WholeDevice | undefined>
  /** At most `size` devices whose ids come after `after`; the empty text is before all. */
  readonly page: (collection: Collection, after: string, size: number) => Promise<DevicePage>
  /** At most `size` devices that a query asks for, in its order. */
  readonly search: (collection: Collection, query: DeviceQuery, size: number) => Promise<DevicePage>
  /** How many devices a filter is true for; all, without one. */
  readonly count: (collection: Collection, filter: Filter | undefined) => Promise<number>
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

const anything: Expectation = () => true

const devicesAtOnce = 200

const booleans = properties.filter(({ kind }) => kind === "boolean").map(({ name }) => name)

const writable = propertyNames.filter((name) => name !== "id")

const deviceOf = (row: Pick<DeviceRow, keyof WholeDevice>): WholeDevice => {
  const device: Record<string, Stored> = { ...row }
  for (const name of booleans) if (device[name] !== null) device[name] = Boolean(device[name])
  return device as unknown as WholeDevice
}

const blank = Object.fromEntries(writable.map((name) => [name, ""])) as Omit<DeviceRow, "tenant" | "metric" | "id">

const bind = <Row>(query: CompiledQuery<Row>, parameters: ReadonlyArray<Stored>): CompiledQuery<Row> => ({
  ...query,
  parameters
})

/** Building a statement of this width costs more than running it, so each is built once and bound for each use. */
const statementsFor = (kysely: Kysely<Tables>) => {
  const collection = kysely.selectFrom("devices").where("tenant", "=", "").where("metric", "=", "")
  const find = collection.where("id", "=", "").select(propertyNames).compile()
  const page = collection.where("id", ">", "").select(propertyNames).orderBy("id").limit(0).compile()
  const update = kysely
    .updateTable("devices")
    .set(blank)
    .where("tenant", "=", "")
    .where("metric", "=", "")
    .where("id", "=", "")
    .compile()
  const insert = kysely
    .insertInto("devices")
    .values({ tenant: "", metric: "", id: "", ...blank })
    .compile()
  const create = kysely
    .insertInto("devices")
    .values({ tenant: "", metric: "", id: "", ...blank })
    .onConflict((clash) => clash.columns(["tenant", "metric", "id"]).doNothing())
    .compile()
  const remove = kysely
    .deleteFrom("devices")
    .where("tenant", "=", "")
    .where("metric", "=", "")
    .where("id", "=", "")
    .compile()
  return {
    find: ({ tenant, metric }: Collection, id: string) => bind(find, [tenant, metric, id]),
    page: ({ tenant, metric }: Collection, after: string, limit: number) => bind(page, [tenant, metric, after, limit]),
    update: ({ tenant, metric }: Collection, device: WholeDevice) =>
      bind(update, [...writable.map((name) => device[name]), tenant, metric, device.id]),
    insert: ({ tenant, metric }: Collection, device: WholeDevice) =>
      bind(insert, [tenant, metric, device.id, ...writable.map((name) => device[name])]),
    create: ({ tenant, metric }: Collection, device: WholeDevice) =>
      bind(create, [tenant, metric, device.id, ...writable.map((name) => device[name])]),
    remove: ({ tenant, metric }: Collection, id: string) => bind(remove, [tenant, metric, id])
  }
}

/** Opens the store that a setting names, on the newest version of its tables. */
export const openDeviceStore = async (store: Settings["store"]): Promise<DeviceStore> => {
  const database = await openDatabase<Tables>(store)
  try {
    await migrate(database)
  } catch (error) {
    await database.close()
    throw error
  }
  const { kysely } = database
  const secret = await kysely
    .selectFrom("secrets")
    .select("value")
    .where("name", "=", pageTokenSecret)
    .executeTakeFirstOrThrow()
  const statements = statementsFor(kysely)
  const write = groupCommit<Kysely<Tables>>(database.transact)

  const find = async (on: Kysely<Tables>, collection: Collection, id: string): Promise<WholeDevice | undefined> => {
    const { rows } = await on.executeQuery(statements.find(collection, id))
    return rows[0] && deviceOf(rows[0])
  }

  const page = async (on: Kysely<Tables>, collection: Collection, after: string, size: number): Promise<DevicePage> => {
    const { rows } = await on.executeQuery(statements.page(collection, after, size + 1))
    return { devices: rows.slice(0, size).map(deviceOf), more: rows.length > size }
  }

  const those = ({ tenant, metric }: Collection, filter: Filter | undefined) =>
    filtered(kysely.selectFrom("devices").where("tenant", "=", tenant).where("metric", "=", metric), filter)

  const search = async (
    collection: Collection,
    { filter, order, after, skip }: DeviceQuery,
    size: number
  ): Promise<DevicePage> => {
    if (filter === undefined && order === orderById && skip === 0) {
      return page(kysely, collection, String(after?.[0] ?? ""), size)
    }
    const start = those(collection, filter)
    const rows = await ordered(after === undefined ? start : startingBehind(start, order, after), order)
      .select(propertyNames)
      .limit(size + 1)
      .$if(skip > 0, (devices) => devices.offset(skip))
      .execute()
    return { devices: rows.slice(0, size).map(deviceOf), more: rows.length > size }
  }

  return {
    find: (collection, id) => find(kysely, collection, id),
    page: (collection, after, size) => page(kysely, collection, after, size),
    search,
    count: async (collection, filter) => {
      const { total } = await those(collection, filter)
        .select(({ fn }) => fn.countAll<number | string>().as("total"))
        .executeTakeFirstOrThrow()
      // PostgreSQL's driver gives a count as text.
      return Number(total)
    },
    update: (collection, id, update, expected = anything) =>
      write(async (transaction) => {
        const before = await find(transaction, collection, id)
        if (before === undefined) return undefined
        if (!expected(before)) return "changed"
        const after = applyUpdate(before, update)
        await transaction.executeQuery(statements.update(collection, after))
        return after
      }),
    create: (collection, device) =>
      write(async (transaction) => {
        const { tenant, metric } = collection
        if (!isStanding(metric) && !(await holdMetric(transaction, tenant, metric))) return "noMetric"
        const { numAffectedRows = 0n } = await transaction.executeQuery(statements.create(collection, device))
        return numAffectedRows > 0n ? "created" : "exists"
      }),
    remove: (collection, id, expected = anything) =>
      write(async (transaction) => {
        const before = await find(transaction, collection, id)
        if (before === undefined) return undefined
        if (!expected(before)) return "changed"
        await transaction.executeQuery(statements.remove(collection, id))
        return before
      }),
    all: async function* (collection) {
      let after = ""
      for (;;) {
        const { devices, more } = await page(kysely, collection, after, devicesAtOnce)
        yield* devices
        const last = devices.at(-1)
        if (!more || last === undefined) return
        after = last.id
        // SQLite answers at once, so that nothing else would get its turn.
        await setImmediate()
      }
    },
    metrics: metricStore(kysely, write),
    fillEmpty: (collection, devices) =>
      database.transact(async (transaction) => {
        const { more } = await page(transaction, collection, "", 0)
        if (more) return
        for await (const device of devices) await transaction.executeQuery(statements.insert(collection, device))
      }),
    pageTokenKey: Buffer.from(secret.value, "base64url"),
    refill: (tenant, devices) =>
      database.transact(async (transaction) => {
        await transaction.deleteFrom("devices").where("tenant", "=", tenant).execute()
        await transaction.deleteFrom("metrics").where("tenant", "=", tenant).execute()
        const collection = standingCollection(tenant)
        for await (const device of devices) await transaction.executeQuery(statements.insert(collection, device))
      }),
    ping: async () => {
      await sql`select 1`.execute(kysely)
    },
    close: database.close
  }
}
