import { describe, expect, it, vi } from "vitest"
import { createApp } from "../../src/app.ts"
import { type Room, recentAnswers } from "../../src/local/recent-answers.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import { blankDevices, devicesPath, jsonRequest, openedApp, standing, storeKinds, storeRoom } from "../opened.ts"

const answer = (text: string) => ({ body: Buffer.from(text), headers: {} })

const recentOver = (room?: Room) => {
  const state: { version: string | undefined; made: number } = { version: "1", made: 0 }
  const recent = recentAnswers(() => state.version, room)
  const ask = async (key: string, tenant = "t") => {
    const { body } = await recent(tenant, key, async () => answer(`${key} ${(state.made += 1)}`))
    return Buffer.from(body).toString()
  }
  return { state, recent, ask }
}

describe("recent answers", () => {
  it("are given again until somebody writes, from the second time on", async () => {
    const { state, ask } = recentOver()
    expect([await ask("a"), await ask("a"), await ask("a")]).toEqual(["a 1", "a 2", "a 2"])
    expect([await ask("b"), await ask("b"), await ask("b"), await ask("a")]).toEqual(["b 3", "b 4", "b 4", "a 2"])
    state.version = "2"
    expect([await ask("a"), await ask("a"), await ask("a")]).toEqual(["a 5", "a 6", "a 6"])
  })

  it("are none where nobody knows whether something was written", async () => {
    const { state, ask } = recentOver()
    state.version = undefined
    expect([await ask("a"), await ask("a"), await ask("a")]).toEqual(["a 1", "a 2", "a 3"])
  })

  it("are not kept when somebody wrote while they were made", async () => {
    const { state, recent, ask } = recentOver()
    await ask("a")
    await recent("t", "a", async () => {
      state.version = "2"
      return answer("half old")
    })
    expect([await ask("a"), await ask("a"), await ask("a")]).toEqual(["a 2", "a 3", "a 3"])
  })

  it("are not kept when they fail", async () => {
    const { recent, ask } = recentOver()
    await ask("a")
    await expect(recent("t", "a", () => Promise.reject(new Error("lost")))).rejects.toThrow("lost")
    expect(await ask("a")).toBe("a 2")
  })

  it("take no more memory than they may: the oldest go first", async () => {
    // A tenant has half of it, and its keys count: two answers.
    const { ask } = recentOver({ bytes: 2 * 2 * `["t","a"]a 2`.length, entries: 100 })
    for (const key of ["a", "a", "b", "b", "c", "c"]) await ask(key)
    expect([await ask("b"), await ask("c"), await ask("a")]).toEqual(["b 4", "c 6", "a 7"])
  })

  it("are no more than may be, however short they are", async () => {
    const { ask } = recentOver({ bytes: 1_000_000, entries: 4 })
    for (const key of ["a", "a", "b", "b", "c", "c"]) await ask(key)
    expect([await ask("b"), await ask("c"), await ask("a")]).toEqual(["b 4", "c 6", "a 7"])
  })

  it("of one tenant leave room for those of others, whatever it asks for", async () => {
    const { ask } = recentOver({ bytes: 1_000_000, entries: 4 })
    for (const key of ["a", "a"]) await ask(key, "quiet")
    for (const key of ["a", "b", "c", "d", "e", "f"]) for (let time = 0; time < 2; time++) await ask(key, "loud")
    expect(await ask("a", "quiet")).toBe("a 2")
  })

  it("do not grow with keys that are asked for once, however long these are", async () => {
    const { ask } = recentOver()
    await ask("first")
    for (let key = 0; key < 20; key++) await ask(`${key}`.padEnd(100_000, "x"))
    // Forgotten, so that it is made a second time and a third.
    expect([await ask("first"), await ask("first"), await ask("first")]).toEqual(["first 22", "first 23", "first 23"])
  })
})

describe.each(storeKinds)("a list that was answered before, with the store in %s", (kind) => {
  it("shows what was written since, in each of its shapes", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const shapes = ["", "?$count=true", "?$select=id,model", "?$filter=model eq 'X'", "?$orderby=model desc"]
    const bodies = () =>
      Promise.all(shapes.map(async (shape) => (await opened.app.request(encodeURI(`${devicesPath}${shape}`))).text()))
    const before = await bodies()
    for (let time = 0; time < 3; time++) expect(await bodies()).toEqual(before)
    await opened.app.request(`${devicesPath}/a`, jsonRequest("PATCH", { model: "X" }))
    const updated = await bodies()
    for (const [index, body] of updated.entries()) expect(body).not.toBe(before[index])
    await opened.app.request(`${devicesPath}/a`, { method: "DELETE" })
    const deleted = await bodies()
    for (const [index, body] of deleted.entries()) expect(body).not.toBe(updated[index])
  })

  it("differs by what a caller accepts and prefers", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const asked = async (headers: Readonly<Record<string, string>>) =>
      (await opened.app.request(devicesPath, { headers })).text()
    await asked({})
    await asked({})
    const plain = await asked({})
    const bare = await asked({ accept: "application/json;odata.metadata=none" })
    const short = await asked({ prefer: "odata.maxpagesize=1" })
    expect(new Set([plain, bare, short]).size).toBe(3)
    expect([await asked({}), await asked({ prefer: "odata.maxpagesize=1" })]).toEqual([plain, short])
  })

  it("is the same for callers whose headers differ in what changes nothing", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const search = vi.spyOn(opened.store, "search")
    const app = createApp({ store: opened.store })
    for (const n of [1, 2, 3, 4, 5]) {
      const headers = {
        accept: `application/json;odata.metadata=none;k=${n}`,
        prefer: `x=${n}, maxpagesize=0${n + 998}`
      }
      expect((await app.request(devicesPath, { headers })).headers.get("preference-applied")).toBe(
        "odata.maxpagesize=999"
      )
    }
    expect(search).toHaveBeenCalledTimes(opened.store.version() === undefined ? 5 : 2)
  })

  it("is not that of a caller whose headers are the same only when they are put together", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const rows = async (accept: string, prefer: string) => {
      const response = await opened.app.request(devicesPath, { headers: { accept, prefer } })
      return ((await response.json()) as { readonly value: ReadonlyArray<unknown> }).value.length
    }
    for (let time = 0; time < 3; time++) expect(await rows("*/*", "respond-async odata.maxpagesize=1")).toBe(2)
    expect(await rows("*/* respond-async", "odata.maxpagesize=1")).toBe(1)
  })
})

it.each(["file", "postgres"] as const)("a list shows what another process wrote since, in %s", async (kind) => {
  await using room = await storeRoom(kind)
  const store = await openDeviceStore(room.store)
  const other = await openDeviceStore(room.store)
  await store.fillEmpty(standing, blankDevices(["a"]))
  const app = createApp({ store })
  const models = async () => {
    const page = (await (await app.request(`${devicesPath}?$select=model`)).json()) as { readonly value: unknown }
    return page.value
  }
  for (let time = 0; time < 3; time++) expect(await models()).toEqual([{ model: null }])
  await other.update(standing, "a", { model: "theirs" })
  expect(await models()).toEqual([{ model: "theirs" }])
  await store.close()
  await other.close()
})
