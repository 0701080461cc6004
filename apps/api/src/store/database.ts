import type { CompiledQuery, Kysely, QueryResult } from "kysely"

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
  /**
   * As `transact`, and while no other work that was given to this runs, in this process or another. For what takes long:
   * it waits longer until it may begin, and reads go on beside it, except in a SQLite database in memory.
   */
  readonly transactAlone: Database<Tables>["transact"]
  /** Readies a statement that will run often: it is parsed and planned once for each connection. */
  readonly prepared: <Row>(query: CompiledQuery<Row>) => Prepared<Tables, Row>
  /** Another text after every commit, whoever made it; `undefined` where that cannot be known, or not at the moment. */
  readonly version: () => string | undefined
  /** How long one query for requests may take. */
  readonly queryLimitMillis: number
  readonly close: () => Promise<void>
}

/** What a database is opened for: requests of many callers, or loading much at once. */
export type Use = "requests" | "bulk"
