import type { Context } from "hono"
import type { Env } from "../http/reply.ts"

/** What a request came on, for a fault that ends it. */
export interface Connection {
  /** Ends it at once, whatever is still under way. */
  readonly reset: () => void
  /** Ends it when what a body gave so far has been sent. */
  readonly end: (body: ReadableStreamDefaultController<Uint8Array>) => void
}

/** The connection of a request; `undefined` for one that has none of its own: an item of a batch, or a bare call. */
export const connectionOf = (c: Context<Env>): Connection | undefined => {
  const { connection, outgoing, batchItem } = (c.env as Env["Bindings"] | undefined) ?? {}
  if (batchItem !== undefined) return undefined
  if (connection !== undefined) return connection
  const socket = outgoing?.socket
  if (socket == null) return undefined
  // An error of the body would be sent as text by the server, and be logged.
  return { reset: () => void socket.resetAndDestroy(), end: () => socket.destroySoon() }
}
