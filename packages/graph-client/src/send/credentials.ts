import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import { readable } from "../facts/levels.ts"

/** No token could be had; `message` is a sentence for a person and holds nothing secret. */
export class TokenUnavailable extends Data.TaggedError("TokenUnavailable")<{
  readonly message: string
  /** What Entra calls it, such as AADSTS65001 (nobody has consented yet). */
  readonly code?: string
  /** What the user has to prove in a new sign-in, such as a second factor: JSON. */
  readonly claims?: string
}> {}

/** A bearer token, and until when it is good. */
export interface AccessToken {
  readonly token: Redacted.Redacted
  /** Milliseconds since the epoch; a token without is kept until it is refused. */
  readonly expiresAtMillis?: number
  /** When to ask for the next one, milliseconds since the epoch; shortly before it expires by default. */
  readonly renewAtMillis?: number
}

/** Why a token is asked for. */
export interface TokenNeed {
  /** The last token was answered with 401, so that a source with a cache of its own should pass it by. */
  readonly wasRefused: boolean
  /** What the service wants the next token to satisfy (a claims challenge), as JSON. */
  readonly claims?: string
}

/**
 * Where tokens come from. The client asks for one when it first needs it, shortly before it expires, and once when it
 * is refused; never twice at a time, however many calls wait for it.
 */
export type TokenSource = (need: TokenNeed) => Effect.Effect<AccessToken, TokenUnavailable>

/** The tokens of one client. */
export interface Held {
  /** `undefined` when the client has none. */
  readonly token: Redacted.Redacted | undefined
}

/** Where the tokens of a client come from. */
export interface Tokens {
  /** Whether it is always the same one, or none, so that nobody has to be asked. */
  readonly isFixed: boolean
  /** The token to send at a time (milliseconds since the epoch), if nothing has to be done for it first. */
  readonly inHand: (nowMillis: number) => Held | undefined
  /** The token to send now; `undefined` when the client has none. */
  readonly current: Effect.Effect<Redacted.Redacted | undefined, TokenUnavailable>
  /** Whether there is another token than the one that was refused; fetches it when nobody has yet. */
  readonly renew: (refused: Redacted.Redacted, claims: string | undefined) => Effect.Effect<boolean, TokenUnavailable>
  /** The text without any token that may have been sent lately. */
  readonly hide: (text: string) => string
}

/** Anything else, such as a line break, would be refused by `fetch` with a message that quotes the token. */
const headerSafe = /^[\x21-\x7e]+$/

/** Why a token cannot stand in a header, without a word of it. */
export const tokenProblem = (token: Redacted.Redacted): string | undefined => {
  const text = Redacted.value(token)
  if (/^\s*bearer\s/i.test(text)) return 'starts with "Bearer ", which is put before it anyway: leave that out'
  return headerSafe.test(text) ? undefined : "is empty or holds characters that no token has"
}

/** A token is renewed this long before it expires, or a tenth of its life, whichever is shorter. */
const longestMarginMillis = 5 * 60_000

/** After a renewal failed while the old token is still good. */
const nextTryMillis = 30_000

/** Requests that are under way when a token is renewed still carry the one before. */
const hiddenTokens = 3

const replaced = (text: string, tokens: ReadonlyArray<string>): string =>
  tokens.reduce((shown, token) => shown.replaceAll(token, "<redacted>"), text)

/** A token may come back with JSON's escapes, which hide it from a search: Intune puts JSON into JSON even. */
const hidden = (text: string, tokens: ReadonlyArray<string>): string => {
  if (text.includes("\\")) {
    try {
      const json: unknown = JSON.parse(readable(text))
      const hide = (_: string, value: unknown) => (typeof value === "string" ? hidden(value, tokens) : value)
      const shown = JSON.stringify(json, hide)
      // In the names of fields.
      return replaced(
        shown,
        tokens.map((token) => JSON.stringify(token).slice(1, -1))
      )
    } catch {
      // It is not JSON, or nested too deeply for anyone to read.
    }
  }
  return replaced(text, tokens)
}

interface Fetched {
  readonly token: Redacted.Redacted
  readonly expiresAtMillis: number
  readonly renewAtMillis: number
}

const fromSource = (source: TokenSource): Tokens => {
  const lock = Semaphore.makeUnsafe(1)
  let held: Fetched | undefined
  let sent: ReadonlyArray<string> = []

  const fetch = Effect.fn("GraphClient.token")(function* (need: TokenNeed) {
    const { expiresAtMillis = Infinity, renewAtMillis = Infinity, token } = yield* source(need)
    const problem = tokenProblem(token)
    if (problem !== undefined) return yield* new TokenUnavailable({ message: `the token ${problem}` })
    const now = yield* Clock.currentTimeMillis
    const margin = Math.min(longestMarginMillis, Math.max(0, expiresAtMillis - now) / 10)
    held = { token, expiresAtMillis, renewAtMillis: Math.min(renewAtMillis, expiresAtMillis - margin) }
    const text = Redacted.value(token)
    sent = [text, ...sent.filter((other) => other !== text)].slice(0, hiddenTokens)
    return token
  })

  const inHand = (nowMillis: number): Fetched | undefined =>
    held !== undefined && nowMillis < held.renewAtMillis ? held : undefined

  const fresh = Effect.map(Clock.currentTimeMillis, (now) => inHand(now)?.token)

  const fetched = Effect.gen(function* () {
    const already = yield* fresh
    if (already !== undefined) return already
    const outcome = yield* Effect.result(fetch({ wasRefused: false }))
    if (Result.isSuccess(outcome)) return outcome.success
    const now = yield* Clock.currentTimeMillis
    if (held === undefined || now >= held.expiresAtMillis) return yield* outcome.failure
    held = { ...held, renewAtMillis: Math.min(now + nextTryMillis, held.expiresAtMillis) }
    return held.token
  })

  return {
    isFixed: false,
    inHand,
    current: Effect.flatMap(fresh, (token) =>
      token === undefined ? Semaphore.withPermit(lock, fetched) : Effect.succeed(token)
    ),
    renew: (refused, claims) =>
      Semaphore.withPermit(
        lock,
        Effect.gen(function* () {
          const old = Redacted.value(refused)
          if (held !== undefined && Redacted.value(held.token) !== old) return true
          const need = { wasRefused: true, ...(claims === undefined ? {} : { claims }) }
          return Redacted.value(yield* fetch(need)) !== old
        })
      ),
    hide: (text) => hidden(text, sent)
  }
}

/** The tokens of a client that was given one token, a source of them, or neither. */
export const tokensOf = (token: Redacted.Redacted | TokenSource | undefined): Tokens => {
  if (typeof token === "function") return fromSource(token)
  const held = { token }
  return {
    isFixed: true,
    inHand: () => held,
    current: Effect.succeed(token),
    renew: () => Effect.succeed(false),
    hide: (text) => hidden(text, token === undefined ? [] : [Redacted.value(token)])
  }
}
