import type { Context } from "hono"
import { preferencesOf } from "../graph/preferences.ts"
import type { Env } from "./env.ts"
import { answer, reply, replyJson } from "./reply.ts"

/** One entity, as an answer shows it. */
export interface Entity {
  /** An object, or its JSON; `undefined` where a write was made and nothing shows what it made. */
  readonly body: object | string | undefined
  /** Graph's usual one where it is not given. */
  readonly contentType?: string
  readonly etag?: string | undefined
  /** The caller's preferences that the body follows. */
  readonly applied?: ReadonlyArray<string>
}

type Headers = Readonly<Record<string, string>>

const headersOf = (etag: string | undefined, applied: ReadonlyArray<string> = []): Headers => ({
  ...(etag === undefined ? {} : { etag }),
  ...(applied.length === 0 ? {} : { "preference-applied": applied.join(", ") })
})

const shown = (c: Context<Env>, status: number, { body, contentType }: Entity, headers: Headers): Response => {
  const all = contentType === undefined ? headers : { "content-type": contentType, ...headers }
  return typeof body === "string" ? replyJson(c, status, body, all) : reply(c, status, body, all)
}

/** Shows an entity, unless the caller has it already as it is now. */
export const found = (c: Context<Env>, entity: Entity): Response => {
  const { etag, applied } = entity
  if (isKnown(c, etag)) return answer(c, 304, null, headersOf(etag))
  return shown(c, 200, entity, headersOf(etag, applied))
}

const afterWrite = (c: Context<Env>, status: number, entity: Entity, address?: string): Response => {
  const { applied = [], body, etag } = entity
  const preferred = preferencesOf(c.req.header("prefer")).get("return")?.toLowerCase()
  const location: Headers = address === undefined ? {} : { location: address }
  if (body === undefined || preferred === "minimal") {
    // Without a body, this header is what tells the caller the key of what is new (docs/fidelity.md, F74).
    const id: Headers = address === undefined ? {} : { "odata-entityid": address }
    const followed = preferred === "minimal" ? ["return=minimal"] : []
    return answer(c, 204, null, { ...headersOf(etag, followed), ...location, ...id })
  }
  const followed = preferred === "representation" ? [...applied, "return=representation"] : applied
  return shown(c, status, entity, { ...headersOf(etag, followed), ...location })
}

/** Says that an entity was created, and where it is now. */
export const created = (c: Context<Env>, address: string | undefined, entity: Entity): Response =>
  afterWrite(c, 201, entity, address)

/** Says that an entity was changed: with the whole of it, unless the caller would rather not have it. */
export const changed = (c: Context<Env>, entity: Entity): Response => afterWrite(c, 200, entity)

/** Says that an entity is gone. */
export const deleted = (c: Context<Env>): Response => answer(c, 204, null, {})

/** Whether a header with etags means this one; a star means anything that is there. */
export const means = (header: string, etag: string | undefined): boolean => {
  if (header.trim() === "*") return true
  const opaque = etag?.replace(/^W\//, "")
  return opaque !== undefined && header.match(/"[^"]*"/g)?.some((tag) => tag === opaque) === true
}

/** Whether the caller has a device already, as it is now. */
const isKnown = (c: Context<Env>, etag: string | undefined): boolean => {
  const noneMatch = c.req.header("if-none-match")
  return noneMatch !== undefined && means(noneMatch, etag)
}
