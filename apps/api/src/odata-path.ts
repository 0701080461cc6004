import { getPath } from "hono/utils/url"

/** A place in the tree of what is addressed: what may follow it by name, and what follows it as a key. */
interface Place {
  readonly segments?: Readonly<Record<string, Place>>
  readonly key?: Place
}

const metricDevices: Place = { key: {} }
const metrics: Place = { key: { segments: { metricDevices } } }
const version: Place = {
  segments: { deviceManagement: { segments: { userExperienceAnalyticsWorkFromAnywhereMetrics: metrics } } }
}
const root: Place = { segments: { beta: version, "v1.0": version, healthz: {}, readyz: {} } }

const decoded = (text: string): string => {
  if (!text.includes("%")) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const named = (place: Place, name: string): string | undefined => {
  if (place.segments === undefined) return undefined
  if (Object.hasOwn(place.segments, name)) return name
  const lower = name.toLowerCase()
  return Object.keys(place.segments).find((segment) => segment.toLowerCase() === lower)
}

/** The key in `('key')` or `(key)`; a quote inside a quoted key is doubled. */
const keyIn = (parentheses: string): string => {
  const inside = parentheses.slice(1, -1).trim()
  return /^'.*'$/s.test(inside) ? inside.slice(1, -1).replaceAll("''", "'") : inside
}

type Walk = { readonly found: true; readonly path: string } | { readonly found: false; readonly segment: string }

/**
 * Follows a path through the tree. Names match in any case, and both ways to write a key are the same place:
 * `metricDevices('id')` and `metricDevices/id` (reference 3). What is found is spelled the one way the routes have.
 */
const walk = (path: string): Walk => {
  const segments = (path.endsWith("/") ? path.slice(1, -1) : path.slice(1)).split("/")
  let place = root
  let canonical = ""
  for (const raw of segments) {
    const segment = decoded(raw)
    const plain = named(place, segment)
    if (plain !== undefined) {
      place = place.segments?.[plain] ?? {}
      canonical += `/${plain}`
      continue
    }
    if (place.key !== undefined) {
      if (segment === "") return { found: false, segment }
      place = place.key
      canonical += `/${encodeURIComponent(segment)}`
      continue
    }
    const parenthesis = segment.indexOf("(")
    const name = parenthesis > 0 && segment.endsWith(")") ? named(place, segment.slice(0, parenthesis)) : undefined
    const owner = name === undefined ? undefined : place.segments?.[name]
    const key = keyIn(segment.slice(parenthesis))
    if (owner?.key === undefined || key === "") return { found: false, segment }
    place = owner.key
    canonical += `/${name}/${encodeURIComponent(key)}`
  }
  return { found: true, path: canonical }
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
