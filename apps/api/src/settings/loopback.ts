import { BlockList, isIP } from "node:net"

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** Whether only this machine can reach the host. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? "ipv6" : "ipv4"))

/** Whether only this machine can be meant by the URL. */
export const isLoopbackUrl = (url: string): boolean =>
  isLoopback(URL.parse(url)?.hostname.replace(/^\[(.*)\]$/, "$1") ?? "")
