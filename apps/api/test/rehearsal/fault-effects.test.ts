import { once } from "node:events"
import { request } from "node:http"
import { createGraphClient } from "@workanywhere/graph-client/promise"
import { Hono } from "hono"
import { describe, expect, it, vi } from "vitest"
import type { Env } from "../../src/http/env.ts"
import { reply } from "../../src/http/reply.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { type FaultScriptInput, FaultScript } from "../../src/rehearsal/fault-script.ts"
import { createRehearsal } from "../../src/rehearsal/rehearsal.ts"
import { movedClock } from "../moved-clock.ts"
import { devicesPath, failureOf, jsonRequest } from "../opened.ts"

type Effect = NonNullable<FaultScriptInput["rules"]>[number]["effect"]

const devices = Array.from({ length: 5 }, (_, index) => ({ id: `d${index}`, model: "old" }))

const devicePath = `${devicesPath}/d1`

const update = jsonRequest("PATCH", { model: "new" })

/** A graph in which a fault hits requests with this method, the first of them. */
const graphWith = (method: string, effect: Effect) => {
  const { clock, slept } = movedClock()
  const made = createLocalGraph({ devices, clock, faults: { rules: [{ when: { method, nth: 1 }, effect }] } })
  return made.then((graph) => ({
    ...graph,
    slept,
    model: async () => ((await (await graph.fetch(devicePath)).json()) as { readonly model: string }).model,
    ids: async (query = "") => {
      const response = await graph.fetch(`${devicesPath}${query}`)
      return ((await response.json()) as { readonly value: ReadonlyArray<{ readonly id: string }> }).value.map(
        ({ id }) => id
      )
    }
  }))
}

describe("a fault instead of an answer", () => {
  it("[F60] is a 429 with seconds, with a date, or without Retry-After", async () => {
    const waits: ReadonlyArray<readonly [Effect, string | null]> = [
      [{ kind: "throttle", retryAfterSeconds: 7 }, "7"],
      [{ kind: "throttle", retryAfterSeconds: 7, asDate: true }, "Mon, 23 Nov 2026 00:00:07 GMT"],
      [{ kind: "throttle" }, null]
    ]
    for (const [effect, retryAfter] of waits) {
      await using graph = await graphWith("PATCH", effect)
      const response = await graph.fetch(devicePath, update)
      expect([response.status, response.headers.get("retry-after")]).toEqual([429, retryAfter])
      expect((await failureOf(response)).code).toBe("TooManyRequests")
      expect(await graph.model()).toBe("old")
      expect((await graph.fetch(devicePath, update)).status).toBe(200)
    }
  })

  it("[F61] is the 500 that means throttling, which our client understands", async () => {
    await using graph = await graphWith("PATCH", { kind: "throttleAs500" })
    const client = createGraphClient({
      baseUrl: "https://graph.microsoft.com/beta",
      fetch: graph.fetch,
      attempts: 1
    })
    await expect(
      client.updateDevice({ metricId: "allDevices", deviceId: "d1" }, { model: "new" })
    ).rejects.toMatchObject({
      status: 500,
      reason: { _tag: "Throttled" }
    })
    expect(await graph.model()).toBe("old")
    await client.close()
  })

  it.for([
    ["unavailable", 503],
    ["timeout", 504]
  ] as const)("[F62] is %s, before or after the update took effect", async ([kind, status]) => {
    for (const [at, model] of [
      ["before", "old"],
      ["after", "new"]
    ] as const) {
      await using graph = await graphWith("PATCH", { kind, at })
      const response = await graph.fetch(devicePath, update)
      expect(response.status).toBe(status)
      expect(Object.keys(await failureOf(response))).toEqual(["code", "message", "innerError"])
      expect(await graph.model()).toBe(model)
    }
  })

  it("[F63] says how long to wait with 503 when told to", async () => {
    await using graph = await graphWith("GET", { kind: "unavailable", retryAfterSeconds: 3 })
    expect((await graph.fetch(devicePath)).headers.get("retry-after")).toBe("3")
  })

  it("[F64] refuses a link to a next page as expired, and no first page", async () => {
    await using graph = await graphWith("GET", { kind: "expireNextLink" })
    const first = await graph.fetch(`${devicesPath}?$top=2`)
    const link = ((await first.json()) as Record<string, string>)["@odata.nextLink"] ?? ""
    const refused = await graph.fetch(link)
    expect([refused.status, (await failureOf(refused)).code]).toEqual([410, "resyncRequired"])
    expect((await graph.fetch(link)).status).toBe(200)
  })

  it("says nothing of an answer that was lost: no header of it is left", async () => {
    await using graph = await createLocalGraph({
      devices,
      faults: { rules: [{ effect: { kind: "unavailable", at: "after" } }] }
    })
    const response = await graph.fetch(devicesPath, { headers: { prefer: "odata.maxpagesize=2" } })
    expect([response.status, response.headers.get("preference-applied")]).toEqual([503, null])
  })
})

/** What forty calls in a row see: the body, or the status of a failure. */
const seenOn = async (graph: { readonly fetch: typeof fetch }) => {
  const seen: Array<string> = []
  for (let call = 0; call < 40; call++) {
    const response = await (call % 3 === 0 ? graph.fetch(devicePath, update) : graph.fetch(`${devicesPath}?$select=id`))
    seen.push(response.ok ? await response.text() : String(response.status))
  }
  return seen
}

describe("the same seed", () => {
  it("gives the same calls the same faults, on another graph and after a reset", async () => {
    const rules: FaultScriptInput["rules"] = [
      { when: { percent: 30, method: "GET" }, effect: { kind: "dropRow" } },
      { when: { percent: 30 }, effect: { kind: "unavailable" } }
    ]
    await using one = await createLocalGraph({ devices, faults: { seed: 5, rules } })
    await using same = await createLocalGraph({ devices, faults: { seed: 5, rules } })
    await using other = await createLocalGraph({ devices, faults: { seed: 6, rules } })
    const seen = await seenOn(one)
    expect(await seenOn(same)).toEqual(seen)
    await one.reset()
    expect(await seenOn(one)).toEqual(seen)
    expect(await seenOn(other)).not.toEqual(seen)
  })
})

describe("a fault of the connection, without a port", () => {
  it("rejects as fetch does, before or after the update took effect", async () => {
    for (const [at, model] of [
      ["before", "old"],
      ["after", "new"]
    ] as const) {
      await using graph = await graphWith("PATCH", { kind: "reset", at })
      const error: unknown = await graph.fetch(devicePath, update).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(TypeError)
      expect(error).toMatchObject({ message: "fetch failed", cause: { code: "ECONNRESET" } })
      expect(await graph.model()).toBe(model)
    }
  })

  it("breaks off in the middle of a body", async () => {
    await using graph = await graphWith("GET", { kind: "truncate", keptPercent: 25 })
    const response = await graph.fetch(devicesPath)
    const whole = Number(response.headers.get("content-length"))
    expect([response.status, whole > 1_000]).toEqual([200, true])
    let received = 0
    const read = async () => {
      for await (const chunk of response.body ?? []) received += chunk.length
    }
    await expect(read()).rejects.toThrow("terminated")
    expect(received).toBe(Math.floor(whole / 4))
  })

  it("hangs until the caller gives up, or the graph is closed", async () => {
    await using graph = await createLocalGraph({
      devices,
      faults: { rules: [{ effect: { kind: "hang", at: "after" } }] }
    })
    const caller = new AbortController()
    const given = graph.fetch(devicePath, { ...update, signal: caller.signal })
    caller.abort(new Error("enough"))
    await expect(given).rejects.toThrow("enough")
    const held = graph.fetch(devicePath)
    await graph.close()
    await expect(held).rejects.toThrow("fetch failed")
  })
})

describe("a fault in an answer", () => {
  it("[F65] is a page with a row that comes twice, or is missing", async () => {
    const ids = devices.map(({ id }) => id)
    await using twice = await graphWith("GET", { kind: "repeatRow" })
    const repeated = await twice.ids()
    expect([repeated.length, new Set(repeated).size]).toEqual([6, 5])
    expect(await twice.ids()).toEqual(ids)
    await using missing = await graphWith("GET", { kind: "dropRow" })
    expect(new Set([...(await missing.ids()), ...ids]).size).toBe(5)
    await missing.reset()
    expect(await missing.ids()).toHaveLength(4)
  })

  it("spoils no page that has no rows", async () => {
    for (const kind of ["repeatRow", "dropRow", "unknownMember"] as const) {
      await using graph = await graphWith("GET", { kind })
      await graph.seed({ size: 0 })
      expect(await graph.ids()).toEqual([])
    }
  })

  it("[F66] is a member that no client knows, in a device or in one row of a page", async () => {
    const property = "healthStatus"
    await using one = await graphWith("GET", { kind: "unknownMember", property, member: "thriving" })
    expect(await (await one.fetch(devicePath)).json()).toMatchObject({ healthStatus: "thriving" })
    await using some = await graphWith("GET", { kind: "unknownMember" })
    const page = (await (await some.fetch(devicesPath)).json()) as { readonly value: ReadonlyArray<object> }
    expect(
      page.value.filter((row) => "upgradeEligibility" in row && row.upgradeEligibility === "notYetInvented")
    ).toHaveLength(1)
    await using none = await graphWith("GET", { kind: "unknownMember" })
    expect(await (await none.fetch(`${devicePath}?$select=id`)).json()).not.toHaveProperty("upgradeEligibility")
  })

  it("[F67] is a delay", async () => {
    await using graph = await graphWith("GET", { kind: "delay", latency: { shape: "fixed", millis: 1_234 } })
    expect((await graph.fetch(devicePath)).status).toBe(200)
    expect(graph.slept).toEqual([1_234])
    expect(graph.calls()[0]).toMatchObject({ status: 200 })
  })
})

const batchAnswering = (count: number, effect: Effect, seed = 1) => {
  const rehearsal = createRehearsal({ hasControls: true, faults: FaultScript.parse({ seed, rules: [{ effect }] }) })
  const app = new Hono<Env>()
    .use("*", rehearsal.around)
    .post("/beta/$batch", (c) =>
      reply(c, 200, { responses: Array.from({ length: count }, (_, index) => ({ id: String(index), status: 200 })) })
    )
  return async () => {
    const response = await app.request("/beta/$batch", { method: "POST" })
    const { responses } = (await response.json()) as { readonly responses: ReadonlyArray<{ readonly id: string }> }
    return responses.map(({ id }) => id)
  }
}

describe("a fault in the answer to a batch", () => {
  it("[F68] is another order of the same answers, even of two", async () => {
    for (let seed = 0; seed < 20; seed++) {
      expect(await batchAnswering(2, { kind: "shuffleBatch" }, seed)()).toEqual(["1", "0"])
    }
    const shuffled = await batchAnswering(20, { kind: "shuffleBatch" })()
    expect([shuffled.length, new Set(shuffled).size]).toEqual([20, 20])
    expect(shuffled).not.toEqual(Array.from({ length: 20 }, (_, index) => String(index)))
  })

  it("[F69] is that answers are missing", async () => {
    expect(await batchAnswering(20, { kind: "dropBatchAnswers", count: 3 })()).toHaveLength(17)
    expect(await batchAnswering(2, { kind: "dropBatchAnswers", count: 3 })()).toEqual([])
  })
})

describe("a fault of an item of a batch", () => {
  it.for(["reset", "truncate"] as const)(
    "that would be a %s is 504: the connection is that of the whole batch",
    async (kind) => {
      const rehearsal = createRehearsal({
        faults: FaultScript.parse({ rules: [{ when: { batchItem: "2" }, effect: { kind } }] })
      })
      const app = new Hono<Env>()
        .use("*", rehearsal.around)
        .onError((error, c) => reply(c, "code" in error && error.code === "gatewayTimeout" ? 504 : 500, {}))
        .get("*", (c) => reply(c, 200, {}))
      const connection = { reset: vi.fn<() => void>(), end: vi.fn<() => void>() }
      const statusOf = async (id: string) =>
        (await app.request(devicePath, {}, { connection, batchItem: { id, of: "batch" } })).status
      expect([await statusOf("1"), await statusOf("2")]).toEqual([200, 504])
      expect(connection.reset).not.toHaveBeenCalled()
      expect(connection.end).not.toHaveBeenCalled()
    }
  )
})

/** What a caller on a socket sees: status and body, or how the connection ended. */
const seenOver = async (url: string, method = "GET", body = "") => {
  const exchange = request(url, { method, headers: { "content-type": "application/json" }, agent: false })
  exchange.end(body)
  try {
    const [response] = await once(exchange, "response")
    let received = 0
    try {
      for await (const chunk of response) received += chunk.length
    } catch (error) {
      return { status: response.statusCode, received, of: Number(response.headers["content-length"]), error }
    }
    return { status: response.statusCode, received }
  } catch (error) {
    return { error }
  }
}

/** The sleep shows that the request has come. */
const heldAfterSleep: FaultScriptInput = {
  rules: [{ effect: { kind: "delay", latency: { shape: "fixed", millis: 1 } } }, { effect: { kind: "hang" } }]
}

describe("a fault of the connection, on a port", () => {
  it("resets the socket, before or after the update took effect, and the service goes on", async () => {
    for (const [at, model] of [
      ["before", "old"],
      ["after", "new"]
    ] as const) {
      await using graph = await graphWith("PATCH", { kind: "reset", at })
      const url = await graph.url()
      expect(await seenOver(`${url}${devicePath}`, "PATCH", update.body)).toMatchObject({
        error: { code: "ECONNRESET", syscall: "read" }
      })
      expect(await graph.model()).toBe(model)
      expect(await seenOver(`${url}${devicePath}`, "PATCH", update.body)).toMatchObject({ status: 200 })
    }
  })

  it("closes the socket in the middle of a body", async () => {
    await using graph = await graphWith("GET", { kind: "truncate" })
    const seen = await seenOver(`${await graph.url()}${devicesPath}`)
    expect(seen).toMatchObject({ status: 200, error: { code: "ECONNRESET" } })
    expect(seen.received).toBe(Math.floor((seen.of ?? 0) / 2))
    expect(await seenOver(`${await graph.url()}${devicesPath}`)).toMatchObject({ status: 200 })
  })

  it("sends only the head of an answer when nothing of its body is kept", async () => {
    await using graph = await graphWith("GET", { kind: "truncate", keptPercent: 0 })
    expect(await seenOver(`${await graph.url()}${devicesPath}`)).toMatchObject({ status: 200, received: 0, error: {} })
  })

  it("hangs until the service closes", async () => {
    const { clock, slept } = movedClock()
    const graph = await createLocalGraph({ clock, faults: heldAfterSleep })
    const seen = seenOver(`${await graph.url()}${devicesPath}`)
    await vi.waitFor(() => expect(slept).toHaveLength(1))
    await graph.close()
    expect(await seen).toMatchObject({ error: { code: "ECONNRESET" } })
  })

  it("hangs until the caller hangs up", async () => {
    const { clock, slept } = movedClock()
    await using graph = await createLocalGraph({ clock, faults: heldAfterSleep })
    const caller = new AbortController()
    const given = fetch(`${await graph.url()}${devicesPath}`, { signal: caller.signal })
    await vi.waitFor(() => expect(slept).toHaveLength(1))
    caller.abort()
    await expect(given).rejects.toThrow("aborted")
    await vi.waitFor(() => expect(graph.calls()).toMatchObject([{ fault: "hang" }]))
  })
})
