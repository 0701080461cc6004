import { type GraphVersion, type Route, type RouteName, routeNames, routes } from "@workanywhere/domain"
import { getPath } from "hono/utils/url"

/** What the service has besides Graph, for people and machines that look at the service itself. */
const ownPaths = ["/", "/healthz", "/readyz", "/openapi.json", "/docs", "/docs/{file}", "/metrics"] as const

/** A place in the tree of what is addressed: what may follow it by name, and what follows it as a key. */
interface Place {
  /** The route of Graph that ends here. */
  route?: RouteName
  /** By their names in lower case, each with the name as the routes spell it. */
  readonly segments: Map<string, readonly [name: string, place: Place]>
  key?: Place
}

const newPlace = (): Place => ({ segments: new Map() })

/** The ways to call a function without parameters: with its namespace, the alias of that or neither, with `()` or without. */
const spellingsOf = (name: string, isFunction: boolean): ReadonlyArray<string> =>
  isFunction
    ? [name, `graph.${name}`, `microsoft.graph.${name}`].flatMap((spelling) => [spelling, `${spelling}()`])
    : [name]

/** The place of a template below another one, made where it is not there. */
const placeAt = (start: Place, template: string, isFunction = false): Place => {
  let place = start
  for (const name of template.split("/").filter((part) => part !== "")) {
    if (name.startsWith("{")) {
      place.key ??= newPlace()
      place = place.key
    } else {
      const next = place.segments.get(name.toLowerCase())?.[1] ?? newPlace()
      for (const spelling of spellingsOf(name, isFunction)) place.segments.set(spelling.toLowerCase(), [name, next])
      place = next
    }
  }
  return place
}

const version = newPlace()
for (const name of routeNames) {
  const { isFunction, path }: Route = routes[name]
  placeAt(version, path, isFunction).route = name
}
const root = newPlace()
root.segments.set("beta", ["beta", version]).set("v1.0", ["v1.0", version])
for (const path of ownPaths) placeAt(root, path)

const decoded = (text: string): string => {
  if (!text.includes("%")) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * The key in `('key')`, `(id='key')` or `(key)`; a quote inside a quoted key is doubled. `undefined` where another property
 * is named, which is the key of nothing.
 */
const keyIn = (parentheses: string): string | undefined => {
  const inside = parentheses.slice(1, -1).trim()
  const [, name, text] = /^(?:(\w+)\s*=\s*)?'(.*)'$/s.exec(inside) ?? []
  if (text === undefined) return inside
  return name === undefined || name === "id" ? text.replaceAll("''", "'") : undefined
}

/**
 * Names that OData has for what follows a collection, and the types that it may be cast to: they are no keys, though one
 * may be called so, and then stands in parentheses. Those that are served stand in the tree and are found before.
 */
const reservedName =
  /^(?:\$(?:all|batch|count|crossjoin|each|entity|filter|it|links|metadata|query|ref|root|value)(?:\(.*\))?|(?:microsoft\.)?graph\.[a-z_]\w*(?:\(.*\))?)$/i

/** Whether a segment is one of OData's names or a cast to a type, and no key. */
export const isReserved = (segment: string): boolean => reservedName.test(segment)

/** Where a path leads, spelled the one way the routes have; or the first segment that leads nowhere. */
type Walk =
  | { readonly found: true; readonly path: string; readonly place: Place }
  | { readonly found: false; readonly segment: string }

/**
 * Follows segments through the tree. Names match in any case, and both ways to write a key are the same place:
 * `metricDevices('id')` and `metricDevices/id` (docs/fidelity.md, F1).
 */
const follow = (path: string, start: Place, startPath: string): Walk => {
  let place = start
  let canonical = startPath
  for (const raw of path.split("/")) {
    // Two slashes, as of a root that ends with one and a path that begins with one, are one.
    if (raw === "") continue
    const segment = decoded(raw)
    const parenthesis = segment.indexOf("(")
    const plain = place.segments.get(segment.toLowerCase())
    if (plain !== undefined) {
      canonical += `/${plain[0]}`
      place = plain[1]
    } else if (place.key !== undefined && !isReserved(segment)) {
      canonical += `/${encodeURIComponent(segment)}`
      place = place.key
    } else if (parenthesis > 0 && segment.endsWith(")")) {
      const owner = place.segments.get(segment.slice(0, parenthesis).toLowerCase())
      const key = keyIn(segment.slice(parenthesis))
      if (owner?.[1].key === undefined || key === undefined || key === "") return { found: false, segment }
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

/**
 * The path of a request as the routes spell it; one that leads nowhere stays as it is, and no route of Graph has it: a slash
 * at its end keeps what is no key from being taken for one.
 */
export const odataPath = (request: Request): string => {
  const path = getPath(request)
  const end = walk(path)
  if (end.found) return end.path || "/"
  return isReserved(end.segment) && !path.endsWith("/") ? `${path}/` : path
}

/** The first segment of a path that leads nowhere; `undefined` when the path is that of a resource. */
export const unknownSegment = (path: string): string | undefined => {
  const end = walk(path)
  return end.found ? undefined : end.segment
}

/** Whether a path, spelled as {@link odataPath} does, is one of the service's own and none of Graph's. */
export const isOwnPath = (path: string): boolean => ownPaths.some((own) => own === path) || /^\/docs\/[^/]+$/.test(path)

/** What an address of Graph names. */
export interface Addressed {
  readonly version: GraphVersion
  readonly route: RouteName
  /** The keys in it, by the names that the route's path has for them. */
  readonly keys: Readonly<Record<string, string>>
}

/**
 * What a path names that is spelled as {@link odataPath} does; `undefined` for one that no route of Graph has. A key is
 * not decoded before it is known to be one: the key `$count` is not the name.
 */
export const addressed = (path: string): Addressed | undefined => {
  const [, root = "", ...parts] = path.split("/")
  if (path.endsWith("/")) return undefined
  if (root !== "beta" && root !== "v1.0") return undefined
  let place: Place | undefined = version
  for (const part of parts) if (part !== "") place = place?.segments.get(part.toLowerCase())?.[1] ?? place?.key
  if (place?.route === undefined) return undefined
  const names = routes[place.route].path.split("/").slice(1)
  const keys = names.flatMap((name, at) =>
    name.startsWith("{") ? [[name.slice(1, -1), decoded(parts[at] ?? "")]] : []
  )
  return { version: root, route: place.route, keys: Object.fromEntries(keys) }
}
