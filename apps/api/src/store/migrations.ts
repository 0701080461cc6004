import { randomBytes } from "node:crypto"
import {
  type PropertyKind,
  type PropertyName,
  type WholeDevice,
  isNullable,
  properties,
  propertyNames
} from "@workanywhere/domain"
import { type Kysely, sql } from "kysely"
import type { Database } from "./database.ts"
import { hasUnknownMember, jsonOf } from "../graph/device-json.ts"

/** A value in a column. */
export type Stored = string | number | boolean | null

/** A device as it is kept: whole as JSON, which is all that is read; the columns are what it is looked for by. */
export type DeviceRow = { readonly tenant: string; readonly metric: string; readonly id: string } & {
  readonly [Name in Exclude<PropertyName, "id">]: Stored
} & {
  readonly json: string
  /** Whether it has an enum member that not everyone is shown, so that the JSON is not for everyone as it is. */
  readonly hasUnknownMember: boolean
}

/** A metric that a caller created; those that every tenant has are not kept. */
interface MetricRow {
  readonly tenant: string
  readonly id: string
}

/** The tables, as they are after all migrations. */
export interface Tables {
  readonly migrations: { readonly version: number; readonly appliedAt: string }
  readonly devices: DeviceRow
  readonly secrets: { readonly name: string; readonly value: string }
  readonly metrics: MetricRow
}

/** Row of `secrets` that signs page tokens, base64url. */
export const pageTokenSecret = "pageToken"

const columnTypes = {
  string: "text",
  boolean: "boolean",
  score: "double precision",
  upgradeEligibility: "text",
  healthState: "text"
} as const satisfies Record<PropertyKind, string>

const devicesAtOnce = 200

/** Gives devices that were kept in columns alone their JSON. */
const writeJson = async (transaction: Kysely<Tables>): Promise<void> => {
  let last = { tenant: "", metric: "", id: "" }
  for (;;) {
    const rows = await transaction
      .selectFrom("devices")
      .select(["tenant", "metric", ...propertyNames])
      .where(sql<boolean>`(tenant, metric, id) > (${last.tenant}, ${last.metric}, ${last.id})`)
      .orderBy("tenant")
      .orderBy("metric")
      .orderBy("id")
      .limit(devicesAtOnce)
      .execute()
    for (const row of rows) {
      const { id, metric, tenant } = row
      // A column is named and typed as its property is, so a row with all of them is a device.
      const device = row as unknown as WholeDevice
      await transaction
        .updateTable("devices")
        .set({ json: jsonOf(device), hasUnknownMember: hasUnknownMember(device) })
        .where("tenant", "=", tenant)
        .where("metric", "=", metric)
        .where("id", "=", id)
        .execute()
      last = { tenant, metric, id }
    }
    if (rows.length < devicesAtOnce) return
  }
}

type Migration = (transaction: Kysely<Tables>, product: Database<Tables>["product"]) => Promise<void>

/**
 * In order, and only ever appended to. The first takes its columns from the property table; a property that Graph adds
 * later needs a migration of its own, and then the first has to name the columns that it made.
 */
const migrations: ReadonlyArray<Migration> = [
  async (transaction) => {
    let table = transaction.schema
      .createTable("devices")
      .addColumn("tenant", "text", (column) => column.notNull())
      .addColumn("metric", "text", (column) => column.notNull())
      .addColumn("id", "text", (column) => column.notNull())
    for (const property of properties) {
      if (property.name === "id") continue
      table = table.addColumn(property.name, columnTypes[property.kind], (column) =>
        isNullable(property) ? column : column.notNull()
      )
    }
    await table.addPrimaryKeyConstraint("devices_key", ["tenant", "metric", "id"]).execute()
  },
  // In the store, so that every process over it makes and takes the same links, also after a restart.
  async (transaction) => {
    await transaction.schema
      .createTable("secrets")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "text", (column) => column.notNull())
      .execute()
    const value = randomBytes(32).toString("base64url")
    await transaction.insertInto("secrets").values({ name: pageTokenSecret, value }).execute()
  },
  async (transaction) => {
    await transaction.schema
      .createTable("metrics")
      .addColumn("tenant", "text", (column) => column.notNull())
      .addColumn("id", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("metrics_key", ["tenant", "id"])
      .execute()
  },
  // What fleets are filtered by, and how one device is looked for. Each index makes a load slower by a tenth, an update
  // by a twentieth; ending in the id, it gives a page of a filter in the order of pages.
  async (transaction, product) => {
    const create = (column: "upgradeEligibility" | "healthStatus" | "deviceName") =>
      transaction.schema.createIndex(`devices_${column}`).on("devices")
    for (const column of ["upgradeEligibility", "healthStatus"] as const) {
      await create(column).columns(["tenant", "metric", column, "id"]).execute()
    }
    // A name can be longer than the 2,700 bytes that PostgreSQL takes into an ordered index.
    if (product === "PostgreSQL") await create("deviceName").using("hash").column("deviceName").execute()
    else await create("deviceName").columns(["tenant", "metric", "deviceName", "id"]).execute()
  },
  // Reading a device of 35 columns takes several times as long as reading its text.
  async (transaction) => {
    await transaction.schema
      .alterTable("devices")
      .addColumn("json", "text", (column) => column.notNull().defaultTo(""))
      .execute()
    await transaction.schema
      .alterTable("devices")
      .addColumn("hasUnknownMember", "boolean", (column) => column.notNull().defaultTo(sql`false`))
      .execute()
    await writeJson(transaction)
  }
]

/** Brings a database to the newest version, in one transaction: two processes that start at once do not collide. */
export const migrate = ({ product, transactAlone }: Database<Tables>): Promise<void> =>
  transactAlone(async (transaction) => {
    await transaction.schema
      .createTable("migrations")
      .ifNotExists()
      .addColumn("version", "integer", (column) => column.primaryKey())
      .addColumn("appliedAt", "text", (column) => column.notNull())
      .execute()
    const { applied } = await transaction
      .selectFrom("migrations")
      .select(({ fn }) => fn.countAll<number>().as("applied"))
      .executeTakeFirstOrThrow()
    if (applied > migrations.length) {
      throw new Error(
        `it was written by a newer version of this service (${applied} migrations, not ${migrations.length})`
      )
    }
    for (const [index, migration] of migrations.entries()) {
      if (index < applied) continue
      await migration(transaction, product)
      await transaction
        .insertInto("migrations")
        .values({ version: index + 1, appliedAt: new Date().toISOString() })
        .execute()
    }
  })
