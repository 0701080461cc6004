import { randomBytes } from "node:crypto"
import type { PropertyKind, PropertyName, properties } from "@workanywhere/domain"
import { type Kysely, sql } from "kysely"
import type { Database } from "./database.ts"

/** What the column of a property can be, and what is in it. */
interface ColumnValues {
  readonly text: string | null
  readonly "text not null": string
  readonly boolean: boolean | null
  readonly "double precision": number | null
}

type ColumnType = keyof ColumnValues

/** How the values of a kind are kept. An enum has a member for what is not known, and is never null. */
interface ColumnTypes {
  readonly string: "text"
  readonly boolean: "boolean"
  readonly score: "double precision"
  readonly upgradeEligibility: "text not null"
  readonly healthState: "text not null"
}

/** A value in a column. */
export type Stored = ColumnValues[ColumnTypes[PropertyKind]]

/** The properties that have a column of their own name; the id is part of the key. */
type Kept = Exclude<(typeof properties)[number], { readonly name: "id" }>

/** A device as it is kept: whole as JSON, which is all that is read; the columns are what it is looked for by. */
export type DeviceRow = { readonly tenant: string; readonly metric: string; readonly id: string } & {
  readonly [Property in Kept as Property["name"]]: ColumnValues[ColumnTypes[Property["kind"]]]
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

/** The properties that an index finds devices by, as they are after all migrations. */
export const indexed: ReadonlyArray<PropertyName> = ["upgradeEligibility", "healthStatus", "deviceName"]

/** For statements that know no type of a table. */
type Transaction = Pick<Kysely<unknown>, "schema" | "getExecutor">

/**
 * A step to the next version of the tables. What it did to a store cannot be undone, so it says in its own words what it
 * does: a name that is imported, or a type of today's tables, would make another store of it tomorrow.
 */
export interface Migration {
  /** The properties that it gives a column, in their order. */
  readonly properties?: ReadonlyArray<readonly [name: string, type: ColumnType]>
  readonly run: (transaction: Transaction, product: Database<Tables>["product"]) => Promise<void>
}

const firstProperties = [
  ["deviceId", "text"],
  ["deviceName", "text"],
  ["serialNumber", "text"],
  ["manufacturer", "text"],
  ["model", "text"],
  ["ownership", "text"],
  ["managedBy", "text"],
  ["autoPilotRegistered", "boolean"],
  ["autoPilotProfileAssigned", "boolean"],
  ["azureAdRegistered", "boolean"],
  ["azureAdDeviceId", "text"],
  ["azureAdJoinType", "text"],
  ["osDescription", "text"],
  ["osVersion", "text"],
  ["tenantAttached", "boolean"],
  ["compliancePolicySetToIntune", "boolean"],
  ["otherWorkloadsSetToIntune", "boolean"],
  ["isCloudManagedGatewayEnabled", "boolean"],
  ["upgradeEligibility", "text not null"],
  ["ramCheckFailed", "boolean"],
  ["storageCheckFailed", "boolean"],
  ["processorCoreCountCheckFailed", "boolean"],
  ["processorSpeedCheckFailed", "boolean"],
  ["tpmCheckFailed", "boolean"],
  ["secureBootCheckFailed", "boolean"],
  ["processorFamilyCheckFailed", "boolean"],
  ["processor64BitCheckFailed", "boolean"],
  ["osCheckFailed", "boolean"],
  ["workFromAnywhereScore", "double precision"],
  ["windowsScore", "double precision"],
  ["cloudManagementScore", "double precision"],
  ["cloudIdentityScore", "double precision"],
  ["cloudProvisioningScore", "double precision"],
  ["healthStatus", "text not null"]
] as const satisfies Migration["properties"]

const createDevices = {
  properties: firstProperties,
  run: async (transaction) => {
    let table = transaction.schema
      .createTable("devices")
      .addColumn("tenant", "text", (column) => column.notNull())
      .addColumn("metric", "text", (column) => column.notNull())
      .addColumn("id", "text", (column) => column.notNull())
    for (const [name, type] of firstProperties) {
      table =
        type === "text not null"
          ? table.addColumn(name, "text", (column) => column.notNull())
          : table.addColumn(name, type)
    }
    await table.addPrimaryKeyConstraint("devices_key", ["tenant", "metric", "id"]).execute()
  }
} as const satisfies Migration

/** In the store, so that every process over it makes and takes the same links, also after a restart. */
const createSecrets: Migration = {
  run: async (transaction) => {
    await transaction.schema
      .createTable("secrets")
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "text", (column) => column.notNull())
      .execute()
    const value = randomBytes(32).toString("base64url")
    await sql`insert into secrets (name, value) values ('pageToken', ${value})`.execute(transaction)
  }
}

const createMetrics: Migration = {
  run: async (transaction) => {
    await transaction.schema
      .createTable("metrics")
      .addColumn("tenant", "text", (column) => column.notNull())
      .addColumn("id", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("metrics_key", ["tenant", "id"])
      .execute()
  }
}

/**
 * What fleets are filtered by, and how one device is looked for. Each index makes a load slower by a tenth, an update by
 * a twentieth; ending in the id, it gives a page of a filter in the order of pages.
 */
const createIndexes: Migration = {
  run: async (transaction, product) => {
    const create = (column: "upgradeEligibility" | "healthStatus" | "deviceName") =>
      transaction.schema.createIndex(`devices_${column}`).on("devices")
    for (const column of ["upgradeEligibility", "healthStatus"] as const) {
      await create(column).columns(["tenant", "metric", column, "id"]).execute()
    }
    // A name can be longer than the 2,700 bytes that PostgreSQL takes into an ordered index.
    if (product === "PostgreSQL") await create("deviceName").using("hash").column("deviceName").execute()
    else await create("deviceName").columns(["tenant", "metric", "deviceName", "id"]).execute()
  }
}

const firstMembers = {
  upgradeEligibility: ["upgraded", "unknown", "notCapable", "capable", "unknownFutureValue"],
  healthStatus: ["unknown", "insufficientData", "needsAttention", "meetingGoals", "unknownFutureValue"]
}

const devicesAtOnce = 200

/** Gives devices that were kept in columns alone their JSON. */
const writeJson = async (transaction: Transaction): Promise<void> => {
  const names = ["id", ...firstProperties.map(([name]) => name)]
  const columns = sql.join(names.map((name) => sql.ref(name)))
  let last = { tenant: "", metric: "", id: "" }
  for (;;) {
    const { rows } = await sql<typeof last & Readonly<Record<string, unknown>>>`
      select tenant, metric, ${columns} from devices
      where (tenant, metric, id) > (${last.tenant}, ${last.metric}, ${last.id})
      order by tenant, metric, id limit ${devicesAtOnce}`.execute(transaction)
    for (const { tenant, metric, ...device } of rows) {
      const json = JSON.stringify(device)
      const hasUnknownMember = Object.entries(firstMembers).some(
        ([name, members]) => !members.includes(String(device[name]))
      )
      await sql`
        update devices set json = ${json}, "hasUnknownMember" = ${hasUnknownMember}
        where tenant = ${tenant} and metric = ${metric} and id = ${device.id}`.execute(transaction)
      last = { tenant, metric, id: device.id }
    }
    if (rows.length < devicesAtOnce) return
  }
}

/** Reading a device of 35 columns takes several times as long as reading its text. */
const keepJson: Migration = {
  run: async (transaction) => {
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
}

/**
 * Gives devices a property that Graph added: a column, and in the JSON of those that are there its place before another
 * property, or behind all of them. Its value is null, and `unknown` where it may not be null.
 */
export const addProperty = <const Name extends string, const Type extends ColumnType>(
  name: Name,
  type: Type,
  before?: string
): Migration & { readonly properties: readonly [readonly [Name, Type]] } => ({
  properties: [[name, type]],
  run: async (transaction) => {
    const isNullable = type !== "text not null"
    const table = transaction.schema.alterTable("devices")
    await (
      isNullable
        ? table.addColumn(name, type)
        : table.addColumn(name, "text", (column) => column.notNull().defaultTo("unknown"))
    ).execute()
    const member = `,"${name}":${isNullable ? "null" : '"unknown"'}`
    const next = `,"${before}":`
    // By the database itself, which holds one device at a time, however many there are. No value of a device reads as
    // `next` does: a quotation mark in a text has a backslash before it.
    const json =
      before === undefined
        ? sql`substr(json, 1, length(json) - 1) || ${`${member}}`}`
        : sql`replace(json, ${next}, ${member + next})`
    await sql`update devices set json = ${json}`.execute(transaction)
  }
})

/** In order, and only ever appended to: a property that Graph adds gets its column by `addProperty`. */
const everyMigration = [
  createDevices,
  createSecrets,
  createMetrics,
  createIndexes,
  keepJson
] as const satisfies ReadonlyArray<Migration>

type Made = Extract<(typeof everyMigration)[number], { readonly properties: unknown }>["properties"][number]

/** Name of a property for whose kind no migration makes a column. */
type Lacking<Property extends Kept = Kept> = Property extends Kept
  ? readonly [Property["name"], ColumnTypes[Property["kind"]]] extends Made
    ? never
    : Property["name"]
  : never

/** What the compiler says while a property has no column. */
type MakesEveryColumn = [Lacking] extends [never]
  ? unknown
  : `the property ${Lacking} has no migration: append one to migrations.ts`

/** The migrations, from the first version to the newest. */
export const migrations: ReadonlyArray<Migration> = everyMigration satisfies MakesEveryColumn

/** Brings a database to the newest version, in one transaction: two processes that start at once do not collide. */
export const migrate = ({ product, transactAlone }: Database<Tables>, all = migrations): Promise<void> =>
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
    if (applied > all.length) {
      throw new Error(`it was written by a newer version of this service (${applied} migrations, not ${all.length})`)
    }
    for (const [index, { run }] of all.entries()) {
      if (index < applied) continue
      await run(transaction, product)
      await transaction
        .insertInto("migrations")
        .values({ version: index + 1, appliedAt: new Date().toISOString() })
        .execute()
    }
  })
