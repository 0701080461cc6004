import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { type Observer, methodOf } from "../http/observation.ts"
import { batchItemOf } from "../http/request-target.ts"
import { type Commit, commitChannel } from "../store/group-commit.ts"

type Labels = Readonly<Record<string, string>>

/** How often values fell into each bucket, for one set of labels. */
export interface Distribution {
  readonly labels: Labels
  /** One for each bound and one for what is above all of them; not cumulative. */
  readonly counts: Float64Array
  readonly sum: number
}

/** A histogram as Prometheus knows it. */
export interface Histogram {
  readonly bounds: ReadonlyArray<number>
  readonly distributions: () => Iterable<Distribution>
}

/** What has been counted since the start. */
export interface RequestFigures {
  readonly observer: Observer
  readonly requestSeconds: Histogram
  readonly batchItemSeconds: Histogram
  /** How many updates shared a transaction of an embedded store. */
  readonly commitWrites: Histogram
  readonly activeRequests: () => number
  /** Requests that rehearsal disturbed, by kind: a fault of the script, or `overBudget`. */
  readonly disturbances: () => Iterable<readonly [kind: string, count: number]>
  readonly close: () => void
}

/** Those of OpenTelemetry's conventions for HTTP, and three below them, where an embedded store answers. */
const secondBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

const writeBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256]

const emptyDistribution = (bounds: ReadonlyArray<number>, labels: Labels) => ({
  labels,
  counts: new Float64Array(bounds.length + 1),
  sum: 0
})

type Open = ReturnType<typeof emptyDistribution>

const add = (to: Open, bounds: ReadonlyArray<number>, value: number): void => {
  let at = 0
  while (at < bounds.length && value > bounds[at]!) at++
  to.counts[at]! += 1
  to.sum += value
}

/** Finds the distribution of a request without making anything: this is done for every one. */
const byRequest = () => {
  const found = new Map<string | undefined, Map<string, Array<Open | undefined>>>()
  const all: Array<Open> = []

  const open = (route: string | undefined, method: string, status: number): Open => {
    const ofRoute = found.get(route) ?? new Map<string, Array<Open | undefined>>()
    const ofMethod = ofRoute.get(method) ?? []
    const distribution = emptyDistribution(secondBounds, {
      http_request_method: method,
      http_response_status_code: String(status),
      http_route: route ?? "",
      url_scheme: "http"
    })
    all.push(distribution)
    ofMethod[status] = distribution
    found.set(route, ofRoute.set(method, ofMethod))
    return distribution
  }

  return {
    add: (route: string | undefined, method: string, status: number, seconds: number): void =>
      add(found.get(route)?.get(method)?.[status] ?? open(route, method, status), secondBounds, seconds),
    histogram: { bounds: secondBounds, distributions: () => all }
  }
}

/** Counts requests, in memory that does not grow with them: labels are routes, methods and statuses, never paths or ids. */
export const createRequestFigures = (): RequestFigures => {
  const requests = byRequest()
  const items = byRequest()
  const writes = emptyDistribution(writeBounds, {})
  const disturbed = new Map<string, number>()
  let active = 0

  const observer: Observer = (c) => {
    // An item of a batch is part of the batch's request.
    const isItem = batchItemOf(c) !== undefined
    if (!isItem) active += 1
    return ({ route, seconds }) => {
      if (!isItem) active -= 1
      const disturbance = c.get("disturbance")
      if (disturbance !== undefined) disturbed.set(disturbance, (disturbed.get(disturbance) ?? 0) + 1)
      ;(isItem ? items : requests).add(route, methodOf(c), c.res.status, seconds)
    }
  }

  const onCommit = (message: unknown): void => add(writes, writeBounds, (message as Commit).writes)
  subscribe(commitChannel, onCommit)

  return {
    observer,
    requestSeconds: requests.histogram,
    batchItemSeconds: items.histogram,
    commitWrites: { bounds: writeBounds, distributions: () => [writes] },
    activeRequests: () => active,
    disturbances: () => disturbed,
    close: () => void unsubscribe(commitChannel, onCommit)
  }
}
