import { once } from "node:events"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { type DeviceOutcome, GraphClient, publishedBudget, timesAsFast } from "../src/index.ts"
import { machine } from "./machine.ts"
import type { Behaviour, Seen } from "./throttled-service.ts"

/** As fast as the published budget times this. */
const times = Number(process.env["BENCH_TIMES"] ?? 10)
const items = Number(process.env["BENCH_ITEMS"] ?? 2_000)

const budget = timesAsFast(publishedBudget, times)
const { limit, windowMillis } = budget.app.writes
const floorSeconds = (items * windowMillis) / limit / 1_000

const calm = { latencyMillis: 40, limit, windowMillis, unavailable: 0, lostAfterWrite: 0, reset: 0, seed: 1 }
const rough = { ...calm, unavailable: 0.01, lostAfterWrite: 0.005, reset: 0.002 }

const start = async (behaviour: Behaviour) => {
  const worker = new Worker(new URL("throttled-service.ts", import.meta.url), { workerData: behaviour })
  const [port] = (await once(worker, "message")) as [number]
  return {
    baseUrl: `http://127.0.0.1:${port}/beta`,
    seen: async (): Promise<Seen> => {
      worker.postMessage("seen")
      const [seen] = (await once(worker, "message")) as [Seen]
      return seen
    },
    stop: () => worker.terminate()
  }
}

const changes = Array.from({ length: items }, (_, index) => ({
  metricId: "allDevices",
  deviceId: `device-${index}`,
  update: { model: `model ${index}` }
}))

const isRight = ({ models }: Seen, { change, kind }: DeviceOutcome): boolean => {
  const isMade = models.get(change.deviceId) === change.update.model
  return kind === "unknown" || (kind === "updated") === isMade
}

const run = async (name: string, behaviour: Behaviour, mode: "batch" | "single"): Promise<void> => {
  const service = await start(behaviour)
  const client = GraphClient.layer({ baseUrl: service.baseUrl, budget })
  const program = GraphClient.use((graph) =>
    Stream.runCollect(graph.updateDevices(Stream.fromIterable(changes), { mode }))
  ).pipe(Effect.provide(Layer.provide(client, FetchHttpClient.layer)))
  const startedAt = performance.now()
  const outcomes = await Effect.runPromise(program)
  const seconds = (performance.now() - startedAt) / 1_000
  const seen = await service.seen()
  await service.stop()
  const count = (kind: string) => outcomes.filter((outcome) => outcome.kind === kind).length
  const wrong = outcomes.filter((outcome) => !isRight(seen, outcome)).length + Math.abs(items - outcomes.length)
  console.log(
    [
      name,
      mode,
      `${seconds.toFixed(1)} s`,
      `${(seconds / floorSeconds).toFixed(3)} x`,
      `${seen.refused} refused`,
      `${seen.requests} requests`,
      `${count("updated")} updated`,
      `${count("failed") + count("refused")} failed`,
      `${count("unknown")} unknown`,
      `${wrong} wrong`
    ].join(" | ")
  )
}

console.log(`${machine()}; ${items} updates, ${limit} in ${windowMillis} ms, floor ${floorSeconds.toFixed(1)} s`)
await run("calm", calm, "batch")
await run("calm", calm, "single")
await run("rough", rough, "batch")
await run("rough", rough, "single")
