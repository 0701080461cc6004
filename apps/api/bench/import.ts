// What a large fleet costs: loading it, holding it, and finding some of it. Both sides of a ratio take turns.
import { createWriteStream } from "node:fs"
import { mkdtemp, readFile, rm, stat } from "node:fs/promises"
import { availableParallelism, cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { parseArgs } from "node:util"
import { type Page, type WholeDevice, deviceJsonLine, propertyNames } from "@workanywhere/domain"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import { deviceFilter } from "../src/graph/device-filter.ts"
import { orderById } from "../src/graph/device-order.ts"
import { sharedTenant } from "../src/http/env.ts"
import { standingCollection } from "../src/store/device-store.ts"
import { type Tables, migrate } from "../src/store/migrations.ts"
import { openDatabase } from "../src/store/open-database.ts"
import { deviceStoreOn, openDeviceStore } from "../src/store/open-device-store.ts"
import { ran, running } from "../test/process.ts"

const { values } = parseArgs({
  options: { devices: { type: "string", default: "1000000" }, times: { type: "string", default: "1" } }
})
const devices = Number(values.devices)
const times = Number(values.times)
const atOnce = 10_000

const folder = await mkdtemp(join(tmpdir(), "workanywhere-bench-"))
const file = join(folder, "devices.jsonl")
const storeAt = (name: string) => `sqlite:${join(folder, name)}` as const
const collection = standingCollection(sharedTenant)

async function* fleetInParts(): AsyncGenerator<ReadonlyArray<WholeDevice>> {
  let part: Array<WholeDevice> = []
  for await (const device of syntheticFleet({ size: devices, seed: 1 })) {
    if (part.push(device) < atOnce) continue
    yield part
    part = []
  }
  if (part.length > 0) yield part
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}

/** The store's own speed: devices that are in memory already, as many in a transaction as an import puts. */
const putAll = async (name: string): Promise<number> => {
  const store = await openDeviceStore(storeAt(name), "bulk")
  let spent = 0
  for await (const part of fleetInParts()) spent += await seconds(() => store.put(collection, part, "replace"))
  // Moves what was written into the file proper.
  return spent + (await seconds(() => store.close()))
}

/** What the driver alone can do: one statement for each row, in the order of the keys, on the same tables. */
const insertAll = async (name: string): Promise<number> => {
  await (await openDeviceStore(storeAt(name))).close()
  const database = new DatabaseSync(join(folder, name))
  database.exec("pragma synchronous = full; pragma cache_size = -65536; pragma wal_autocheckpoint = 16384")
  const names = ["tenant", "metric", ...propertyNames]
  const insert = database.prepare(
    `insert into devices (${names.map((column) => `"${column}"`).join()}) values (${names.map(() => "?").join()})`
  )
  let spent = 0
  for await (const part of fleetInParts()) {
    const rows = part
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((device) => {
        const columns = propertyNames.map((name) => device[name])
        const bound = columns.map((value) => (typeof value === "boolean" ? Number(value) : value))
        return [collection.tenant, collection.metric].concat(bound as Array<string>)
      })
    spent += await seconds(async () => {
      database.exec("begin immediate")
      for (const row of rows) insert.run(...row)
      database.exec("commit")
    })
  }
  return spent + (await seconds(async () => database.close()))
}

const imported = async (name: string): Promise<number> =>
  seconds(async () => {
    const { code, stderr } = await ran(["import", file], { WFA_STORE: storeAt(name) })
    if (code !== 0) throw new Error(`the import ended with ${code}: ${stderr}`)
  })

const readBody = async <A>(url: string, spent: Array<number>): Promise<A> => {
  const started = performance.now()
  const body = await (await fetch(url)).text()
  spent.push((performance.now() - started) * 1_000)
  return JSON.parse(body) as A
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

const residentBytes = async (pid: number | undefined): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8")
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024
}

try {
  console.log(
    `${devices} devices; ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ` +
      `${availableParallelism()} × ${cpus()[0]?.model}`
  )
  await pipeline(
    Readable.from(fleetInParts()).map((part: ReadonlyArray<WholeDevice>) => part.map(deviceJsonLine).join("")),
    createWriteStream(file)
  )
  console.log(`file: ${megabytes((await stat(file)).size)}`)

  const spent = { driver: [] as Array<number>, store: [] as Array<number>, import: [] as Array<number> }
  for (let turn = 0; turn < times; turn++) {
    spent.driver.push(await insertAll(`driver${turn}.sqlite`))
    spent.store.push(await putAll(`store${turn}.sqlite`))
    spent.import.push(await imported(`import${turn}.sqlite`))
  }
  const speed = (of: ReadonlyArray<number>) => devices / Math.min(...of)
  for (const [name, of] of Object.entries(spent)) {
    console.log(
      `${name.padEnd(8)} ${Math.min(...of).toFixed(1)} s, ${Math.round(speed(of))} devices in a second, ` +
        `${(speed(of) / speed(spent.store)).toFixed(2)} × the store's own`
    )
  }

  const setting = storeAt("import0.sqlite")
  {
    await using service = await running({ WFA_STORE: setting })
    const before = await residentBytes(service.child.pid)
    const path = "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"
    const spentOn = { page: [] as Array<number>, device: [] as Array<number> }
    let next: string | undefined = `${service.url}${path}`
    for (let pages = 0; pages < 2_000 && next !== undefined; pages++) {
      const page: Page<WholeDevice> = await readBody(next, spentOn.page)
      next = page["@odata.nextLink"]
      await readBody(`${service.url}${path}/${page.value.at(-1)?.id}`, spentOn.device)
    }
    const [page, device] = [median(spentOn.page), median(spentOn.device)]
    console.log(
      `over HTTP: a device ${device.toFixed(0)} µs, a page of 100 ${page.toFixed(0)} µs, ${(page / device).toFixed(1)} ×`
    )
    console.log(
      `memory of the service: ${megabytes(before)}, after 2,000 pages and devices: ${megabytes(await residentBytes(service.child.pid))}`
    )
  }

  const database = await openDatabase<Tables>(setting)
  await migrate(database)
  const store = await deviceStoreOn(database)
  const ids: Array<string> = []
  for (let after = ""; ;) {
    const { devices: page, more } = await store.page(collection, after, 999)
    after = page.at(-1)?.id ?? ""
    ids.push(after)
    if (!more) break
  }
  const matching = (text: string) => {
    const filter = deviceFilter(text, { unknownMembers: false })
    return async (id: string) =>
      (await store.search(collection, { filter, order: orderById, after: [id], skip: 0 }, 100)).json
  }
  const sample = await store.find(collection, ids[7] ?? "")
  const byName = matching(`deviceName eq '${sample?.deviceName}'`)
  const reads: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    "a device": (id) => store.findJson(collection, id),
    "a page of 100": async (id) => (await store.page(collection, id, 100)).json,
    "100 that are capable": matching("upgradeEligibility eq 'capable'"),
    "100 of unknown eligibility": matching("upgradeEligibility eq 'unknown'"),
    "100 of a name that none has": matching("deviceName eq 'nobody'"),
    "100 that meet the goals": matching("healthStatus eq 'meetingGoals'"),
    "by name": (id) => byName(id < "8" ? "" : id)
  }
  const durations = new Map<string, Array<number>>()
  for (let turn = 0; turn < 400; turn++) {
    // All over the collection, its first and its last pages among them.
    const id = ids[Math.floor((turn * (ids.length - 1)) / 399)] ?? ""
    for (const [name, read] of Object.entries(reads)) {
      const started = performance.now()
      await read(id)
      const known = durations.get(name) ?? []
      durations.set(name, known)
      known.push((performance.now() - started) * 1_000)
    }
  }
  const one = median(durations.get("a device") ?? [])
  for (const [name, of] of durations) {
    console.log(
      `${name.padEnd(36)} ${median(of).toFixed(0).padStart(6)} µs, ${(median(of) / one).toFixed(1).padStart(5)} × a device; ` +
        `first tenth ${median(of.slice(0, 40)).toFixed(0)} µs, last tenth ${median(of.slice(-40)).toFixed(0)} µs`
    )
  }
  await store.close()
} finally {
  await rm(folder, { recursive: true, force: true })
}
