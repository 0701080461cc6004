import { type GraphErrorDetail, type RepeatedName, placeIn } from "@workanywhere/domain"
import * as z from "zod"
import { ApiError } from "./api-error.ts"
import type { JsonBody } from "./body.ts"

/** The most items in a batch (docs/fidelity.md, F80). */
export const mostItems = 20

/** Four times what clients send with a request; the server itself takes no more characters of headers either. */
const mostHeaders = 64
const mostHeaderCharacters = 16_384

/** Callers number their items or give them a GUID; ids stand in answers, in logs and in what depends on them. */
const longestId = 256

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

/** An item of a batch, read and checked. */
export interface Item extends z.output<typeof batchItem> {
  /** The text of a body in which a name stands twice: only that still says so, to whoever answers the item. */
  readonly bodyAsSent?: string
}

/** JSON Schema of the body of a batch, as Microsoft's page writes one. */
export const batchSchema = (): z.core.JSONSchema.BaseSchema => z.toJSONSchema(batch, { io: "input" })

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
export const keyOf = (id: string): string => id.toLowerCase()

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
export const itemsOf = ({ text, value, repeats }: JsonBody): ReadonlyArray<Item> => {
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
