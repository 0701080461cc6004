import { type RouteName, methodsOf, propertyNames, routes } from "@workanywhere/domain"
import type { Handler } from "hono"
import type { Result, Router } from "hono/router"
import { RegExpRouter } from "hono/router/reg-exp-router"
import { TrieRouter } from "hono/router/trie-router"
import { isStanding } from "../graph/metric.ts"
import { isReserved, unknownSegment } from "../graph/path.ts"
import { ApiError } from "./api-error.ts"
import type { Env } from "./env.ts"

const isCount = (path: string): boolean => path.endsWith("/$count")

/**
 * Finds routes. Hono's quickest router takes five times less than its others, but no name beside a key, which `$count` is;
 * and Hono would leave all routes to another for that. Here only that name is.
 */
export const quickRouter = <T>(): Router<T> => {
  const quick = new RegExpRouter<T>()
  const whole = new TrieRouter<T>()
  return {
    name: "quick",
    add: (method: string, path: string, handler: T): void => {
      whole.add(method, path, handler)
      if (!isCount(path)) quick.add(method, path, handler)
    },
    match: (method: string, path: string): Result<T> => (isCount(path) ? whole : quick).match(method, path)
  }
}

type PatternOf<Path extends string> = Path extends `${infer Start}{${infer Key}}${infer Rest}`
  ? `${Start}:${Key}${PatternOf<Rest>}`
  : Path

/** The path of a route as Hono has it: `:id` in the place of `{id}`. */
export const patternOf = <Name extends RouteName>(name: Name): PatternOf<(typeof routes)[Name]["path"]> =>
  routes[name].path.replaceAll(/\{(\w+)\}/g, ":$1") as PatternOf<(typeof routes)[Name]["path"]>

/** Answers every method that no handler before has taken, with those that are served. */
const only =
  (methods: ReadonlyArray<string>): Handler<Env> =>
  (c) => {
    const allow = methods.join(", ")
    throw new ApiError("Request_BadRequest", `The method ${c.req.method} is not served here, only ${allow}.`, {
      headers: { allow }
    })
  }

/** Answers the methods that a route does not serve. */
export const otherMethods = (name: RouteName): Handler<Env> => only(methodsOf(name))

const methodsOfStanding = methodsOf("metric").filter((method) => method !== "DELETE")

/** As {@link otherMethods} of a metric: those that every tenant has cannot be deleted. */
export const otherMethodsOfMetric: Handler<Env, PatternOf<(typeof routes)["metric"]["path"]>> = (c, next) =>
  only(isStanding(c.req.param("metricId")) ? methodsOfStanding : methodsOf("metric"))(c, next)

const isProperty = (segment: string): boolean => propertyNames.some((name) => name === segment)

/** No route has the path, or none has it for the method. */
export const noRoute = (path: string): ApiError => {
  const segment = unknownSegment(path)
  if (segment === undefined) return new ApiError("BadRequest", "No OData route is served for this path and method.")
  return new ApiError(
    "BadRequest",
    isReserved(segment)
      ? `This resource has nothing for the segment '${segment.slice(0, 120)}', which is one of OData's own names or a cast to a type.`
      : isProperty(segment)
        ? `The property '${segment}' is not served by itself: read the device with $select=${segment}.`
        : `Resource not found for the segment '${segment}'.`
  )
}

/** A standing metric cannot be deleted. */
export const standingStays = (id: string): ApiError =>
  new ApiError("Request_BadRequest", `The metric '${id}' belongs to every tenant and cannot be deleted.`, {
    headers: { allow: methodsOfStanding.join(", ") }
  })
