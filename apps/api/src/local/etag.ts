import { hash } from "node:crypto"
import { type WholeDevice, propertyNames } from "@workanywhere/domain"
import type { Context } from "hono"
import { ApiError } from "../http/api-error.ts"
import { means } from "../http/entity.ts"
import type { Env } from "../http/env.ts"
import type { Expectation } from "../store/device-store.ts"

/** The etag of a device: the same for the same content, so that no store has to keep it. */
export type EtagOf = (device: WholeDevice) => string | undefined

/** Weak, because the same state may be written in several ways. */
export const contentEtag: EtagOf = (device) => {
  const content = JSON.stringify(propertyNames.map((name) => device[name]))
  return `W/"${hash("sha256", content, "base64url").slice(0, 22)}"`
}

/** Graph's rows were never seen with one (docs/fidelity.md, F82). */
export const noEtag: EtagOf = () => undefined

/** What a request expects of the device that it is about; `undefined` when it expects nothing. */
export const expectation = (c: Context<Env>, etagOf: EtagOf): Expectation | undefined => {
  const match = c.req.header("if-match")
  const noneMatch = c.req.header("if-none-match")
  if (match === undefined && noneMatch === undefined) return undefined
  return (device) => {
    const etag = etagOf(device)
    return (match === undefined || means(match, etag)) && (noneMatch === undefined || !means(noneMatch, etag))
  }
}

/** A device is not what the request expects. */
export const unexpected = (etagOf: EtagOf): ApiError =>
  new ApiError(
    "resourceModified",
    etagOf === noEtag
      ? "The condition does not hold: devices have no etag here, so that none can match. Leave If-Match out, or set WFA_ETAG to on."
      : "The condition does not hold: the device is not the one that If-Match or If-None-Match asks for. Read it again."
  )
