import { createHmac, timingSafeEqual } from "node:crypto"
import type { Position } from "./device-order.ts"

/** Makes and reads the `$skiptoken` of one query's links. */
export interface PageTokens {
  /** A token for the page behind a place. */
  readonly seal: (position: Position) => string
  /** The place in a token; `undefined` when it was not made with the same key for the same query. */
  readonly open: (token: string) => Position | undefined
}

// Part of what is signed: a later kind of token is not mistaken for this one.
const version = "1"
const macBytes = 16

/**
 * Tokens that hold the place itself, so that nothing has to be kept, and a signature, so that nobody can make one up.
 *
 * @param query all that makes the query another one: a token is of no use to another tenant or with other options
 */
export const pageTokens = (key: Uint8Array, query: ReadonlyArray<string | undefined>): PageTokens => {
  const signed = JSON.stringify([version, ...query.map((part) => part ?? null)])
  const macOf = (place: Uint8Array): Buffer =>
    createHmac("sha256", key).update(signed).update("\0").update(place).digest().subarray(0, macBytes)
  return {
    seal: (position) => {
      const place = Buffer.from(JSON.stringify(position))
      return Buffer.concat([macOf(place), place]).toString("base64url")
    },
    open: (token) => {
      const bytes = Buffer.from(token, "base64url")
      // Decoding is lenient: other texts lead to the same bytes.
      if (bytes.length <= macBytes || bytes.toString("base64url") !== token) return undefined
      const place = bytes.subarray(macBytes)
      if (!timingSafeEqual(bytes.subarray(0, macBytes), macOf(place))) return undefined
      return JSON.parse(place.toString()) as Position
    }
  }
}
