import { type RouteName, type Route, isOnlyLocal, methodsOf, pathOf, routeNames, routes } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { createLocalGraph } from "../src/local-graph.ts"
import { openedGateway } from "./gateways.ts"
import { failureOf } from "./opened.ts"

const keys = { metricId: "allDevices", deviceId: "a", modelId: "none" }

const methods = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"] as const

type Ask = (method: string, path: string) => Promise<Response>

/** What the table says of a route and a method, and what became of a request for it. */
const askedBy = async (ask: Ask, name: RouteName, method: string) => {
  const response = await ask(method, `/beta${pathOf(name, keys)}`)
  return {
    name,
    method,
    isServed: response.status !== 405,
    allow: response.headers.get("allow"),
    isNowhere:
      response.status === 400 && method !== "HEAD" && /No OData route|segment/.test((await failureOf(response)).message)
  }
}

/** Of a metric that every tenant has, DELETE is refused as well. */
const served = (name: RouteName) => methodsOf(name).filter((method) => name !== "metric" || method !== "DELETE")

const expected = (names: ReadonlyArray<RouteName>) =>
  names.flatMap((name) =>
    methods.map((method) => {
      const isServed = served(name).includes(method)
      return { name, method, isServed, allow: isServed ? null : served(name).join(", "), isNowhere: false }
    })
  )

const seen = async (ask: Ask, names: ReadonlyArray<RouteName>) => {
  const all = []
  for (const name of names) for (const method of methods) all.push(await askedBy(ask, name, method))
  return all
}

describe("the table of routes", () => {
  it("is what a store is served by: each method of each route, and no other", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    expect(await seen((method, path) => graph.fetch(path, { method }), routeNames)).toEqual(expected(routeNames))
  })

  it("is what a gateway serves, but for what the local Graph alone has", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    await using gateway = await openedGateway(await graph.url())
    const names = routeNames.filter((name) => !isOnlyLocal(name))
    expect(await seen((method, path) => fetch(`${gateway.url}${path}`, { method }), names)).toEqual(expected(names))
  })

  it("has no two routes for one path", () => {
    const shapes = routeNames.map((name) => (routes[name] as Route).path.replaceAll(/\{\w+\}/g, "{}"))
    expect(new Set(shapes).size).toBe(shapes.length)
  })
})
