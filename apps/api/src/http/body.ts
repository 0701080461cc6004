import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { type Issue, type NewDevice, type Parsed, parseNewDevice } from "@workanywhere/domain"
import type { Context } from "hono"
import { isAddressable, longestKey } from "../graph/address.ts"
import { type JsonLimits, limitPassed } from "../graph/json-limits.ts"
import { ApiError } from "./api-error.ts"
import type { Env } from "./env.ts"
import { inTurn } from "./turn.ts"

/** The largest body that is read, but for that of a batch. */
export const largestBodyBytes = 1_048_576

const tooLarge = (mostBytes: number) =>
  new ApiError("invalidRequest", `The body is larger than the ${mostBytes} bytes that are accepted.`)

const unreadable = () =>
  new ApiError(
    "BadRequest",
    "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
  )

/** The most bytes of bodies that are under way at a time, of one tenant and of all. */
const mostUnderWay = { tenant: 64 * 1_048_576, all: 256 * 1_048_576 }

/**
 * Keeps count of the bytes of bodies that have begun to arrive, by tenant: a caller who sends many, each without its end,
 * has the memory of all.
 */
export const countArriving = (most: typeof mostUnderWay) => {
  const ofTenants = new Map<string, number>()
  let ofAll = 0
  return (tenant: string) => {
    let bytes = 0
    let isOver = false
    const add = (more: number): void => {
      bytes += more
      ofAll += more
      const ofTenant = (ofTenants.get(tenant) ?? 0) + more
      if (ofTenant === 0) ofTenants.delete(tenant)
      else ofTenants.set(tenant, ofTenant)
    }
    return {
      /** Whether there is room for these bytes as well. */
      takes: (more: number): boolean => {
        // What comes of a body that was refused is not kept.
        if (isOver) return false
        add(more)
        return ofAll <= most.all && (ofTenants.get(tenant) ?? 0) <= most.tenant
      },
      end: (): void => {
        isOver = true
        add(-bytes)
      }
    }
  }
}

const arrival = countArriving(mostUnderWay)

type Arrival = ReturnType<typeof arrival>

const tooManyBodies = () =>
  new ApiError(
    "serviceNotAvailable",
    `More than ${mostUnderWay.tenant} bytes of bodies are being sent at the same time; send this one again later.`,
    { headers: { "retry-after": "1" } }
  )

/** Of undeclared length: as much is read as shows that it is too much. */
const undeclared = async (body: ReadableStream<Uint8Array>, mostBytes: number, arriving: Arrival): Promise<Buffer> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > mostBytes) throw tooLarge(mostBytes)
    if (!arriving.takes(chunk.length)) throw tooManyBodies()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Nearly every body comes in one piece, which is not copied. Fails when the caller goes away in the middle of it. */
const arrived = (incoming: IncomingMessage, arriving: Arrival): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    incoming
      .on("data", (chunk: Buffer) => {
        if (arriving.takes(chunk.length)) chunks.push(chunk)
        else reject(tooManyBodies())
      })
      .once("end", () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)))
      .once("error", reject)
      // An error costs more than to read a body; and this comes at the end of every one.
      .once("close", () => incoming.readableEnded || reject(new Error("The body ended too soon.")))
  })

const bytesOf = async (c: Context<Env>, mostBytes: number, arriving: Arrival): Promise<Buffer> => {
  const declared = c.req.header("content-length")
  if (declared !== undefined) {
    if (Number(declared) > mostBytes) throw tooLarge(mostBytes)
    // The server cuts a body at its declared length; and the stream below is several times as slow as this.
    const { incoming, batchItem } = (c.env as Env["Bindings"] | undefined) ?? {}
    const isFromServer = incoming !== undefined && batchItem === undefined
    return isFromServer ? arrived(incoming, arriving) : Buffer.from(await c.req.raw.arrayBuffer())
  }
  return c.req.raw.body === null ? Buffer.alloc(0) : undeclared(c.req.raw.body, mostBytes, arriving)
}

const isJson = (contentType: string): boolean => {
  const [type = "", ...parameters] = contentType.toLowerCase().split(";")
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith("charset="))
  return type.trim() === "application/json" && (charset === undefined || /^charset="?utf-?8"?$/.test(charset))
}

const sentence = ({ message }: Issue): string => `${message.slice(0, 1).toUpperCase()}${message.slice(1)}.`

const summary = (issues: ReadonlyArray<Issue>): string =>
  issues.length === 1
    ? `The body does not fit the model: ${issues[0]?.message}.`
    : `The body does not fit the model in ${issues.length} places: ${issues.map(({ path }) => path).join(", ")}.`

/** Far above what a device has; each stray name is compared with every property, which must not be made to take long. */
const mostNames = 200

const fitting = <A>(body: unknown, parse: (body: unknown) => Parsed<A>): A => {
  const names = typeof body === "object" && body !== null && !Array.isArray(body) ? Object.keys(body).length : 0
  if (names > mostNames) {
    throw new ApiError("ModelValidationFailure", `The body has ${names} names; at most ${mostNames} are looked at.`)
  }
  const parsed = parse(body)
  if (parsed.success) return parsed.data
  const [first] = parsed.issues
  if (first?.code === "notAnObject") throw new ApiError("BadRequest", `${unreadable().message} ${sentence(first)}`)
  throw new ApiError("ModelValidationFailure", summary(parsed.issues), {
    details: parsed.issues.map(({ code, message, path }) =>
      path === "" ? { code, message } : { code, message, target: path }
    )
  })
}

/** Room for a batch of twenty bodies with as many names as are looked at, and for as many headers. */
const jsonLimits: JsonLimits = { depth: 64, values: 10_000 }

const tooMuch: Readonly<Record<keyof JsonLimits, string>> = {
  depth: `The JSON of the body is nested deeper than the ${jsonLimits.depth} levels that are read.`,
  values: `The JSON of the body holds more than the ${jsonLimits.values} values that are read.`
}

const parseJson = (text: string): unknown => {
  const passed = limitPassed(jsonLimits, text)
  if (passed !== undefined) throw new ApiError("BadRequest", tooMuch[passed])
  try {
    return JSON.parse(text)
  } catch {
    throw unreadable()
  }
}

/** What `read` makes of the body of a request, if that is JSON of at most so many bytes. */
export const jsonOf = async <A>(c: Context<Env>, mostBytes: number, read: (body: unknown) => A): Promise<A> => {
  const contentType = c.req.header("content-type")
  if (contentType === undefined) {
    throw new ApiError(
      "BadRequest",
      "Write requests (excluding DELETE) must contain the Content-Type header declaration."
    )
  }
  const arriving = arrival(c.get("tenant"))
  const bytes = await bytesOf(c, mostBytes, arriving)
    .catch((error: unknown) => {
      // Else the caller went away in the middle of its body.
      throw error instanceof ApiError ? error : unreadable()
    })
    .finally(arriving.end)
  c.set("received", bytes)
  if (!isJson(contentType)) throw unreadable()
  if (bytes.length === 0) throw new ApiError("BadRequest", "Empty Payload. JSON content expected.")
  return inTurn(c.get("tenant"), async () => {
    if (!isUtf8(bytes)) throw unreadable()
    return read(parseJson(bytes.toString()))
  })
}

/** The body of a request, if it is JSON that `parse` accepts. */
export const jsonBody = <A>(c: Context<Env>, parse: (body: unknown) => Parsed<A>): Promise<A> =>
  jsonOf(c, largestBodyBytes, (body) => fitting(body, parse))

/** The device in a body, whose id, if it has one, can be part of an address. */
export const newDeviceIn = async (c: Context<Env>): Promise<NewDevice> => {
  const device = await jsonBody(c, parseNewDevice)
  if (device.id !== undefined && !isAddressable(device.id)) {
    const message = `id: expected a text of 1 to ${longestKey} characters, or leave it out`
    throw new ApiError("ModelValidationFailure", `The body does not fit the model: ${message}.`, {
      details: [{ code: "malformedText", message, target: "id" }]
    })
  }
  return device
}
