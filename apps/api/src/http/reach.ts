import type { IncomingMessage } from "node:http"
import { BlockList, isIP } from "node:net"
import type { Context } from "hono"
import { originOf } from "../graph/address.ts"
import type { Settings } from "../settings/settings.ts"
import { ApiError } from "./api-error.ts"
import type { Env } from "./env.ts"

/** How callers come to the service, where that is not straight and from this machine. */
export type Reach = Pick<Settings, "publicUrl" | "trustedProxies" | "cors" | "expose">

/** Straight, and from this machine. */
export const straight: Reach = { publicUrl: undefined, trustedProxies: [], cors: [], expose: "off" }

// A URL may have more in its host, such as quotes; but the links of answers begin with it.
const plainRoot = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/i

/** Whether links can begin with a root; what only looks like an address of digits, such as 256.1.1.1, no URL can hold. */
export const isPlainRoot = (root: string): boolean => plainRoot.test(root) && URL.canParse(root)

/** What Node's server received; a request that the app is called with came from nowhere. */
export const incomingOf = (c: Context<Env>): IncomingMessage | undefined =>
  (c.env as Env["Bindings"] | undefined)?.incoming

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4")

const bare = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "")

const listOf = (addresses: ReadonlyArray<string>): ((address: string) => boolean) => {
  const trusted = new BlockList()
  for (const entry of addresses) {
    const [address = "", prefix] = entry.split("/")
    if (prefix === undefined) trusted.addAddress(address, familyOf(address))
    else trusted.addSubnet(address, Number(prefix), familyOf(address))
  }
  return (address) => isIP(bare(address)) !== 0 && trusted.check(bare(address), familyOf(bare(address)))
}

/** What one proxy says of the request that it passed on. */
interface Hop {
  readonly from?: string | undefined
  readonly proto?: string | undefined
  readonly host?: string | undefined
}

const unquoted = (text: string): string => (text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, "$1") : text)

/** What stands between the commas, or other marks, of a header; not those in quotes. */
const parted = (text: string, mark: "," | ";"): ReadonlyArray<string> =>
  (text.match(mark === "," ? /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g : /(?:[^;"]|"(?:[^"\\]|\\.)*"?)+/g) ?? []).map((part) =>
    part.trim()
  )

/** An address without its port and brackets. */
const addressIn = (node: string): string =>
  /^\[(.*)\](?::\d+)?$/.exec(node)?.[1] ?? (node.split(":").length === 2 ? (node.split(":")[0] ?? "") : node)

/** The elements of `Forwarded` (RFC 7239), the one of the nearest proxy last. */
const hopsOfForwarded = (header: string): ReadonlyArray<Hop> =>
  parted(header, ",").map((element) => {
    const pairs = new Map(
      parted(element, ";").map((pair) => {
        const at = pair.indexOf("=")
        return [pair.slice(0, at).trim().toLowerCase(), unquoted(pair.slice(at + 1).trim())] as const
      })
    )
    return { from: addressIn(pairs.get("for") ?? ""), proto: pairs.get("proto"), host: pairs.get("host") }
  })

/** The same of the headers from before it, which proxies append to or replace each for itself: counted from their ends. */
const hopsOfOthers = (headers: IncomingMessage["headers"]): ReadonlyArray<Hop> => {
  const [from, protos, hosts, ports] = ["for", "proto", "host", "port"].map((name) =>
    parted(String(headers[`x-forwarded-${name}`] ?? ""), ",")
  )
  const length = Math.max(1, from?.length ?? 0)
  return Array.from({ length }, (_, index) => {
    const back = index - length
    // A proxy that replaced a header speaks for those before it as well.
    const said = (values: ReadonlyArray<string> = []) => values.at(Math.max(back, -values.length))
    const host = said(hosts)
    const port = said(ports)
    return {
      from: addressIn(from?.at(back) ?? ""),
      proto: said(protos),
      host: host !== undefined && port !== undefined && !/:\d+$/.test(host) ? `${host}:${port}` : host
    }
  })
}

/** What the first of the proxies that are believed says: each tells from whom it had the request. */
const believed = (hops: ReadonlyArray<Hop>, isTrusted: (address: string) => boolean): Hop => {
  const first = hops.findLastIndex(({ from = "" }, index) => index === 0 || !isTrusted(from))
  return hops[first] ?? {}
}

/**
 * Finds the root that callers know the service by, without a slash at its end: what is set, or what proxies say that are
 * believed. Nothing is to be found where it is the one that each request comes to.
 */
export const rootFinder = ({ publicUrl, trustedProxies }: Reach): ((c: Context<Env>) => string) | undefined => {
  if (publicUrl !== undefined) return () => publicUrl
  if (trustedProxies.length === 0) return undefined
  const isTrusted = listOf(trustedProxies)
  return (c) => {
    const came = originOf(c.req.url)
    // Those of the request that the server received, of which a batch item is a part.
    const incoming = incomingOf(c)
    if (incoming === undefined || !isTrusted(incoming.socket.remoteAddress ?? "")) return came
    const { forwarded } = incoming.headers
    const hops = forwarded === undefined ? hopsOfOthers(incoming.headers) : hopsOfForwarded(forwarded)
    const { proto = new URL(came).protocol.slice(0, -1), host = came.slice(came.indexOf("//") + 2) } = believed(
      hops,
      isTrusted
    )
    const root = `${proto.toLowerCase()}://${host}`
    if (!isPlainRoot(root)) {
      throw new ApiError("BadRequest", "What the proxy says of the address that was asked is no root of a URL.")
    }
    return new URL(root).origin
  }
}
