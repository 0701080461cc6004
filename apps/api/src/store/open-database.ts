import type { Settings } from "../settings/settings.ts"
import type { Database, Use } from "./database.ts"
import { sqliteDatabase } from "./sqlite-database.ts"

/** Shorter than callers wait, and than the time after which a silent connection is cut off. */
export const standardQueryLimitMillis = 20_000

/** Opens the database that a setting names; a file is made when missing, in a folder that is there. */
export const openDatabase = async <Tables>(
  store: Settings["store"],
  use: Use = "requests",
  queryLimitMillis = standardQueryLimitMillis
): Promise<Database<Tables>> => {
  if (store === "memory") return sqliteDatabase(":memory:", use, queryLimitMillis)
  if (store.startsWith("sqlite:")) return sqliteDatabase(store.slice("sqlite:".length), use, queryLimitMillis)
  // Imported when needed: its driver would be a tenth of the time that a start takes.
  return (await import("./postgres-database.ts")).postgresDatabase(store, use, queryLimitMillis)
}
