import { type WholeDevice, wholeDevice } from "@workanywhere/domain"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { deviceFilter } from "../../src/graph/device-filter.ts"
import { deviceIn } from "../../src/graph/device-json.ts"
import { deviceOrder, orderById, positionOf } from "../../src/graph/device-order.ts"
import { type ScanOptions, scansOf } from "../../src/store/device-scan.ts"
import type { Tables } from "../../src/store/migrations.ts"
import { openDatabase } from "../../src/store/open-database.ts"
import { device, order, sorted, texts } from "../conditions.ts"
import {
  blankDevices,
  devicesPath,
  documentedId,
  failureOf,
  jsonRequest,
  openedApp,
  openedStore,
  postgresSchema,
  standing,
  storeRoom
} from "../opened.ts"

const ids = Array.from({ length: 2_000 }, (_, index) => `d${String(index).padStart(4, "0")}`)

const filledStore = async (scans: ScanOptions, queryLimitMillis?: number) => {
  const store = await openedStore("memory", scans, queryLimitMillis)
  await store.fillEmpty(standing, blankDevices(ids))
  return { store, [Symbol.asyncDispose]: () => store.close() }
}

const filterOf = (filter: string) => deviceFilter(filter, { unknownMembers: false })

const byModel = { order: deviceOrder("model"), skip: 0 }

const settled = (promises: ReadonlyArray<Promise<unknown>>): Promise<ReadonlyArray<string>> =>
  Promise.all(
    promises.map((promise) =>
      promise.then(
        () => "answered",
        (error: unknown) => (error instanceof Error ? error.message : String(error))
      )
    )
  )

describe("a query that has to look at many devices", () => {
  it("lets others have their turn between its pieces, and other such queries no more than one piece each", async () => {
    await using opened = await filledStore({ firstPiece: 10, largestPiece: 10 })
    const scanned = { ended: 0 }
    const scans = Array.from({ length: 3 }, async () => {
      await opened.store.search(standing, byModel, 5)
      scanned.ended += 1
    })
    let others = 0
    let turns = 0
    while (scanned.ended === 0) {
      expect(await opened.store.find(standing, "d0007")).toBeDefined()
      expect(await opened.store.update(standing, "d0008", { deviceName: `${others}` })).toBeDefined()
      others += 1
      await new Promise((resolve) => setImmediate(resolve))
      turns += 1
    }
    await Promise.all(scans)
    // Three queries of 200 pieces: had all of them a piece in each turn, they would be over after 200 turns.
    expect(others).toBeGreaterThan(200)
    expect(turns).toBe(others)
  })

  it("meets every device that nobody touched exactly once, whatever is written meanwhile", async () => {
    const devices = fc.uniqueArray(device, { selector: ({ id }) => id, minLength: 1, maxLength: 25 })
    const tasks = fc.array(
      fc.record({
        does: fc.constantFrom("create", "remove", "update"),
        which: fc.nat(99),
        made: device,
        model: fc.constantFrom(...texts)
      }),
      { maxLength: 40 }
    )
    await fc.assert(
      fc.asyncProperty(devices, order, fc.integer({ min: 1, max: 5 }), tasks, async (rows, keys, size, writes) => {
        await using room = await storeRoom("file")
        const others = await openedStore(room.store)
        await others.put(standing, rows, "replace")
        const text = keys.map(({ name, direction }) => name + direction).join(",")
        const asked = deviceOrder(text === "" ? undefined : text)
        const touched = new Set<string>()
        const left = writes.values()
        const write = async () => {
          for (const { does, which, made, model } of left) {
            const id = does === "create" ? made.id : (rows[which % rows.length]?.id ?? "")
            touched.add(id)
            if (does === "create") await others.create(standing, made)
            else if (does === "remove") await others.remove(standing, id)
            else await others.update(standing, id, { model, windowsScore: which })
            return
          }
        }
        // Another process can write between any two statements.
        const database = await openDatabase<Tables>(room.store)
        const kysely = database.kysely.withPlugin({
          transformQuery: ({ node }) => node,
          transformResult: async ({ result }) => {
            await write()
            return result
          }
        })
        const scans = scansOf(kysely, 60_000, { firstPiece: 2, largestPiece: 3 })
        const { signal } = new AbortController()
        // True for every device, and no index serves it.
        const filter = deviceFilter("id ne 'nobody'", { unknownMembers: false })
        const seen: Array<string> = []
        let last: WholeDevice | undefined
        for (let more = true; more;) {
          const after = last && positionOf(asked, last)
          const { rows: found } = await scans.search(
            standing,
            { filter, order: asked, after, skip: 0 },
            size + 1,
            signal
          )
          const page = found.slice(0, size).map(({ json }) => deviceIn(json))
          seen.push(...page.map(({ id }) => id))
          last = page.at(-1) ?? last
          more = found.length > size
        }
        await database.close()
        await others.close()
        const untouched = rows.filter(({ id }) => !touched.has(id))
        const ofThose = new Set(untouched.map(({ id }) => id))
        expect(seen.filter((id) => ofThose.has(id))).toEqual(sorted(untouched, keys).map(({ id }) => id))
      }),
      { numRuns: 60 }
    )
  })

  it("looks at fewer devices at a time the longer their texts are, and the more its filter does with each", async () => {
    await using opened = await filledStore({ pieceBytes: 100_000 })
    const long = Array.from({ length: 100 }, (_, index) => wholeDevice({ id: `e${index}`, model: "x".repeat(9_000) }))
    await opened.store.put(standing, long, "replace")
    const turnsOf = async (filter: string) => {
      const counted = { turns: 0, total: -1 }
      const counting = opened.store.count(standing, filterOf(filter))
      const done = counting.then((total) => (counted.total = total))
      for (; counted.total === -1; counted.turns++) await new Promise((resolve) => setImmediate(resolve))
      await done
      return counted
    }
    const plain = await turnsOf("startswith(id,'e') and model ne 'y'")
    const folded = await turnsOf("startswith(id,'e') and contains(toupper(tolower(toupper(model))),'X')")
    expect([plain.total, folded.total]).toEqual([100, 100])
    expect(plain.turns).toBeGreaterThan(30)
    expect(folded.turns).toBeGreaterThan(60)
  })

  it("folds a text once that is folded the same way several times", () => {
    expect(filterOf("tolower(tolower(tolower(model))) eq 'x'")).toEqual(filterOf("tolower(model) eq 'x'"))
    // These two differ: by 'ß', for one.
    expect(filterOf("tolower(toupper(model)) eq 'x'")).not.toEqual(filterOf("tolower(model) eq 'x'"))
  })

  it("leaves out any number of devices with few in memory", async () => {
    await using opened = await filledStore({ firstPiece: 100, mostInHand: 150 })
    for (const [skip, expected] of [
      [1_500, "d1500"],
      [1_999, "d1999"],
      [2_000, undefined],
      [90_000, undefined]
    ] as const) {
      for (const asked of [byModel.order, deviceOrder("windowsScore,id")]) {
        const { devices, more } = await opened.store.search(standing, { order: asked, skip }, 1)
        expect([devices[0]?.id, more]).toEqual([expected, skip < 1_999])
      }
    }
    const { devices } = await opened.store.search(standing, { order: orderById, skip: 1_234 }, 2)
    expect(devices.map(({ id }) => id)).toEqual(["d1234", "d1235"])
  })

  it("that takes longer than it may is 504 and says what would be quicker, and the service goes on", async () => {
    await using opened = await filledStore({ firstPiece: 10, largestPiece: 10 }, 0)
    const app = createApp({ store: opened.store })
    for (const query of ["?$orderby=model", "?$filter=contains(model,'x')", "?$count=true", "/$count"]) {
      const response = await app.request(`${devicesPath}${query}`)
      expect(response.status).toBe(504)
      const { code, message } = await failureOf(response)
      expect(code).toBe("gatewayTimeout")
      expect(message).toContain("'upgradeEligibility', 'healthStatus' or 'deviceName'")
    }
    for (const query of ["", "/d0007", "?$filter=deviceName eq 'x'", "?$orderby=deviceName", "?$skip=10"]) {
      expect((await app.request(`${devicesPath}${query}`)).status).toBe(200)
    }
    expect((await app.request(`${devicesPath}/d0007`, jsonRequest("PATCH", { model: "x" }))).status).toBe(200)
  })

  it("is given up when its caller goes away, and that is no failure of ours", async () => {
    await using opened = await openedApp("memory", ids, {}, { firstPiece: 10, largestPiece: 10 })
    const caller = new AbortController()
    const { signal } = caller
    const asked = ["?$orderby=model", "?$filter=contains(model,'x')", "/$count"].map(async (query) => {
      const { status } = await opened.app.request(`${devicesPath}${query}`, { signal })
      return status
    })
    const other = opened.store.count(standing, undefined)
    setImmediate(() => caller.abort())
    expect(await Promise.all(asked)).toEqual([504, 504, 504])
    expect(await other).toBe(ids.length)
    expect(opened.lines.filter(({ level }) => level === "error")).toEqual([])
  })

  it("is refused while as many as may are under way, and not afterwards", async () => {
    await using opened = await filledStore({ firstPiece: 10, largestPiece: 10, mostScans: 2 })
    const asked = Array.from({ length: 3 }, () => opened.store.count(standing, undefined))
    expect(await settled(asked)).toEqual(["answered", "answered", "a query was stopped: busy"])
    expect(await opened.store.count(standing, undefined)).toBe(ids.length)
  })

  it("of one tenant leaves places to the others, and the refusal names the limit and says when to come again", async () => {
    const scans = { firstPiece: 10, largestPiece: 10, mostScans: 4, mostScansOfOne: 2 }
    await using opened = await openedApp("memory", ids, {}, scans)
    const loud = Array.from({ length: 6 }, async () => opened.app.request(`${devicesPath}/$count`))
    const quiet = opened.store.count({ ...standing, tenant: "quiet" }, undefined)
    const refused = (await Promise.all(loud)).filter(({ status }) => status !== 200)
    expect(await quiet).toBe(0)
    expect(refused).toHaveLength(4)
    const [response] = refused
    expect([response?.status, response?.headers.get("retry-after")]).toEqual([503, "1"])
    expect((await failureOf(response as Response)).message).toContain("4 in all, 2 of one tenant")
  })

  it("takes its limit in PostgreSQL, too", async () => {
    await using room = await postgresSchema()
    const store = await openedStore(room.store, {}, 150)
    try {
      await store.fillEmpty(standing, blankDevices(Array.from({ length: 20_000 }, (_, index) => `d${index}`)))
      const app = createApp({ store })
      const parts = Array.from({ length: 60 }, (_, index) => `contains(tolower(toupper(id)),'no${index}')`)
      const filter = parts.join(" or ")
      const response = await app.request(`${devicesPath}?$filter=${encodeURIComponent(filter)}`)
      expect(response.status).toBe(504)
      expect((await app.request(`${devicesPath}/d7`)).status).toBe(200)
    } finally {
      await store.close()
    }
  })

  it.for(["memory", "file"] as const)("gives booleans as booleans: in %s", async (kind) => {
    await using room = await storeRoom(kind)
    const store = await openedStore(room.store)
    const facts = { id: documentedId, tenantAttached: true, tpmCheckFailed: false, ramCheckFailed: null }
    await store.put(standing, [wholeDevice(facts)], "replace")
    expect(await store.find(standing, documentedId)).toStrictEqual(wholeDevice(facts))
    const { devices } = await store.search(standing, byModel, 5)
    expect(devices).toStrictEqual([wholeDevice(facts)])
    await store.close()
  })
})
