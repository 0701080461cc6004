import type { Condition, Effect, FaultScript } from "./fault-script.ts"
import type { RouteTarget } from "../graph/target.ts"

/** A source of numbers from 0 (included) to 1 (excluded). */
export type Draw = () => number

/** What is to go wrong with one request. */
export interface Plan {
  /** How much later its answer comes. */
  readonly delayMillis: number
  readonly fault?: { readonly effect: Exclude<Effect, { readonly kind: "delay" }>; readonly draw: Draw }
}

/** A script at work. */
export interface Faults {
  /** What goes wrong with the next request; each request is to be asked about once, in the order they come. */
  readonly next: (target: RouteTarget) => Plan
}

const mixed = (hash: number, value: number): number => {
  let bits = Math.imul(hash ^ value, 0x85_eb_ca_6b)
  bits = Math.imul(bits ^ (bits >>> 15), 0xc2_b2_ae_35)
  return bits ^ (bits >>> 13)
}

/**
 * Numbers that depend on the seed, the rule and how many requests the rule has seen, and on nothing else: a rule that
 * is added, or a request that another rule sees, changes nothing. The mixing is that of MurmurHash3.
 */
const drawFor = (seed: number, rule: number, nth: number): Draw => {
  const start = [seed | 0, Math.floor(seed / 2 ** 32) | 0, rule, nth].reduce(mixed, 0x9e_37_79_b9)
  let count = 0
  return () => (mixed(mixed(start, ++count), 0x27_d4_eb_2f) >>> 0) / 2 ** 32
}

const among = <A>(wanted: A | ReadonlyArray<A> | undefined, actual: A): boolean =>
  wanted === undefined || (Array.isArray(wanted) ? wanted.includes(actual) : wanted === actual)

const upper = (methods: Condition["method"]): string | Array<string> | undefined =>
  Array.isArray(methods) ? methods.map((method) => method.toUpperCase()) : methods?.toUpperCase()

const fitsItem = (wanted: Condition["batchItem"], item: string | undefined): boolean => {
  if (wanted === undefined) return true
  if (typeof wanted === "boolean") return wanted === (item !== undefined)
  return wanted.toLowerCase() === item?.toLowerCase()
}

/** Whether a request is of the kind that an effect can be seen on. */
const fitsEffect = ({ kind }: Effect, { method, route, skiptoken }: RouteTarget): boolean => {
  switch (kind) {
    case "expireNextLink":
      return skiptoken !== undefined
    case "repeatRow":
    case "dropRow":
      return method === "GET" && route === "devices"
    case "unknownMember":
      return route === "device" || (method === "GET" && route === "devices")
    case "shuffleBatch":
    case "dropBatchAnswers":
      return route === "batch"
    default:
      return true
  }
}

const isChosen = ({ nth, from = 1, to = Infinity, every = 1, percent = 100 }: Condition, seen: number, draw: Draw) =>
  among(nth, seen) && seen >= from && seen <= to && seen % every === 0 && draw() * 100 < percent

const longestMillis = 600_000

/** Of the standard normal distribution: 99 of 100 values are below. */
const z99 = 2.326_347_874

const normal = (draw: Draw): number => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw())

const latencyMillis = (latency: Extract<Effect, { readonly kind: "delay" }>["latency"], draw: Draw): number => {
  switch (latency.shape) {
    case "fixed":
      return latency.millis
    case "uniform":
      return latency.leastMillis + draw() * (latency.mostMillis - latency.leastMillis)
    case "logNormal": {
      const { medianMillis, p99Millis } = latency
      const spread = Math.log(p99Millis / medianMillis) / z99
      return Math.min(longestMillis, medianMillis * Math.exp(spread * normal(draw)))
    }
  }
}

/** Starts a script from its beginning. */
export const startFaults = ({ seed, rules }: FaultScript): Faults => {
  const running = rules.map(({ when, effect }, index) => ({
    effect,
    fits: (target: RouteTarget): boolean =>
      among(upper(when.method), target.method) &&
      among(when.route, target.route) &&
      (when.metricId === undefined || when.metricId === target.metricId) &&
      (when.deviceId === undefined || when.deviceId === target.deviceId) &&
      fitsItem(when.batchItem, target.batchItem) &&
      fitsEffect(effect, target),
    when,
    drawAt: (nth: number) => drawFor(seed, index, nth),
    seen: 0
  }))

  return {
    next: (target) => {
      let delayMillis = 0
      let fault: Plan["fault"]
      for (const rule of running) {
        if (!rule.fits(target)) continue
        rule.seen += 1
        const draw = rule.drawAt(rule.seen)
        const { effect } = rule
        if (!isChosen(rule.when, rule.seen, draw)) continue
        if (effect.kind === "delay") delayMillis += latencyMillis(effect.latency, draw)
        else fault ??= { effect, draw }
      }
      return { delayMillis, ...(fault === undefined ? {} : { fault }) }
    }
  }
}
