import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { recentAnswers } from "../../src/local/recent-answers.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import { blankDevices, devicesPath, jsonRequest, openedApp, standing, storeKinds, storeRoom } from "../opened.ts"

const answer = (text: string) => ({ body: Buffer.from(text), headers: {} })

const recentOver = (most?: number) => {
  const state: { version: string | undefined; made: number } = { version: "1", made: 0 }
  const recent = recentAnswers(() => state.version, most)
  const ask = async (key: string) => {
    const { body } = await recent(key, async () => answer(`${key} ${(state.made += 1)}`))
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
    await recent("a", async () => {
      state.version = "2"
      return answer("half old")
    })
    expect([await ask("a"), await ask("a"), await ask("a")]).toEqual(["a 2", "a 3", "a 3"])
  })

  it("are not kept when they fail", async () => {
    const { recent, ask } = recentOver()
    await ask("a")
    await expect(recent("a", () => Promise.reject(new Error("lost")))).rejects.toThrow("lost")
    expect(await ask("a")).toBe("a 2")
  })

  it("take no more memory than they may: the oldest go first", async () => {
    const { ask } = recentOver("a 2b 4".length)
    for (const key of ["a", "a", "b", "b", "c", "c"]) await ask(key)
    expect([await ask("b"), await ask("c"), await ask("a")]).toEqual(["b 4", "c 6", "a 7"])
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
