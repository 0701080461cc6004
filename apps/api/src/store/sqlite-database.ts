import { closeSync, openSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite"
import { setImmediate } from "node:timers"
import { setTimeout } from "node:timers/promises"
import { type CompiledQuery, Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement } from "kysely"
import { ofPart, ofText } from "../graph/device-filter.ts"
import type { Database, Prepared, Use } from "./database.ts"
import { QueryStopped } from "./database-trouble.ts"

const bindable = (value: unknown): SQLInputValue => {
  if (typeof value === "boolean") return value ? 1 : 0
  if (value === null || typeof value === "string" || typeof value === "number") return value
  throw new TypeError(`SQLite cannot hold a value of type ${typeof value}`)
}

const boundTo = (parameters: ReadonlyArray<unknown>): ReadonlyArray<SQLInputValue> => parameters.map(bindable)

const mostStatements = 200

/**
 * Rows come as arrays, and become objects of one shape here: those that the driver makes are of a slow kind, and SQLite,
 * which knows no booleans, gives numbers in columns that were declared to hold them.
 */
const adapted = (statement: StatementSync): SqliteStatement => {
  const columns = statement.columns().map(({ name, type }) => ({ name, isBoolean: type === "boolean" }))
  statement.setReturnArrays(true)
  const rowOf = (values: ReadonlyArray<SQLOutputValue>): Record<string, unknown> => {
    const row: Record<string, unknown> = {}
    let index = 0
    // Not by `entries`, which makes an array for each value of each row.
    for (const { name, isBoolean } of columns) {
      const value = values[index++]
      row[name] = isBoolean && value !== null ? value !== 0 : value
    }
    return row
  }
  return {
    reader: columns.length > 0,
    // The types do not follow what was set above.
    all: (parameters) =>
      (statement.all(...boundTo(parameters)) as unknown as ReadonlyArray<ReadonlyArray<SQLOutputValue>>).map(rowOf),
    run: (parameters) => statement.run(...boundTo(parameters)),
    iterate: function* (parameters) {
      for (const values of statement.iterate(...boundTo(parameters))) {
        yield rowOf(values as unknown as ReadonlyArray<SQLOutputValue>)
      }
    }
  }
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

const isLocked = (error: unknown): boolean => error instanceof Error && "errcode" in error && error.errcode === busyCode

/** How long a transaction waits until other processes let it begin: for a request, and for what a start has to do. */
const patienceMillis = { request: 5_000, alone: 60_000 }

/**
 * SQLite waits on the thread that answers requests; so what it waits for by itself is only what takes no time, as when
 * another process recovers the file.
 */
const busyMillis: Record<Use, number> = { requests: 5, bulk: 5_000 }

/**
 * Several processes that make the same file at once hold what the others wait for, and then SQLite does not wait for
 * `busy_timeout` but fails at once; the one that goes first needs a few milliseconds.
 */
const switchToWal = async (database: DatabaseSync): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return database.exec("pragma journal_mode = wal")
    } catch (error) {
      if (!isLocked(error) || attempt === 100) throw error
      await setTimeout(20)
    }
  }
}

/**
 * SQLite's own `lower` and `upper` leave every letter beyond ASCII as it is, unlike OData's and PostgreSQL's; and it has
 * another name for PostgreSQL's `strpos`.
 */
const addFunctions = (database: DatabaseSync): void => {
  const folds = { lower: ofText.tolower.valueFor, upper: ofText.toupper.valueFor }
  for (const [name, fold] of Object.entries(folds)) {
    database.function(name, { deterministic: true }, (text) => (typeof text === "string" ? fold(text) : null))
  }
  database.function("strpos", { deterministic: true }, (text, part) =>
    typeof text === "string" && typeof part === "string" ? ofPart.indexof.valueFor(text, part) + 1 : null
  )
}

/**
 * Random keys touch many pages again and again. With more pages in memory, and fewer moves of what was written into the
 * file proper, the driver alone inserts 70,000 devices in a second instead of 30,000, ten thousand in a transaction.
 */
const forBulk = "pragma cache_size = -65536; pragma wal_autocheckpoint = 16384"

/** Pages in memory for some three thousand devices instead of 800: one that is not there takes as long as the rest of a read. */
const forRequests = "pragma cache_size = -8192"

/**
 * A file for nobody but its owner; SQLite makes those that it puts beside it alike. What is there stays as it is. Its folder
 * is not made: whoever misspells one looks for devices that are elsewhere.
 */
const makeFile = (path: string): void => {
  try {
    closeSync(openSync(path, "wx", 0o600))
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "EEXIST") return
    if (code !== "ENOENT") throw error
    throw new Error(`there is no folder ${resolve(dirname(path))}; make it, or correct WFA_STORE`, { cause: error })
  }
}

const openSqlite = async (path: string, use: Use): Promise<DatabaseSync> => {
  if (path !== ":memory:") makeFile(path)
  const database = new DatabaseSync(path)
  try {
    database.exec(`pragma busy_timeout = ${busyMillis[use]}`)
    await switchToWal(database)
    // FULL: with WAL, NORMAL would lose acknowledged writes when the power fails.
    database.exec("pragma synchronous = full; pragma foreign_keys = on")
    addFunctions(database)
    database.exec(use === "bulk" ? forBulk : forRequests)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * Lets the reads of one turn of the event loop share a transaction. By itself each locks the file and unlocks it again:
 * together they are 1.1 to 1.2 × as many (bench/http.ts, GET). What came in this turn was sent before it began, so nobody sees
 * less than what was acknowledged to them; and whoever writes ends it.
 */
const sharedReads = (sqlite: DatabaseSync) => {
  let isShared = false
  const end = (): void => {
    if (!isShared) return
    isShared = false
    if (sqlite.isOpen && sqlite.isTransaction) sqlite.exec("commit")
  }
  return {
    begin: (): void => {
      if (isShared) return
      sqlite.exec("begin")
      isShared = true
      setImmediate(end)
    },
    end
  }
}

/** Opens a SQLite database: a file, or `:memory:`. */
export const sqliteDatabase = async <Tables>(
  path: string,
  use: Use,
  queryLimitMillis: number,
  lockMillis = Math.min(patienceMillis.request, queryLimitMillis)
): Promise<Database<Tables>> => {
  const sqlite = await openSqlite(path, use)
  const kysely = new Kysely<Tables>({ dialect: new SqliteDialect({ database: nodeSqlite(sqlite) }) })
  const reads = sharedReads(sqlite)
  let commits = 0
  let isWriting = false
  /** Whether a transaction has begun; not, when another process holds the lock. */
  const begins = (): boolean => {
    reads.end()
    try {
      // Not Kysely's own transaction, whose plain `begin` fails in the middle when another process writes meanwhile.
      sqlite.exec("begin immediate")
      return true
    } catch (error) {
      if (isLocked(error)) return false
      throw error
    }
  }

  const attempt = <A>(work: (transaction: Kysely<Tables>) => Promise<A>): Promise<{ readonly result: A } | undefined> =>
    kysely.connection().execute(async (connection) => {
      if (!begins()) return undefined
      isWriting = true
      try {
        const result = await work(connection)
        sqlite.exec("commit")
        commits += 1
        return { result }
      } catch (error) {
        // SQLite has rolled back by itself when the disk is full, for one.
        if (sqlite.isTransaction) sqlite.exec("rollback")
        throw error
      } finally {
        isWriting = false
      }
    })

  /** Between two attempts the connection is free for reads, which need not wait for a writer. */
  const transactWithin = async <A>(millis: number, work: (transaction: Kysely<Tables>) => Promise<A>): Promise<A> => {
    const until = performance.now() + millis
    for (let wait = 2; ; wait = Math.min(2 * wait, 50)) {
      const done = await attempt(work)
      if (done !== undefined) return done.result
      if (performance.now() + wait > until) throw new QueryStopped("busy")
      await setTimeout(wait)
    }
  }

  const transact: Database<Tables>["transact"] = (work) => transactWithin(lockMillis, work)

  /** Transactions on connections of their own. */
  const elsewhere = new WeakSet<Kysely<Tables>>()

  /**
   * On a connection of its own, so that reads go on beside it; writes wait as for another process. In memory there is one
   * connection, for which reads wait, too.
   */
  const transactAlone: Database<Tables>["transactAlone"] = async (work) => {
    if (path === ":memory:") return transactWithin(patienceMillis.alone, work)
    const alone = await sqliteDatabase<Tables>(path, use, patienceMillis.alone, patienceMillis.alone)
    try {
      return await alone.transact((transaction) => {
        elsewhere.add(transaction)
        return work(transaction)
      })
    } finally {
      await alone.close()
    }
  }

  /** Past Kysely, which takes three times as long as the statement of a single device. */
  const prepared = <Row>(query: CompiledQuery<Row>): Prepared<Tables, Row> => {
    const statement = adapted(sqlite.prepare(query.sql))
    return async (on, parameters) => {
      // Others wait for the end of a transaction in Kysely's line: they would see what may never be committed.
      if ((on === kysely && isWriting) || elsewhere.has(on)) return on.executeQuery({ ...query, parameters })
      if (on === kysely && path !== ":memory:") reads.begin()
      if (statement.reader) return { rows: statement.all(parameters) as Array<Row> }
      return { rows: [], numAffectedRows: BigInt(statement.run(parameters).changes) }
    }
  }

  // Tells of the commits of every connection but this one; see https://sqlite.org/pragma.html#pragma_data_version
  const dataVersion = sqlite.prepare("pragma data_version")

  return {
    kysely,
    product: "SQLite",
    transact,
    transactAlone,
    prepared,
    version: () => (isWriting ? undefined : `${commits} ${String(dataVersion.get()?.["data_version"])}`),
    queryLimitMillis,
    close: () => {
      reads.end()
      return kysely.destroy()
    }
  }
}
