import { randomBytes } from "node:crypto"
import { readFile, readdir, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { type DeviceUpdate, applyUpdate, propertyNames, wholeDevice } from "@workanywhere/domain"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import { sql } from "kysely"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { deviceFilter } from "../../src/graph/device-filter.ts"
import { orderById } from "../../src/graph/device-order.ts"
import { startService } from "../../src/service.ts"
import { defaultSettings } from "../../src/settings/config.ts"
import type { Collection } from "../../src/store/device-store.ts"
import { type Tables, indexed, migrate, migrations } from "../../src/store/migrations.ts"
import { openDatabase } from "../../src/store/open-database.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import {
  blankDevices,
  devicesPath,
  documentedUpdate,
  failureOf,
  openedApp,
  postgresSchema,
  standing,
  storeKinds,
  temporaryFolder
} from "../opened.ts"

const opened = async <Tables>(store: Parameters<typeof openDatabase>[0]) => {
  const database = await openDatabase<Tables>(store)
  return { ...database, [Symbol.asyncDispose]: database.close }
}

const modeOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8)

const named = (id: string, deviceName: string) => wholeDevice({ id, deviceName })

const fleet = syntheticFleet({ size: 50, seed: 1 })

async function* broken() {
  yield* blankDevices(Array.from({ length: 3_000 }, (_, index) => `new-${index}`))
  throw new Error("no more of them")
}

describe.each(storeKinds)("the store in %s", (kind) => {
  it("gives a device back as it was put in: values, nulls, and nothing else", async () => {
    await using opened = await openedApp(kind, [])
    await opened.store.fillEmpty(standing, fleet)
    for await (const device of fleet) {
      const found = await opened.store.find(standing, device.id)
      expect(found).toStrictEqual(device)
      expect(Object.keys(found ?? {})).toEqual(propertyNames)
    }
  })

  it("applies updates as the domain does, and finds them again", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const update: DeviceUpdate = {
      deviceName: "Ünïcode 'quoted' \u{1F4BB}",
      model: null,
      tenantAttached: true,
      osCheckFailed: false,
      windowsScore: -1,
      cloudIdentityScore: 6.666666666666667,
      upgradeEligibility: "capable",
      healthStatus: "unknownFutureValue"
    }
    const expected = applyUpdate(wholeDevice({ id: "a" }), update)
    expect(await opened.store.update(standing, "a", update)).toMatchObject({ device: expected })
    expect(await opened.store.find(standing, "a")).toEqual(expected)
    expect(await opened.store.find(standing, "b")).toEqual(wholeDevice({ id: "b" }))
  })

  it("says that there is no such device rather than making one", async () => {
    await using opened = await openedApp(kind, ["a"])
    expect(await opened.store.update(standing, "z", { model: "X" })).toBeUndefined()
    expect(await opened.store.find(standing, "z")).toBeUndefined()
    expect((await opened.store.page(standing, "", 10)).devices).toHaveLength(1)
  })

  it("pages through the devices in the order of their keys", async () => {
    await using opened = await openedApp(kind, ["c", "a", "B", "d", "ä"])
    const idsFrom = async (after: string, size: number) => {
      const { devices, more } = await opened.store.page(standing, after, size)
      return [devices.map(({ id }) => id), more]
    }
    expect(await idsFrom("", 2)).toEqual([["B", "a"], true])
    expect(await idsFrom("a", 2)).toEqual([["c", "d"], true])
    expect(await idsFrom("d", 2)).toEqual([["ä"], false])
    expect(await idsFrom("", 5)).toEqual([["B", "a", "c", "d", "ä"], false])
    expect(await idsFrom("", 0)).toEqual([[], true])
  })

  it("loses none of many updates of one device that come at the same time", async () => {
    await using opened = await openedApp(kind, ["a"])
    const names = propertyNames.filter((name) => name.endsWith("Score"))
    await Promise.all(names.map((name, index) => opened.store.update(standing, "a", { [name]: index + 1 })))
    const device = await opened.store.find(standing, "a")
    expect(names.map((name) => device?.[name])).toEqual([1, 2, 3, 4, 5])
  })

  it("keeps the devices of another tenant apart", async () => {
    await using opened = await openedApp(kind, ["a"])
    const others: Collection = { ...standing, tenant: "other" }
    expect(await opened.store.find(others, "a")).toBeUndefined()
    expect(await opened.store.update(others, "a", { model: "X" })).toBeUndefined()
    expect((await opened.store.page(others, "", 10)).devices).toEqual([])
    await opened.store.fillEmpty(others, blankDevices(["a"]))
    await opened.store.update(others, "a", { model: "theirs" })
    expect((await opened.store.find(standing, "a"))?.model).toBeNull()
  })

  it("is filled anew for one tenant, in the place of all that it had, and for no other", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const others: Collection = { ...standing, tenant: "other" }
    await opened.store.fillEmpty(others, blankDevices(["c"]))
    await opened.store.refill(standing.tenant, blankDevices(["b", "d"]))
    const idsOf = async (collection: Collection) =>
      (await opened.store.page(collection, "", 10)).devices.map(({ id }) => id)
    expect([await idsOf(standing), await idsOf(others)]).toEqual([["b", "d"], ["c"]])
  })

  it("takes many devices at once, and replaces those that are there or keeps them", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const many = Array.from({ length: 120 }, (_, index) => named(`many ${index}`, "many"))
    expect(await opened.store.put(standing, [named("a", "put"), ...many, named("a", "put again")], "replace")).toBe(121)
    expect(await opened.store.find(standing, "a")).toEqual(named("a", "put again"))
    expect(await opened.store.put(standing, [named("b", "z"), named("c", "new"), named("c", "newer")], "keep")).toBe(1)
    expect(await opened.store.find(standing, "b")).toEqual(wholeDevice({ id: "b" }))
    expect(await opened.store.find(standing, "c")).toEqual(named("c", "new"))
    expect((await opened.store.page(standing, "", 999)).devices).toHaveLength(123)
  })

  it("finds a device by what an update made of it, and no more by what it was", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const idsWith = async (filter: string) => {
      const query = { filter: deviceFilter(filter, { unknownMembers: false }), order: orderById, skip: 0 }
      return (await opened.store.search(standing, query, 10)).devices.map(({ id }) => id)
    }
    await opened.store.update(standing, "a", { deviceName: "PC-1", healthStatus: "meetingGoals", model: "X" })
    await opened.store.update(standing, "a", { model: "Y" })
    expect(await idsWith("deviceName eq 'PC-1' and healthStatus eq 'meetingGoals' and model eq 'Y'")).toEqual(["a"])
    await opened.store.update(standing, "a", { healthStatus: "needsAttention" })
    expect(await idsWith("healthStatus eq 'meetingGoals'")).toEqual([])
    expect(await idsWith("healthStatus eq 'needsAttention'")).toEqual(["a"])
    expect(await idsWith("healthStatus eq 'unknown'")).toEqual(["b"])
  })

  it("gives the JSON of what it finds, unless that has a member which not everyone is shown", async () => {
    await using opened = await openedApp(kind, [])
    const everything = { order: orderById, skip: 0 }
    await opened.store.fillEmpty(standing, fleet)
    const { devices } = await opened.store.search(standing, everything, 20)
    const [first, second] = devices
    expect(await opened.store.findJson(standing, first?.id ?? "")).toBe(JSON.stringify(first))
    const page = await opened.store.search(standing, everything, 20)
    expect(page.json).toBe(devices.map((device) => JSON.stringify(device)).join(","))
    expect(page).toMatchObject({ last: devices.at(-1), more: true })

    const later = { ...wholeDevice({ id: second?.id ?? "" }), healthStatus: "later" as "unknown" }
    await opened.store.put(standing, [later], "replace")
    expect(await opened.store.find(standing, later.id)).toEqual(later)
    expect(await opened.store.findJson(standing, later.id)).toBeUndefined()
    expect((await opened.store.search(standing, everything, 20)).json).toBeUndefined()
    expect((await opened.store.search(standing, everything, 1)).json).toBe(JSON.stringify(first))
    expect(await opened.store.findJson(standing, "nobody's")).toBeUndefined()
  })

  it("keeps nothing of a device but its properties", async () => {
    await using opened = await openedApp(kind, [])
    const annotated = { ...wholeDevice({ id: "a" }), "@odata.type": "#microsoft.graph.x", stray: { deep: 1 } }
    await opened.store.put(standing, [annotated], "replace")
    expect(await opened.store.find(standing, "a")).toEqual(wholeDevice({ id: "a" }))
  })

  it("shows nobody what a transaction did before it is committed", async () => {
    await using opened = await openedApp(kind, ["a"])
    const part = Promise.withResolvers<void>()
    const rest = Promise.withResolvers<void>()
    async function* slowly() {
      yield* blankDevices(Array.from({ length: 10_000 }, (_, index) => `new-${index}`))
      part.resolve()
      await rest.promise
      yield* blankDevices(["last"])
    }
    const refilled = opened.store.refill("local", slowly())
    await part.promise
    const seen = async () => {
      const isFirstThere = (await opened.store.findJson(standing, "new-1")) !== undefined
      const isLastThere = (await opened.store.findJson(standing, "last")) !== undefined
      return isFirstThere && !isLastThere ? "a part" : "all or nothing"
    }
    const during = seen()
    const total = opened.store.count(standing, undefined)
    rest.resolve()
    await refilled
    expect(await during).toBe("all or nothing")
    expect([1, 10_001]).toContain(await total)
    expect(await opened.store.count(standing, undefined)).toBe(10_001)
  })

  it("lets everything else have its turn while it is filled, and reads a file as it was before", async () => {
    await using opened = await openedApp(kind, ["before"])
    const filling = { isOver: false }
    const filled = opened.store.refill("local", syntheticFleet({ size: 5_000, seed: 1 }))
    const over = filled.then(() => (filling.isOver = true))
    let [turns, reads] = [0, 0]
    for (; !filling.isOver; turns++) {
      // In memory there is but one connection, and a read waits for the transaction.
      if (kind === "memory" || (await opened.store.find(standing, "before")) !== undefined) reads++
      await new Promise((resolve) => setImmediate(resolve))
    }
    await over
    expect(Math.min(turns, reads)).toBeGreaterThan(5)
    expect(await opened.store.find(standing, "before")).toBeUndefined()
    expect(await opened.store.count(standing, undefined)).toBe(5_000)
  })

  it("is as it was when the devices that it is filled with end in a fault", async () => {
    await using opened = await openedApp(kind, ["before"])
    await expect(opened.store.refill("local", broken())).rejects.toThrow("no more of them")
    expect(await opened.store.count(standing, undefined)).toBe(1)
    await opened.store.refill("local", blankDevices(["after"]))
    expect(await opened.store.find(standing, "after")).toBeDefined()
  })

  it("lets everything else have its turn while a metric with many devices is deleted, and leaves the others", async () => {
    await using opened = await openedApp(kind, ["a"])
    for (const id of ["first", "mine", "zero"]) {
      await opened.store.metrics.create("local", id)
      await opened.store.put({ tenant: "local", metric: id }, [wholeDevice({ id: "b" })], "keep")
    }
    const many = Array.from({ length: 8_001 }, (_, index) => wholeDevice({ id: `d${index}` }))
    await opened.store.put({ tenant: "local", metric: "mine" }, many, "keep")
    const deleting = { isOver: false }
    const over = opened.store.metrics.remove("local", "mine").then((removed) => {
      deleting.isOver = true
      return removed
    })
    let turns = 0
    for (; !deleting.isOver; turns++) await new Promise((resolve) => setImmediate(resolve))
    expect(await over).toBe(true)
    expect(turns).toBeGreaterThan(2)
    const left = ["first", "mine", "zero"].map((metric) => opened.store.count({ tenant: "local", metric }, undefined))
    expect([await opened.store.count(standing, undefined), ...(await Promise.all(left))]).toEqual([1, 1, 0, 1])
  })

  it("finds nothing under an id that no device can have", async () => {
    await using opened = await openedApp(kind, ["a"])
    await opened.store.put(standing, [wholeDevice({ id: "a\u{10ffff}" })], "keep")
    expect(await opened.store.find(standing, "\0")).toBeUndefined()
    expect(await opened.store.find(standing, "a\0")).toBeUndefined()
    expect(await opened.store.update(standing, "a\0", { model: "X" })).toBeUndefined()
    expect(await opened.store.remove(standing, "a\0")).toBeUndefined()
    expect(await opened.store.metrics.has("local", "\0")).toBe(false)
    expect(await opened.store.metrics.remove("local", "\0")).toBe(false)
  })

  it("is filled once: a store that has devices keeps those it has", async () => {
    await using opened = await openedApp(kind, ["a"])
    await opened.store.fillEmpty(standing, blankDevices(["b"]))
    expect(await opened.store.find(standing, "b")).toBeUndefined()
  })

  it("is filled with all devices or none", async () => {
    await using opened = await openedApp(kind, [])
    await expect(opened.store.fillEmpty(standing, blankDevices(["a", "b", "a"]))).rejects.toThrow(/unique/i)
    expect((await opened.store.page(standing, "", 10)).devices).toEqual([])
  })
})

describe("a store in PostgreSQL", () => {
  it("finds letters of any language without regard to case, as a store file does", async () => {
    const filter = deviceFilter("contains(tolower(deviceName),'übung')", { unknownMembers: false })
    for (const kind of ["file", "postgres"] as const) {
      await using opened = await openedApp(kind, ["a", "b"])
      await opened.store.update(standing, "b", { deviceName: "EINE ÜBUNG" })
      expect(await opened.store.count(standing, filter)).toBe(1)
    }
  })

  it("keeps text that no ordered index could hold", async () => {
    await using opened = await openedApp("postgres", ["a"])
    // Random, because what repeats would be made short.
    const deviceName = randomBytes(6_000).toString("base64")
    expect(await opened.store.update(standing, "a", { deviceName })).toMatchObject({ device: named("a", deviceName) })
  })

  it("sorts text by code point and knows every letter, whatever language the database was made for", async () => {
    await using room = await postgresSchema()
    await using database = await opened<Tables>(room.store)
    await migrate(database)
    const { rows } = await sql<{ readonly collation: string }>`
      select distinct collation_name as collation from information_schema.columns
      where table_schema = current_schema() and data_type = 'text'`.execute(database.kysely)
    expect(["C", "C.utf8", "pg_c_utf8", "pg_unicode_fast"]).toContain(rows[0]?.collation)
    expect(rows).toHaveLength(1)
  })

  it("can be made by several that open it at the same time, and is filled by one", async () => {
    await using room = await postgresSchema()
    const stores = await Promise.all(Array.from({ length: 4 }, () => openDeviceStore(room.store)))
    await Promise.all(stores.map((store) => store.fillEmpty(standing, fleet)))
    const pages = await Promise.all(stores.map((store) => store.page(standing, "", 100)))
    await Promise.all(stores.map((store) => store.close()))
    expect(pages.map(({ devices }) => devices.length)).toEqual([50, 50, 50, 50])
  })

  it("says why it cannot be opened, without what is secret in its URL", async () => {
    const store = "postgres://me:very-secret@127.0.0.1:1/devices?password=very-secret"
    const failure = startService({ ...defaultSettings, store })
    await expect(failure).rejects.toThrow("cannot use the store postgres://127.0.0.1:1/devices: ")
    await expect(failure).rejects.not.toThrow("very-secret")
  })
})

describe("a store file", () => {
  it("holds the documented update after it was closed and opened again", async () => {
    await using folder = await temporaryFolder()
    const setting = `sqlite:${join(folder.path, "devices.sqlite")}` as const
    const update = JSON.parse(await documentedUpdate()) as DeviceUpdate
    const first = await openDeviceStore(setting)
    await first.fillEmpty(standing, blankDevices(["a"]))
    await first.update(standing, "a", update)
    await first.close()
    const second = await openDeviceStore(setting)
    const found = await second.find(standing, "a")
    await second.close()
    expect({ "@odata.type": update["@odata.type"], ...found }).toEqual({
      ...wholeDevice({ id: "a" }),
      ...update,
      id: "a"
    })
  })

  it("can be opened twice, and each sees what the other wrote", async () => {
    await using folder = await temporaryFolder()
    const setting = `sqlite:${join(folder.path, "devices.sqlite")}` as const
    const first = await openDeviceStore(setting)
    const second = await openDeviceStore(setting)
    await first.fillEmpty(standing, blankDevices(["a"]))
    await second.update(standing, "a", { model: "X" })
    const model = (await first.find(standing, "a"))?.model
    await first.close()
    await second.close()
    expect(model).toBe("X")
  })

  it("is made in a folder that is there, and in no other", async () => {
    await using folder = await temporaryFolder()
    const missing = join(folder.path, "new", "deep")
    await expect(openDeviceStore(`sqlite:${join(missing, "devices.sqlite")}`)).rejects.toThrow(
      `there is no folder ${missing}; make it, or correct WFA_STORE`
    )
    expect(await readdir(folder.path)).toEqual([])
  })

  it("is for its owner alone, with what SQLite puts beside it", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "devices.sqlite")
    const umask = process.umask(0)
    try {
      const store = await openDeviceStore(`sqlite:${path}`)
      await store.fillEmpty(standing, blankDevices(["a"]))
      expect(await Promise.all([path, `${path}-wal`, `${path}-shm`].map(modeOf))).toEqual(["600", "600", "600"])
      await store.close()
    } finally {
      process.umask(umask)
    }
  })

  it("that is damaged is said to be so at a start, and to callers when it shows later", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "devices.sqlite")
    const store = `sqlite:${path}` as const
    const whole = await openDeviceStore(store)
    await whole.fillEmpty(standing, syntheticFleet({ size: 300, seed: 1 }))
    await whole.close()
    const bytes = await readFile(path)
    // The header, the first table, and what is read only when a store is filled.
    for (const [from, to] of [
      [0, 4_096],
      [4_096, 4_096 * 4],
      [4_096, bytes.length]
    ] as const) {
      await writeFile(path, Buffer.from(bytes).fill(0xa5, from, to))
      const start = startService({ ...defaultSettings, port: 0, store })
      await expect(start).rejects.toThrow(
        /^cannot use the store sqlite:.*: (?:file is not a database|database disk image is malformed)$/
      )
    }
    await writeFile(path, bytes)
    const damaged = await openDeviceStore(store)
    await writeFile(path, Buffer.from(bytes).fill(0xa5, bytes.length / 2))
    const app = createApp({ store: damaged })
    const response = await app.request(`${devicesPath}/$count?$filter=model eq 'x'`)
    expect([response.status, (await failureOf(response)).message]).toEqual([
      503,
      expect.stringMatching(/^The store is damaged/)
    ])
    await damaged.close()
  })

  it("flushes every commit to disk", async () => {
    await using folder = await temporaryFolder()
    const database = await openDatabase(`sqlite:${join(folder.path, "devices.sqlite")}`)
    const journal = await sql`pragma journal_mode`.execute(database.kysely)
    const synchronous = await sql`pragma synchronous`.execute(database.kysely)
    await database.close()
    // 2 is FULL; see https://sqlite.org/pragma.html#pragma_synchronous
    expect([...journal.rows, ...synchronous.rows]).toEqual([{ journal_mode: "wal" }, { synchronous: 2 }])
  })

  it("has the table of the first migration, which must never change", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "devices.sqlite")
    const store = await openDatabase<Tables>(`sqlite:${path}`)
    await migrate(store, migrations.slice(0, 5))
    await store.close()
    using database = new DatabaseSync(path)
    const row = database.prepare("select sql from sqlite_master where name = 'devices'").get()
    expect(String(row?.["sql"]).replaceAll(", ", ",\n")).toMatchInlineSnapshot(`
      "CREATE TABLE "devices" ("tenant" text not null,
      "metric" text not null,
      "id" text not null,
      "deviceId" text,
      "deviceName" text,
      "serialNumber" text,
      "manufacturer" text,
      "model" text,
      "ownership" text,
      "managedBy" text,
      "autoPilotRegistered" boolean,
      "autoPilotProfileAssigned" boolean,
      "azureAdRegistered" boolean,
      "azureAdDeviceId" text,
      "azureAdJoinType" text,
      "osDescription" text,
      "osVersion" text,
      "tenantAttached" boolean,
      "compliancePolicySetToIntune" boolean,
      "otherWorkloadsSetToIntune" boolean,
      "isCloudManagedGatewayEnabled" boolean,
      "upgradeEligibility" text not null,
      "ramCheckFailed" boolean,
      "storageCheckFailed" boolean,
      "processorCoreCountCheckFailed" boolean,
      "processorSpeedCheckFailed" boolean,
      "tpmCheckFailed" boolean,
      "secureBootCheckFailed" boolean,
      "processorFamilyCheckFailed" boolean,
      "processor64BitCheckFailed" boolean,
      "osCheckFailed" boolean,
      "workFromAnywhereScore" double precision,
      "windowsScore" double precision,
      "cloudManagementScore" double precision,
      "cloudIdentityScore" double precision,
      "cloudProvisioningScore" double precision,
      "healthStatus" text not null,
      "json" text default '' not null,
      "hasUnknownMember" boolean default false not null,
      constraint "devices_key" primary key ("tenant",
      "metric",
      "id"))"
    `)
  })

  it.for(indexed)("finds a page of those with a certain %s by its index, without sorting", async (column) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "devices.sqlite")
    await (await openDeviceStore(`sqlite:${path}`)).close()
    using database = new DatabaseSync(path)
    const plan = database
      .prepare(
        `explain query plan select * from devices
           where tenant = ? and metric = ? and "${column}" = ? and id > ? order by id limit 101`
      )
      .all("", "", "", "")
    expect(plan.map((step) => step["detail"])).toEqual([
      `SEARCH devices USING INDEX devices_${column} (tenant=? AND metric=? AND ${column}=? AND id>?)`
    ])
  })

  it("of a newer version is refused", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "devices.sqlite")
    await (await openDeviceStore(`sqlite:${path}`)).close()
    using database = new DatabaseSync(path)
    database.exec("insert into migrations select max(version) + 1, '2030-01-01' from migrations")
    await expect(openDeviceStore(`sqlite:${path}`)).rejects.toThrow("it was written by a newer version of this service")
  })
})
