// What the client costs when nothing has to wait: requests at a service that answers at once, beside bare `fetch` that
// parses the same answers. All ways take turns. `--service <root>` takes a service that runs, instead of the plain one.
import { once } from "node:events"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { GraphClient, type InvalidOptions } from "../src/index.ts"
import { createGraphClient } from "../src/promise.ts"
import { machine } from "./machine.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    requests: { type: "string", default: "3000" },
    service: { type: "string" }
  }
})
const rounds = Number(values.rounds)
const requests = Number(values.requests)
const concurrency = 16

const { value: device } = await syntheticFleet({ size: 1, seed: 1 })[Symbol.asyncIterator]().next()
const worker =
  values.service === undefined
    ? new Worker(new URL("plain-service.ts", import.meta.url), { workerData: JSON.stringify(device) })
    : undefined
const root = worker === undefined ? values.service : `http://127.0.0.1:${(await once(worker, "message"))[0]}/beta`
const key = { metricId: "allDevices", deviceId: device?.id ?? "" }
const path = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"
const url = `${root}${path}/${key.deviceId}`
const { id: _id, ...update } = device ?? { id: "" }

// An update is paced unless it is told otherwise.
const options = { baseUrl: root ?? "", budget: "unlimited" as const }
const promises = createGraphClient(options)
const built = (layer: Layer.Layer<GraphClient, InvalidOptions>) =>
  Effect.runSync(Effect.map(Effect.scoped(Layer.build(layer)), Context.get(GraphClient)))
const overFetch = built(GraphClient.layerFetch(options))
const overHttpClient = built(Layer.provide(GraphClient.layer(options), FetchHttpClient.layer))

/** Does something so many times, so many at once. */
const together = async (once: () => Promise<unknown>): Promise<void> => {
  let left = requests
  const lane = async () => {
    while (left-- > 0) await once()
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
}

const fibers = (once: Effect.Effect<unknown, unknown>): Promise<unknown> =>
  Effect.runPromise(Effect.forEach(Array.from({ length: requests }), () => once, { concurrency, discard: true }))

const headers = { accept: "application/json" }

/** What the `HttpClient` of an Effect program costs by itself. */
const http = Effect.runSync(Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer))
const bareHttpClient = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.flatMap(http.execute(HttpClientRequest.setHeaders(request, headers)), (response) => response.json)
const patch = { method: "PATCH", headers: { ...headers, "content-type": "application/json" } }

const ways: Readonly<Record<string, Readonly<Record<string, () => Promise<unknown>>>>> = {
  GET: {
    fetch: () => together(async () => (await fetch(url, { headers })).json()),
    "bare HttpClient": () => fibers(bareHttpClient(HttpClientRequest.get(url))),
    HttpClient: () => fibers(overHttpClient.getDevice(key)),
    Effect: () => fibers(overFetch.getDevice(key)),
    "./promise": () => together(() => promises.getDevice(key))
  },
  PATCH: {
    fetch: () => together(async () => (await fetch(url, { ...patch, body: JSON.stringify(update) })).json()),
    "bare HttpClient": () =>
      fibers(
        Effect.suspend(() => bareHttpClient(HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.patch(url), update)))
      ),
    HttpClient: () => fibers(overHttpClient.updateDevice(key, update)),
    Effect: () => fibers(overFetch.updateDevice(key, update)),
    "./promise": () => together(() => promises.updateDevice(key, update))
  }
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

console.log(
  `${machine()}; ${worker === undefined ? root : "a bare node:http server in another thread"}, ` +
    `${concurrency} at once, ${rounds} rounds of ${requests}, medians`
)
for (const [method, each] of Object.entries(ways)) {
  const seen = new Map(Object.keys(each).map((name) => [name, [] as Array<{ rate: number; cpu: number }>]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(each)) {
      const before = process.threadCpuUsage()
      const startedAt = performance.now()
      await run()
      const seconds = (performance.now() - startedAt) / 1_000
      const { user, system } = process.threadCpuUsage(before)
      // The first is for warming up.
      if (round > 0) seen.get(name)?.push({ rate: requests / seconds, cpu: (user + system) / requests })
    }
  }
  const bare = seen.get("fetch") ?? []
  for (const [name, results] of seen) {
    const share = median(results.map(({ rate }, round) => rate / (bare[round]?.rate ?? Number.NaN)))
    console.log(
      [
        method.padEnd(5),
        name.padEnd(15),
        `${median(results.map(({ rate }) => rate))
          .toFixed(0)
          .padStart(6)}/s`,
        `${share.toFixed(2)} of bare fetch`,
        `${median(results.map(({ cpu }) => cpu)).toFixed(0)} µs of CPU a request`
      ].join("  ")
    )
  }
}
await worker?.terminate()
