import type { GraphVersion } from "@workanywhere/domain"
import { type Context, Hono } from "hono"
import { askedRootOf } from "./request-target.ts"
import { longestUrl } from "../graph/address.ts"
import { addressed, odataPath } from "../graph/path.ts"
import { queryOptions } from "../graph/query.ts"
import { ApiError } from "./api-error.ts"
import { type Item, itemsOf, keyOf } from "./batch-envelope.ts"
import { jsonOf } from "./body.ts"
import type { Env } from "./env.ts"
import { renderError } from "./render-error.ts"
import { replyJson } from "./reply.ts"
import { otherMethods, patternOf } from "./router.ts"
import { inTurn, ownTurn } from "./turn.ts"

/** Answers a request as the service does that a batch came to: with all its checks. */
export type Dispatch = (request: Request, bindings: Env["Bindings"]) => Response | Promise<Response>

/** The largest batch that is read. */
export const largestBatchBytes = 4 * 1_048_576

/** Room for a page of 999 whole devices, several times. */
const largestAnswerBytes = 16 * 1_048_576

/** What came of an item. */
interface ItemAnswer {
  readonly id: string
  readonly status: number
  /** As it stands in the answer, in UTF-8: to encode all of a large answer at once would keep everyone waiting. */
  readonly json: Buffer
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
