import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type WholeDevice, wholeDevice } from "@workanywhere/domain"
import { Client } from "pg"
import { inject } from "vitest"
import { type Dependencies, createApp } from "../src/app.ts"
import { sharedTenant } from "../src/http/env.ts"
import type { Settings } from "../src/settings/settings.ts"
import type { ScanOptions } from "../src/store/device-scan.ts"
import { standingCollection } from "../src/store/device-store.ts"
import { type Tables, migrate } from "../src/store/migrations.ts"
import { longWritesOf } from "../src/store/long-writes.ts"
import { openDatabase } from "../src/store/open-database.ts"
import { deviceStoreOn } from "../src/store/open-device-store.ts"

/** A folder that goes away with the scope it was made in. */
export const temporaryFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), "workanywhere-"))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Every kind of store; what is promised is promised of each. */
export const storeKinds = ["memory", "file", "postgres"] as const

/** A PostgreSQL database's worth of room for one test: a schema, dropped with the scope. */
export const postgresSchema = async () => {
  const server = inject("postgres")
  const schema = `test_${crypto.randomUUID().replaceAll("-", "")}`
  const run = async (statement: string) => {
    const client = new Client(server)
    await client.connect()
    await client.query(statement)
    await client.end()
  }
  await run(`create schema ${schema}`)
  const url = new URL(server)
  url.searchParams.set("options", `-c search_path=${schema}`)
  return {
    store: url.href as `postgres://${string}`,
    [Symbol.asyncDispose]: () => run(`drop schema ${schema} cascade`)
  }
}

/** Room for a store of a kind; nothing of it is left after the scope. */
export const storeRoom = async (kind: (typeof storeKinds)[number]) => {
  if (kind === "memory") return { store: kind, [Symbol.asyncDispose]: async () => {} }
  if (kind === "postgres") return postgresSchema()
  const folder = await temporaryFolder()
  return { ...folder, store: `sqlite:${join(folder.path, "devices.sqlite")}` as const }
}

/** The collection that the standing metrics show. */
export const standing = standingCollection(sharedTenant)

/** Devices with these ids and nothing else known. */
export async function* blankDevices(ids: Iterable<string>): AsyncGenerator<WholeDevice> {
  for (const id of ids) yield wholeDevice({ id })
}

/** A store whose scans go about it in some way, and whose queries may take so long. */
export const openedStore = async (setting: Settings["store"], scans?: ScanOptions, queryLimitMillis?: number) => {
  const database = await openDatabase<Tables>(setting, "requests", queryLimitMillis)
  await migrate(database)
  return deviceStoreOn(database, scans, longWritesOf(setting))
}

/** The app without a port over a store of its own; closed, and its file removed, with the scope. */
export const openedApp = async (
  kind: (typeof storeKinds)[number],
  ids: Iterable<string>,
  options: Pick<Dependencies, "authentication" | "etag"> = {},
  scans?: ScanOptions
) => {
  const room = await storeRoom(kind)
  const store = await openedStore(room.store, scans)
  await store.fillEmpty(standing, blankDevices(ids))
  const lines: Array<{ readonly level: "info" | "error"; readonly message: string; readonly [fact: string]: unknown }> =
    []
  const app = createApp({
    store,
    ...options,
    log: {
      info: (facts, message) => lines.push({ ...facts, level: "info", message }),
      error: (facts, message) => lines.push({ ...facts, level: "error", message })
    }
  })
  return {
    app,
    store,
    lines,
    [Symbol.asyncDispose]: async () => {
      await store.close()
      await room[Symbol.asyncDispose]()
    }
  }
}

/** Path of the metrics below a version. */
export const metricsPath = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics"

/** Path of the hardware readiness below a version. */
export const readinessPath = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric"

/** Path of the model performance below a version. */
export const modelsPath = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereModelPerformance"

/** Path of the summarize function below a version. */
export const summaryPath = "/deviceManagement/userExperienceAnalyticsSummarizeWorkFromAnywhereDevices"

/** Path of the collection that most tests look at. */
export const devicesPath = `/beta${metricsPath}/allDevices/metricDevices`

/** The body of the request on Microsoft's page, as text. */
export const documentedUpdate = () => readFile(join(import.meta.dirname, "../../../docs/examples/update.json"), "utf8")

/** The key in the reply on that page. */
export const documentedId = "83d5adfc-adfc-83d5-fcad-d583fcadd583"

/** A request that carries a body as JSON. */
export const jsonRequest = (method: string, body: unknown) => ({
  method,
  headers: { "content-type": "application/json" },
  body: typeof body === "string" ? body : JSON.stringify(body)
})

/** The body of an answer that says what went wrong. */
interface Failure {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly details?: ReadonlyArray<{ readonly code: string; readonly message: string; readonly target?: string }>
    readonly innerError: Readonly<Record<string, string>>
  }
}

/** What an answer says went wrong. */
export const failureOf = async (response: Response) => ((await response.json()) as Failure).error
