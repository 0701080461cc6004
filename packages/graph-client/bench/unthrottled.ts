// What the client costs when nothing has to wait: requests at a service that answers at once, beside bare `fetch` that
// parses the same answers. All ways take turns. `--service <root>` takes a service that runs, instead of the plain one. `--beside
// <checkout>` lets the client of another checkout, with the Effect that it has, take turns with this one.
import { once } from "node:events"
import { createRequire } from "node:module"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as client from "../src/index.ts"
import type * as promise from "../src/promise.ts"
import { machine } from "./machine.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    requests: { type: "string", default: "3000" },
    service: { type: "string" },
    beside: { type: "string" }
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
/** Does something so many times, so many at once. */
const together = async (once: () => Promise<unknown>): Promise<void> => {
  let left = requests
  const lane = async () => {
    while (left-- > 0) await once()
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
}

const fibersOf =
  (effects: typeof Effect) =>
  (once: Effect.Effect<unknown, unknown>): Promise<unknown> =>
    effects.runPromise(effects.forEach(Array.from({ length: requests }), () => once, { concurrency, discard: true }))
const fibers = fibersOf(Effect)

const headers = { accept: "application/json" }

/** What the `HttpClient` of an Effect program costs by itself. */
const http = Effect.runSync(Effect.provide(HttpClient.HttpClient, FetchHttpClient.layer))
const bareHttpClient = (request: HttpClientRequest.HttpClientRequest) =>
  Effect.flatMap(http.execute(HttpClientRequest.setHeaders(request, headers)), (response) => response.json)
const patch = { method: "PATCH", headers: { ...headers, "content-type": "application/json" } }

type Ways = Readonly<Record<string, () => Promise<unknown>>>

/** The ways through the client of a checkout. */
const waysOf = async (checkout: string): Promise<Readonly<Record<"GET" | "PATCH", Ways>>> => {
  const { resolve: find } = createRequire(join(resolve(checkout), "packages/graph-client/package.json"))
  const from = (name: string) => import(pathToFileURL(find(name)).href)
  const effects: typeof Effect = await from("effect/Effect")
  const contexts: typeof Context = await from("effect/Context")
  const layers: typeof Layer = await from("effect/Layer")
  const { layer: fetchLayer }: typeof FetchHttpClient = await from("effect/http/FetchHttpClient")
  const { GraphClient }: typeof client = await from("./src/index.ts")
  const { createGraphClient }: typeof promise = await from("./src/promise.ts")

  const built = (layer: Layer.Layer<client.GraphClient, client.InvalidOptions>) =>
    effects.runSync(effects.map(effects.scoped(layers.build(layer)), contexts.get(GraphClient)))
  const run = fibersOf(effects)
  const promises = createGraphClient(options)
  const overFetch = built(GraphClient.layerFetch(options))
  const overHttpClient = built(layers.provide(GraphClient.layer(options), fetchLayer))
  return {
    GET: {
      HttpClient: () => run(overHttpClient.getDevice(key)),
      Effect: () => run(overFetch.getDevice(key)),
      "./promise": () => together(() => promises.getDevice(key))
    },
    PATCH: {
      HttpClient: () => run(overHttpClient.updateDevice(key, update)),
      Effect: () => run(overFetch.updateDevice(key, update)),
      "./promise": () => together(() => promises.updateDevice(key, update))
    }
  }
}

const ours = await waysOf(join(import.meta.dirname, "../../.."))
const theirs = values.beside === undefined ? undefined : await waysOf(values.beside)
const besides = (ways: Ways = {}): Ways =>
  Object.fromEntries(Object.entries(ways).map(([name, run]) => [`${name} beside`, run]))

const ways: Readonly<Record<string, Ways>> = {
  GET: {
    fetch: () => together(async () => (await fetch(url, { headers })).json()),
    "bare HttpClient": () => fibers(bareHttpClient(HttpClientRequest.get(url))),
    ...ours.GET,
    ...besides(theirs?.GET)
  },
  PATCH: {
    fetch: () => together(async () => (await fetch(url, { ...patch, body: JSON.stringify(update) })).json()),
    "bare HttpClient": () =>
      fibers(
        Effect.suspend(() => bareHttpClient(HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.patch(url), update)))
      ),
    ...ours.PATCH,
    ...besides(theirs?.PATCH)
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
    const inTurn = Object.entries(each)
    for (const [name, run] of round % 2 === 0 ? inTurn : inTurn.toReversed()) {
      const before = process.threadCpuUsage()
      const startedAt = performance.now()
      await run()
      const seconds = (performance.now() - startedAt) / 1_000
      const { user, system } = process.threadCpuUsage(before)
      // The first is for warming up.
      if (round > 0) seen.get(name)?.push({ rate: requests / seconds, cpu: (user + system) / requests })
    }
  }
  const shares = (name: string, of: string): ReadonlyArray<number> => {
    const base = seen.get(of) ?? []
    return (seen.get(name) ?? []).map(({ rate }, round) => rate / (base[round]?.rate ?? Number.NaN))
  }
  for (const [name, results] of seen) {
    const other = `${name} beside`
    console.log(
      [
        method.padEnd(5),
        name.padEnd(17),
        `${median(results.map(({ rate }) => rate))
          .toFixed(0)
          .padStart(6)}/s`,
        `${median(shares(name, "fetch")).toFixed(2)} of bare fetch`,
        `${median(results.map(({ cpu }) => cpu)).toFixed(0)} µs of CPU a request`,
        ...(seen.has(other) ? [`${median(shares(name, other)).toFixed(2)} × the rate of the other`] : [])
      ].join("  ")
    )
  }
}
await worker?.terminate()
