import * as fc from "fast-check"
import { Hono } from "hono"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import type { Env } from "../../src/http/env.ts"
import { reply } from "../../src/http/reply.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { createRehearsal } from "../../src/rehearsal/rehearsal.ts"
import { createRequestBudget, publishedLimits } from "../../src/rehearsal/request-budget.ts"
import { movedClock } from "../moved-clock.ts"
import { devicesPath, failureOf, jsonRequest, openedApp } from "../opened.ts"

const spender = { tenant: "t", app: "a" }

/** How many of 5,000 requests at once, from 40 apps, are admitted. */
const admittedOf = (isWrite: boolean) => {
  const budget = createRequestBudget({ timesAsFast: 1 }, movedClock().clock)
  let admitted = 0
  for (let request = 0; request < 5_000; request++) {
    if (budget.spend({ tenant: "t", app: `app${request % 40}` }, isWrite) === undefined) admitted += 1
  }
  expect(budget.spend({ tenant: "another", app: "app1" }, isWrite)).toBeUndefined()
  return admitted
}

/** A budget after requests with these gaps and one that is refused. */
const refusedAfter = (gaps: ReadonlyArray<number>) => {
  const { clock, move } = movedClock()
  const budget = createRequestBudget({ timesAsFast: 1 }, clock)
  for (const gap of gaps) {
    move(gap)
    budget.spend(spender, true)
  }
  const refused = budget.spend(spender, true)
  return { waitMillis: refused?.waitMillis ?? 0, move, isAdmitted: () => budget.spend(spender, true) === undefined }
}

describe("a budget", () => {
  it("[F50] admits 200 writes of an app in 20 s, and one more when the first is 20 s old", () => {
    const { clock, move } = movedClock()
    const budget = createRequestBudget({ timesAsFast: 1 }, clock)
    for (let write = 0; write < 200; write++) {
      expect(budget.spend(spender, true)).toBeUndefined()
      move(10)
    }
    // The next room comes with the 20 s of the second write, because this refused one counts as well.
    expect(budget.spend(spender, true)).toEqual({ waitMillis: 20_000 - 1_990 })
    move(20_000 - 1_990)
    expect(budget.spend(spender, true)).toBeUndefined()
    expect(budget.spend(spender, true)).toBeDefined()
  })

  it("[F51] admits 2,000 requests of an app in 20 s, writes among them", () => {
    const budget = createRequestBudget({ timesAsFast: 1 }, movedClock().clock)
    for (let request = 0; request < 2_000; request++) {
      expect(budget.spend(spender, request < 200)).toBeUndefined()
    }
    expect(budget.spend(spender, false)).toEqual({ waitMillis: 20_000 })
  })

  it("[F52] admits 400 writes and 4,000 requests of a tenant over all its apps", () => {
    expect([admittedOf(true), admittedOf(false)]).toEqual([400, 4_000])
  })

  it("[F53] refuses writes while it admits reads", () => {
    const budget = createRequestBudget({ timesAsFast: 1 }, movedClock().clock)
    for (let write = 0; write < 201; write++) budget.spend(spender, true)
    expect(budget.spend(spender, true)).toBeDefined()
    expect(budget.spend(spender, false)).toBeUndefined()
  })

  it("[F54] counts refused requests, so that who does not pause is not let in", () => {
    const { clock, move } = movedClock()
    const budget = createRequestBudget({ timesAsFast: 1 }, clock)
    const admitted = []
    for (let tenth = 0; tenth < 1_000; tenth++) {
      for (let write = 0; write < 3; write++) admitted.push(budget.spend(spender, true) === undefined)
      move(100)
    }
    expect(admitted.filter(Boolean)).toHaveLength(200)
    move(20_000)
    expect(budget.spend(spender, true)).toBeUndefined()
  })

  it("passes k times as fast when told to", () => {
    const { clock, move } = movedClock()
    const budget = createRequestBudget({ timesAsFast: 100 }, clock)
    for (let write = 0; write < 200; write++) budget.spend(spender, true)
    expect(budget.spend(spender, true)).toEqual({ waitMillis: 200 })
    move(200)
    expect(budget.spend(spender, true)).toBeUndefined()
  })

  it("agrees with counting the requests of the last 20 s, whenever they come", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ gapMillis: fc.constantFrom(0, 1, 40, 90, 150, 5_000), isWrite: fc.boolean() }), {
          minLength: 300,
          maxLength: 900
        }),
        (requests) => {
          const { clock, move } = movedClock()
          const budget = createRequestBudget({ timesAsFast: 1 }, clock)
          const writes: Array<number> = []
          for (const { gapMillis, isWrite } of requests) {
            move(gapMillis)
            const now = clock.nowMillis()
            const recent = writes.filter((time) => time > now - 20_000).length
            if (isWrite) writes.push(now)
            expect(budget.spend(spender, isWrite) === undefined).toBe(!isWrite || recent < publishedLimits.writesOfApp)
          }
        }
      ),
      { numRuns: 20 }
    )
  })

  it("keeps the wait it promises: silent so long, the next request is admitted, and a moment earlier it is not", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 200, maxLength: 300 }), (gaps) => {
        const patient = refusedAfter(gaps)
        expect(patient.waitMillis).toBeGreaterThan(0)
        patient.move(patient.waitMillis)
        expect(patient.isAdmitted()).toBe(true)
        const hasty = refusedAfter(gaps)
        hasty.move(hasty.waitMillis - 1)
        expect(hasty.isAdmitted()).toBe(false)
      })
    )
  })
})

describe("a service with a budget", () => {
  const write = jsonRequest("PATCH", { model: "X" })

  it("[F55] answers 429 as Graph's page shows it, with the seconds to wait", async () => {
    const { clock, move } = movedClock()
    await using graph = await createLocalGraph({ budget: { timesAsFast: 1 }, clock, devices: [{ id: "a" }] })
    for (let count = 0; count < 200; count++) {
      expect((await graph.fetch(`${devicesPath}/a`, write)).status).toBe(200)
      move(50)
    }
    const refused = await graph.fetch(`${devicesPath}/a`, write)
    expect(refused.status).toBe(429)
    expect(refused.headers.get("retry-after")).toBe("11")
    expect(await failureOf(refused)).toEqual({
      code: "TooManyRequests",
      message: "Please retry again later.",
      innerError: {
        code: "429",
        status: "429",
        message: "Please retry after",
        date: expect.any(String),
        "request-id": refused.headers.get("request-id"),
        "client-request-id": expect.any(String)
      }
    })
    expect((await graph.fetch(`${devicesPath}/a`)).status).toBe(200)
    move(11_000)
    expect((await graph.fetch(`${devicesPath}/a`, write)).status).toBe(200)
  })

  it("[F56] leaves Retry-After out when the fault script says so, as happens with Intune", async () => {
    await using graph = await createLocalGraph({
      budget: { timesAsFast: 1 },
      clock: movedClock().clock,
      faults: { retryAfter: false }
    })
    let last = new Response()
    for (let count = 0; count < 201; count++) last = await graph.fetch(`${devicesPath}/a`, write)
    expect([last.status, last.headers.get("retry-after")]).toEqual([429, null])
  })

  it("counts for each app that a header names, while nobody proves who they are", async () => {
    await using graph = await createLocalGraph({ budget: { timesAsFast: 1 }, clock: movedClock().clock })
    const statusFor = async (app: string) =>
      (await graph.fetch(`${devicesPath}/a`, { ...write, headers: { ...write.headers, "x-wfa-app": app } })).status
    for (let count = 0; count < 200; count++) expect(await statusFor("one")).toBe(404)
    expect([await statusFor("one"), await statusFor("two")]).toEqual([429, 404])
  })

  it("has nothing spent after a reset", async () => {
    await using graph = await createLocalGraph({ budget: { timesAsFast: 1 }, clock: movedClock().clock })
    for (let count = 0; count < 201; count++) await graph.fetch(`${devicesPath}/a`, write)
    await graph.reset()
    expect((await graph.fetch(`${devicesPath}/a`, write)).status).toBe(404)
  })

  it("counts the items of a batch one by one, and the batch itself not", async () => {
    const rehearsal = createRehearsal({ budget: { timesAsFast: 1 }, clock: movedClock().clock })
    const app = new Hono<Env>()
      .use("*", rehearsal.around)
      .onError((error, c) => reply(c, "code" in error && error.code === "TooManyRequests" ? 429 : 500, {}))
      .all("*", (c) => reply(c, 200, {}))
    const statusOf = async (path: string, item?: string) =>
      (await app.request(path, { method: "POST" }, item === undefined ? {} : { batchItem: { id: item, of: "batch" } }))
        .status
    for (let count = 0; count < 201; count++) expect(await statusOf("/beta/$batch")).toBe(200)
    for (let count = 0; count < 200; count++) expect(await statusOf(devicesPath, String(count))).toBe(200)
    expect(await statusOf(devicesPath, "last")).toBe(429)
  })

  it("takes no app from a header where callers have to prove who they are", async () => {
    await using opened = await openedApp("memory", ["a"])
    const rehearsal = createRehearsal({ budget: { timesAsFast: 1 }, clock: movedClock().clock })
    const app = createApp({ store: opened.store, rehearsal })
    const statuses = []
    for (let count = 0; count < 201; count++) {
      const headers = { "content-type": "application/json", "x-wfa-app": `app${count}` }
      statuses.push((await app.request(`${devicesPath}/a`, { method: "PATCH", body: '{"model":"X"}', headers })).status)
    }
    expect(statuses.slice(-2)).toEqual([200, 429])
  })

  it("does not count what is no request to Graph", async () => {
    await using graph = await createLocalGraph({ budget: { timesAsFast: 1 }, clock: movedClock().clock })
    for (let count = 0; count < 2_001; count++) await graph.fetch("/healthz")
    expect((await graph.fetch(devicesPath)).status).toBe(200)
  })
})
