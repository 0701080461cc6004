import { AggregatorRegistry, Registry, collectDefaultMetrics } from "prom-client"
import { packageVersion } from "../settings/package-version.ts"
import type { Distribution, Histogram, RequestFigures } from "./request-figures.ts"

interface Sample {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric as the library's processes tell each other of it. */
interface Metric {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly values: ReadonlyArray<Sample>
  readonly aggregator: "sum"
}

const metric = (type: Metric["type"], name: string, help: string, values: ReadonlyArray<Sample>): Metric => ({
  name,
  help,
  type,
  values,
  aggregator: "sum"
})

const samplesOf = (
  name: string,
  bounds: ReadonlyArray<number>,
  { labels, counts, sum }: Distribution
): ReadonlyArray<Sample> => {
  const samples: Array<Sample> = []
  let total = 0
  for (const [at, count] of counts.entries()) {
    total += count
    const le = String(bounds[at] ?? "+Inf")
    samples.push({ metricName: `${name}_bucket`, labels: { le, ...labels }, value: total })
  }
  samples.push({ metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: total })
  return samples
}

const histogram = (name: string, help: string, { bounds, distributions }: Histogram): Metric => {
  const samples = [...distributions()].flatMap((distribution) => samplesOf(name, bounds, distribution))
  return metric("histogram", name, help, samples)
}

/**
 * Writes the figures as Prometheus reads them. Those of Node and the process come with the library, which looks at them
 * from the first time it is asked.
 */
export const createExposition = (figures: RequestFigures): (() => Promise<string>) => {
  const ofProcess = new Registry()
  collectDefaultMetrics({ register: ofProcess })

  const counted = (): ReadonlyArray<Metric> => [
    histogram(
      "http_server_request_duration_seconds",
      "How long requests took, by route. An item of a batch is not one of them.",
      figures.requestSeconds
    ),
    metric("gauge", "http_server_active_requests", "Requests that are being answered.", [
      { labels: { url_scheme: "http" }, value: figures.activeRequests() }
    ]),
    histogram(
      "wfa_batch_item_duration_seconds",
      "How long the items of batches took, by the route of the item.",
      figures.batchItemSeconds
    ),
    metric(
      "counter",
      "wfa_disturbed_requests_total",
      "Requests that rehearsal disturbed, by kind: a fault of the script, or overBudget.",
      [...figures.disturbances()].map(([kind, value]) => ({ labels: { kind }, value }))
    ),
    histogram(
      "wfa_commit_writes",
      "How many writes shared a transaction of an embedded store of this process.",
      figures.commitWrites
    ),
    metric("gauge", "wfa_build_info", "1, and the version that runs.", [
      { labels: { version: packageVersion() }, value: 1 }
    ])
  ]

  return async () => {
    const texts = await Promise.all([AggregatorRegistry.aggregate([[...counted()]]).metrics(), ofProcess.metrics()])
    return texts.join("\n")
  }
}
