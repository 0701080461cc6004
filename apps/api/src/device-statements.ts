import { type WholeDevice, propertyNames } from "@workanywhere/domain"
import type { CompiledQuery } from "kysely"
import type { Database } from "./database.ts"
import type { Collection, Existing } from "./device-store.ts"
import type { DeviceRow, Stored, Tables } from "./migrations.ts"

const writable = propertyNames.filter((name) => name !== "id")

/** A column is named and typed as its property is, so a row with all of them is a device. */
export const devicesIn = (rows: ReadonlyArray<Pick<DeviceRow, keyof WholeDevice>>): ReadonlyArray<WholeDevice> =>
  rows as unknown as ReadonlyArray<WholeDevice>

const blank = Object.fromEntries(writable.map((name) => [name, ""])) as Omit<DeviceRow, "tenant" | "metric" | "id">

const bind = <Row>(query: CompiledQuery<Row>, parameters: ReadonlyArray<Stored>): CompiledQuery<Row> => ({
  ...query,
  parameters
})

/** More do not make it quicker; SQLite takes 32,766 parameters in a statement. */
export const devicesInStatement = 50

/** Building a statement of this width costs more than running it, so each is built once and bound for each use. */
export const statementsFor = ({ kysely, product, prepared }: Database<Tables>) => {
  const collection = kysely.selectFrom("devices").where("tenant", "=", "").where("metric", "=", "")
  const find = prepared(collection.where("id", "=", "").select(propertyNames).compile())
  const findToUpdate = product === "SQLite" ? find : prepared({ ...find, sql: `${find.sql} for update` })
  const page = prepared(collection.where("id", ">", "").select(propertyNames).orderBy("id").limit(0).compile())
  const update = prepared(
    kysely
      .updateTable("devices")
      .set(blank)
      .where("tenant", "=", "")
      .where("metric", "=", "")
      .where("id", "=", "")
      .compile()
  )
  const remove = kysely
    .deleteFrom("devices")
    .where("tenant", "=", "")
    .where("metric", "=", "")
    .where("id", "=", "")
    .compile()
  const inserts = new Map<string, CompiledQuery>()
  const insertOf = (count: number, existing: Existing | undefined): CompiledQuery => {
    const key = `${count} ${existing}`
    const known = inserts.get(key)
    if (known !== undefined) return known
    const rows = Array.from({ length: count }, () => ({ tenant: "", metric: "", id: "", ...blank }))
    const insert = kysely.insertInto("devices").values(rows)
    const built =
      existing === undefined
        ? insert
        : insert.onConflict((conflict) => {
            const onKey = conflict.columns(["tenant", "metric", "id"])
            if (existing === "keep") return onKey.doNothing()
            return onKey.doUpdateSet((row) =>
              Object.fromEntries(writable.map((name) => [name, row.ref(`excluded.${name}`)]))
            )
          })
    const compiled = count === devicesInStatement ? prepared(built.compile()) : built.compile()
    inserts.set(key, compiled)
    return compiled
  }
  return {
    find: ({ tenant, metric }: Collection, id: string) => bind(find, [tenant, metric, id]),
    /** Keeps others from the row until the transaction ends; SQLite does that anyway, and has no words for it. */
    findToUpdate: ({ tenant, metric }: Collection, id: string) => bind(findToUpdate, [tenant, metric, id]),
    page: ({ tenant, metric }: Collection, after: string, limit: number) => bind(page, [tenant, metric, after, limit]),
    update: ({ tenant, metric }: Collection, device: WholeDevice) =>
      bind(update, [...writable.map((name) => device[name]), tenant, metric, device.id]),
    /** With no word on existing devices, one is a failure. */
    insert: ({ tenant, metric }: Collection, devices: ReadonlyArray<WholeDevice>, existing?: Existing) => {
      const parameters: Array<Stored> = []
      for (const device of devices) {
        parameters.push(tenant, metric, device.id)
        for (const name of writable) parameters.push(device[name])
      }
      return bind(insertOf(devices.length, existing), parameters)
    },
    remove: ({ tenant, metric }: Collection, id: string) => bind(remove, [tenant, metric, id])
  }
}
