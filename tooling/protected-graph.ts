import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { createServer as createHttpsServer } from "node:https"
import { type AddressInfo, connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Duplex } from "node:stream"

/**
 * A certificate of graph.example and 127.0.0.1, issued by itself, with its key. Nobody trusts it who is not told to.
 */
const certificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBcjCCARmgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1ncmFwaC5l
eGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1ncmFwaC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEWp6p
Y5M/iYWk1OvNOFWWxQqGW+1V3s474TMGZxD8ekDNP4GFJdjyhSDt8dYTxm+jvpcg
U4GxUaJCzDW6srkUpqNSMFAwHgYDVR0RBBcwFYINZ3JhcGguZXhhbXBsZYcEfwAA
ATAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBQCpDYtkYvbGompZKO47NBhSLgQ
6zAKBggqhkjOPQQDAgNHADBEAiA7XFM84xpqkm6tFqIMXOeYSQ65OGLqCQjFjkg/
RQuVWAIgIcRDg58BHF7zr0gwttKguy9EHCkEU5iD6RWyCdE0oog=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaDqbvtw/zMr5riQX
2cRtwkBNSHcwxVyeE78cb8xQU+OhRANCAARanqljkz+JhaTU6804VZbFCoZb7VXe
zjvhMwZnEPx6QM0/gYUl2PKFIO3x1hPGb6O+lyBTgbFRokLMNbqyuRSm
-----END PRIVATE KEY-----
`
} as const

/** A Graph that speaks https with a certificate that is nobody's, and a proxy on the way to it; both note what they are asked. */
export const protectedGraph = async () => {
  const asked: Array<string> = []
  const graph = createHttpsServer(certificate, (request, response) => {
    asked.push(`${request.method} ${request.headers.host}`)
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ value: [{ id: "1" }], "@odata.count": 1 }))
  }).listen(0, "127.0.0.1")
  await once(graph, "listening")
  const { port } = graph.address() as AddressInfo
  let status = 200
  const sockets = new Set<Duplex>()
  const proxy = createServer().on("connect", ({ url }, socket: Duplex) => {
    asked.push(`CONNECT ${url}`)
    sockets.add(socket)
    if (status !== 200) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)
    const beyond = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n")
      socket.pipe(beyond).pipe(socket)
    })
    for (const [one, other] of [
      [socket, beyond],
      [beyond, socket]
    ] as const) {
      one.on("error", () => other.destroy()).on("close", () => other.destroy())
    }
    return beyond
  })
  proxy.listen(0, "127.0.0.1")
  await once(proxy, "listening")
  const folder = await mkdtemp(join(tmpdir(), "wfa-tls-"))
  const trusted = join(folder, "ca.pem")
  await writeFile(trusted, certificate.cert)
  return {
    asked,
    trusted,
    url: `https://127.0.0.1:${port}/beta`,
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    /** From now on the proxy connects nobody. */
    refuse: (by: number) => {
      status = by
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      graph.closeAllConnections()
      proxy.closeAllConnections()
      graph.close()
      proxy.close()
      await rm(folder, { recursive: true })
    }
  }
}
