// Kills the service in the middle of concurrent writes, again and again, and looks for anything acknowledged that is gone
// and anything half written. The long form is this script; the short one is a test.
import { mkdtemp, rm } from "node:fs/promises"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { text } from "node:stream/consumers"
import { parseArgs } from "node:util"
import type { DeviceUpdate, WholeDevice } from "@workanywhere/domain"
import { sharedTenant } from "../src/http/env.ts"
import type { Settings } from "../src/settings/settings.ts"
import { type DeviceStore, standingCollection } from "../src/store/device-store.ts"
import { openDeviceStore } from "../src/store/open-device-store.ts"
import { ended, running } from "../test/process.ts"

/** What to kill, and how often. */
export interface DurabilityDrill {
  /** A store that outlives a process. */
  readonly store: Exclude<Settings["store"], "memory">
  readonly rounds: number
  readonly devices: number
  /** Requests at once; each caller has devices of its own. */
  readonly callers: number
  /** A number from 0 to below 1, each time another. */
  readonly random: () => number
  readonly onRound?: (outcome: RoundOutcome) => void
}

/** What came of a round. */
export interface RoundOutcome {
  readonly acknowledged: number
  /** Written without their acknowledgement having arrived: allowed, since nobody relies on them. */
  readonly unacknowledged: number
  /** One sentence for each promise that was broken. */
  readonly broken: ReadonlyArray<string>
}

/** Writes a number to properties of every kind, so that half an update would show. */
export const updateOf = (number: number): DeviceUpdate => ({
  deviceName: `update ${number}`,
  serialNumber: `update ${number}`,
  osVersion: `update ${number}`,
  windowsScore: number % 101,
  cloudIdentityScore: number % 101,
  tenantAttached: number % 2 === 0,
  healthStatus: number % 2 === 0 ? "meetingGoals" : "needsAttention"
})

/** Which update a device holds; 0 for none. */
export const numberIn = ({ deviceName }: WholeDevice): number =>
  Number(/^update (\d+)$/.exec(deviceName ?? "")?.[1] ?? 0)

/** Whether a device is as it was before, or as one update of it left it. */
export const isWhole = (device: WholeDevice, before: WholeDevice): boolean => {
  const number = numberIn(device)
  const expected: WholeDevice = number === 0 ? before : { ...before, ...updateOf(number) }
  return Object.entries(expected).every(([name, value]) => Reflect.get(device, name) === value)
}

const patch = (agent: Agent, url: string, body: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      { method: "PATCH", agent, headers: { "content-type": "application/json" } },
      (response) => {
        // An acknowledgement is a whole answer.
        text(response).then(() => resolve(response.statusCode ?? 0), reject)
      }
    )
    outgoing.on("error", reject).end(body)
  })

const path = "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"

const everyDevice = async (store: DeviceStore, tenant: string): Promise<ReadonlyMap<string, WholeDevice>> => {
  const { devices } = await store.page(standingCollection(tenant), "", 1_000_000)
  return new Map(devices.map((device) => [device.id, device]))
}

/** Every device of a tenant that a store has when nobody uses it. */
export const afterwards = async (
  setting: DurabilityDrill["store"],
  tenant = sharedTenant
): Promise<ReadonlyMap<string, WholeDevice>> => {
  const store = await openDeviceStore(setting)
  try {
    return await everyDevice(store, tenant)
  } finally {
    await store.close()
  }
}

/** SQLite's own opinion of a file: one sentence for each thing that is wrong. */
export const integrityOf = (setting: DurabilityDrill["store"]): ReadonlyArray<string> => {
  if (!setting.startsWith("sqlite:")) return []
  using database = new DatabaseSync(setting.slice("sqlite:".length))
  const rows = database.prepare("pragma integrity_check").all()
  return rows.map((row) => String(row["integrity_check"])).filter((line) => line !== "ok")
}

/** Runs the drill, and gives the outcome of every round. */
export const durabilityDrill = async ({
  store,
  rounds,
  devices,
  callers,
  random,
  onRound = () => {}
}: DurabilityDrill): Promise<ReadonlyArray<RoundOutcome>> => {
  const outcomes: Array<RoundOutcome> = []
  const numbers = new Map<string, number>()
  const env = { WFA_STORE: store, WFA_FLEET: String(devices) }
  let atFirst: ReadonlyMap<string, WholeDevice> | undefined

  for (let round = 0; round < rounds; round++) {
    await using service = await running(env)
    atFirst ??= await afterwards(store)
    const ids = [...atFirst.keys()]
    const agent = new Agent({ keepAlive: true, maxSockets: callers })
    const acknowledged = new Map(numbers)
    const broken: Array<string> = []
    const killAfter = 1 + Math.floor(random() * devices * 4)
    let answers = 0

    const caller = async (first: number): Promise<void> => {
      for (let at = first; ; at = at + callers < ids.length ? at + callers : first) {
        const id = ids[at] ?? ""
        const number = (numbers.get(id) ?? 0) + 1
        numbers.set(id, number)
        const status = await patch(agent, `${service.url}${path}/${id}`, JSON.stringify(updateOf(number)))
        if (status !== 200) {
          broken.push(`an update was answered with ${status}`)
          return
        }
        acknowledged.set(id, number)
        if (++answers === killAfter) service.child.kill("SIGKILL")
      }
    }
    // Each ends with the error of its connection.
    await Promise.allSettled(Array.from({ length: Math.min(callers, ids.length) }, (_, first) => caller(first)))
    await ended(service.child)
    agent.destroy()

    broken.push(...integrityOf(store))
    const found = await afterwards(store)
    if (found.size !== devices) broken.push(`there are ${found.size} devices, not ${devices}`)
    let unacknowledged = 0
    for (const [id, before] of atFirst) {
      const device = found.get(id)
      if (device === undefined) continue
      const written = numberIn(device)
      const known = acknowledged.get(id) ?? 0
      if (!isWhole(device, before)) broken.push(`update ${written} of ${id} is there by half`)
      if (written > (numbers.get(id) ?? 0)) broken.push(`update ${written} of ${id} was never sent`)
      if (written < known) broken.push(`update ${known} of ${id} was acknowledged and is gone`)
      if (written > known) unacknowledged++
      numbers.set(id, written)
    }
    const outcome = { acknowledged: answers, unacknowledged, broken }
    outcomes.push(outcome)
    onRound(outcome)
  }
  return outcomes
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "100" },
      devices: { type: "string", default: "500" },
      callers: { type: "string", default: "64" },
      store: { type: "string" }
    }
  })
  const folder = await mkdtemp(join(tmpdir(), "workanywhere-drill-"))
  const started = performance.now()
  const outcomes = await durabilityDrill({
    store: (values.store ?? `sqlite:${join(folder, "devices.sqlite")}`) as DurabilityDrill["store"],
    rounds: Number(values.rounds),
    devices: Number(values.devices),
    callers: Number(values.callers),
    random: Math.random,
    onRound: ({ broken }) => process.stderr.write(broken.length === 0 ? "." : `\n${broken.join("\n")}\n`)
  })
  await rm(folder, { recursive: true, force: true })
  const sum = (count: (outcome: RoundOutcome) => number) => outcomes.reduce((total, one) => total + count(one), 0)
  const broken = sum((outcome) => outcome.broken.length)
  process.stderr.write("\n")
  process.stdout.write(
    `${outcomes.length} kills in ${Math.round((performance.now() - started) / 1_000)} s: ` +
      `${sum(({ acknowledged }) => acknowledged)} updates acknowledged, ${broken} promises broken, ` +
      `${sum(({ unacknowledged }) => unacknowledged)} updates written whose acknowledgement did not arrive\n`
  )
  process.exitCode = broken === 0 ? 0 : 1
}
