import { standingMetrics } from "@workanywhere/domain"
import type { Kysely } from "kysely"
import { compareTexts } from "../graph/device-order.ts"
import { isStanding } from "../graph/metric.ts"
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

/** The metrics in an open database; `write` runs work as a transaction. */
export const metricStore = (
  kysely: Kysely<Tables>,
  write: <A>(work: (transaction: Kysely<Tables>) => Promise<A>) => Promise<A>
): MetricStore => ({
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
    write(async (transaction) => {
      const { numDeletedRows } = await transaction
        .deleteFrom("metrics")
        .where("tenant", "=", tenant)
        .where("id", "=", id)
        .executeTakeFirst()
      if (numDeletedRows === 0n) return false
      await transaction.deleteFrom("devices").where("tenant", "=", tenant).where("metric", "=", id).execute()
      return true
    })
})
