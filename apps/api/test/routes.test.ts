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

const expectTable = async (ask: Ask, names: ReadonlyArray<RouteName>): Promise<void> => {
  for (const name of names) {
    for (const method of methods) {
      // Of a metric that every tenant has, the table's DELETE is refused as well, with the others as what is served.
      if (name === "metric" && method === "DELETE") continue
      const isServed = methodsOf(name).includes(method)
      const allow = name === "metric" ? "GET, HEAD, PATCH" : methodsOf(name).join(", ")
      expect(await askedBy(ask, name, method)).toEqual({
        name,
        method,
        isServed,
        allow: isServed ? null : allow,
        isNowhere: false
      })
    }
  }
}

describe("the table of routes", () => {
  it("is what a store is served by: each method of each route, and no other", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    await expectTable((method, path) => graph.fetch(path, { method }), routeNames)
  })

  it("is what a gateway serves, but for what the local Graph alone has", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    await using gateway = await openedGateway(await graph.url())
    await expectTable(
      (method, path) => fetch(`${gateway.url}${path}`, { method }),
      routeNames.filter((name) => !isOnlyLocal(name))
    )
  })

  it("has no two routes for one path", () => {
    const shapes = routeNames.map((name) => (routes[name] as Route).path.replaceAll(/\{\w+\}/g, "{}"))
    expect(new Set(shapes).size).toBe(shapes.length)
  })
})
