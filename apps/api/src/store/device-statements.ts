import { type WholeDevice, propertyNames } from "@workanywhere/domain"
import { type CompiledQuery, type Kysely, sql } from "kysely"
import type { Database, Prepared } from "./database.ts"
import { hasUnknownMember, jsonOf } from "../graph/device-json.ts"
import type { Collection, Existing, JsonRow } from "./device-store.ts"
import { type FoundRows, fitting, foundAmong, mostFoundBytes } from "./found-rows.ts"
import { type DeviceRow, type Stored, type Tables, indexed } from "./migrations.ts"

const columnsOf = (device: WholeDevice, json = jsonOf(device)): Omit<DeviceRow, "tenant" | "metric"> => ({
  ...device,
  hasUnknownMember: hasUnknownMember(device),
  json
})

type Column = keyof ReturnType<typeof columnsOf>

const written: ReadonlyArray<Column> = [...propertyNames.filter((name) => name !== "id"), "hasUnknownMember", "json"]

/** To set what is indexed, even to what it is, makes SQLite write its index anew: half of what an update costs. */
const unindexed = written.filter((name) => !indexed.some((one) => one === name))

/** More do not make it quicker; SQLite takes 32,766 parameters in a statement. */
export const devicesInStatement = 50

/** Building a statement of this width costs more than running it, so each is built once and bound for each use. */
export const statementsFor = ({ kysely, product, prepared }: Database<Tables>) => {
  const collection = kysely.selectFrom("devices").where("tenant", "=", "").where("metric", "=", "")
  const one = collection.where("id", "=", "").select(["json", "hasUnknownMember"]).compile()
  const find = prepared(one)
  const findToUpdate = prepared(product === "SQLite" ? one : { ...one, sql: `${one.sql} for update` })
  const firstBehind = collection.where("id", ">", "").select(["json", "hasUnknownMember"]).orderBy("id").limit(0)
  const page = prepared(firstBehind.compile())
  const fittingPage = prepared(fitting(kysely, firstBehind).compile())
  const bytesOfPage = prepared(
    kysely
      .selectFrom(firstBehind.as("page"))
      .select(sql<number | null>`sum(octet_length(json))`.as("bytes"))
      .compile()
  )
  const updateOf = (columns: ReadonlyArray<Column>) =>
    prepared(
      kysely
        .updateTable("devices")
        .set(Object.fromEntries(columns.map((name) => [name, ""])))
        .where("tenant", "=", "")
        .where("metric", "=", "")
        .where("id", "=", "")
        .compile()
    )
  const update = updateOf(written)
  const updateUnindexed = updateOf(unindexed)
  const remove = prepared(
    kysely.deleteFrom("devices").where("tenant", "=", "").where("metric", "=", "").where("id", "=", "").compile()
  )
  const insertOf = (count: number, existing: Existing | undefined): CompiledQuery => {
    const row = Object.fromEntries(["tenant", "metric", "id", ...written].map((name) => [name, ""]))
    const insert = kysely.insertInto("devices").values(Array.from({ length: count }, () => row as unknown as DeviceRow))
    if (existing === undefined) return insert.compile()
    return insert
      .onConflict((conflict) => {
        const onKey = conflict.columns(["tenant", "metric", "id"])
        if (existing === "keep") return onKey.doNothing()
        return onKey.doUpdateSet((row) =>
          Object.fromEntries(written.map((name) => [name, row.ref(`excluded.${name}`)]))
        )
      })
      .compile()
  }
  const inserts = new Map<string, Prepared<Tables, unknown>>()
  const preparedInsert = (count: number, existing: Existing | undefined): Prepared<Tables, unknown> => {
    const key = `${count} ${existing}`
    const known = inserts.get(key)
    if (known !== undefined) return known
    const query = insertOf(count, existing)
    // A connection keeps what is prepared for good, so a part of any other size is not.
    const isUsual = count === devicesInStatement || count === 1
    const statement: Prepared<Tables, unknown> = isUsual
      ? prepared(query)
      : (on, parameters) => on.executeQuery({ ...query, parameters })
    inserts.set(key, statement)
    return statement
  }
  return {
    find: (on: Kysely<Tables>, { tenant, metric }: Collection, id: string) => find(on, [tenant, metric, id]),
    /** Keeps others from the row until the transaction ends; SQLite does that anyway, and has no words for it. */
    findToUpdate: (on: Kysely<Tables>, { tenant, metric }: Collection, id: string) =>
      findToUpdate(on, [tenant, metric, id]),
    page: (on: Kysely<Tables>, { tenant, metric }: Collection, after: string, limit: number) =>
      page(on, [tenant, metric, after, limit]),
    /** A page, or as much of it as fits. */
    fittingPage: async (
      on: Kysely<Tables>,
      { tenant, metric }: Collection,
      after: string,
      limit: number
    ): Promise<FoundRows> => {
      const parameters = [tenant, metric, after, limit]
      // SQLite asks twice in a third of the time that the other statement takes it; PostgreSQL is far away.
      if (product === "SQLite") {
        const [sum] = (await bytesOfPage(on, parameters)).rows
        if ((sum?.bytes ?? 0) <= mostFoundBytes) return { rows: (await page(on, parameters)).rows, isCut: false }
      }
      return foundAmong((await fittingPage(on, parameters)).rows)
    },
    /** Gives what was written. */
    update: async (
      on: Kysely<Tables>,
      { tenant, metric }: Collection,
      before: WholeDevice,
      after: WholeDevice
    ): Promise<JsonRow> => {
      // It was made from what the store gave: nothing but properties, in their order.
      const columns = columnsOf(after, JSON.stringify(after))
      const isInPlace = indexed.every((name) => after[name] === before[name])
      const [statement, names] = isInPlace ? [updateUnindexed, unindexed] : [update, written]
      await statement(on, [...names.map((name) => columns[name]), tenant, metric, after.id])
      return columns
    },
    /** With no word on existing devices, one is a failure. */
    insert: (
      on: Kysely<Tables>,
      { tenant, metric }: Collection,
      devices: ReadonlyArray<WholeDevice>,
      existing?: Existing
    ) => {
      const parameters: Array<Stored> = []
      for (const device of devices) {
        const columns = columnsOf(device)
        parameters.push(tenant, metric, device.id)
        for (const name of written) parameters.push(columns[name])
      }
      return preparedInsert(devices.length, existing)(on, parameters)
    },
    remove: (on: Kysely<Tables>, { tenant, metric }: Collection, id: string) => remove(on, [tenant, metric, id])
  }
}
