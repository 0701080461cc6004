import { once } from "node:events"
import type { AddressInfo } from "node:net"
import type { Server } from "../src/http/connections.ts"

/** A server on a free port of this machine, closed with its scope. */
export const listening = async (server: Server) => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}
