import { wholeDevice } from "@workanywhere/domain"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Authentication } from "../src/http/auth.ts"
import { standingCollection } from "../src/store/device-store.ts"
import { startService } from "../src/service.ts"
import { defaultSettings } from "../src/settings/config.ts"
import { devicesPath, metricsPath, modelsPath, openedApp } from "./opened.ts"
import { audience, bearer, openedEntra, served, signed, signingKey, tenants, userClaims } from "./tokens.ts"

const key = await signingKey("ours")

const headersOf = new Map(
  await Promise.all(tenants.map(async (tenant) => [tenant, bearer(await signed(userClaims(tenant), key))] as const))
)

type Tenant = (typeof tenants)[number]

const otherThan = (tenant: Tenant): Tenant => (tenant === tenants[0] ? tenants[1] : tenants[0])

/** What every row of a tenant says, and nothing else does. */
const markOf = (tenant: string) => `row of ${tenant}`

/** Ids that both tenants have, and ids that one of them has. */
const idsOf: Readonly<Record<Tenant, ReadonlyArray<string>>> = {
  [tenants[0]]: ["a", "b", "c", "first", "z"],
  [tenants[1]]: ["a", "b", "c", "second", "third"]
}

/** The metric that one of them has. */
const metricOf: Readonly<Record<Tenant, string>> = { [tenants[0]]: "ofFirst", [tenants[1]]: "ofSecond" }

/** An app over a store that has rows of these tenants. */
const world = async (authentication: Authentication, inhabitants: ReadonlyArray<Tenant>) => {
  const opened = await openedApp("memory", [], { authentication })
  for (const tenant of inhabitants) {
    const rows = async function* () {
      for (const id of idsOf[tenant]) yield { ...wholeDevice({ id }), model: markOf(tenant) }
    }
    await opened.store.fillEmpty(standingCollection(tenant), rows())
    await opened.store.metrics.create(tenant, metricOf[tenant])
  }
  const links = new Map<Tenant, string>()
  return {
    ...opened,
    links,
    /** What a tenant is told, without what differs each time. */
    told: async (tenant: Tenant, path: string, init: RequestInit = {}) => {
      const headers = { ...headersOf.get(tenant), "content-type": "application/json", "client-request-id": "same" }
      const response = await opened.app.request(path, { ...init, headers })
      const text = await response.text()
      const link = /"@odata.nextLink":"([^"]+)"/.exec(text)?.[1]
      if (link !== undefined) links.set(tenant, link)
      return {
        status: response.status,
        allow: response.headers.get("allow"),
        location: response.headers.get("location"),
        text: text.replaceAll(/skiptoken=[^"&]+|"(?:date|request-id)":"[^"]+"/g, "")
      }
    }
  }
}

/** The ids of the models that the tenants have. */
const modelIds = async (): Promise<ReadonlyArray<string>> => {
  await using entra = await openedEntra([key.jwk])
  await using together = await world(entra.authentication, tenants)
  const pages = await Promise.all(tenants.map((tenant) => together.told(tenant, `/beta${modelsPath}`)))
  return pages.flatMap(({ text }) => /"id":"([^"]+)"/.exec(text)?.slice(1) ?? [])
}

/** Values for the parameters of routes; a route with another parameter needs some here. */
const valuesOf = new Map<string, ReadonlyArray<string>>([
  ["metricId", ["allDevices", "allDevices", "devicePerformance", "ofFirst", "ofSecond", "nothing"]],
  ["modelId", [...(await modelIds()), "nothing"]],
  ["file", ["start.js", "nothing.js"]],
  ["deviceId", ["a", "a", "b", "first", "second", "third", "new"]]
])

const pathOf = (route: string): fc.Arbitrary<string> =>
  fc
    .tuple(
      ...route.split("/").map((segment) => {
        if (!segment.startsWith(":")) return fc.constant(segment)
        const values = valuesOf.get(segment.slice(1))
        if (values === undefined) throw new Error(`there are no values for ${segment} of ${route}`)
        return fc.constantFrom(...values)
      })
    )
    .map((segments) => segments.join("/"))

const withoutBody = new Set(["GET", "HEAD"])

/** How a request is sent by itself. */
const byItself = (method: string, url: string, body: object) =>
  [url, { method, ...(withoutBody.has(method) ? {} : { body: JSON.stringify(body) }) }] as const

/** How a request is sent as the only one of a batch. */
const inBatch = (method: string, url: string, body: object) => {
  const [, version = "", ...rest] = url.split("/")
  const bodied = withoutBody.has(method) ? {} : { headers: { "content-type": "application/json" }, body }
  return byItself("POST", `/${version}/$batch`, { requests: [{ id: "1", method, url: rest.join("/"), ...bodied }] })
}

const queries = ["", "", "?$top=1", "?$top=2&$select=id,model", "?$select=model", "?$count=true", "?$filter=id eq 'a'"]

const routesOf = (routes: ReadonlyArray<{ readonly path: string }>) =>
  [...new Set(routes.map(({ path }) => path))].filter((path) => !path.endsWith("*"))

describe("two tenants of one service", () => {
  it(
    "are told the same as if each were alone, on every route, whatever the other does",
    { timeout: 60_000 },
    async () => {
      await using entra = await openedEntra([key.jwk])
      const routes = routesOf(entra.app.routes)
      expect(routes.filter((route) => route.includes(":deviceId"))).not.toEqual([])

      const call = fc.record({
        tenant: fc.constantFrom(...tenants),
        method: fc.constantFrom("GET", "GET", "PATCH", "PATCH", "POST", "DELETE", "PUT", "HEAD"),
        path: fc.oneof(...routes.map(pathOf)),
        query: fc.constantFrom(...queries),
        id: fc.constantFrom("a", "first", "second", "ofFirst"),
        batched: fc.boolean(),
        text: fc.constantFrom("x", "y")
      })
      const follow = fc.record({ tenant: fc.constantFrom(...tenants), linkOf: fc.constantFrom(...tenants) })

      const outcome = fc.asyncProperty(
        fc.array(fc.oneof({ weight: 5, arbitrary: call }, follow), { minLength: 1, maxLength: 20 }),
        async (steps) => {
          await using together = await world(entra.authentication, tenants)
          await using first = await world(entra.authentication, [tenants[0]])
          await using second = await world(entra.authentication, [tenants[1]])
          const aloneOf = { [tenants[0]]: first, [tenants[1]]: second }

          const toldTogether: Array<unknown> = []
          const toldAlone: Array<unknown> = []
          const seenOf: Record<Tenant, string> = { [tenants[0]]: "", [tenants[1]]: "" }
          for (const step of steps) {
            const { tenant } = step
            const alone = aloneOf[tenant]
            if ("linkOf" in step) {
              const link = together.links.get(step.linkOf)
              const ownLink = alone.links.get(tenant)
              if (link === undefined) continue
              const told = await together.told(tenant, link)
              seenOf[tenant] += told.text
              if (step.linkOf !== tenant || ownLink === undefined) continue
              toldTogether.push(told)
              toldAlone.push(await alone.told(tenant, ownLink))
            } else {
              const { method, path, query, id, text, batched } = step
              const device = { model: `${markOf(tenant)} ${text}`, ...(method === "POST" ? { id } : {}) }
              const body = path.endsWith(metricsPath) ? { id } : device
              const url = method === "GET" ? path + query : path
              const [target, init] = (batched ? inBatch : byItself)(method, url, body)
              const told = await together.told(tenant, target, init)
              seenOf[tenant] += told.text
              toldTogether.push(told)
              toldAlone.push(await alone.told(tenant, target, init))
            }
          }

          expect(toldTogether).toEqual(toldAlone)
          for (const tenant of tenants) {
            const rows = (opened: typeof first) => opened.store.page(standingCollection(tenant), "", 100)
            expect(await rows(together)).toEqual(await rows(aloneOf[tenant]))
            expect(seenOf[tenant]).not.toContain(markOf(otherThan(tenant)))
          }
        }
      )
      await fc.assert(outcome, { numRuns: 200 })
    }
  )

  it(
    "have each their turn: one is answered while most of what the other has sent still waits",
    { timeout: 60_000 },
    async () => {
      await using entra = await openedEntra([key.jwk])
      await using together = await world(entra.authentication, tenants)
      const [attacker, other] = tenants
      const stray = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`k${at}`, 1]))
      const json = { "content-type": "application/json" }
      const device = devicesPath.replace("/beta", "")
      const attack = fc.constantFrom<object>(
        { method: "PATCH", url: `${device}/a`, headers: json, body: stray },
        { method: "GET", url: device },
        { method: "GET", url: `${device}?$filter=contains(tolower(model),'none')` }
      )
      const call = fc.constantFrom<readonly [string, RequestInit?]>(
        [`${devicesPath}/a`],
        [`${devicesPath}?$top=1`],
        [`${devicesPath}/a`, { method: "PATCH", body: JSON.stringify({ model: markOf(other) }) }],
        inBatch("PATCH", `${devicesPath}/b`, { model: markOf(other) })
      )
      const outcome = fc.asyncProperty(
        attack,
        fc.integer({ min: 10, max: 16 }),
        call,
        async (item, batches, [path, init]) => {
          const requests = Array.from({ length: 20 }, (_, at) => ({ id: String(at), ...item }))
          let answered = 0
          const attacks = Array.from({ length: batches }, async () => {
            const { status } = await together.told(attacker, "/beta/$batch", {
              method: "POST",
              body: JSON.stringify({ requests })
            })
            answered += 1
            return status
          })
          expect((await together.told(other, path, init)).status).toBe(200)
          expect(answered).toBeLessThan(batches / 2)
          expect(new Set(await Promise.all(attacks))).toEqual(new Set([200]))
        }
      )
      await fc.assert(outcome, { numRuns: 15 })
    }
  )

  it("have rows of their own under the same id", async () => {
    await using entra = await openedEntra([key.jwk])
    await using together = await world(entra.authentication, tenants)
    const [first, second] = tenants
    const update = { method: "PATCH", body: JSON.stringify({ model: "changed by the first" }) }
    expect((await together.told(first, `${devicesPath}/a`, update)).status).toBe(200)
    expect((await together.told(second, `${devicesPath}/a`)).text).toContain(markOf(second))
    expect((await together.told(second, `${devicesPath}/first`)).status).toBe(404)
    expect((await together.told(second, `${devicesPath}/first`, update)).status).toBe(404)
  })

  it("get nothing out of each other's links", async () => {
    await using entra = await openedEntra([key.jwk])
    await using together = await world(entra.authentication, tenants)
    const [first, second] = tenants
    await together.told(first, `${devicesPath}?$top=1`)
    const link = together.links.get(first) ?? ""
    expect((await together.told(first, link)).text).toContain(markOf(first))
    expect((await together.told(second, link)).text).not.toContain(markOf(first))
  })
})

describe("a service that asks for tokens", () => {
  it("listens beyond this machine, and makes the fleet for each tenant and for nobody else", async () => {
    await using keys = await served((_, response) => response.end(JSON.stringify({ keys: [key.jwk] })))
    const service = await startService({
      ...defaultSettings,
      host: "0.0.0.0",
      port: 0,
      fleet: 3,
      auth: "entra",
      audience: [audience],
      tenants,
      jwksUrl: `${keys.url}/keys`
    })
    const url = service.url.replace("0.0.0.0", "127.0.0.1")
    for (const headers of headersOf.values()) {
      const response = await fetch(`${url}${devicesPath}`, { headers })
      expect(((await response.json()) as { readonly value: ReadonlyArray<unknown> }).value).toHaveLength(3)
    }
    expect((await fetch(`${url}${devicesPath}`)).status).toBe(401)
    await service.close()
  })
})
