// The ways in which a bench makes many changes, and the service that it makes them at.
import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { BatchRequestContent, BatchResponseContent, Client } from "@microsoft/microsoft-graph-client"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type DeviceOutcome, GraphClient, type GraphClientOptions } from "../src/index.ts"
import type { Behaviour, Seen } from "./throttled-service.ts"

/** Starts a service in a thread of its own. */
export const start = async (behaviour: Behaviour) => {
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

export const changesFor = (items: number) =>
  Array.from({ length: items }, (_, index) => ({
    metricId: "allDevices",
    deviceId: `device-${index}`,
    update: { model: `model ${index}` }
  }))

export type Change = ReturnType<typeof changesFor>[number]

/** What a client said of a change; `undefined` when it knows that it does not know. */
export interface Said {
  readonly change: Change
  readonly isMade: boolean | undefined
}

/** Makes all changes, and tells what became of each. */
export type Way = (root: string, changes: ReadonlyArray<Change>) => Promise<ReadonlyArray<Said>>

const saidOf = ({ change, kind }: DeviceOutcome<Change>): Said => ({
  change,
  isMade: kind === "unknown" ? undefined : kind === "updated"
})

export const ours =
  (mode: "batch" | "single", budget: GraphClientOptions["budget"] & (object | string)): Way =>
  async (root, changes) => {
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
export const microsoftPool =
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
export const microsoftBatches: Way = async (root, changes) => {
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

/** How many were told otherwise than they are, or not at all. */
export const wronglyTold = (said: ReadonlyArray<Said>, { models }: Seen, items: number): number => {
  const made = ({ change }: Said) => models.get(change.deviceId) === change.update.model
  const wrong = said.filter((one) => one.isMade !== undefined && one.isMade !== made(one)).length
  return wrong + Math.abs(items - said.length)
}

/** Runs it, and counts the writes that are given to `fetch` while the service has asked everybody to wait, as far as an answer said so. */
export const countingEarly = async <A>(work: () => Promise<A>): Promise<readonly [A, number]> => {
  const { fetch } = globalThis
  let [closedUntil, early] = [0, 0]
  globalThis.fetch = async (...request) => {
    const [, init] = request
    if (init?.method !== "GET" && performance.now() < closedUntil) early += 1
    const response = await fetch(...request)
    const seconds = Number(response.headers.get("x-closes") ?? 0)
    if (seconds > 0) closedUntil = Math.max(closedUntil, performance.now() + seconds * 1_000)
    return response
  }
  try {
    return [await work(), early]
  } finally {
    globalThis.fetch = fetch
  }
}
