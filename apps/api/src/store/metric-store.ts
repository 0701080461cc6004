import { standingMetrics } from "@workanywhere/domain"
import { type Kysely, sql } from "kysely"
import { compareTexts } from "../graph/device-order.ts"
import { isStanding } from "../graph/metric.ts"
import { pauses } from "./long-work.ts"
import type { Tables } from "./migrations.ts"

/** Part of a tenant's metrics, in the order of the ids. */
interface MetricPage {
  readonly ids: ReadonlyArray<string>
  /** Whether there are metrics behind the last one. */
  readonly more: boolean
}

/** The metrics of a tenant: those that every tenant has, and those that callers created. */
export interface MetricStore {
  readonly has: (tenant: string, id: string) => Promise<boolean>
  /** At most `size` metrics whose ids come after `after`; the empty text is before all. */
  readonly page: (tenant: string, after: string, size: number) => Promise<MetricPage>
  readonly count: (tenant: string) => Promise<number>
  /** Whether it was created; if not, there is one with this id. */
  readonly create: (tenant: string, id: string) => Promise<boolean>
  /** Deletes a metric that a caller created, and its devices; whether there was one. */
  readonly remove: (tenant: string, id: string) => Promise<boolean>
}

/**
 * Holds a created metric until the end of a transaction, so that it cannot be deleted while a device is put into it;
 * whether there is one. An update, because it locks the row on every database.
 */
export const holdMetric = async (transaction: Kysely<Tables>, tenant: string, id: string): Promise<boolean> => {
  const { numUpdatedRows } = await transaction
    .updateTable("metrics")
    .set({ id })
    .where("tenant", "=", tenant)
    .where("id", "=", id)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

const devicesInStretch = 200

/**
 * Deletes the devices of a tenant, or of one of its metrics, in stretches with a pause behind each: SQLite keeps everyone
 * waiting for as long as one statement takes.
 */
export const deleteDevices = async (
  transaction: Kysely<Tables>,
  { tenant, metric }: { readonly tenant: string; readonly metric?: string }
): Promise<void> => {
  const pause = pauses()
  const ofTenant = transaction.selectFrom("devices").where("tenant", "=", tenant)
  const those = metric === undefined ? ofTenant : ofTenant.where("metric", "=", metric)
  const ends = those.select(["metric", "id"]).orderBy("metric").orderBy("id")
  for (;;) {
    const end = await ends
      .limit(1)
      .offset(devicesInStretch - 1)
      .executeTakeFirst()
    await transaction
      .deleteFrom("devices")
      .where("tenant", "=", tenant)
      .$if(metric !== undefined, (devices) => devices.where("metric", "=", String(metric)))
      .$if(end !== undefined, (devices) => devices.where(sql<boolean>`(metric, id) <= (${end?.metric}, ${end?.id})`))
      .execute()
    if (end === undefined) return
    await pause()
  }
}

type Transact = <A>(work: (transaction: Kysely<Tables>) => Promise<A>) => Promise<A>

/** The metrics in an open database; `write` runs work as a transaction, `writeLong` what can take long. */
export const metricStore = (kysely: Kysely<Tables>, write: Transact, writeLong: Transact): MetricStore => ({
  has: async (tenant, id) => {
    if (isStanding(id)) return true
    const metrics = kysely.selectFrom("metrics").where("tenant", "=", tenant).where("id", "=", id)
    return (await metrics.select("id").executeTakeFirst()) !== undefined
  },
  page: async (tenant, after, size) => {
    const created = await kysely
      .selectFrom("metrics")
      .select("id")
      .where("tenant", "=", tenant)
      .where("id", ">", after)
      .orderBy("id")
      .limit(size + 1)
      .execute()
    const standing = standingMetrics.filter((id) => compareTexts(id, after) > 0)
    const ids = [...standing, ...created.map(({ id }) => id)].toSorted(compareTexts)
    return { ids: ids.slice(0, size), more: ids.length > size }
  },
  count: async (tenant) => {
    const created = kysely.selectFrom("metrics").where("tenant", "=", tenant)
    const { total } = await created.select(({ fn }) => fn.countAll<number>().as("total")).executeTakeFirstOrThrow()
    return standingMetrics.length + total
  },
  create: async (tenant, id) => {
    if (isStanding(id)) return false
    const { numInsertedOrUpdatedRows = 0n } = await write((transaction) =>
      transaction
        .insertInto("metrics")
        .values({ tenant, id })
        .onConflict((clash) => clash.columns(["tenant", "id"]).doNothing())
        .executeTakeFirstOrThrow()
    )
    return numInsertedOrUpdatedRows > 0n
  },
  remove: (tenant, id) =>
    writeLong(async (transaction) => {
      const { numDeletedRows } = await transaction
        .deleteFrom("metrics")
        .where("tenant", "=", tenant)
        .where("id", "=", id)
        .executeTakeFirst()
      if (numDeletedRows === 0n) return false
      await deleteDevices(transaction, { tenant, metric: id })
      return true
    })
})
