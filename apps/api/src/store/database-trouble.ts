/** What keeps a database from its work without anybody's fault in a request; `abandoned` by who asked. */
export type DatabaseTrouble = "full" | "readOnly" | "busy" | "unreachable" | "damaged" | "tooLong" | "abandoned"

/** A query that was given up before it was answered; see {@link DatabaseTrouble} for why. */
export class QueryStopped extends Error {
  override readonly name = "QueryStopped"
  readonly why: Extract<DatabaseTrouble, "tooLong" | "busy" | "abandoned">

  /** The limit that it met, in a sentence for who asked; `undefined` where the kind of trouble says it. */
  readonly limit: string | undefined

  constructor(why: QueryStopped["why"], limit?: string) {
    super(`a query was stopped: ${why}`)
    this.why = why
    this.limit = limit
  }
}

// https://sqlite.org/rescode.html
const sqliteTroubles: Readonly<Record<number, DatabaseTrouble>> = {
  5: "busy",
  8: "readOnly",
  10: "unreachable",
  11: "damaged",
  13: "full",
  14: "unreachable",
  26: "damaged"
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html, by code or by class
const postgresTroubles: Readonly<Record<string, DatabaseTrouble>> = {
  "08": "unreachable",
  25006: "readOnly",
  "40": "busy",
  53100: "full",
  "53": "busy",
  XX001: "damaged",
  XX002: "damaged",
  55006: "busy",
  "55P03": "busy",
  57: "unreachable",
  57014: "tooLong",
  58: "unreachable"
}

const networkCodes = /^E(?:AI_AGAIN|CONNREFUSED|CONNRESET|HOSTUNREACH|NETUNREACH|NOTFOUND|PIPE|TIMEDOUT)$/

// The driver has no code for these.
const lostConnection = /^Connection terminated|^timeout exceeded when trying to connect$|is not queryable$/

/** Why the database did not do what it was asked; `undefined` for an error that has another reason. */
export const databaseTrouble = (error: unknown): DatabaseTrouble | undefined => {
  if (!(error instanceof Error)) return undefined
  if (error instanceof QueryStopped) return error.why
  // The low byte of SQLite's codes is the kind, the rest says more of the same.
  if ("errcode" in error && typeof error.errcode === "number") return sqliteTroubles[error.errcode & 0xff]
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  if (networkCodes.test(code) || lostConnection.test(error.message)) return "unreachable"
  return code.length === 5 ? (postgresTroubles[code] ?? postgresTroubles[code.slice(0, 2)]) : undefined
}
