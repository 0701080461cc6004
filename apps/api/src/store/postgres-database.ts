import {
  type ColumnDefinitionNode,
  DataTypeNode,
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  PostgresQueryCompiler,
  RawNode,
  sql
} from "kysely"
import { Pool, TypeOverrides, types as pgTypes } from "pg"
import type { Database, Use } from "./database.ts"

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

const openPostgres = (connectionString: string, statementMillis: number): Pool => {
  const pool = new Pool({
    connectionString,
    types,
    application_name: "wfa-api",
    // Shared out in open-device-store.ts.
    max: 12,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    // What a process that hangs, or a machine that vanished, keeps others from is not kept from them for long.
    lock_timeout: 10_000,
    // 0 is no limit.
    statement_timeout: statementMillis,
    idle_in_transaction_session_timeout: 30_000
  })
  // A connection that breaks is told of twice: to the query that waits for it, and here; unheard it ends the process.
  pool.on("error", () => {})
  pool.on("connect", (client) => client.on("error", () => {}))
  return pool
}

/** Longer than any key is. */
const inPlaceOfNul = "\u{10ffff}".repeat(300)

/**
 * PostgreSQL fails on a text with a NUL, even when it is only looked for. Nobody writes one, since bodies and files with
 * it are refused; so it may as well look for another key that nobody writes, and find nothing.
 */
const askable = (value: unknown): unknown =>
  typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", inPlaceOfNul) : value

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

/** Opens the PostgreSQL database of a URL. */
export const postgresDatabase = async <Tables>(
  url: string,
  use: Use,
  queryLimitMillis: number
): Promise<Database<Tables>> => {
  const pool = openPostgres(url, use === "requests" ? queryLimitMillis : 0)
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
        await sql`set local statement_timeout = 0`.execute(transaction)
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
    queryLimitMillis,
    close: () => kysely.destroy()
  }
}
