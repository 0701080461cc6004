import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import {
  type ColumnDefinitionNode,
  type CompiledQuery,
  DataTypeNode,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  PostgresQueryCompiler,
  type QueryResult,
  RawNode,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteStatement,
  sql
} from "kysely"
import { Pool, TypeOverrides, types as pgTypes } from "pg"
import type { Settings } from "./config.ts"

/** A statement that was readied: runs it on the database, or inside a transaction, with other parameters. */
export type Prepared<Tables, Row> = (
  on: Kysely<Tables>,
  parameters: ReadonlyArray<unknown>
) => Promise<Pick<QueryResult<Row>, "rows" | "numAffectedRows">>

/** An open database, whichever product it is. */
export interface Database<Tables> {
  readonly kysely: Kysely<Tables>
  readonly product: "SQLite" | "PostgreSQL"
  /**
   * Runs work as one transaction; committed, and durable, when the promise resolves. In SQLite it excludes all other
   * work; in PostgreSQL only that on the rows which it has locked.
   */
  readonly transact: <A>(work: (transaction: Kysely<Tables>) => Promise<A>) => Promise<A>
  /** As `transact`, and while no other work that was given to this runs, in this process or another. */
  readonly transactAlone: Database<Tables>["transact"]
  /** Readies a statement that will run often: it is parsed and planned once for each connection. */
  readonly prepared: <Row>(query: CompiledQuery<Row>) => Prepared<Tables, Row>
  /** Another text after every commit, whoever made it; `undefined` where that cannot be known, or not at the moment. */
  readonly version: () => string | undefined
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

const named = (columns: ReadonlyArray<string>, values: ReadonlyArray<unknown>): unknown => {
  const row: Record<string, unknown> = {}
  for (const [index, name] of columns.entries()) row[name] = values[index]
  return row
}

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

/** What a database is opened for: requests of many callers, or loading much at once. */
export type Use = "requests" | "bulk"

/**
 * Random keys touch many pages again and again. With more pages in memory, and fewer moves of what was written into the
 * file proper, the driver alone inserts 70,000 devices in a second instead of 30,000, ten thousand in a transaction.
 */
const forBulk = "pragma cache_size = -65536; pragma wal_autocheckpoint = 16384"

const openSqlite = async (path: string, use: Use): Promise<DatabaseSync> => {
  if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true })
  const database = new DatabaseSync(path)
  try {
    database.exec("pragma busy_timeout = 5000")
    await switchToWal(database)
    // FULL: with WAL, NORMAL would lose acknowledged writes when the power fails.
    database.exec("pragma synchronous = full; pragma foreign_keys = on")
    foldEveryLetter(database)
    if (use === "bulk") database.exec(forBulk)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const sqliteDatabase = async <Tables>(path: string, use: Use): Promise<Database<Tables>> => {
  const sqlite = await openSqlite(path, use)
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database: nodeSqlite(sqlite) }) })
  let commits = 0
  const transact: Database<Tables>["transact"] = (work) =>
    kysely.connection().execute(async (connection) => {
      // Not Kysely's own transaction, whose plain `begin` fails in the middle when another process writes meanwhile.
      sqlite.exec("begin immediate")
      try {
        const result = await work(connection)
        sqlite.exec("commit")
        commits += 1
        return result
      } catch (error) {
        // SQLite has rolled back by itself when the disk is full, for one.
        if (sqlite.isTransaction) sqlite.exec("rollback")
        throw error
      }
    })

  /** Past Kysely, which takes three times as long as the statement of a single device. */
  const prepared = <Row>(query: CompiledQuery<Row>): Prepared<Tables, Row> => {
    const statement = sqlite.prepare(query.sql)
    const columns = statement.columns().map(({ name }) => name)
    // Rows that the driver makes itself are a slow kind of object.
    statement.setReturnArrays(true)
    return async (on, parameters) => {
      // Others wait for the end of a transaction in Kysely's line: they would see what may never be committed.
      if (on === kysely && sqlite.isTransaction) return kysely.executeQuery({ ...query, parameters })
      const bound = parameters.map(bindable)
      if (columns.length === 0) return { rows: [], numAffectedRows: BigInt(statement.run(...bound).changes) }
      const rows = statement.all(...bound) as unknown as ReadonlyArray<ReadonlyArray<unknown>>
      return { rows: rows.map((values) => named(columns, values) as Row) }
    }
  }

  // Tells of the commits of every connection but this one; see https://sqlite.org/pragma.html#pragma_data_version
  const dataVersion = sqlite.prepare("pragma data_version")

  return {
    kysely,
    product: "SQLite",
    transact,
    transactAlone: transact,
    prepared,
    version: () => (sqlite.isTransaction ? undefined : `${commits} ${String(dataVersion.get()?.["data_version"])}`),
    close: () => kysely.destroy()
  }
}

/** Text columns by code point, as in SQLite, whatever language the server was set up for. */
class TextByCodePoint extends PostgresQueryCompiler {
  readonly #textType: RawNode

  constructor(collation: string) {
    super()
    this.#textType = RawNode.createWithSql(`text collate "${collation}"`)
  }

  protected override visitColumnDefinition(node: ColumnDefinitionNode): void {
    const isText = DataTypeNode.is(node.dataType) && node.dataType.dataType === "text"
    super.visitColumnDefinition(isText ? { ...node, dataType: this.#textType } : node)
  }
}

class PostgresByCodePoint extends PostgresDialect {
  readonly #collation: string

  constructor(pool: PostgresPool, collation: string) {
    super({ pool })
    this.#collation = collation
  }

  override createQueryCompiler(): PostgresQueryCompiler {
    return new TextByCodePoint(this.#collation)
  }
}

/**
 * All of these sort by code point. The best comes last: from PostgreSQL 18 on `lower` and `upper` do as JavaScript does
 * with every letter, from 17 on with nearly every one; the others leave it to the system or know only those of ASCII.
 */
const collations = ["C", "C.utf8", "pg_c_utf8", "pg_unicode_fast"]

const types = new TypeOverrides()
// Counts come as 64-bit integers, which the driver would give as text.
types.setTypeParser(pgTypes.builtins.INT8, Number)

const openPostgres = (connectionString: string): Pool => {
  const pool = new Pool({
    connectionString,
    types,
    application_name: "wfa-api",
    max: 10,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    // What a process that hangs, or a machine that vanished, keeps others from is not kept from them for long.
    lock_timeout: 10_000,
    idle_in_transaction_session_timeout: 30_000
  })
  // A connection that breaks is told of twice: to the query that waits for it, and here; unheard it ends the process.
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))
  return pool
}

/**
 * PostgreSQL fails on a text with a NUL, even when it is only looked for. Nobody writes one, since bodies and files with
 * it are refused; so it may as well look for another that nobody writes, and find nothing.
 */
const askable = (value: unknown): unknown =>
  typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\u{10ffff}") : value

/** Lets Kysely's PostgreSQL dialect, which knows no prepared statements, use those that have a name. */
const preparing = (pool: Pool, nameOf: ReadonlyMap<string, string>): PostgresPool => ({
  options: pool.options,
  end: () => pool.end(),
  connect: async () => {
    const client = await pool.connect()
    const query = (text: string, parameters: ReadonlyArray<unknown>) => {
      const name = nameOf.get(text)
      const values = parameters.map(askable)
      return client.query(name === undefined ? { text, values } : { name, text, values })
    }
    return {
      // It can also be given a cursor, and never is: the dialect was not told of any.
      query: query as unknown as PostgresPoolClient["query"],
      release: (destroy) => client.release(destroy)
    }
  }
})

const collationOf = async (pool: Pool): Promise<string> => {
  const { rows } = await pool.query<{ readonly encoding: string; readonly known: ReadonlyArray<string> }>(
    `select current_setting('server_encoding') as encoding, array(
       select collname::text from pg_collation
       where collname = any($1) and collencoding in (-1, pg_char_to_encoding('UTF8'))) as known`,
    [collations]
  )
  const [{ encoding, known } = { encoding: "nothing", known: [] }] = rows
  if (encoding !== "UTF8") throw new Error(`its encoding is ${encoding}; create it with UTF8`)
  return collations.findLast((collation) => known.includes(collation)) ?? "C"
}

const postgresDatabase = async <Tables>(url: string): Promise<Database<Tables>> => {
  const pool = openPostgres(url)
  const collation = await collationOf(pool).catch(async (error: unknown) => {
    await pool.end()
    throw error
  })
  const names = new Map<string, string>()
  const kysely = new Kysely<Tables>({ dialect: new PostgresByCodePoint(preparing(pool, names), collation) })
  const transact: Database<Tables>["transact"] = (work) => kysely.transaction().execute(work)
  return {
    kysely,
    product: "PostgreSQL",
    transact,
    transactAlone: (work) =>
      transact(async (transaction) => {
        await sql`set local lock_timeout = 0`.execute(transaction)
        await sql`select pg_advisory_xact_lock(hashtextextended('workanywhere ' || current_schema(), 0))`.execute(
          transaction
        )
        return work(transaction)
      }),
    prepared: (query) => {
      if (!names.has(query.sql)) names.set(query.sql, `wfa_${names.size}`)
      return (on, parameters) => on.executeQuery({ ...query, parameters })
    },
    version: () => undefined,
    close: () => kysely.destroy()
  }
}

/** Opens the database that a setting names; a file, and its folder, are made when missing. */
export const openDatabase = <Tables>(store: Settings["store"], use: Use = "requests"): Promise<Database<Tables>> => {
  if (store === "memory") return sqliteDatabase(":memory:", use)
  return store.startsWith("sqlite:") ? sqliteDatabase(store.slice("sqlite:".length), use) : postgresDatabase(store)
}
