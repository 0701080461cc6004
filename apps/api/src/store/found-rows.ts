import { type Compilable, type Kysely, type SelectQueryBuilder, sql } from "kysely"
import type { JsonRow } from "./device-store.ts"
import type { Tables } from "./migrations.ts"

/** How many bytes of JSON are found at a time: a page ends with the device that reaches them. */
export const mostFoundBytes = 4 * 1_048_576

/** The first rows that a query asks for, as many as fit. */
export interface FoundRows<Row extends JsonRow = JsonRow> {
  readonly rows: ReadonlyArray<Row>
  /** Whether there are more, which did not fit. */
  readonly isCut: boolean
}

/** The first rows that fit, and at least one. */
export const cutToFit = <Row extends JsonRow>(rows: ReadonlyArray<Row>): FoundRows<Row> => {
  let bytes = 0
  for (const [index, { json }] of rows.entries()) {
    if (bytes >= mostFoundBytes) return { rows: rows.slice(0, index), isCut: true }
    bytes += Buffer.byteLength(json)
  }
  return { rows, isCut: false }
}

/** A row whose text was left out, because those before it fill what may be found. */
export type FittingRow = Pick<JsonRow, "hasUnknownMember"> & { readonly json: string | null }

/**
 * The rows of a query, those behind the ones that fit without their text: so that it is never in memory. Nothing is read
 * to find out how long a text is.
 */
export const fitting = (
  kysely: Kysely<Tables>,
  query: SelectQueryBuilder<Tables, "devices", JsonRow>
): Compilable<FittingRow> & { readonly execute: () => Promise<ReadonlyArray<FittingRow>> } => {
  const before = sql`coalesce(sum(octet_length(json)) over (rows between unbounded preceding and 1 preceding), 0)`
  return kysely
    .selectFrom(query.as("found"))
    .select([
      sql<string | null>`case when ${before} < ${sql.lit(mostFoundBytes)} then json end`.as("json"),
      "hasUnknownMember"
    ])
}

/** What was found by {@link fitting}. */
export const foundAmong = (rows: ReadonlyArray<FittingRow>): FoundRows => {
  const found = rows.flatMap(({ json, hasUnknownMember }) => (json === null ? [] : [{ json, hasUnknownMember }]))
  return { rows: found, isCut: found.length < rows.length }
}
