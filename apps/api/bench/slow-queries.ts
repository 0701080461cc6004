// How long queries that look at every device keep others waiting: a caller reads single devices while they are answered.
// Beside each stands the same work as one statement, which is how long it would hold the thread that answers everyone.
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import { parseArgs } from "node:util"
import { type WholeDevice, propertyNames } from "@workanywhere/domain"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import { sharedTenant } from "../src/http/env.ts"
import { standingCollection } from "../src/store/device-store.ts"
import { openDeviceStore } from "../src/store/open-device-store.ts"
import { running } from "../test/process.ts"

const { values } = parseArgs({
  options: { devices: { type: "string", default: "1000000" }, times: { type: "string", default: "3" } }
})
const devices = Number(values.devices)
const times = Number(values.times)

const folder = await mkdtemp(join(tmpdir(), "workanywhere-bench-"))
const file = join(folder, "devices.sqlite")
const collection = standingCollection(sharedTenant)
const path = "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"

const fill = async (): Promise<void> => {
  const store = await openDeviceStore(`sqlite:${file}`, "bulk")
  let part: Array<WholeDevice> = []
  for await (const device of syntheticFleet({ size: devices, seed: 1 })) {
    if (part.push(device) < 10_000) continue
    await store.put(collection, part, "replace")
    part = []
  }
  await store.put(collection, part, "replace")
  await store.close()
}

const columns = propertyNames.map((name) => `"${name}"`).join(", ")
const those = `from devices where tenant = '${collection.tenant}' and metric = '${collection.metric}'`

/** What is asked for, and as one statement. */
const queries = [
  { name: "$orderby=model", options: "$orderby=model", sql: `select ${columns} ${those} order by model, id limit 101` },
  {
    name: "$orderby=windowsScore desc, behind a page",
    options: "$orderby=windowsScore desc&$skip=100",
    sql: `select ${columns} ${those} order by windowsScore desc nulls last, id desc limit 101 offset 100`
  },
  {
    name: "$filter=contains(model,'none')",
    options: "$filter=contains(model,'none')",
    sql: `select ${columns} ${those} and replace(model, 'none', '') <> model order by id limit 101`
  },
  { name: "$count=true", options: "$count=true", sql: `select count(*) ${those}` }
] as const

const at = (numbers: ReadonlyArray<number>, share: number): number => {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

const spent = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await work()
  return performance.now() - started
}

const body = async (url: string): Promise<void> => {
  const response = await fetch(url)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`)
}

/** Latencies of single devices, one after the other, until told to stop. */
const reading = (url: string) => {
  const latencies: Array<number> = []
  const load = { goesOn: true }
  const done = (async () => {
    while (load.goesOn) latencies.push(await spent(() => body(url)))
  })()
  return async (): Promise<ReadonlyArray<number>> => {
    load.goesOn = false
    await done
    return latencies
  }
}

const shown = (latencies: ReadonlyArray<number>): string =>
  `median ${at(latencies, 0.5).toFixed(1)} ms, p99 ${at(latencies, 0.99).toFixed(1)} ms, longest ${Math.max(...latencies).toFixed(1)} ms`

try {
  console.log(
    `${devices} devices; ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ` +
      `${availableParallelism()} × ${cpus()[0]?.model}`
  )
  await fill()
  await using service = await running({ WFA_STORE: `sqlite:${file}` })
  service.child.stderr.resume()
  using database = new DatabaseSync(file)
  const { id } = database.prepare(`select id ${those} limit 1`).get() as { readonly id: string }
  const one = `${service.url}${path}/${id}`
  for (let warm = 0; warm < 500; warm++) await body(one)

  const stop = reading(one)
  await setTimeout(1_000)
  console.log(`a device, while nothing else is asked for: ${shown(await stop())}`)
  for (const { name, options, sql } of queries) {
    const asStatement: Array<number> = []
    const asAsked: Array<number> = []
    const others: Array<number> = []
    for (let turn = 0; turn < times; turn++) {
      const statement = database.prepare(sql)
      asStatement.push(await spent(async () => statement.all()))
      const stop = reading(one)
      asAsked.push(await spent(() => body(`${service.url}${path}?${options}`)))
      others.push(...(await stop()))
    }
    console.log(
      `${name}: one statement ${at(asStatement, 0.5).toFixed(0)} ms; over HTTP in pieces, while others are answered, ` +
        `${at(asAsked, 0.5).toFixed(0)} ms; a device meanwhile: ${shown(others)}`
    )
  }
  const stopReading = reading(one)
  const together = await spent(() =>
    Promise.all(Array.from({ length: 8 }, () => body(`${service.url}${path}?$orderby=model`)))
  )
  console.log(
    `8 × $orderby=model at once: ${together.toFixed(0)} ms; a device meanwhile: ${shown(await stopReading())}`
  )
} finally {
  await rm(folder, { recursive: true, force: true })
}
