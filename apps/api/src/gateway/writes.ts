import type { DeviceUpdate, GraphRouteName, GraphVersion } from "@workanywhere/domain"
import type { Answered } from "@workanywhere/graph-client"
import type { Context } from "hono"
import { includeUnknownMembers } from "../graph/preferences.ts"
import { ApiError } from "../http/api-error.ts"
import type { Env } from "../http/env.ts"
import type { Log } from "../http/observation.ts"
import type { Audit, Ending, Intent } from "./audit.ts"
import { UpstreamFailure } from "./failure.ts"
import { type Keys, addressOf, isFields, passedHeaders, resourceIn } from "./request.ts"
import type { Upstream } from "./upstream.ts"

/** What a write changes, as it stands in the log of writes. */
export type Changes = Pick<Intent, "old" | "oldUnknownBecause" | "changes">

/** A write, and what the log says of it. */
interface Writing {
  readonly version: GraphVersion
  readonly address: GraphRouteName
  readonly method: "POST" | "PATCH" | "DELETE"
  readonly keys?: Keys
  readonly body?: object
  readonly changes: Changes
}

/** The way of every write. */
export interface Writes {
  /** Fails when this gateway only reads. */
  readonly require: () => void
  /** Sends a write between two records of it; it is not sent when the first cannot be kept. */
  readonly send: (c: Context<Env>, writing: Writing) => Promise<Answered>
  /** From a device as the upstream shows it now to what an update makes of it; without an update, it goes away. */
  readonly changesTo: (c: Context<Env>, version: GraphVersion, keys: Keys, update?: DeviceUpdate) => Promise<Changes>
}

const propertiesOf = (body: object): ReadonlyArray<readonly [string, unknown]> =>
  Object.entries(body).filter(([name]) => !name.includes("@odata."))

/** What is new altogether. */
export const creation = (body: object): Changes => ({
  old: "none",
  changes: Object.fromEntries(propertiesOf(body).map(([name, value]) => [name, { new: value }]))
})

const unknownBefore = (why: string, update: DeviceUpdate = {}): Changes => ({
  ...creation(update),
  old: "unknown",
  oldUnknownBecause: why
})

const difference = (before: unknown, update: DeviceUpdate | undefined): Changes => {
  const device = resourceIn(before)
  if (!isFields(device)) return unknownBefore("the answer was no object", update)
  const changes = propertiesOf(update ?? device).map(([name, value]) => [
    name,
    update === undefined ? { old: value } : { old: device[name] ?? null, new: value }
  ])
  return { old: "read", changes: Object.fromEntries(changes) }
}

const intentOf = (c: Context<Env>, { changes, keys = {}, method }: Writing): Intent => {
  // Missing when the app is called with nothing but a request.
  const { batchItem } = (c.env as Env["Bindings"] | undefined) ?? {}
  const user = c.get("user")
  return {
    method,
    path: c.req.path,
    ...keys,
    caller: { tenant: c.get("tenant"), app: c.get("app"), ...(user === undefined ? {} : { user }) },
    requestId: c.get("requestId"),
    clientRequestId: c.get("clientRequestId"),
    ...(batchItem === undefined ? {} : { batchItem }),
    ...changes
  }
}

const madeOf = ({ body, headers, status }: Answered, method: Writing["method"]): Ending => {
  const resource = resourceIn(body)
  const id = method === "POST" && isFields(resource) ? resource["id"] : undefined
  const requestId = headers["request-id"]
  return {
    outcome: "done",
    status,
    ...(requestId === undefined ? {} : { upstreamRequestId: requestId }),
    ...(typeof id === "string" ? { createdId: id } : {})
  }
}

const endingOf = (error: unknown): Ending => {
  // What this service itself refuses was not sent; a fault of ours may come at any time.
  if (!(error instanceof ApiError)) return { outcome: "unknown" }
  if (!(error instanceof UpstreamFailure)) return { outcome: "failed", code: error.code }
  const { code, outcome, upstream } = error
  return {
    outcome,
    code,
    ...(upstream.status === undefined ? {} : { status: upstream.status }),
    ...(upstream.requestId === undefined ? {} : { upstreamRequestId: upstream.requestId })
  }
}

/** Makes the way of every write of a gateway; without a log of writes, there are none. */
export const writesTo = (upstream: Upstream, audit: Audit | undefined, log: Log): Writes => {
  const required = (): Audit => {
    if (audit !== undefined) return audit
    throw new ApiError("Forbidden", "This gateway only reads: whoever runs it decides whether it writes.")
  }

  const begun = async (intent: Intent) => {
    try {
      return await required().begin(intent)
    } catch (cause) {
      if (cause instanceof ApiError) throw cause
      throw new ApiError("serviceNotAvailable", "The log of writes cannot be kept, so nothing was sent.", { cause })
    }
  }

  return {
    require: () => void required(),

    send: async (c, writing) => {
      const { address, body, keys = {}, method, version } = writing
      const end = await begun(intentOf(c, writing))
      const noted = async (ending: Ending): Promise<void> => {
        try {
          await end(ending)
        } catch (err) {
          log.error({ err, requestId: c.get("requestId"), ...ending }, "what came of a write could not be logged")
        }
      }
      try {
        const answered = await upstream.send(c, {
          method,
          ...addressOf(version, address, keys),
          headers: passedHeaders(c),
          ...(body === undefined ? {} : { body })
        })
        await noted(madeOf(answered, method))
        return answered
      } catch (error) {
        await noted(endingOf(error))
        throw error
      }
    },

    changesTo: async (c, version, keys, update) => {
      try {
        const headers = { prefer: includeUnknownMembers }
        const { body } = await upstream.send(c, { method: "GET", ...addressOf(version, "device", keys), headers })
        return difference(body, update)
      } catch (error) {
        // An upstream that cannot be asked now will not make the write either; one that does not show devices may.
        if (!(error instanceof UpstreamFailure) || error.upstream.status === undefined || error.outcome === "failed") {
          throw error
        }
        return unknownBefore(`reading it was answered with status ${error.upstream.status}`, update)
      }
    }
  }
}
