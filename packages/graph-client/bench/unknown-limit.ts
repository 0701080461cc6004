// Many updates at services that limit them in all sorts of ways, where the client was told the limit, told wrongly, or not told at
// all; beside it Microsoft's client. `--only <text>` runs the cases whose name has it.
import { parseArgs } from "node:util"
import { type Budget, publishedBudget } from "../src/index.ts"
import type { Limit } from "./limiters.ts"
import { machine } from "./machine.ts"
import type { Behaviour } from "./throttled-service.ts"
import {
  type Way,
  changesFor,
  countingEarly,
  microsoftBatches,
  microsoftPool,
  ours,
  start,
  wronglyTold
} from "./ways.ts"

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } })

const calm: Behaviour = {
  latencyMillis: 40,
  limit: { kind: "bucket", perSecond: 400, burst: 200 },
  unavailable: 0,
  lostAfterWrite: 0,
  reset: 0,
  seed: 1
}
const rough: Behaviour = { ...calm, unavailable: 0.01, unavailableAsks: true, lostAfterWrite: 0.005, reset: 0.002 }

/** So many writes in a window, and as good as any number of reads. */
const writes = (limit: number, windowMillis: number): Budget => {
  const requests = { limit: limit * 1_000, windowMillis }
  const both = { writes: { limit, windowMillis }, requests }
  return { ...publishedBudget, app: both, tenant: both }
}

interface Case {
  readonly name: string
  readonly way: Way
  readonly items: number
  /** Items without which there is nothing to wait for, and how fast the others can be taken. */
  readonly floorSeconds: number
  readonly behaviour: Behaviour
}

const bucketFloor = (items: number, perSecond: number, burst: number) => (items - burst) / perSecond

const ways = (told: Parameters<typeof ours>[1]) => [
  ["single", ours("single", told)] as const,
  ["batches", ours("batch", told)] as const
]

const mainFloor = bucketFloor(2_000, 400, 200)
const manners = [
  ["calm", calm, mainFloor],
  ["rough", rough, mainFloor + 1]
] as const

const main = ["not told", "told truly", "told twice"].flatMap((name) => {
  const told = name === "not told" ? "unlimited" : writes(name === "told truly" ? 200 : 400, 500)
  return manners.flatMap(([manner, behaviour, floorSeconds]) =>
    ways(told).map(([how, way]): Case => ({
      name: `${name}, ${manner}, ${how}`,
      way,
      items: 2_000,
      floorSeconds,
      behaviour
    }))
  )
})

const microsoft = [
  ["one by one", microsoftPool(1), 250],
  ["16 at once", microsoftPool(16), 2_000],
  ["64 at once", microsoftPool(64), 2_000],
  ["batches", microsoftBatches, 2_000]
] as const
const theirs = microsoft.flatMap(([how, way, items]) =>
  manners.map(([manner, behaviour]): Case => ({
    name: `Microsoft's client, ${manner}, ${how}`,
    way,
    items,
    floorSeconds: Math.max(0, bucketFloor(items, 400, 200)) + (manner === "rough" ? 1 : 0),
    behaviour
  }))
)

const changing: ReadonlyArray<Case> = ways("unlimited").flatMap(([how, way]) => [
  {
    name: `halves from 4 to 8 s, ${how}`,
    way,
    items: 4_000,
    floorSeconds: bucketFloor(4_000, 400, 200) + 2,
    behaviour: { ...calm, limit: { kind: "bucket", perSecond: 400, burst: 200, halved: [4_000, 8_000] } }
  },
  {
    name: `another takes a half, in bursts, ${how}`,
    way,
    items: 2_000,
    floorSeconds: bucketFloor(2_000, 200, 0),
    behaviour: { ...calm, other: { count: 100, everyMillis: 500 } }
  },
  {
    name: `429 says no time, ${how}`,
    way,
    items: 2_000,
    floorSeconds: mainFloor,
    behaviour: { ...calm, refusal: "silent" }
  },
  {
    name: `429 dressed as 500, ${how}`,
    way,
    items: 2_000,
    floorSeconds: mainFloor,
    behaviour: { ...calm, refusal: "dressed" }
  },
  {
    name: `30 s to wait, once, ${how}`,
    way,
    items: 2_000,
    floorSeconds: mainFloor + 30 - 0.5,
    behaviour: { ...calm, once: { atMillis: 300, seconds: 30 } }
  }
])

const speeds = [
  [10, 60],
  [400, 2_400],
  [5_000, 20_000]
] as const
const latencies = [5, 50, 500].flatMap((latencyMillis) =>
  speeds.flatMap(([perSecond, items]) =>
    (["not told", "told"] as const).map((name): Case => {
      const burst = perSecond / 2
      return {
        name: `${name}, ${latencyMillis} ms, ${perSecond}/s, batches`,
        way: ours("batch", name === "told" ? writes(burst, 500) : "unlimited"),
        items,
        floorSeconds: bucketFloor(items, perSecond, burst) + latencyMillis / 1_000,
        behaviour: { ...calm, latencyMillis, limit: { kind: "bucket", perSecond, burst } }
      }
    })
  )
)

const limits: ReadonlyArray<readonly [string, Limit, number]> = [
  ["a window of 1 s", { kind: "fixed", limit: 400, windowMillis: 1_000 }, 400],
  ["a sliding window of 1 s", { kind: "sliding", limit: 400, windowMillis: 1_000 }, 400],
  ["a window of 5 s", { kind: "fixed", limit: 2_000, windowMillis: 5_000 }, 2_000],
  ["a bucket that holds 20", { kind: "bucket", perSecond: 400, burst: 20 }, 20],
  ["a bucket that holds 1,000", { kind: "bucket", perSecond: 400, burst: 1_000 }, 1_000]
]
const kinds = limits.flatMap(([name, limit, burst]) =>
  ways("unlimited").map(([how, way]): Case => ({
    name: `${name}, ${how}`,
    way,
    items: 4_000,
    floorSeconds: bucketFloor(4_000, 400, burst),
    behaviour: { ...calm, limit }
  }))
)

const heldAtFirst = ({ limit, other }: Behaviour): number => {
  if (other !== undefined || limit.kind === "none") return 0
  return limit.kind === "bucket" ? limit.burst : limit.limit
}

const run = async ({ behaviour, floorSeconds, items, name, way }: Case): Promise<void> => {
  const service = await start(behaviour)
  const startedAt = performance.now()
  const [said, early] = await countingEarly(() => way(service.root, changesFor(items)))
  const seconds = (performance.now() - startedAt) / 1_000
  const seen = await service.seen()
  await service.stop()
  const { models, others, refused, takenInFirstSecond, writes: all } = seen
  // What is left after the first second has no more of what the service let through at once.
  const left = items - takenInFirstSecond
  const leftFloor = floorSeconds * (left / Math.max(1, items - heldAtFirst(behaviour)))
  const share = (count: number) => `${((100 * count) / all).toFixed(1)} %`
  const shared =
    others === 0 ? [] : [`the other got ${((100 * others) / (others + models.size)).toFixed(0)} % of all taken`]
  console.log(
    [
      name,
      `${seconds.toFixed(1)} s`,
      `${floorSeconds.toFixed(1)} s`,
      floorSeconds > 0 ? `${(seconds / floorSeconds).toFixed(2)} ×` : "",
      leftFloor > 0 && left > 0 ? `${(Math.max(0, seconds - 1) / leftFloor).toFixed(2)} ×` : "",
      share(refused),
      early,
      items - models.size,
      said.filter(({ isMade }) => isMade === undefined).length,
      wronglyTold(said, seen, items),
      ...shared
    ].join(" | ")
  )
}

/** As plain as it can be. */
const bare: Way = async (root, changes) => {
  const left = changes.values()
  const lane = async () => {
    for (const { deviceId, metricId, update } of left) {
      const path = `/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/${metricId}/metricDevices/${deviceId}`
      const headers = { "content-type": "application/json" }
      const response = await fetch(`${root}/beta${path}`, { method: "PATCH", headers, body: JSON.stringify(update) })
      await response.json()
    }
  }
  await Promise.all(Array.from({ length: 64 }, lane))
  return []
}

/** What it costs when nothing is limited: the processor of this thread, and what is held. */
const cost = async (): Promise<void> => {
  const behaviour: Behaviour = { ...calm, latencyMillis: 5, limit: { kind: "none" } }
  const all = [["bare fetch, 64 at once", bare], ...ways("unlimited")] as const
  for (const [name, way] of all) {
    for (const items of [5_000, 20_000]) {
      const service = await start(behaviour)
      const before = process.threadCpuUsage()
      let most = 0
      const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().heapUsed)), 20)
      const startedAt = performance.now()
      await way(service.root, changesFor(items))
      const seconds = (performance.now() - startedAt) / 1_000
      const { system, user } = process.threadCpuUsage(before)
      clearInterval(watch)
      await service.stop()
      const micros = ((system + user) / items).toFixed(0)
      console.log(
        `${items} without a limit, ${name} | ${seconds.toFixed(1)} s | ${micros} µs of processor each | ${(most / 2 ** 20).toFixed(0)} MB of heap at most`
      )
    }
  }
}

console.log(machine())
console.log(
  "case | time | floor | of the floor | after the first second | refused | requests in a closed window | not made | unknown | wrongly told"
)
for (const one of [...main, ...theirs, ...changing, ...latencies, ...kinds]) {
  if (one.name.includes(values.only)) await run(one)
}
if ("cost".includes(values.only)) await cost()
