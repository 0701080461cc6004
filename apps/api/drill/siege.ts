// The long form of test/siege.test.ts: a million generated requests of callers who mean no good, over a service in a process of
// its own, while another tenant reads. Ends with 1 when a promise was broken or a bound passed, and says how to play it again.
import { mkdtemp, rm } from "node:fs/promises"
import { once } from "node:events"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { isDeepStrictEqual, parseArgs } from "node:util"
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads"
import * as fc from "fast-check"
import type { Settings } from "../src/settings/settings.ts"
import { ended, running } from "../test/process.ts"
import { afterwards, integrityOf } from "./durability.ts"
import { step } from "./hostile.ts"
import { type Besieged, type Siege, besiege } from "./siege-play.ts"
import { endAtSignals, runScript } from "./script.ts"
import { devices, issuer, peakMiB, probe, readWrite, startedVictim, tenantIds } from "./victim.ts"

const help = `node drill/siege.ts [--requests 1000000] [--callers 16] [--seed <number>] [--from 0] [--store <store>] [--gateway]

  --requests  how many things the callers do, a batch being one
  --callers   how many of them do something at the same time
  --seed      plays again what the run with this seed sent
  --from      begins with its request of this number, rounded down to thousands
  --store     memory, sqlite:<file> or postgres://…, with no devices in it; a file that is removed afterwards
  --gateway   behind a gateway, in whose place nobody else is asked for a token
  --stall     the longest that others may wait, in ms; 250
  --slower    how much longer the middle of another tenant's reads may take than in quiet; 3
  --memory    the most memory that a process may have, in MiB; 768
`

/** Requests that are made of one seed. */
const chunk = 1_000

/** Chunks between two looks at how quick it is in quiet. */
const chunksOfStretch = 25
const quietMillis = 1_000

interface Task {
  readonly target: Besieged
  readonly callers: number
}

/** What the callers are to do next: so many requests of a seed, or to look at all that was written. */
type Order = { readonly seed: number; readonly count: number } | "finish"

interface Report {
  readonly outcome: Siege
  /** The promises that this broke. */
  readonly broken: ReadonlyArray<string>
  /** What has to be there, by its id. */
  readonly held: ReadonlyMap<string, object>
}

// The callers are in a thread of their own, so that those who look how long it takes do not wait for them.
const obey = ({ target, callers }: Task): void => {
  const siege = besiege(target, callers)
  parentPort?.on("message", async (order: Order) => {
    const broken = await (order === "finish"
      ? siege.finish()
      : siege.play(fc.sample(step, { seed: order.seed, numRuns: order.count })))
    if (order === "finish") siege.close()
    const held = order === "finish" ? siege.held() : new Map()
    parentPort?.postMessage({ outcome: siege.outcome(), broken, held } satisfies Report)
  })
}

const middle = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN

type Running = Awaited<ReturnType<typeof running>>

/** A service over a store, or one behind a gateway; what is asked is the last. */
const opened = async (store: Settings["store"], folder: string, isGateway: boolean) => {
  if (isGateway) {
    const graph = await running({ WFA_LOG: "off", WFA_STORE: store, WFA_FLEET: "1000" })
    const audit = join(folder, "audit.jsonl")
    const env = { WFA_LOG: "off", WFA_UPSTREAM: graph.url, WFA_UPSTREAM_WRITES: "on", WFA_AUDIT: audit }
    const gateway = await running(env)
    return { services: [gateway, graph], url: gateway.url, token: "", others: {}, close: () => {} }
  }
  const keys = await issuer()
  const service = await startedVictim(keys.url, { WFA_STORE: store, WFA_FLEET: "1000" })
  const [token, others] = await Promise.all([
    keys.token(tenantIds.attacker, readWrite),
    keys.token(tenantIds.other, readWrite)
  ])
  return {
    services: [service],
    url: service.url,
    token,
    others: { authorization: `Bearer ${others}` },
    close: keys.close
  }
}

const stopped = async (services: ReadonlyArray<Running>): Promise<ReadonlyArray<string>> => {
  const sentences: Array<string> = []
  for (const { child } of services) {
    child.kill("SIGTERM")
    const { code, signal } = await ended(child)
    if (code !== 0) sentences.push(`a service ended with ${code ?? signal}`)
  }
  return sentences
}

const whole = (name: string, text: string): number => {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw new RangeError(`--${name}: expected a whole number`)
}

const table = (rows: ReadonlyArray<readonly [string, string, string]>): string =>
  rows.map(([what, seen, verdict]) => `${what.padEnd(44)}${seen.padEnd(24)}${verdict}`.trimEnd() + "\n").join("")

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean" },
      requests: { type: "string", default: "1000000" },
      callers: { type: "string", default: "16" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
      from: { type: "string", default: "0" },
      store: { type: "string" },
      gateway: { type: "boolean", default: false },
      stall: { type: "string", default: "250" },
      slower: { type: "string", default: "3" },
      memory: { type: "string", default: "768" }
    }
  })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  if (values.store !== undefined && !/^(?:memory$|(?:sqlite:|postgres:\/\/).)/.test(values.store)) {
    throw new RangeError("--store: expected memory, sqlite:<file> or postgres://…")
  }
  const first = Math.floor(whole("from", values.from) / chunk)
  const requests = whole("requests", values.requests)
  const last = first + Math.ceil(requests / chunk)
  const [seed, callers] = [whole("seed", values.seed), whole("callers", values.callers)]
  const folder = await mkdtemp(join(tmpdir(), "workanywhere-siege-"))
  const store = (values.store ?? `sqlite:${join(folder, "devices.sqlite")}`) as Settings["store"]
  const { services, url, token, others, close } = await opened(store, folder, values.gateway)
  const name = `siege ${seed}`
  const worker = new Worker(import.meta.filename, {
    workerData: { target: { url, token, name }, callers } satisfies Task
  })
  const ordered = async (order: Order): Promise<Report> => {
    worker.postMessage(order)
    const [report] = (await once(worker, "message")) as [Report]
    return report
  }

  const page = (await (await fetch(`${url}/beta${devices}?$top=1`, { headers: others })).json()) as {
    readonly value: ReadonlyArray<{ readonly id: string }>
  }
  const bystanders = () => [probe(`${url}/healthz`, {}), probe(`${url}/beta${devices}/${page.value[0]?.id}`, others)]
  const watched = async (work: Promise<unknown>) => {
    const probes = bystanders()
    await work
    return Promise.all(probes.map(({ end }) => end()))
  }
  const isUp = () => services.every(({ child }) => child.exitCode === null && child.signalCode === null)

  const begun = performance.now()
  const [quiet, besieged]: [Array<number>, Array<number>] = [[], []]
  const worst = { healthz: 0, byKey: 0 }
  let broken = 0
  let outcome: Siege | undefined
  let peak = 0
  const note = (sentences: ReadonlyArray<string>, where: string): void => {
    for (const sentence of sentences) process.stderr.write(`broken, ${where}: ${sentence}\n`)
    broken += sentences.length
  }
  try {
    for (let at = first; at < last && isUp(); at += chunksOfStretch) {
      const [, inQuiet] = await watched(setTimeout(quietMillis))
      quiet.push(inQuiet?.median ?? Number.NaN)
      const stretch = async (): Promise<void> => {
        for (let one = at; one < Math.min(last, at + chunksOfStretch) && isUp(); one++) {
          const count = Math.min(chunk, requests - (one - first) * chunk)
          const report = await ordered({ seed: seed + one, count })
          outcome = report.outcome
          note(report.broken, `in what --from ${one * chunk} begins with`)
        }
      }
      const [healthz, byKey] = await watched(stretch())
      besieged.push(byKey?.median ?? Number.NaN)
      worst.healthz = Math.max(worst.healthz, healthz?.worst ?? 0)
      worst.byKey = Math.max(worst.byKey, byKey?.worst ?? 0)
      peak = Math.max(...(await Promise.all(services.map(({ child }) => peakMiB(child.pid)))))
      const seconds = (performance.now() - begun) / 1_000
      process.stderr.write(
        `${seconds.toFixed(0).padStart(5)} s  ${outcome?.sent} sent, ${outcome?.acknowledged} writes acknowledged, ` +
          `${broken} promises broken; ${peak.toFixed(0)} MiB at most\n`
      )
    }
    if (isUp()) {
      const report = await ordered("finish")
      outcome = report.outcome
      note(report.broken, "in the end")
      note(await stopped(services), "when it was stopped")
      if (store !== "memory") {
        note(integrityOf(store), "in its store")
        const found = await afterwards(store, ...(values.gateway ? [] : [tenantIds.attacker]))
        const lost = [...report.held].filter(([id, device]) => !isDeepStrictEqual({ ...found.get(id) }, device))
        note(
          lost.map(([id]) => `${id} is not as it was written`),
          "in its store"
        )
      }
    } else note(["a service ended"], "before the end")
  } finally {
    await worker.terminate()
    for (const service of services) await service[Symbol.asyncDispose]()
    close()
    await rm(folder, { recursive: true, force: true })
  }

  const slower = middle(besieged) / middle(quiet)
  const stall = Number(values.stall)
  const bounds = [
    worst.healthz <= stall,
    worst.byKey <= stall,
    // A gateway that asks for no token has one tenant, whose own requests these are.
    values.gateway || slower <= Number(values.slower),
    peak <= Number(values.memory),
    broken === 0
  ]
  const verdict = (at: number, bound: string): string => `${bound}: ${bounds[at] === true ? "kept" : "NOT KEPT"}`
  const statuses = Object.entries(outcome?.statuses ?? {}).map(([status, count]) => `${status}: ${count}`)
  process.stdout.write(
    table([
      [`seed ${seed}`, `${outcome?.sent} requests in ${((performance.now() - begun) / 1_000).toFixed(0)} s`, ""],
      ["writes acknowledged", String(outcome?.acknowledged), ""],
      ["writes without an answer, read back", String(outcome?.unknown), ""],
      ["worst stall of /healthz", `${worst.healthz.toFixed(0)} ms`, verdict(0, `${stall} ms`)],
      ["worst stall of another's GET by key", `${worst.byKey.toFixed(0)} ms`, verdict(1, `${stall} ms`)],
      [
        "the middle of these, against that in quiet",
        `${middle(besieged).toFixed(2)} / ${middle(quiet).toFixed(2)} ms = ${slower.toFixed(1)} x`,
        values.gateway ? "" : verdict(2, `${values.slower} x`)
      ],
      ["peak memory", `${peak.toFixed(0)} MiB`, verdict(3, `${values.memory} MiB`)],
      ["promises broken", String(broken), verdict(4, "none")]
    ])
  )
  process.stdout.write(`answers by status (0: none): ${statuses.join(", ")}\n`)
  return bounds.every((isKept) => isKept) ? 0 : 1
}

if (!isMainThread) obey(workerData as Task)
else if (import.meta.main) {
  endAtSignals()
  await runScript(main)
}
