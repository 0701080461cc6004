import { type WholeDevice, propertyNames, wholeDevice } from "@workanywhere/domain"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import { sql } from "kysely"
import { describe, expect, it } from "vitest"
import { orderById } from "../../src/graph/device-order.ts"
import type { Database } from "../../src/store/database.ts"
import type { Collection } from "../../src/store/device-store.ts"
import { type Tables, addProperty, migrate, migrations } from "../../src/store/migrations.ts"
import { openDatabase } from "../../src/store/open-database.ts"
import { deviceStoreOn } from "../../src/store/open-device-store.ts"
import { standing, storeRoom } from "../opened.ts"

/** Ours, and those of two properties that Graph may have one day. */
const later = [
  ...migrations,
  addProperty("coolCheckFailed", "boolean", "workFromAnywhereScore"),
  addProperty("mood", "text not null")
]

const laterNames: ReadonlyArray<string> = [
  ...propertyNames.flatMap((name) => (name === "workFromAnywhereScore" ? ["coolCheckFailed", name] : name)),
  "mood"
]

/** A device with its properties in the order in which they are shown. */
const inOrder = (device: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(laterNames.map((name) => [name, device[name]]))

const opened = async (kind: "file" | "postgres") => {
  const room = await storeRoom(kind)
  const database = await openDatabase<Tables>(room.store)
  return {
    database,
    [Symbol.asyncDispose]: async () => {
      await database.close()
      await room[Symbol.asyncDispose]()
    }
  }
}

interface Column {
  readonly name: string
  readonly type: string
  readonly isRequired: number | boolean
  readonly collation: string | null
}

/** The columns of the table of devices, if there is one, by name. */
const columnsOf = async ({ kysely, product }: Database<Tables>): Promise<ReadonlyMap<string, Column>> => {
  const asked =
    product === "SQLite"
      ? sql<Column>`select name, type, "notnull" as "isRequired", null as collation from pragma_table_info('devices')`
      : sql<Column>`
          select column_name as name, data_type as type, is_nullable = 'NO' as "isRequired", collation_name as collation
          from information_schema.columns where table_schema = current_schema() and table_name = 'devices'`
  return new Map((await asked.execute(kysely)).rows.map((column) => [column.name, column]))
}

/** Puts devices into the tables of any version, as that version did, and gives what it put. */
const putAsThen = async (
  database: Database<Tables>,
  { tenant, metric }: Collection,
  devices: ReadonlyArray<object>
): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> => {
  const columns = await columnsOf(database)
  const put = devices.map((device) => Object.fromEntries(Object.entries(device).filter(([name]) => columns.has(name))))
  await database.transact(async (transaction) => {
    for (const device of put) {
      const json = columns.has("json") ? { json: JSON.stringify(device), hasUnknownMember: false } : {}
      const row = { tenant, metric, ...device, ...json }
      const names = sql.join(Object.keys(row).map((name) => sql.ref(name)))
      await sql`insert into devices (${names}) values (${sql.join(Object.values(row))})`.execute(transaction)
    }
  })
  return put
}

/** With texts that could be taken for the place of a property. */
const devices = ["PC", '","workFromAnywhereScore":', '"workFromAnywhereScore":1,\\', '"}', ""].map((model, index) =>
  inOrder({
    ...wholeDevice({ id: `${index}`, model, upgradeEligibility: "capable" }),
    coolCheckFailed: true,
    mood: "calm"
  })
)

describe.each(["file", "postgres"] as const)("the tables of a store in %s", (kind) => {
  it("have a column for every property, those of later ones like those of the first", async () => {
    await using opening = await opened(kind)
    await migrate(opening.database, later)
    const columns = await columnsOf(opening.database)
    const others = ["tenant", "metric", "json", "hasUnknownMember"]
    expect([...columns.keys()].toSorted()).toEqual([...laterNames, ...others].toSorted())
    expect(columns.get("coolCheckFailed")).toEqual({ ...columns.get("osCheckFailed"), name: "coolCheckFailed" })
    expect(columns.get("mood")).toEqual({ ...columns.get("healthStatus"), name: "mood" })
  })

  it.for(later.map((_, index) => index + 1))(
    "of version %i keep their devices, and give them the properties that came later, each at its place",
    async (version) => {
      await using opening = await opened(kind)
      const { database } = opening
      await migrate(database, later.slice(0, version))
      const then = await putAsThen(database, standing, devices)
      await migrate(database, later)
      const store = await deviceStoreOn(database)
      const added = { coolCheckFailed: null, mood: "unknown" }
      for (const device of then) {
        const whole = inOrder({ ...added, ...wholeDevice({ id: String(device["id"]) }), ...device })
        const id = String(device["id"])
        const names = sql.join(laterNames.map((name) => sql.ref(name)))
        const row = await sql`select ${names} from devices where id = ${id}`.execute(database.kysely)
        expect(row.rows).toEqual([whole])
        expect(await store.findJson(standing, id)).toBe(JSON.stringify(whole))
        const written = await store.update(standing, id, { windowsScore: 42 })
        expect(written).toHaveProperty("json", JSON.stringify({ ...whole, windowsScore: 42 }))
      }
    }
  )

  it("of a version that kept devices in columns alone has the same devices afterwards", async () => {
    await using opening = await opened(kind)
    const { database } = opening
    const fleet: Array<WholeDevice> = []
    for await (const device of syntheticFleet({ size: 450, seed: 3 })) fleet.push(device)
    const blank = wholeDevice({ id: "a" })
    const newer = { ...wholeDevice({ id: "zz" }), healthStatus: "later" }
    await migrate(database, migrations.slice(0, 4))
    const then = await putAsThen(database, standing, [...fleet, newer])
    await putAsThen(database, { tenant: "other", metric: "m" }, [blank])

    await migrate(database)
    const store = await deviceStoreOn(database)
    const { devices: found } = await store.search(standing, { order: orderById, skip: 0 }, 999)
    const whole = then.map((device) => wholeDevice({ ...device, id: String(device["id"]) }))
    expect(found).toEqual(whole.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
    expect(await store.find({ tenant: "other", metric: "m" }, "a")).toEqual(blank)
    expect(await store.findJson(standing, "zz")).toBeUndefined()
  })
})
