/**
 * A part of a request that cannot be understood as it is written: the message says which part, and what would be right.
 * Which status and code that is, `http/` decides.
 */
export class QueryFault extends Error {
  override readonly name = "QueryFault"
}
