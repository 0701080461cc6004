import { describe, expect, it } from "vitest"
import { entraAuthentication } from "../../src/http/auth.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { openedGateway } from "../gateways.ts"
import { devicesPath, failureOf, jsonRequest } from "../opened.ts"
import { audience, bearer, served, signed, signingKey, tenants, userClaims } from "../tokens.ts"

const key = await signingKey("ours")

const users = ["aaaaaaaa-dddd-4ddd-8ddd-444444444444", "bbbbbbbb-dddd-4ddd-8ddd-444444444444"] as const

const tokenOf = (user: string, tenant: string = tenants[0]) => signed({ ...userClaims(tenant), oid: user }, key)

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A gateway whose callers have tokens, over an upstream that notes which device is written. */
const paced = async (timesAsFast: number) => {
  const keys = await served((_, response) => response.end(JSON.stringify({ keys: [key.jwk] })))
  const written: Array<string> = []
  const upstream = await served((request, response) => {
    if (request.method !== "GET") written.push(request.url?.split("/").at(-1) ?? "")
    response.writeHead(200, { "content-type": "application/json" }).end('{"id":"a"}')
  })
  const authentication = entraAuthentication({
    audience: [audience],
    tenants,
    authority: "https://login.microsoftonline.com",
    jwksUrl: keys.url
  })
  const gateway = await openedGateway(upstream.url, {
    settings: { auth: "entra", tenants, upstreamBudget: { timesAsFast } },
    authentication
  })
  return {
    written,
    patch: async (token: string, device: string, signal?: AbortSignal) => {
      const request = jsonRequest("PATCH", { model: "X" })
      const headers = { ...request.headers, ...bearer(token) }
      return fetch(`${gateway.url}${devicesPath}/${device}`, { ...request, headers, signal: signal ?? null })
    },
    /** Waits until so many writes are in the log, which is right before they come to wait. */
    begun: async (count: number) => {
      while ((await gateway.audited()).filter(({ event }) => event === "intent").length < count) await turn()
    },
    /** Waits until so many writes have come through. */
    through: async (count: number) => {
      while (written.length < count) await turn()
    },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
      await keys[Symbol.asyncDispose]()
    }
  }
}

describe("callers of one tenant", () => {
  it("[F108] share what may be sent: one with a deep queue does not keep another waiting behind it", async () => {
    await using world = await paced(2)
    const [greedy, modest] = [await tokenOf(users[0]), await tokenOf(users[1])]
    const many = Array.from({ length: 70 }, (_, index) => world.patch(greedy, `g${index}`))
    // What may go at once after a pause is gone, and the rest waits.
    await world.begun(70)
    await world.through(20)
    expect((await world.patch(modest, "modest")).status).toBe(200)
    const place = world.written.indexOf("modest")
    for (const response of await Promise.all(many)) expect(response.status).toBe(200)
    expect(world.written).toHaveLength(71)
    // In the order of arrival it would be the last.
    expect(place).toBeLessThan(60)
  })

  it("[F109] have a line of limited length each: what comes on top is 429, with a time to wait", async () => {
    await using world = await paced(1)
    const [greedy, modest] = [await tokenOf(users[0]), await tokenOf(users[1])]
    const stop = new AbortController()
    const answers = Array.from({ length: 400 }, (_, index) => world.patch(greedy, `g${index}`, stop.signal))
    const refused = await Promise.race(
      answers.map(async (answer) => {
        const response = await answer
        return response.status === 429 ? response : new Promise<never>(() => {})
      })
    )
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1)
    expect(await failureOf(refused)).toMatchObject({ code: "TooManyRequests" })
    expect((await world.patch(modest, "modest")).status).toBe(200)
    stop.abort()
    await Promise.allSettled(answers)
  })

  it("are independent of another tenant's", async () => {
    await using world = await paced(1)
    const greedy = await tokenOf(users[0])
    const stop = new AbortController()
    const many = Array.from({ length: 60 }, (_, index) => world.patch(greedy, `g${index}`, stop.signal))
    await world.through(20)
    const other = await tokenOf(users[1], tenants[1])
    // As many as may go at once in a tenant where nothing was sent.
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => world.patch(other, `o${index}`)))
    for (const { status } of answers) expect(status).toBe(200)
    expect(world.written.filter((device) => device.startsWith("g")).length).toBeLessThan(60)
    stop.abort()
    await Promise.allSettled(many)
  })
})

const update = (id: string) => ({
  id,
  method: "PATCH",
  url: `${devicesPath.replace("/beta", "")}/${id}`,
  headers: { "content-type": "application/json" },
  body: { model: "X" }
})

describe("a gateway that keeps the budget of its upstream", () => {
  it("provokes no 429, whatever its callers send, single or in batches", async () => {
    const devices = Array.from({ length: 20 }, (_, index) => ({ id: `d${index}` }))
    await using graph = await createLocalGraph({ budget: { timesAsFast: 20 }, devices })
    await using gateway = await openedGateway(await graph.url(), { settings: { upstreamBudget: { timesAsFast: 20 } } })
    const batch = jsonRequest("POST", { requests: devices.map(({ id }) => update(id)) })
    await Promise.all([
      ...Array.from({ length: 8 }, () => fetch(`${gateway.url}/beta/$batch`, batch)),
      ...devices
        .slice(0, 10)
        .map(({ id }) => fetch(`${gateway.url}${devicesPath}/${id}`, jsonRequest("PATCH", { model: "Y" })))
    ])
    const statuses = graph.calls().map(({ status }) => status)
    expect(statuses.length).toBeGreaterThan(300)
    expect(new Set(statuses)).toEqual(new Set([200]))
  })
})
