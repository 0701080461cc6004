import { hash } from "node:crypto"
import {
  type JWTPayload,
  type JWTVerifyGetKey,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  jwtVerify
} from "jose"
import { clouds, personalTenant } from "../settings/clouds.ts"
import type { Settings } from "../settings/settings.ts"
import { ApiError } from "./api-error.ts"

/** Who sent a request, as its token proves. */
interface Caller {
  /** Whose rows it sees: the token's `tid`. */
  readonly tenant: string
  /** Client id of the app that sent it. */
  readonly app: string
  /** Id of the user on whose behalf it is sent; `undefined` when the app sends it by itself. */
  readonly user: string | undefined
  /** What it may do: the scopes of a user's token, the roles of an app's own. */
  readonly permissions: ReadonlySet<string>
}

/** Tells from an `Authorization` header who sent the request; fails with an {@link ApiError} when it proves nothing. */
export interface Authentication {
  readonly callerOf: (authorization: string | undefined) => Promise<Caller>
  /** The `WWW-Authenticate` header of an answer that refuses, with parameters of its own. */
  readonly challenge: (parameters?: string) => string
}

/** What of the settings it takes to check tokens. */
export type EntraSettings = Pick<Settings, "audience" | "tenants" | "authority" | "jwksUrl">

const largestTokenBytes = 16_384
const clockSkewSeconds = 300
const mostProven = 1_000

const keysTimeoutMs = 5_000
const keysMaxAgeMs = 3_600_000
/** An unknown `kid` may be that of a new key, or made up: it has the keys fetched again, but not more often than this. */
const keysCooldownMs = 30_000
const keysFailureCooldownMs = 5_000
const largestKeysBytes = 1_048_576

const limitedText = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > largestKeysBytes) throw new Error(`the keys are larger than ${largestKeysBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

const millisSince = (time: number): number => performance.now() - time

/**
 * The keys behind a URL, which is the only one that is ever asked, whatever a token says about its keys. `onFetched` is told
 * when they were fetched. How old they are is told by a clock that nobody sets back.
 */
const remoteKeys = (url: URL, onFetched: () => void) => {
  let failedAt = -Infinity
  let fetchedAt = -Infinity

  const set = createRemoteJWKSet(url, {
    timeoutDuration: keysTimeoutMs,
    // When to fetch is decided below: the library goes by the clock of the day.
    cooldownDuration: Infinity,
    cacheMaxAge: Infinity,
    [customFetch]: async (address, options) => {
      if (millisSince(failedAt) < keysFailureCooldownMs) throw new Error(`${url.origin} failed a moment ago`)
      try {
        const response = await fetch(address, options)
        if (response.status !== 200) throw new Error(`${url.origin} answered with ${response.status}`)
        return new Response(response.body === null ? "" : await limitedText(response.body))
      } catch (error) {
        failedAt = performance.now()
        throw error
      }
    }
  })

  const fetchAgain = async (): Promise<void> => {
    await set.reload()
    fetchedAt = performance.now()
    onFetched()
  }

  const keyOf: JWTVerifyGetKey = async (header, signed) => {
    if (millisSince(fetchedAt) > keysMaxAgeMs) await fetchAgain()
    try {
      return await set(header, signed)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || millisSince(fetchedAt) <= keysCooldownMs) throw error
      await fetchAgain()
      return set(header, signed)
    }
  }

  return { keyOf, find: (keyId: string) => set.jwks()?.keys.find(({ kid }) => kid === keyId) }
}

type Keys = ReturnType<typeof remoteKeys>

/** Why a token proves nothing, in words that Graph uses where they are known (docs/fidelity.md, F36). */
const refusals = {
  missing: "Access token is empty.",
  unreadable: "CompactToken parsing failed with error code: 80049217",
  tooLarge: `The access token is larger than the ${largestTokenBytes} bytes that are accepted.`,
  lifetime: "Access token has expired or is not yet valid.",
  signature: "Access token validation failure. Its signature is not that of a key of its issuer.",
  audience: "Access token validation failure. Invalid audience.",
  issuer: "Access token validation failure. Invalid issuer.",
  tenant: "Access token validation failure. Its tenant is not served here.",
  personal: "Personal Microsoft accounts are not supported.",
  client: "Access token validation failure. It does not say which app it was made for."
} as const

type Refusal = keyof typeof refusals

class Refused extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusals[refusal])
    this.refusal = refusal
  }
}

/** The token in a header. Two headers arrive as one with a comma, and no token has a comma. */
const bearerToken = (authorization: string | undefined): string => {
  const [scheme = "", token = "", ...rest] = authorization?.split(" ") ?? []
  if (scheme.toLowerCase() !== "bearer" || token === "") throw new Refused("missing")
  if (token.length > largestTokenBytes) throw new Refused("tooLarge")
  if (rest.length > 0) throw new Refused("unreadable")
  return token
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

/**
 * The permissions in a token. `scp` is what a user let an app do for them. Without it, `roles` are permissions only
 * when no user is behind the token: a user's roles say who they are, and an id token can carry them, too.
 */
const permissionsIn = ({ scp, roles, idtyp, oid, sub }: JWTPayload): ReadonlySet<string> => {
  if (scp !== undefined) return new Set(idtyp === "app" ? [] : text(scp)?.split(" "))
  const isApp = idtyp === undefined ? text(oid) !== undefined && oid === sub : idtyp === "app"
  return new Set(isApp && Array.isArray(roles) ? roles.filter((role) => typeof role === "string") : [])
}

/** What a token says of itself before anything is proven: which set of keys to look in, and for which key. */
const claimedOrigin = (token: string): { readonly version: unknown; readonly keyId: string } => {
  try {
    const keyId = text(decodeProtectedHeader(token).kid)
    if (keyId !== undefined) return { version: decodeJwt(token)["ver"], keyId }
  } catch {
    // What follows is true of a token that cannot be read as well.
  }
  throw new Refused("unreadable")
}

const lifetimeClaims: ReadonlyArray<string> = ["exp", "nbf"]

const refusalOf = (error: unknown): Refusal => {
  if (error instanceof errors.JWTExpired) return "lifetime"
  if (error instanceof errors.JWTClaimValidationFailed && lifetimeClaims.includes(error.claim)) return "lifetime"
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return "signature"
  if (error instanceof errors.JWSSignatureVerificationFailed) return "signature"
  if (error instanceof errors.JOSEError) return "unreadable"
  throw error
}

/** The claims of a token whose signature and lifetime are right. */
const signedClaims = async (token: string, keys: Keys): Promise<JWTPayload> => {
  const keyOf: JWTVerifyGetKey = async (header, signed) => {
    try {
      return await keys.keyOf(header, signed)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error
      throw new ApiError(
        "serviceNotAvailable",
        "The keys for checking tokens could not be fetched; send the request again later.",
        {
          cause: error
        }
      )
    }
  }
  const options = { algorithms: ["RS256"], clockTolerance: clockSkewSeconds, requiredClaims: [...lifetimeClaims] }
  return (await jwtVerify(token, keyOf, options)).payload
}

/** What a token has proven. */
interface Proven {
  readonly caller: Caller
  /** The time of its `exp`, in milliseconds: it is not looked at again before that. */
  readonly until: number
  /** The same time by a clock that nobody sets back. */
  readonly untilHere: number
  /** Whether the key that it was signed with is still among those that are published. */
  readonly isSignerKnown: () => boolean
}

/** Checks the tokens that Entra makes, of both versions ("Access tokens in the Microsoft identity platform"). */
export const entraAuthentication = ({ audience, tenants, authority, jwksUrl }: EntraSettings): Authentication => {
  const cloud = clouds[authority]
  const served = new Set(tenants)
  // By the hash of the token: whoever reads this memory finds no token to use.
  const proven = new Map<string, Proven>()

  /** A key that was taken out of the set ends what it was good for. */
  const forgetWithdrawn = (): void => {
    for (const [token, { isSignerKnown }] of proven) if (!isSignerKnown()) proven.delete(token)
  }

  const keysAt = (path: string): Keys => remoteKeys(new URL(jwksUrl ?? `${authority}${path}`), forgetWithdrawn)
  const keys1 = keysAt("/common/discovery/keys")
  const keys2 = jwksUrl === undefined ? keysAt("/common/discovery/v2.0/keys") : keys1

  /** A key may be for one issuer only: one that signs for personal accounts proves nothing about others. */
  const signsFor = (keys: Keys, keyId: string, tenant: string, issuer: string): boolean => {
    const key = keys.find(keyId)
    if (key === undefined || !("issuer" in key)) return true
    const expected = String(key.issuer).replaceAll("{tenantid}", tenant)
    // The keys of the v2 document sign v1 tokens as well, and name the v2 issuer.
    return expected === issuer || expected === cloud.issuer2(tenant)
  }

  const verified = async (token: string): Promise<Proven> => {
    const { version, keyId } = claimedOrigin(token)
    const keys = version === "1.0" ? keys1 : keys2
    const claims = await signedClaims(token, keys)
    const { aud, iss, tid, ver } = claims
    if (typeof aud !== "string" || !audience.includes(aud)) throw new Refused("audience")
    if (tid === personalTenant) throw new Refused("personal")
    if (typeof tid !== "string" || !served.has(tid)) throw new Refused("tenant")
    const issuer = ver === "1.0" ? cloud.issuer1(tid) : ver === "2.0" ? cloud.issuer2(tid) : undefined
    if (issuer === undefined || iss !== issuer || !signsFor(keys, keyId, tid, issuer)) throw new Refused("issuer")
    const app = text(ver === "1.0" ? claims["appid"] : claims["azp"])
    if (app === undefined) throw new Refused("client")
    const user = claims["scp"] === undefined ? undefined : text(claims["oid"])
    const until = (claims.exp ?? 0) * 1000
    const signer = keys.find(keyId)
    return {
      caller: { tenant: tid, app, user, permissions: permissionsIn(claims) },
      until,
      untilHere: performance.now() + until - Date.now(),
      isSignerKnown: () => signer?.n !== undefined && keys.find(keyId)?.n === signer.n
    }
  }

  const challenge = (parameters?: string): string =>
    [`Bearer authorization_uri="${authority}/common/oauth2/v2.0/authorize"`, parameters].filter(Boolean).join(", ")

  const remember = (key: string, what: Proven): void => {
    const [oldest] = proven.keys()
    if (proven.size >= mostProven && oldest !== undefined) proven.delete(oldest)
    proven.set(key, what)
  }

  return {
    challenge,
    callerOf: async (authorization) => {
      try {
        const token = bearerToken(authorization)
        const key = hash("sha256", token, "base64")
        const known = proven.get(key)
        if (known !== undefined && Date.now() < known.until && performance.now() < known.untilHere) return known.caller
        const fresh = await verified(token)
        remember(key, fresh)
        return fresh.caller
      } catch (error) {
        if (error instanceof ApiError) throw error
        const refusal = error instanceof Refused ? error.refusal : refusalOf(error)
        const parameters = refusal === "missing" ? undefined : 'error="invalid_token"'
        throw new ApiError("InvalidAuthenticationToken", refusals[refusal], {
          headers: { "www-authenticate": challenge(parameters) }
        })
      }
    }
  }
}
