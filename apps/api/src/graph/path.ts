import { getPath } from "hono/utils/url"
import { referencePageFiles } from "../describe/reference-page.ts"

/** A place in the tree of what is addressed: what may follow it by name, and what follows it as a key. */
interface Place {
  readonly segments?: Segments
  readonly key?: Place
}

/** Places by their names in lower case, each with the name as the routes spell it. */
type Segments = ReadonlyMap<string, readonly [name: string, place: Place]>

const segments = (places: Readonly<Record<string, Place>>): Segments =>
  new Map(Object.entries(places).map((entry) => [entry[0].toLowerCase(), entry]))

/** A function without parameters, in each way to call it: with its namespace or without, with `()` or without. */
const functions = (name: string): Segments =>
  new Map(
    [name, `${name}()`, `microsoft.graph.${name}`, `microsoft.graph.${name}()`].map((spelling) => [
      spelling.toLowerCase(),
      [name, {}]
    ])
  )

const metricDevices: Place = { segments: segments({ $count: {} }), key: {} }
const metrics: Place = { key: { segments: segments({ metricDevices }) } }
const deviceManagement: Place = {
  segments: new Map([
    ...segments({
      userExperienceAnalyticsWorkFromAnywhereMetrics: metrics,
      userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric: {},
      userExperienceAnalyticsWorkFromAnywhereModelPerformance: { key: {} }
    }),
    ...functions("userExperienceAnalyticsSummarizeWorkFromAnywhereDevices")
  ])
}
const version: Place = { segments: segments({ deviceManagement, $metadata: {}, $batch: {} }) }
const docs: Place = { segments: segments(Object.fromEntries(referencePageFiles.map((file) => [file, {}]))) }
const root: Place = {
  segments: segments({
    beta: version,
    "v1.0": version,
    healthz: {},
    readyz: {},
    "openapi.json": {},
    docs,
    metrics: {}
  })
}

const decoded = (text: string): string => {
  if (!text.includes("%")) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The key in `('key')` or `(key)`; a quote inside a quoted key is doubled. */
const keyIn = (parentheses: string): string => {
  const inside = parentheses.slice(1, -1).trim()
  return /^'.*'$/s.test(inside) ? inside.slice(1, -1).replaceAll("''", "'") : inside
}

/** Where a path leads, spelled the one way the routes have; or the first segment that leads nowhere. */
type Walk =
  | { readonly found: true; readonly path: string; readonly place: Place }
  | { readonly found: false; readonly segment: string }

/**
 * Follows segments through the tree. Names match in any case, and both ways to write a key are the same place:
 * `metricDevices('id')` and `metricDevices/id` (reference 3).
 */
const follow = (path: string, start: Place, startPath: string): Walk => {
  let place = start
  let canonical = startPath
  for (const raw of path.split("/")) {
    const segment = decoded(raw)
    const parenthesis = segment.indexOf("(")
    const plain = place.segments?.get(segment.toLowerCase())
    if (plain !== undefined) {
      canonical += `/${plain[0]}`
      place = plain[1]
    } else if (place.key !== undefined && segment !== "") {
      canonical += `/${encodeURIComponent(segment)}`
      place = place.key
    } else if (parenthesis > 0 && segment.endsWith(")")) {
      const owner = place.segments?.get(segment.slice(0, parenthesis).toLowerCase())
      const key = keyIn(segment.slice(parenthesis))
      if (owner?.[1].key === undefined || key === "") return { found: false, segment }
      canonical += `/${owner[0]}/${encodeURIComponent(key)}`
      place = owner[1].key
    } else return { found: false, segment }
  }
  return { found: true, path: canonical, place }
}

/** Nearly all requests are for members of one collection, and to follow its path each time costs as much as a read. */
let lastFolder = ""
let lastWalk: Walk = { found: true, path: "", place: root }

const walk = (path: string): Walk => {
  const inner = path.slice(1, path.endsWith("/") ? -1 : undefined)
  const end = inner.lastIndexOf("/")
  if (end === -1) return follow(inner, root, "")
  const folder = inner.slice(0, end)
  if (folder !== lastFolder) {
    lastWalk = follow(folder, root, "")
    lastFolder = folder
  }
  return lastWalk.found ? follow(inner.slice(end + 1), lastWalk.place, lastWalk.path) : lastWalk
}

/** The path of a request as the routes spell it; one that leads nowhere stays as it is, and no route has it. */
export const odataPath = (request: Request): string => {
  const path = getPath(request)
  const end = walk(path)
  return end.found ? end.path : path
}

/** The first segment of a path that leads nowhere; `undefined` when the path is that of a resource. */
export const unknownSegment = (path: string): string | undefined => {
  const end = walk(path)
  return end.found ? undefined : end.segment
}
