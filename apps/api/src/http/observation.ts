import type { Context } from "hono"
import { matchedRoutes } from "hono/route"
import type { Env } from "./env.ts"

/** What is known of a request when its answer is there. */
interface Observed {
  /** The template of the route, such as `/beta/deviceManagement`; `undefined` for a path that no route has. */
  readonly route: string | undefined
  readonly seconds: number
}

/** Is told of each request when it comes; what it gives back is told when the answer is there. */
export type Observer = (c: Context<Env>) => (observed: Observed) => void

const methods: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"])

/** The method of a request; one that a caller made up is `_OTHER`, as OpenTelemetry's conventions want it. */
export const methodOf = (c: Context<Env>): string => (methods.has(c.req.method) ? c.req.method : "_OTHER")

const templates = new Map<string, string>()

/** A route's path as OpenAPI and OpenTelemetry write it: `{id}` in the place of `:id`. */
export const templateOf = (path: string): string => {
  const known = templates.get(path)
  if (known !== undefined) return known
  const template = path.replaceAll(/:(\w+)/g, "{$1}")
  templates.set(path, template)
  return template
}

/**
 * The template of the route that a request is for, whoever answered it: there are as many as there are routes, however
 * many paths are asked for.
 */
export const routeOf = (c: Context<Env>): string | undefined => {
  // Middleware ends in an asterisk. Of two routes for a path, such as those of `$count` and of a key, the first answers.
  for (const { path } of matchedRoutes(c)) if (!path.endsWith("*")) return templateOf(path)
  return undefined
}

/** The figures of the service as Prometheus reads them. */
export interface Exposition {
  readonly visibleTo: "loopback" | "on"
  readonly text: () => Promise<string>
}

/** Where the service says what it did; a pino logger is one. Lines hold ids and no bodies, headers or queries. */
export interface Log {
  readonly info: (facts: object, message: string) => void
  readonly error: (facts: object, message: string) => void
}

/** Says nothing. */
export const silent: Log = { info: () => {}, error: () => {} }
