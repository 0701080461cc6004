// Many updates through a service that throttles as Intune does, some times as fast; beside our client, Microsoft's.
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { BatchRequestContent, BatchResponseContent, Client } from "@microsoft/microsoft-graph-client"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type DeviceOutcome, GraphClient, publishedBudget, timesAsFast } from "../src/index.ts"
import { machine } from "./machine.ts"
import type { Behaviour, Seen } from "./throttled-service.ts"

/** How many updates, at the published limits so many times as fast. */
const sizes = (process.env["BENCH_SIZES"] ?? "2000*10,20000*10").split(",").map((size) => {
  const [items = 0, times = 1] = size.split("*").map(Number)
  const budget = timesAsFast(publishedBudget, times)
  const { limit, windowMillis } = budget.app.writes
  return { items, budget, limit, windowMillis, perSecond: (limit * 1_000) / windowMillis }
})

type Size = (typeof sizes)[number]

const calmAt = ({ limit, windowMillis }: Size): Behaviour => ({
  latencyMillis: 40,
  limit,
  windowMillis,
  unavailable: 0,
  lostAfterWrite: 0,
  reset: 0,
  seed: 1
})
const roughAt = (size: Size): Behaviour => ({
  ...calmAt(size),
  unavailable: 0.01,
  lostAfterWrite: 0.005,
  reset: 0.002
})

const start = async (behaviour: Behaviour) => {
  const worker = new Worker(new URL("throttled-service.ts", import.meta.url), { workerData: behaviour })
  const [port] = (await once(worker, "message")) as [number]
  return {
    root: `http://127.0.0.1:${port}`,
    seen: async (): Promise<Seen> => {
      worker.postMessage("seen")
      const [seen] = (await once(worker, "message")) as [Seen]
      return seen
    },
    stop: () => worker.terminate()
  }
}

const changesFor = (items: number) =>
  Array.from({ length: items }, (_, index) => ({
    metricId: "allDevices",
    deviceId: `device-${index}`,
    update: { model: `model ${index}` }
  }))

type Change = ReturnType<typeof changesFor>[number]

/** What a client said of a change; `undefined` when it knows that it does not know. */
interface Said {
  readonly change: Change
  readonly isMade: boolean | undefined
}

/** Makes all changes, and tells what became of each. */
type Way = (root: string, changes: ReadonlyArray<Change>, size: Size) => Promise<ReadonlyArray<Said>>

const saidOf = ({ change, kind }: DeviceOutcome<Change>): Said => ({
  change,
  isMade: kind === "unknown" ? undefined : kind === "updated"
})

const ours =
  (mode: "batch" | "single"): Way =>
  async (root, changes, { budget }) => {
    const program = GraphClient.use((graph) =>
      Stream.runCollect(graph.updateDevices(Stream.fromIterable(changes), { mode }))
    )
    const client = GraphClient.layerFetch({ baseUrl: `${root}/beta`, budget })
    return (await Effect.runPromise(Effect.provide(program, client))).map(saidOf)
  }

const pathOf = ({ deviceId, metricId }: Change): string =>
  `/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/${metricId}/metricDevices/${deviceId}`

const microsoft = (root: string) =>
  Client.init({ baseUrl: `${root}/`, defaultVersion: "beta", authProvider: (done) => done(null, "any token") })

/** So many single requests at once; its own handler repeats what is refused with 429, 503 or 504, three times. */
const microsoftPool =
  (atOnce: number): Way =>
  async (root, changes) => {
    const client = microsoft(root)
    const left = changes.values()
    const said: Array<Said> = []
    const lane = async () => {
      for (const change of left) {
        const isMade = await client
          .api(pathOf(change))
          .patch(change.update)
          .then(
            () => true,
            () => false
          )
        said.push({ change, isMade })
      }
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
    return said
  }

/** Batches of twenty, one after the other; it repeats no item of a batch. */
const microsoftBatches: Way = async (root, changes) => {
  const client = microsoft(root)
  const said: Array<Said> = []
  for (let from = 0; from < changes.length; from += 20) {
    const part = changes.slice(from, from + 20)
    const steps = part.map((change) => ({
      id: change.deviceId,
      request: new Request(`${root}/beta${pathOf(change)}`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(change.update)
      })
    }))
    const responses = await client
      .api("/$batch")
      .post(await new BatchRequestContent(steps).getContent())
      .then(
        (body) => new BatchResponseContent(body),
        () => undefined
      )
    for (const change of part) said.push({ change, isMade: responses?.getResponseById(change.deviceId)?.ok === true })
  }
  return said
}

const run = async (name: string, way: Way, size: Size, behaviour: Behaviour, items = size.items): Promise<void> => {
  const service = await start(behaviour)
  const startedAt = performance.now()
  const said = await way(service.root, changesFor(items), size)
  const seconds = (performance.now() - startedAt) / 1_000
  const { models, refused } = await service.seen()
  await service.stop()
  const made = ({ change }: Said) => models.get(change.deviceId) === change.update.model
  const wrong = said.filter((one) => one.isMade !== undefined && one.isMade !== made(one)).length
  console.log(
    [
      items,
      behaviour.unavailable > 0 ? "rough" : "calm",
      name,
      `${seconds.toFixed(1)} s`,
      `${(seconds / (items / size.perSecond)).toFixed(3)} ×`,
      `${refused} refused with 429`,
      `${items - models.size} not made`,
      `${said.filter(({ isMade }) => isMade === undefined).length} unknown`,
      `${wrong + Math.abs(items - said.length)} wrongly told`
    ].join(" | ")
  )
}

console.log(machine())
for (const size of sizes) {
  console.log(
    `${size.items} updates, ${size.limit} in ${size.windowMillis.toFixed(0)} ms, floor ${(size.items / size.perSecond).toFixed(1)} s`
  )
  for (const behaviour of [calmAt(size), roughAt(size)]) {
    await run("batches", ours("batch"), size, behaviour)
    await run("single", ours("single"), size, behaviour)
  }
  // Its batches are as far off with more, and its single requests would take a quarter of an hour.
  if (size.items > 2_000) continue
  for (const behaviour of [calmAt(size), roughAt(size)]) {
    // One after the other it would take the latency of each: a quarter of them shows that.
    await run("Microsoft's client, one by one", microsoftPool(1), size, behaviour, size.items / 4)
    await run("Microsoft's client, 20 at once", microsoftPool(20), size, behaviour)
    await run("Microsoft's client, batches", microsoftBatches, size, behaviour)
  }
}
