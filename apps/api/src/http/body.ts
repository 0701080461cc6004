import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  type BrotliDecompress,
  type Gunzip,
  type Inflate,
  type InflateRaw
} from "node:zlib"
import {
  type Issue,
  type JsonRead,
  type NewDevice,
  type Parsed,
  type RepeatedName,
  parseNewDevice,
  readJson,
  repeatedNameIssues
} from "@workanywhere/domain"
import type { Context } from "hono"
import { isAddressable, longestKey } from "../graph/address.ts"
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
        if (bytes > 0) add(-bytes)
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

/** Of a length that nobody told: as much is read as shows that it is too much. */
const collected = async (
  body: AsyncIterable<Uint8Array>,
  mostBytes: number,
  arriving: Arrival,
  tooMuch: (mostBytes: number) => ApiError
): Promise<Buffer> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > mostBytes) throw tooMuch(mostBytes)
    if (!arriving.takes(chunk.length)) throw tooManyBodies()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/**
 * Nearly every body comes in one piece, which is not copied, and not counted: it is here as soon as it arrives. Fails when
 * the caller goes away in the middle of it.
 */
const arrived = (incoming: IncomingMessage, length: number, arriving: Arrival): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    incoming
      .on("data", (chunk: Buffer) => {
        if (chunk.length === length || arriving.takes(chunk.length)) chunks.push(chunk)
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
    const length = Number(declared)
    if (length > mostBytes) throw tooLarge(mostBytes)
    // The server cuts a body at its declared length; and the stream below is several times as slow as this.
    const { incoming, batchItem } = (c.env as Env["Bindings"] | undefined) ?? {}
    const isFromServer = incoming !== undefined && batchItem === undefined
    return isFromServer ? arrived(incoming, length, arriving) : Buffer.from(await c.req.raw.arrayBuffer())
  }
  return c.req.raw.body === null ? Buffer.alloc(0) : collected(c.req.raw.body, mostBytes, arriving, tooLarge)
}

/** What some callers send as "deflate" is without the two bytes that zlib puts in front, which are a multiple of 31. */
const hasZlibHeader = (bytes: Buffer): boolean =>
  bytes.length > 1 && (bytes.readUInt8() & 0x0f) === 8 && bytes.readUInt16BE() % 31 === 0

type Inflater = BrotliDecompress | Gunzip | Inflate | InflateRaw

const strictly = { rejectGarbageAfterEnd: true }

/** What undoes each coding of a body; a file of gzip may have several parts, so what follows one is looked at. */
const inflaters: ReadonlyMap<string, (bytes: Buffer) => Inflater> = new Map<string, (bytes: Buffer) => Inflater>([
  ["gzip", () => createGunzip()],
  ["x-gzip", () => createGunzip()],
  ["deflate", (bytes) => (hasZlibHeader(bytes) ? createInflate(strictly) : createInflateRaw(strictly))],
  ["br", () => createBrotliDecompress(strictly)]
])

/** Several times what JSON of devices gives; a body of nothing but spaces shrinks to a thousandth. */
const mostInflatedForByte = 100

/** As much a small body may be whatever it was compressed from. */
const alwaysInflatedBytes = 65_536

const inflatesTooMuch = (): ApiError =>
  new ApiError(
    "invalidRequest",
    `The body inflates to more than ${mostInflatedForByte} times its size, which is more than is accepted.`
  )

const otherCoding = (coding: string): ApiError =>
  new ApiError(
    "notSupported",
    `The Content-Encoding '${coding.slice(0, 60)}' is not read; send the body plain, or as gzip, deflate or br.`,
    // What would be read (RFC 9110, 15.5.16).
    { headers: { "accept-encoding": "gzip, deflate, br" } }
  )

const notCompressed = (): ApiError =>
  new ApiError("BadRequest", "The body is not compressed as its Content-Encoding header says, or is not whole.")

/** What undoes the coding of a body; `undefined` for one that is plain. */
const inflaterFor = (contentEncoding: string | undefined): ((bytes: Buffer) => Inflater) | undefined => {
  const coding = contentEncoding?.trim().toLowerCase() ?? ""
  if (coding === "" || coding === "identity") return undefined
  const inflater = inflaters.get(coding)
  if (inflater === undefined) throw otherCoding(coding)
  return inflater
}

const inflated = (inflater: Inflater, bytes: Buffer, mostBytes: number, arriving: Arrival): Promise<Buffer> => {
  const mostForSize = Math.max(bytes.length * mostInflatedForByte, alwaysInflatedBytes)
  inflater.end(bytes)
  return mostForSize < mostBytes
    ? collected(inflater, mostForSize, arriving, inflatesTooMuch)
    : collected(inflater, mostBytes, arriving, tooLarge)
}

/** Windows PowerShell puts a byte order mark in front of what it writes; to read over it is what JSON allows (RFC 8259, 8.1). */
const withoutMark = (bytes: Buffer): Buffer =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes

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

const misfit = (issues: ReadonlyArray<Issue>): ApiError =>
  new ApiError("ModelValidationFailure", summary(issues), {
    details: issues.map(({ code, message, path }) =>
      path === "" ? { code, message } : { code, message, target: path }
    )
  })

/** Far above what a device has; each stray name is compared with every property, which must not be made to take long. */
const mostNames = 200

const fitting = <A>(body: unknown, parse: (body: unknown) => Parsed<A>): A => {
  const names = typeof body === "object" && body !== null && !Array.isArray(body) ? Object.keys(body).length : 0
  if (names > mostNames) {
    throw new ApiError("ModelValidationFailure", `The body has ${names} properties; at most ${mostNames} are read.`)
  }
  const parsed = parse(body)
  if (parsed.success) return parsed.data
  const [first] = parsed.issues
  if (first?.code === "notAnObject") throw new ApiError("BadRequest", `${unreadable().message} ${sentence(first)}`)
  throw misfit(parsed.issues)
}

/** Room for a batch of twenty bodies with as many names as are looked at, and for as many headers. */
const jsonLimits = { depth: 64, values: 10_000 }

const tooMuch: Readonly<Record<Extract<JsonRead, { readonly is: `too${string}` }>["is"], string>> = {
  tooDeep: `The JSON of the body is nested deeper than the ${jsonLimits.depth} levels that are read.`,
  tooManyValues: `The JSON of the body holds more than the ${jsonLimits.values} values that are read.`
}

/** A body that is JSON. */
export interface JsonBody {
  readonly text: string
  /** Of a name that stands twice in an object it has the last value. */
  readonly value: unknown
  /** The names that do; nearly always none. */
  readonly repeats: ReadonlyArray<RepeatedName>
}

const parseJson = (text: string): JsonBody => {
  const read = readJson(text, jsonLimits)
  switch (read.is) {
    case "json":
      return { text, value: read.value, repeats: [] }
    case "repeated":
      return { text, value: read.value, repeats: read.repeats }
    case "notJson":
      throw unreadable()
    default:
      throw new ApiError("BadRequest", tooMuch[read.is])
  }
}

/** What `take` makes of the body of a request, if that is JSON of at most so many bytes. */
export const jsonOf = async <A>(c: Context<Env>, mostBytes: number, take: (body: JsonBody) => A): Promise<A> => {
  const contentType = c.req.header("content-type")
  if (contentType === undefined) {
    throw new ApiError(
      "BadRequest",
      "Write requests (excluding DELETE) must contain the Content-Type header declaration."
    )
  }
  const inflaterOf = inflaterFor(c.req.header("content-encoding"))
  const arriving = arrival(c.get("tenant"))
  let bytes: Buffer
  try {
    const sent = await bytesOf(c, mostBytes, arriving)
    bytes = withoutMark(inflaterOf === undefined ? sent : await inflated(inflaterOf(sent), sent, mostBytes, arriving))
  } catch (error) {
    if (error instanceof ApiError) throw error
    // Else the caller went away in the middle of its body.
    throw inflaterOf === undefined ? unreadable() : notCompressed()
  } finally {
    arriving.end()
  }
  c.set("received", bytes)
  if (!isJson(contentType)) throw unreadable()
  if (bytes.length === 0) throw new ApiError("BadRequest", "Empty Payload. JSON content expected.")
  return inTurn(c.get("tenant"), async () => {
    if (!isUtf8(bytes)) throw unreadable()
    return take(parseJson(bytes.toString()))
  })
}

/** The body of a request, if it is JSON that `parse` accepts. */
export const jsonBody = <A>(c: Context<Env>, parse: (body: unknown) => Parsed<A>): Promise<A> =>
  jsonOf(c, largestBodyBytes, ({ value, repeats }) => {
    if (repeats.length > 0) throw misfit(repeatedNameIssues(repeats))
    return fitting(value, parse)
  })

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
