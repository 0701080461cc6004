import { pageOf } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { GraphError, Incomplete } from "./graph-error.ts"
import type { GraphRequest, Received, Send } from "./send.ts"

/** Where a page is asked for. */
type Place = Pick<GraphRequest, "path" | "query">

/** The path's parts, where `metrics('a')` is the same as `metrics/a`: services answer in either syntax (reference 3). */
const partsOf = (path: string): ReadonlyArray<string> =>
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

/** The next page's place, followed as it came; `undefined` when it is another origin's or another collection's. */
const placeOf = (link: string, origin: string, current: Place): Place | undefined => {
  const url = URL.parse(link, `${origin}${current.path}${current.query}`)
  if (url === null || url.origin !== origin || !isSamePath(url.pathname, current.path)) return undefined
  return { path: url.pathname, query: url.search }
}

const sentences: Record<Incomplete["why"], string> = {
  nextLinkElsewhere: "the list goes on at an address outside the collection, which is not followed",
  nextLinkRepeated: "the list goes on with a page that was already read"
}

const incomplete = ({ answer, sent }: Received<unknown>, why: Incomplete["why"], devicesSeen: number): GraphError =>
  new GraphError({
    ...sent,
    status: answer.status,
    ...(answer.requestId === undefined ? {} : { requestId: answer.requestId }),
    message: sentences[why],
    reason: new Incomplete({ why, devicesSeen })
  })

/**
 * The rows of a collection, page by page as they are asked for. It ends where Graph says that it ends, or fails: rows
 * that came before a failure are delivered, and a list that ends without one is whole.
 */
export const pages = <A>(
  send: Send,
  origin: string,
  first: Place,
  row: Parameters<typeof pageOf<A>>[0]
): Stream.Stream<A, GraphError> =>
  Stream.suspend(() => {
    const schema = pageOf(row)
    const asked = new Set<string>()
    let seen = 0
    return Stream.paginate<Place | GraphError, A, GraphError>(
      first,
      Effect.fnUntraced(function* (place) {
        if (place instanceof GraphError) return yield* place
        asked.add(place.path + place.query)
        const received = yield* send({ method: "GET", ...place }, schema)
        const { "@odata.nextLink": link, value: rows } = received.value
        seen += rows.length
        if (link === undefined) return [rows, Option.none()] as const
        const next = placeOf(link, origin, place)
        if (next === undefined) return [rows, Option.some(incomplete(received, "nextLinkElsewhere", seen))] as const
        if (asked.has(next.path + next.query)) {
          return [rows, Option.some(incomplete(received, "nextLinkRepeated", seen))] as const
        }
        return [rows, Option.some(next)] as const
      })
    )
  })
