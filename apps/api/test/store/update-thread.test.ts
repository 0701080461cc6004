import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import type { DeviceUpdate } from "@workanywhere/domain"
import { sql } from "kysely"
import { describe, expect, it } from "vitest"
import { deviceIn } from "../../src/graph/device-json.ts"
import type { UpdateFacts } from "../../src/store/device-update.ts"
import { type Commit, commitChannel } from "../../src/store/group-commit.ts"
import { type Tables, migrate } from "../../src/store/migrations.ts"
import { openDatabase } from "../../src/store/open-database.ts"
import { deviceStoreOn } from "../../src/store/open-device-store.ts"
import { type UpdateThread, updateThread } from "../../src/store/update-thread.ts"
import { blankDevices, standing, temporaryFolder } from "../opened.ts"

const ids = Array.from({ length: 20 }, (_, index) => `device ${String(index).padStart(2, "0")}`)

/** A store file with devices, the store over it, and a thread for it. */
const opened = async () => {
  const folder = await temporaryFolder()
  const file = join(folder.path, "devices.sqlite")
  const database = await openDatabase<Tables>(`sqlite:${file}`)
  await migrate(database)
  const store = await deviceStoreOn(database)
  await store.fillEmpty(standing, blankDevices(ids))
  const thread = updateThread(file)
  return {
    store,
    thread,
    kysely: database.kysely,
    transact: database.transact,
    [Symbol.asyncDispose]: async () => {
      await thread.close()
      await store.close()
      await folder[Symbol.asyncDispose]()
    }
  }
}

const updates = (update: DeviceUpdate, which: ReadonlyArray<string> = ids): ReadonlyArray<UpdateFacts> =>
  which.map((id) => ({ collection: standing, id, update }))

/** How many writes each commit made, as whoever counts them is told. */
const commitsTold = () => {
  const writes: Array<number> = []
  const listen = (message: unknown): void => void writes.push((message as Commit).writes)
  subscribe(commitChannel, listen)
  return { writes, [Symbol.dispose]: () => void unsubscribe(commitChannel, listen) }
}

/** Commits as soon as the thread is there. */
const commit = async (thread: UpdateThread, group: ReadonlyArray<UpdateFacts>) => {
  for (;;) {
    const committed = thread.commit(group)
    if (committed !== undefined) return committed
    await setTimeout(5)
  }
}

const refuseTheName = (name: string) =>
  sql.raw(
    `create trigger refusal before update on devices when new."deviceName" = '${name}' begin select raise(abort, 'refused'); end`
  )

describe("the thread for updates", () => {
  it("is not there for a few updates, and takes a group when it has started", async () => {
    await using opening = await opened()
    expect(opening.thread.commit(updates({ model: "A" }, ids.slice(0, 3)))).toBeUndefined()
    const rows = await commit(opening.thread, updates({ model: "B" }))
    expect(rows.map((row) => row && deviceIn(row.json).model)).toEqual(ids.map(() => "B"))
    expect(opening.thread.commit(updates({ model: "C" }, ids.slice(0, 1)))).toBeUndefined()
  })

  it("makes the updates of a device in their order, and says where there is none", async () => {
    await using opening = await opened()
    const [first = ""] = ids
    const group = [
      ...updates({ model: "A", windowsScore: 10 }, [first]),
      ...updates({ model: "B" }, ["nobody"]),
      ...updates({ model: "C", healthStatus: "unknownFutureValue" }, [first]),
      ...updates({ serialNumber: null }, ids.slice(1))
    ]
    const [, missing, last, ...others] = await commit(opening.thread, group)
    expect(missing).toBeUndefined()
    expect(last && deviceIn(last.json)).toMatchObject({ id: first, model: "C", windowsScore: 10 })
    expect(others.map((row) => row && deviceIn(row.json).id)).toEqual(ids.slice(1))
    expect(await opening.store.find(standing, first)).toMatchObject({ model: "C", windowsScore: 10 })
  })

  it("gives back every character of a device, and whether it has a member that not everyone is shown", async () => {
    await using opening = await opened()
    const model = "lines\n\r\u2028, quotes \"', =?, 日本 🖥"
    const rows = await commit(opening.thread, updates({ model }))
    expect(rows.map((row) => row && deviceIn(row.json).model)).toEqual(ids.map(() => model))
    expect(rows.every((row) => row?.hasUnknownMember === false)).toBe(true)
    await sql`update devices set json = json_set(json, '$.healthStatus', 'newer')`.execute(opening.kysely)
    const newer = await commit(opening.thread, updates({ model }))
    expect(newer.every((row) => row?.hasUnknownMember === true)).toBe(true)
  })

  it("answers several groups that it committed at once, each with its own", async () => {
    await using opening = await opened()
    await commit(opening.thread, updates({ model: "A" }))
    const groups = [ids.slice(0, 12), ["nobody"], ids.slice(12, 15), ["nobody", "nothing"]]
    using told = commitsTold()
    // While this transaction keeps the thread from writing, all of them reach it.
    const commits = await opening.transact(async () =>
      groups.map(async (which) => opening.thread.commit(updates({ model: "B" }, which)))
    )
    const committed = await Promise.all(commits)
    const found = committed.map((rows) => rows?.map((row) => row && deviceIn(row.json).id))
    expect(found).toEqual([ids.slice(0, 12), [undefined], ids.slice(12, 15), [undefined, undefined]])
    // The thread may have taken the first before the others were there.
    expect(told.writes.length).toBeLessThanOrEqual(2)
    expect(told.writes.reduce((sum, writes) => sum + writes)).toBe(18)
  })

  it("is seen by who reads here: in what is found, and in the version of the store", async () => {
    await using opening = await opened()
    const before = opening.store.version()
    await commit(opening.thread, updates({ deviceName: "renamed" }))
    expect(opening.store.version()).not.toBe(before)
    expect((await opening.store.find(standing, ids[7] ?? ""))?.deviceName).toBe("renamed")
  })

  it("makes no update of a group in which one fails, and goes on with the next group", async () => {
    await using opening = await opened()
    await refuseTheName("bad").execute(opening.kysely)
    const group = [...updates({ deviceName: "good" }), ...updates({ deviceName: "bad" }, ids.slice(0, 1))]
    await expect(commit(opening.thread, group)).rejects.toThrow("no update of the group was made")
    expect((await opening.store.find(standing, ids[5] ?? ""))?.deviceName).toBeNull()
    await commit(opening.thread, updates({ deviceName: "good" }))
    expect((await opening.store.find(standing, ids[5] ?? ""))?.deviceName).toBe("good")
  })

  it("that cannot open its file takes nothing, and says so", async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, "no.sqlite")
    await writeFile(file, "this is no database ".repeat(100))
    const thread = updateThread(file)
    const warned = once(process, "warning")
    expect(thread.commit(updates({ model: "A" }))).toBeUndefined()
    expect(String((await warned)[0])).toContain("file is not a database")
    expect(thread.commit(updates({ model: "A" }))).toBeUndefined()
    await thread.close()
  })
})

describe("a store with a thread for updates", () => {
  it("makes every update once, whoever makes it, among deletions, reads and updates that fail", async () => {
    await using opening = await opened()
    await refuseTheName("bad").execute(opening.kysely)
    const { store } = opening
    const model = new Map<string, number>(ids.map((id) => [id, 0]))
    let refused = 0
    // Long enough for the thread to start, and to take most of the groups.
    for (let round = 1; round <= 150; round++) {
      const gone = ids[round] !== undefined && round % 4 === 0 ? ids[round] : undefined
      const outcomes = await Promise.all([
        ...ids.map(async (id) => {
          const written = await store.update(standing, id, { windowsScore: round })
          if (written !== undefined && written !== "changed") model.set(id, Number(written.device.windowsScore))
          return written
        }),
        store.update(standing, "nobody", { windowsScore: round }),
        ...(round % 3 === 0 ? [store.update(standing, ids[1] ?? "", { deviceName: "bad" }).catch(() => refused++)] : [])
      ])
      expect(outcomes.at(ids.length)).toBeUndefined()
      if (gone !== undefined) {
        await Promise.all([store.remove(standing, gone), store.update(standing, gone, { windowsScore: -1 })])
        model.delete(gone)
      }
      for (const [id, score] of model) expect((await store.find(standing, id))?.windowsScore).toBe(score)
    }
    expect(refused).toBe(50)
    expect((await store.page(standing, "", 100)).devices.map(({ id }) => id)).toEqual([...model.keys()])
  })
})
