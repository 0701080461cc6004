import type { Context } from "hono"
import { longestUrl, originOf } from "../graph/address.ts"
import { ApiError } from "../http/api-error.ts"
import type { Env } from "../http/env.ts"
import { type Fields, isFields } from "./request.ts"

/** The annotations that hold addresses; after the name of a property, they say the same of it. */
const holdsAddress =
  /@odata\.(?:context|nextLink|deltaLink|id|editLink|readLink|mediaReadLink|mediaEditLink|navigationLink|associationLink)$/i
/** Those that a caller goes on from. */
const isLink = /@odata\.(?:nextLink|deltaLink)$/i

const isAbsolute = /^[a-z][a-z\d+.-]*:|^[/\\]{2}/i

/** What of an absolute address comes behind its origin, as it is spelled there. */
const afterOrigin = (address: string): string => address.replace(/^[^:]*:\/\/[^/?#]*/, "")

const badLink = (message: string): ApiError =>
  new ApiError("badGateway", `The upstream's answer cannot be passed on: ${message}`)

/** Gives the addresses in bodies of an upstream the origin under which the gateway itself was asked. */
export const readdressing = (c: Context<Env>, upstream: string) => {
  const own = originOf(c.req.url)

  const address = (value: string): string =>
    URL.parse(value)?.origin === upstream ? `${own}${afterOrigin(value)}` : value

  const link = (value: unknown): string => {
    if (typeof value !== "string") throw badLink("a link of it is no text.")
    if (!isAbsolute.test(value)) return value
    // Who follows it to another place would take its token along.
    if (URL.parse(value)?.origin !== upstream) throw badLink("it goes on at another origin than the upstream's.")
    const here = address(value)
    if (here.length > longestUrl) throw badLink(`the link to its next page is longer than ${longestUrl} characters.`)
    return here
  }

  const fields = (body: Fields): Fields => {
    const names = Object.keys(body).filter((name) => holdsAddress.test(name))
    if (names.length === 0) return body
    const changed = names.flatMap((name) => {
      const value = body[name]
      if (isLink.test(name)) return [[name, link(value)]]
      return typeof value === "string" ? [[name, address(value)]] : []
    })
    return { ...body, ...Object.fromEntries(changed) }
  }

  return {
    address,
    /** A body with its addresses, and those of its rows; all else is as it came. */
    body: (body: unknown): Fields => {
      if (!isFields(body)) throw badLink("it is no object.")
      const own = fields(body)
      const { value } = own
      if (Array.isArray(value))
        return { ...own, value: value.map((row: unknown) => (isFields(row) ? fields(row) : row)) }
      return isFields(value) ? { ...own, value: fields(value) } : own
    }
  }
}
