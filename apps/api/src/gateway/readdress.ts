import type { Context } from "hono"
import { longestUrl, originOf } from "../graph/address.ts"
import { ApiError } from "../http/api-error.ts"
import type { Env } from "../http/env.ts"
import { type Fields, isFields } from "./request.ts"

/** The annotations that hold addresses; after the name of a property, they say the same of it. OData 4.01 may leave `odata.` out. */
const holdsAddress =
  /@(?:odata\.)?(?:context|nextLink|deltaLink|id|editLink|readLink|mediaReadLink|mediaEditLink|navigationLink|associationLink)$/i
/** Those that a caller goes on from. */
const isLink = /@(?:odata\.)?(?:nextLink|deltaLink)$/i

const badLink = (message: string): ApiError =>
  new ApiError("badGateway", `The upstream's answer cannot be passed on: ${message}`)

/** Gives the addresses in bodies of an upstream the root under which the gateway itself was asked. */
export const readdressing = (c: Context<Env>, upstream: string) => {
  const own = c.get("root")
  const asked = `${upstream}${c.req.url.slice(originOf(c.req.url).length)}`

  /** The same place here; made of what `URL` reads, because a caller's client may read the text as it came otherwise. */
  const here = ({ hash, origin, pathname, search }: URL): string | undefined =>
    origin === upstream ? `${own}${pathname}${search}${hash}` : undefined

  /** What is relative, or about another place, is no address that a caller is sent to. */
  const address = (value: string): string => {
    const url = URL.parse(value)
    return (url && here(url)) ?? value
  }

  /** Where an address that callers go on from leads; `undefined` when that is another place than the upstream. */
  const place = (value: string): string | undefined => {
    const url = URL.parse(value, asked)
    return (url && here(url)) ?? undefined
  }

  const link = (value: unknown): string => {
    if (typeof value !== "string") throw badLink("a link of it is no text.")
    const passed = place(value)
    // Who follows it to another place would take its token along.
    if (passed === undefined) throw badLink("it goes on at another origin than the upstream's.")
    if (passed.length > longestUrl) throw badLink(`the link to its next page is longer than ${longestUrl} characters.`)
    return passed
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
    place,
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
