import { type GraphErrorDetail, type GraphVersion, type RepeatedName, placeIn } from "@workanywhere/domain"
import { type Context, Hono } from "hono"
import * as z from "zod"
import { askedRootOf } from "./request-target.ts"
import { longestUrl } from "../graph/address.ts"
import { addressed, odataPath } from "../graph/path.ts"
import { queryOptions } from "../graph/query.ts"
import { ApiError } from "./api-error.ts"
import { type JsonBody, jsonOf } from "./body.ts"
import type { Env } from "./env.ts"
import { renderError } from "./render-error.ts"
import { replyJson } from "./reply.ts"
import { otherMethods, patternOf } from "./router.ts"
import { inTurn, ownTurn } from "./turn.ts"

/** Answers a request as the service does that a batch came to: with all its checks. */
export type Dispatch = (request: Request, bindings: Env["Bindings"]) => Response | Promise<Response>

/** The largest batch that is read. */
export const largestBatchBytes = 4 * 1_048_576

/** The most items in a batch (docs/fidelity.md, F80). */
export const mostItems = 20

/** Four times what clients send with a request; the server itself takes no more characters of headers either. */
const mostHeaders = 64
const mostHeaderCharacters = 16_384

/** Callers number their items or give them a GUID; ids stand in answers, in logs and in what depends on them. */
const longestId = 256

/** Room for a page of 999 whole devices, several times. */
const largestAnswerBytes = 16 * 1_048_576

const batchItem = z.object({
  id: z.string().min(1).max(longestId),
  method: z.enum(["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]),
  url: z.string().min(1),
  headers: z.exactOptional(z.record(z.string(), z.string())),
  // Serializers write null for what is not there.
  body: z.exactOptional(z.unknown().transform((body) => body ?? undefined)),
  dependsOn: z.exactOptional(z.array(z.string()).max(mostItems))
})

const batch = z.object(
  { requests: z.array(batchItem, "expected a list of requests").min(1, "expected at least one request") },
  'expected an object such as {"requests":[…]}'
)

interface Item extends z.output<typeof batchItem> {
  /** The text of a body in which a name stands twice: only that still says so, to whoever answers the item. */
  readonly bodyAsSent?: string
}

/** JSON Schema of the body of a batch, as Microsoft's page writes one. */
export const batchSchema = (): z.core.JSONSchema.BaseSchema => z.toJSONSchema(batch, { io: "input" })

/** What came of an item. */
interface ItemAnswer {
  readonly id: string
  readonly status: number
  /** As it stands in the answer, in UTF-8: to encode all of a large answer at once would keep everyone waiting. */
  readonly json: Buffer
}

/** As many faults are named as there can be items: what else is wrong shows when those are mended. */
const malformed = (details: ReadonlyArray<GraphErrorDetail>): ApiError =>
  new ApiError("BadRequest", `Invalid batch payload format: ${details[0]?.message}.`, {
    details: details.slice(0, mostItems)
  })

const fault = (target: string, what: string): GraphErrorDetail => ({
  code: "malformed",
  message: `${target}: ${what}`,
  target
})

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Members by the names that Microsoft's page gives them, whatever their case; others are left out, as Graph does. */
const named = (
  names: ReadonlyArray<string>,
  place: ReadonlyArray<PropertyKey>,
  value: Readonly<Record<string, unknown>>
): Readonly<Record<string, unknown>> => {
  const byName = new Map<string, unknown>()
  for (const [written, member] of Object.entries(value)) {
    const name = names.find((known) => known.toLowerCase() === written.toLowerCase())
    if (name === undefined) continue
    if (byName.has(name)) {
      throw malformed([fault(placeIn([...place, written]).slice(0, 100), "the name stands twice, in different cases")])
    }
    byName.set(name, member)
  }
  return Object.fromEntries(byName)
}

const withoutNulls = (value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null))

const textOfNumber = (value: unknown): unknown => (typeof value === "number" ? String(value) : value)

/** Headers without those that are null; PHP writes what has no names as an empty list. */
const plainHeaders = (headers: unknown): unknown => {
  if (Array.isArray(headers) && headers.length === 0) return {}
  return isObject(headers) ? withoutNulls(headers) : headers
}

const itemMembers = ["id", "method", "url", "headers", "body", "dependsOn", "atomicityGroup"]

/** An item as Microsoft's page would write it; what is wrong with it besides its spelling is left as it is. */
const plainItem = (item: unknown, at: number): unknown => {
  if (!isObject(item)) return item
  const { id, method, headers, dependsOn, atomicityGroup, ...others } = withoutNulls(
    named(itemMembers, ["requests", at], item)
  )
  // To do one by one what was to be done together or not at all would be to do something else.
  if (atomicityGroup !== undefined) {
    throw malformed([
      fault(`requests[${at}].atomicityGroup`, "requests are not made together or not at all; leave it out")
    ])
  }
  return {
    ...others,
    ...(id === undefined ? {} : { id: textOfNumber(id) }),
    ...(method === undefined ? {} : { method: typeof method === "string" ? method.toUpperCase() : method }),
    ...(headers === undefined ? {} : { headers: plainHeaders(headers) }),
    ...(dependsOn === undefined
      ? {}
      : { dependsOn: Array.isArray(dependsOn) ? dependsOn.map(textOfNumber) : dependsOn })
  }
}

/** The position of the item in whose body a name stands twice; `undefined` for a name of the batch itself. */
const itemWith = ({ path: [requests, at, body, ...inside] }: RepeatedName): number | undefined =>
  typeof at === "number" && /^requests$/i.test(String(requests)) && /^body$/i.test(String(body)) && inside.length > 0
    ? at
    : undefined

/** Ids are not case-sensitive (Microsoft: "Combine multiple HTTP requests using JSON batching"). */
const keyOf = (id: string): string => id.toLowerCase()

const headersOf = (item: Item): Headers | undefined => {
  try {
    return new Headers(item.headers)
  } catch {
    return undefined
  }
}

const headerFault = ({ headers = {} }: Item): string | undefined => {
  const all = Object.entries(headers)
  if (all.length > mostHeaders) return `has ${all.length} headers; at most ${mostHeaders} are taken`
  const characters = all.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  return characters > mostHeaderCharacters
    ? `is longer than the ${mostHeaderCharacters} characters that are taken`
    : undefined
}

const itemFaults = (item: Item, at: number, known: ReadonlySet<string>): ReadonlyArray<GraphErrorDetail> => {
  const target = `requests[${at}]`
  const tooMuch = headerFault(item)
  if (tooMuch !== undefined) return [fault(`${target}.headers`, tooMuch)]
  const headers = headersOf(item)
  const withoutBody = item.method === "GET" || item.method === "HEAD"
  return [
    ...(headers === undefined ? [fault(`${target}.headers`, "holds what cannot be a header")] : []),
    ...(item.body !== undefined && headers?.has("content-type") === false
      ? [fault(`${target}.headers`, "a request with a body needs a Content-Type")]
      : []),
    ...(item.body !== undefined && withoutBody ? [fault(`${target}.body`, `${item.method} takes no body`)] : []),
    ...(/^[a-z][a-z\d+.-]*:|^\/\//i.test(item.url)
      ? [fault(`${target}.url`, "expected an address relative to the version, such as /deviceManagement/…")]
      : []),
    ...(item.dependsOn ?? [])
      .filter((id) => !known.has(keyOf(id)))
      .map((id) => fault(`${target}.dependsOn`, `there is no request with the id '${id.slice(0, 60)}'`))
  ]
}

/** The items that wait for each other, if any do: what is left when all that can be answered are taken away. */
const circle = (items: ReadonlyArray<Item>): ReadonlyArray<Item> => {
  const waiting = new Map(items.map((item) => [keyOf(item.id), item]))
  for (let before = Number.POSITIVE_INFINITY; waiting.size < before;) {
    before = waiting.size
    for (const [key, { dependsOn = [] }] of waiting) {
      if (!dependsOn.some((id) => waiting.has(keyOf(id)))) waiting.delete(key)
    }
  }
  return [...waiting.values()]
}

/** The items of a batch; everything that is wrong with it is said at once. */
const itemsOf = ({ text, value, repeats }: JsonBody): ReadonlyArray<Item> => {
  const ofBatch = repeats.filter((repeat) => itemWith(repeat) === undefined)
  if (ofBatch.length > 0) {
    throw malformed(ofBatch.map(({ path }) => fault(placeIn(path).slice(0, 100), "the name stands twice")))
  }
  const body = isObject(value) ? named(["requests"], [], value) : value
  const requests = isObject(body) ? body["requests"] : undefined
  if (Array.isArray(requests) && requests.length > mostItems) {
    const message = `The number of batch request steps exceeds the maximum value of ${mostItems}: there are ${requests.length}.`
    throw new ApiError("BadRequest", message)
  }
  const parsed = batch.safeParse(Array.isArray(requests) ? { requests: requests.map(plainItem) } : body)
  if (!parsed.success) {
    throw malformed(
      parsed.error.issues
        .slice(0, mostItems)
        .map(({ path, message }) => fault(placeIn(path).slice(0, 100) || "the body", message.slice(0, 200)))
    )
  }
  const bodiesAsSent = new Map(
    repeats.flatMap((repeat) => {
      const [at, body] = [itemWith(repeat), repeat.within[3]]
      return at === undefined || body === undefined ? [] : [[at, text.slice(body.start, body.end)] as const]
    })
  )
  const items = parsed.data.requests.map((item, at): Item => {
    const bodyAsSent = bodiesAsSent.get(at)
    return bodyAsSent === undefined ? item : { ...item, bodyAsSent }
  })
  const known = new Set<string>()
  const faults: Array<GraphErrorDetail> = []
  for (const [at, { id }] of items.entries()) {
    if (known.has(keyOf(id))) faults.push(fault(`requests[${at}].id`, "another request has this id"))
    known.add(keyOf(id))
  }
  faults.push(...items.flatMap((item, at) => itemFaults(item, at, known)))
  if (faults.length === 0) {
    faults.push(...circle(items).map((item) => fault(`requests[${items.indexOf(item)}].dependsOn`, "waits for itself")))
  }
  if (faults.length > 0) throw malformed(faults)
  return items
}

/** What an item has from the request that the batch came in; who calls is not for an item to say. */
const inherited = /^(?:authorization|host|client-request-id|user-agent|x-wfa-.*)$/

/** What describes the message that the item is not. */
const dropped = /^(?:authorization|host|connection|content-length|transfer-encoding|expect|upgrade)$/

const isJson = (contentType: string): boolean => /^application\/(?:[\w.+-]+\+)?json\b/i.test(contentType)

/** JSON as it is, text as text, and anything else in base64 (OData's rule for bodies inside JSON). */
const bytesOf = ({ body, bodyAsSent }: Item, contentType: string): string | Uint8Array => {
  if (bodyAsSent !== undefined) return bodyAsSent
  if (typeof body !== "string" || isJson(contentType)) return JSON.stringify(body)
  return /^text\//i.test(contentType) ? body : Buffer.from(body, "base64")
}

const requestOf = (c: Context<Env>, url: URL, item: Item): Request => {
  const headers = new Headers()
  for (const [name, value] of c.req.raw.headers) if (inherited.test(name)) headers.set(name, value)
  for (const [name, value] of new Headers(item.headers)) if (!dropped.test(name)) headers.set(name, value)
  if (item.body === undefined) return new Request(url, { method: item.method, headers })
  const body = Buffer.from(bytesOf(item, headers.get("content-type") ?? ""))
  headers.set("content-length", String(body.length))
  return new Request(url, { method: item.method, headers, body })
}

/** Names as Graph writes them: clients look some of them up in this spelling. */
const spelled = (name: string): string =>
  name.endsWith("request-id")
    ? name
    : name
        .replaceAll(/(?:^|-)[a-z]/g, (start) => start.toUpperCase())
        .replace(/^Odata/, "OData")
        .replace(/^Etag$/, "ETag")

/** A body as JSON; empty for none. What is JSON already goes into the answer as it is. */
const bodyOf = async (response: Response): Promise<Buffer> => {
  const contentType = response.headers.get("content-type") ?? ""
  const bytes = Buffer.from(await response.arrayBuffer())
  if (bytes.length === 0) return bytes
  if (!isJson(contentType)) {
    return Buffer.from(JSON.stringify(bytes.toString(/^text\//i.test(contentType) ? "utf8" : "base64url")))
  }
  // The answers to all other items stand beside it in one text.
  JSON.parse(bytes.toString())
  return bytes
}

const itemAnswer = async (id: string, response: Response): Promise<ItemAnswer> => {
  const { status } = response
  const body = await bodyOf(response)
  const headers = Object.fromEntries([...response.headers].map(([name, value]) => [spelled(name), value]))
  const front = JSON.stringify({ id, status, headers })
  const json =
    body.length === 0
      ? Buffer.from(front)
      : Buffer.concat([Buffer.from(`${front.slice(0, -"}".length)},"body":`), body, Buffer.from("}")])
  return { id, status, json }
}

const comma = Buffer.from(",")

/** May be sent again, alone: what it asks for is read, or was not done. */
const noRoom = (): ApiError =>
  new ApiError(
    "TooManyRequests",
    `The answers to this batch are larger than ${largestAnswerBytes} bytes together; send this request again, in a batch of fewer.`,
    { headers: { "retry-after": "1" } }
  )

const isRead = ({ method }: Item): boolean => method === "GET" || method === "HEAD"

/** Does so many things at a time, and the others in the order in which they were to be done. */
const atMost = (places: number): (<A>(work: () => Promise<A>) => Promise<A>) => {
  let free = places
  const waiting: Array<() => void> = []
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve))
    else free--
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}

const refuseMultipart = (contentType: string | undefined): void => {
  if (contentType === undefined || !/^\s*multipart\//i.test(contentType)) return
  throw new ApiError(
    "BadRequest",
    'A batch is read as JSON, not as multipart/mixed: send {"requests":[…]} with the Content-Type application/json.'
  )
}

/**
 * The route of batches under one root; `dispatchOf` gives what answers the items of one batch. Pages are large: where they
 * are made here, no more than `readsAtOnce` are made at a time.
 */
export const batchRoutes = (
  version: GraphVersion,
  dispatchOf: (c: Context<Env>) => Dispatch,
  readsAtOnce?: number
): Hono<Env> => {
  const answered = async (c: Context<Env>, item: Item, dispatch: Dispatch): Promise<Response> => {
    if (item.url.length > longestUrl) {
      const message = `The URL is longer than the ${longestUrl} characters that are accepted.`
      return renderError(c, new ApiError("uriTooLong", message))
    }
    const root = new URL(`${askedRootOf(c, version)}/`)
    const url = new URL(root.href + item.url.replace(/^\//, ""))
    // Dots in an address must not lead out of the version, and a batch holds no batches.
    if (!url.href.startsWith(root.href)) {
      return renderError(
        c,
        new ApiError("BadRequest", "The url of the request leads to another version or root than that of the batch.")
      )
    }
    const request = requestOf(c, url, item)
    if (addressed(odataPath(request))?.route === "batch") {
      return renderError(c, new ApiError("BadRequest", "A batch cannot be part of a batch."))
    }
    return dispatch(request, { ...c.env, batchItem: { id: item.id, of: c.get("requestId"), span: c.get("span") } })
  }

  return new Hono<Env>()
    .post(patternOf("batch"), async (c) => {
      queryOptions(c.req.url, [])
      refuseMultipart(c.req.header("content-type"))
      const items = await jsonOf(c, largestBatchBytes, itemsOf)
      const answers = new Map<string, Promise<ItemAnswer>>()
      const responses: Array<Buffer> = []
      let bytes = 0
      const dispatch = dispatchOf(c)
      const reading = readsAtOnce === undefined ? undefined : atMost(readsAtOnce)

      // In the order in which they come about, as from Graph: a caller goes by the ids.
      const add = (answer: ItemAnswer): ItemAnswer => {
        responses.push(answer.json)
        bytes += answer.json.length
        return answer
      }

      const refused = async ({ id }: Item, error: ApiError): Promise<ItemAnswer> =>
        add(await itemAnswer(id, renderError(c, error)))

      const run = async (item: Item): Promise<ItemAnswer> => {
        const before = await Promise.all((item.dependsOn ?? []).map((id) => answerTo(keyOf(id))))
        const failed = before.find(({ status }) => status >= 400)
        if (failed !== undefined) {
          const message = `The request was not sent, because the request '${failed.id}' failed, which it depends on.`
          return refused(item, new ApiError("FailedDependency", message))
        }
        if (reading === undefined || !isRead(item)) return asked(item)
        return reading(async () => {
          // Writes that begin together share a commit; pages that are made together keep everyone waiting.
          await ownTurn(c.get("tenant"))
          return asked(item)
        })
      }

      const asked = async (item: Item): Promise<ItemAnswer> => {
        if (bytes > largestAnswerBytes) return refused(item, noRoom())
        const answer = await inTurn(c.get("tenant"), async () => itemAnswer(item.id, await answered(c, item, dispatch)))
        // A write that was made is said to be made; and the first answer is given whatever its size.
        const fits = bytes === 0 || bytes + answer.json.length <= largestAnswerBytes
        return fits || !isRead(item) ? add(answer) : refused(item, noRoom())
      }

      const byKey = new Map(items.map((item) => [keyOf(item.id), item]))
      const answerTo = (key: string): Promise<ItemAnswer> => {
        const answer = answers.get(key) ?? run(byKey.get(key)!)
        answers.set(key, answer)
        return answer
      }

      await Promise.all([...byKey.keys()].map(answerTo))
      const separated = responses.flatMap((json, at) => (at === 0 ? [json] : [comma, json]))
      return replyJson(c, 200, Buffer.concat([Buffer.from(`{"responses":[`), ...separated, Buffer.from("]}")]))
    })
    .all(patternOf("batch"), otherMethods("batch"))
}
