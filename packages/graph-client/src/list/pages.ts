import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { StandardSchemaV1 } from "effect/StandardSchema"
import * as Stream from "effect/Stream"
import { incomplete } from "../facts/answer.ts"
import { type GraphError, Incomplete, type WhyIncomplete } from "../facts/graph-error.ts"
import { type GraphRequest, hidden } from "../send/attempt.ts"
import type { Settings } from "../send/options.ts"
import type { Received, Send } from "../send/send.ts"

/** Where a list can be taken up again, after a crash too: plain data to be kept where the rows go. */
export interface Checkpoint {
  /** The next page's address, which is always one of the client's own origin; opaque. It may expire. */
  readonly nextLink: string
  /** Rows on the pages before. */
  readonly rowsSeen: number
}

/** A row of a list: read, or of a shape that could not be read, with its JSON as it came. */
export type Row<A> =
  | { readonly kind: "row"; readonly value: A }
  | { readonly kind: "unreadable"; readonly json: unknown; readonly message: string }

/** One page of a list, and how far the list is with it. */
export interface ListPage<A> {
  readonly rows: ReadonlyArray<Row<A>>
  /** Rows so far, this page's included. */
  readonly rowsSeen: number
  /** Rows so far whose id had come before; where they are counted. */
  readonly duplicates?: number
  /** The number of all rows, where the service says it. */
  readonly count?: number
  /** Where to go on once this page is dealt with; the last page has none. */
  readonly checkpoint?: Checkpoint
  /** On the last page of a list that was not ended by `top`: whether there was a number to compare with, which proves it. */
  readonly isProven?: boolean
}

/** What a list is read with. */
export interface List<A> {
  readonly request: Pick<GraphRequest, "template" | "path" | "query" | "headers">
  readonly row: StandardSchemaV1<unknown, A>
  /** Ends the list after this many rows. */
  readonly top?: number | undefined
  readonly isCountAsked: boolean
  /** The query to go on with where the service does not take that of the request, which asks for the count. */
  readonly queryWithoutCount?: string | undefined
  readonly expectedCount?: number | undefined
  readonly countDuplicates: boolean
  /** Whether unreadable rows, which are passed on, make the list incomplete at its end. */
  readonly refuseUnreadable: boolean
  /** Where to begin, when not at the beginning. */
  readonly resume?: { readonly path: string; readonly query: string; readonly rowsSeen: number } | undefined
}

interface Envelope {
  readonly value: ReadonlyArray<unknown>
  readonly nextLink: string | undefined
  readonly count: number | undefined
}

/** A page without its rows being looked at: a row that does not fit should not cost the others. */
const envelope: StandardSchemaV1<unknown, Envelope> = {
  "~standard": {
    version: 1,
    vendor: "workanywhere",
    validate: (body) => {
      if (typeof body !== "object" || body === null) return { issues: [{ message: "not a page" }] }
      const { "@odata.count": count, "@odata.nextLink": link, value } = body as Readonly<Record<string, unknown>>
      if (!Array.isArray(value)) return { issues: [{ message: "no rows", path: ["value"] }] }
      // Some serializers write what is not there.
      const nextLink = link === null || link === "" ? undefined : link
      if (nextLink !== undefined && typeof nextLink !== "string") {
        return { issues: [{ message: "not an address", path: ["@odata.nextLink"] }] }
      }
      return { value: { value, nextLink, count: typeof count === "number" ? count : undefined } }
    }
  }
}

const wordsOf = ({ message, path = [] }: StandardSchemaV1.Issue): string =>
  [...path.map((segment) => String(typeof segment === "object" ? segment.key : segment)), message].join(": ")

const rowOf = <A>(schema: StandardSchemaV1<unknown, A>, json: unknown): Row<A> => {
  const result = schema["~standard"].validate(json)
  if (result instanceof Promise) throw new TypeError("rows are read by schemas that answer at once")
  if (result.issues === undefined) return { kind: "row", value: result.value }
  return { kind: "unreadable", json, message: result.issues.map(wordsOf).join("; ") }
}

const idOf = (json: unknown): string | undefined =>
  typeof json === "object" && json !== null && "id" in json && typeof json.id === "string" ? json.id : undefined

/** What tells a page from others: its size and outermost ids. A page that shares them repeats rows at the least. */
const markOf = (rows: ReadonlyArray<unknown>): string | undefined => {
  const [first, last] = [idOf(rows.at(0)), idOf(rows.at(-1))]
  return first === undefined || last === undefined ? undefined : JSON.stringify([rows.length, first, last])
}

/** The path's parts, where `metrics('a')` is the same as `metrics/a` (docs/fidelity.md, F1): services use both. */
export const partsOf = (path: string): ReadonlyArray<string> =>
  path.split("/").flatMap((segment) => {
    const [, name, key] = /^([^(]+)\((?:'|%27)(.*)(?:'|%27)\)$/i.exec(segment) ?? []
    return name === undefined || key === undefined
      ? [decodeURIComponent(segment)]
      : [decodeURIComponent(name), decodeURIComponent(key).replaceAll("''", "'")]
  })

const isSamePath = (one: string, other: string): boolean => {
  try {
    return JSON.stringify(partsOf(one)) === JSON.stringify(partsOf(other))
  } catch {
    return false
  }
}

/** Where a next link leads, as `URL` reads it; `undefined` when that is another origin's or another collection's. */
export const placeOf = (link: string, origin: string, current: { readonly path: string; readonly query: string }) => {
  const url = URL.parse(link, `${origin}${current.path}${current.query}`)
  if (url === null || url.origin !== origin || !isSamePath(url.pathname, current.path)) return undefined
  return { path: url.pathname, query: url.search }
}

const sentences: Record<Exclude<WhyIncomplete, "countDiffers">, string> = {
  nextLinkElsewhere: "the list goes on at an address outside the collection, which is not followed",
  nextLinkRepeated: "the list goes on with a page that was already read",
  pageRepeated: "the list repeats a page under another address",
  pagesEmpty: "the list goes on and on with empty pages",
  rowsUnreadable: "the list has rows that could not be read"
}

/** Statuses with which services refuse an option that they do not know (docs/fidelity.md, source P1). */
const refusesOption: ReadonlySet<number | undefined> = new Set([400, 500, 501])

/**
 * A page may be empty and yet not the last ("Paging Microsoft Graph data in your app"); a service that never stops has
 * to be left some time.
 */
const mostEmptyPages = 100

/**
 * A collection page by page, as they are asked for. It ends where Graph says that it ends, or fails: what came before
 * a failure is delivered, and a list that ends without one is whole as far as can be known. What is kept in memory is
 * an address and a mark for each page, and the ids where duplicates are counted.
 */
export const pages = <A>(
  send: Send,
  { origin, tokens }: Pick<Settings, "origin" | "tokens">,
  list: List<A>
): Stream.Stream<ListPage<A>, GraphError> =>
  Stream.suspend(() => {
    const { countDuplicates, queryWithoutCount, request, resume, row: schema, top = Infinity } = list
    const asked = new Set<string>()
    const marks = new Set<string>()
    const ids = new Set<string>()
    const counts: Array<number> = list.expectedCount === undefined ? [] : [list.expectedCount]
    let [seen, duplicates, unreadable, emptyInRow] = [resume?.rowsSeen ?? 0, 0, 0, 0]

    const failure = ({ answer, sent }: Received<unknown>, why: WhyIncomplete): GraphError => {
      const expected: { readonly devicesExpected?: number } =
        why === "countDiffers" ? { devicesExpected: counts.at(-1) ?? 0 } : {}
      const repeated = countDuplicates ? { duplicates } : {}
      const unread = unreadable === 0 ? {} : { unreadable }
      const reason = new Incomplete({ why, devicesSeen: seen, ...expected, ...repeated, ...unread })
      const distinct = seen - duplicates
      const words =
        why === "countDiffers"
          ? `${distinct === 1 ? "1 row" : `${distinct} rows`} came, and there should be ${expected.devicesExpected}`
          : sentences[why]
      return incomplete(sent, hidden(tokens, answer), words, reason)
    }

    /** Others may write while a list is read: a number between the least and the greatest that were said is right. */
    const isCountRight = (): boolean => {
      const distinct = seen - duplicates
      return counts.length === 0 || (distinct >= Math.min(...counts) && distinct <= Math.max(...counts))
    }

    const take = ({ count, value }: Envelope): ReadonlyArray<Row<A>> => {
      const rows = value.slice(0, top - seen)
      seen += rows.length
      emptyInRow = rows.length === 0 ? emptyInRow + 1 : 0
      // Intune was seen to say 0 beside rows, without being asked (docs/fidelity.md, source P1).
      const isQuirk = count === 0 && seen > 0 && (!list.isCountAsked || queryWithoutCount !== undefined)
      if (count !== undefined && list.expectedCount === undefined && !isQuirk && !counts.includes(count)) {
        counts.push(count)
      }
      for (const id of countDuplicates ? rows.map(idOf) : []) {
        if (id === undefined) continue
        if (ids.has(id)) duplicates++
        ids.add(id)
      }
      const read = rows.map((json) => rowOf(schema, json))
      unreadable += read.filter(({ kind }) => kind === "unreadable").length
      return read
    }

    type Place = Pick<GraphRequest, "path" | "query">

    /** The place of the next page, a failure to come after this one, or `undefined` at the end. */
    const after = (received: Received<Envelope>, place: Place): Place | GraphError | undefined => {
      const { nextLink } = received.value
      if (seen < top && nextLink !== undefined) {
        const next = placeOf(nextLink, origin, place)
        if (next === undefined) return failure(received, "nextLinkElsewhere")
        if (asked.has(next.path + next.query)) return failure(received, "nextLinkRepeated")
        return emptyInRow >= mostEmptyPages ? failure(received, "pagesEmpty") : next
      }
      if (seen < top && !isCountRight()) return failure(received, "countDiffers")
      return list.refuseUnreadable && unreadable > 0 ? failure(received, "rowsUnreadable") : undefined
    }

    const fetched = (place: Place) => send({ ...request, method: "GET", ...place }, envelope)

    /** The first page: without the count, where the service refuses to count or gives nothing but a number. */
    const firstPage = Effect.fnUntraced(function* (place: Place) {
      if (queryWithoutCount === undefined) return yield* fetched(place)
      const outcome = yield* Effect.result(fetched(place))
      if (Result.isSuccess(outcome)) {
        const { count = 0, nextLink, value } = outcome.success.value
        if (count === 0 || nextLink !== undefined || value.length > 0) return outcome.success
        // A sibling was seen to answer so, with a count that was right (docs/fidelity.md, source P1).
        if (list.expectedCount === undefined) counts.push(count)
      } else if (!refusesOption.has(outcome.failure.status)) {
        return yield* outcome.failure
      }
      return yield* fetched({ ...place, query: queryWithoutCount })
    })

    return Stream.paginate<Place | { readonly error: GraphError }, ListPage<A>, GraphError>(
      resume ?? request,
      Effect.fnUntraced(function* (place) {
        if ("error" in place) return yield* place.error
        const isFirst = asked.size === 0
        asked.add(place.path + place.query)
        const received = yield* isFirst && resume === undefined ? firstPage(place) : fetched(place)
        const mark = markOf(received.value.value)
        if (mark !== undefined && marks.has(mark)) return yield* failure(received, "pageRepeated")
        if (mark !== undefined) marks.add(mark)
        const rows = take(received.value)
        const next = after(received, place)
        const { count } = received.value
        const page: ListPage<A> = {
          rows,
          rowsSeen: seen,
          ...(countDuplicates ? { duplicates } : {}),
          ...(count === undefined ? {} : { count }),
          ...(next === undefined || "_tag" in next
            ? {}
            : { checkpoint: { nextLink: origin + next.path + next.query, rowsSeen: seen } }),
          ...(next === undefined && seen < top ? { isProven: counts.length > 0 } : {})
        }
        if (next === undefined) return [[page], Option.none()] as const
        return [[page], Option.some("_tag" in next ? { error: next } : next)] as const
      })
    )
  })
