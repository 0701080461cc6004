import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import { Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement, sql } from "kysely"
import type { Settings } from "./config.ts"

/** An open database, whichever product it is. */
export interface Database<Tables> {
  readonly kysely: Kysely<Tables>
  /** Runs work as one transaction that excludes all other work; committed, and durable, when the promise resolves. */
  readonly transact: <A>(work: (transaction: Kysely<Tables>) => Promise<A>) => Promise<A>
  readonly close: () => Promise<void>
}

const bindable = (value: unknown): SQLInputValue => {
  if (typeof value === "boolean") return value ? 1 : 0
  if (value === null || typeof value === "string" || typeof value === "number") return value
  throw new TypeError(`SQLite cannot hold a value of type ${typeof value}`)
}

const mostStatements = 200

const adapted = (statement: StatementSync): SqliteStatement => ({
  reader: statement.columns().length > 0,
  all: (parameters) => statement.all(...parameters.map(bindable)),
  run: (parameters) => statement.run(...parameters.map(bindable)),
  iterate: (parameters) => statement.iterate(...parameters.map(bindable))
})

/** Lets Kysely's SQLite dialect, made for better-sqlite3, run on the driver that comes with Node. */
const nodeSqlite = (database: DatabaseSync): SqliteDatabase => {
  const prepared = new Map<string, SqliteStatement>()
  return {
    close: () => database.close(),
    prepare: (text) => {
      const known = prepared.get(text)
      if (known !== undefined) return known
      if (prepared.size === mostStatements) prepared.clear()
      const statement = adapted(database.prepare(text))
      prepared.set(text, statement)
      return statement
    }
  }
}

const busyCode = 5

/**
 * Several processes that make the same file at once hold what the others wait for, and then SQLite does not wait for
 * `busy_timeout` but fails at once; the one that goes first needs a few milliseconds.
 */
const switchToWal = async (database: DatabaseSync): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return database.exec("pragma journal_mode = wal")
    } catch (error) {
      if (!(error instanceof Error && "errcode" in error && error.errcode === busyCode) || attempt === 100) throw error
      await setTimeout(20)
    }
  }
}

/** SQLite's own `lower` and `upper` leave every letter beyond ASCII as it is, unlike OData's and PostgreSQL's. */
const foldEveryLetter = (database: DatabaseSync): void => {
  const folds = { lower: (text: string) => text.toLowerCase(), upper: (text: string) => text.toUpperCase() }
  for (const [name, fold] of Object.entries(folds)) {
    database.function(name, { deterministic: true }, (text) => (typeof text === "string" ? fold(text) : null))
  }
}

const openSqlite = async (path: string): Promise<DatabaseSync> => {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true })
  const database = new DatabaseSync(path)
  try {
    database.exec("pragma busy_timeout = 5000")
    await switchToWal(database)
    // FULL: with WAL, NORMAL would lose acknowledged writes when the power fails.
    database.exec("pragma synchronous = full; pragma foreign_keys = on")
    foldEveryLetter(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Opens the database that a setting names; a file, and its folder, are made when missing. */
export const openDatabase = async <Tables>(store: Settings["store"]): Promise<Database<Tables>> => {
  const sqlite = await openSqlite(store === "memory" ? ":memory:" : store.slice("sqlite:".length))
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database: nodeSqlite(sqlite) }) })
  return {
    kysely,
    transact: (work) =>
      kysely.connection().execute(async (connection) => {
        // Not Kysely's own transaction, whose plain `begin` fails in the middle when another process writes meanwhile.
        await sql`begin immediate`.execute(connection)
        try {
          const result = await work(connection)
          await sql`commit`.execute(connection)
          return result
        } catch (error) {
          // SQLite has rolled back by itself when the disk is full, for one.
          if (sqlite.isTransaction) await sql`rollback`.execute(connection)
          throw error
        }
      }),
    close: () => kysely.destroy()
  }
}
