// Lets many callers work on the service for a long time while things go wrong, and looks for lost writes, lists that are
// not whole, and memory that grows. The long form is this script; the short one is a test.
import { once } from "node:events"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout } from "node:timers/promises"
import { parseArgs } from "node:util"
import { createGraphClient } from "@workanywhere/graph-client/promise"
import * as fc from "fast-check"
import type { FaultScriptInput } from "../src/rehearsal/fault-script.ts"
import type { Settings } from "../src/settings/settings.ts"
import { ended, started } from "../test/process.ts"
import { afterwards, integrityOf, numberIn } from "./durability.ts"
import { attack } from "./hostile.ts"
import { besiege } from "./siege-play.ts"
import { runScript } from "./script.ts"
import { type Caller, type Target, madeBy, walked, work } from "./soak-load.ts"
import { type MemorySample, type Trend, inspectorAddress, memoryProbe, trendOf } from "./soak-memory.ts"
import { type SoakModel, soakModel } from "./soak-model.ts"

/** What a soak does, and for how long. */
export interface Soak {
  /** A store that outlives a process. */
  readonly store: Exclude<Settings["store"], "memory">
  /** Ends the work; what follows is judged all the same. */
  readonly until: AbortSignal
  /** Ends the work, too, after so many tasks. */
  readonly mostTasks?: number
  readonly devices: number
  /** Callers at once; each does one thing after the other. */
  readonly connections: number
  /** Tasks in a second, of all callers together. */
  readonly rate: number
  /** Callers beside them who mean no good, and send a quarter as much. */
  readonly attackers: number
  /** How often the work pauses for a look at the memory. */
  readonly sampleSeconds: number
  /** A number from 0 to below 1, each time another. */
  readonly random: () => number
  readonly onProgress?: (progress: Progress) => void
}

/** How far a soak is. */
export interface Progress {
  readonly seconds: number
  readonly tasks: number
  readonly model: SoakModel
  readonly memory: MemorySample
}

/** What came of a soak. */
export interface SoakOutcome {
  readonly seconds: number
  /** How often each thing was done; and how often the service did not let it be done in the end. */
  readonly tasks: ReadonlyMap<string, number>
  readonly givenUp: number
  /** What attackers sent. */
  readonly attacks: number
  readonly acknowledged: number
  /** Writes whose answer did not tell, and how many of them had taken effect. */
  readonly unknown: number
  readonly tookEffect: number
  /** One sentence for each of the first promises that were broken, and how many it were. */
  readonly broken: ReadonlyArray<string>
  readonly brokenCount: number
  /** How often the service answered with each status, by its log; 444 is a connection that was reset. */
  readonly statuses: ReadonlyMap<number, number>
  readonly samples: ReadonlyArray<MemorySample>
  readonly trends: ReadonlyArray<Trend>
}

/** Everything that a caller has to live with, now and then. */
const faults: FaultScriptInput = {
  seed: 1,
  rules: [
    { when: { percent: 0.1, batchItem: false }, effect: { kind: "throttle" } },
    { when: { percent: 0.1, batchItem: false }, effect: { kind: "throttle", retryAfterSeconds: 1 } },
    { when: { percent: 0.05, batchItem: false }, effect: { kind: "throttleAs500" } },
    { when: { percent: 0.3 }, effect: { kind: "unavailable" } },
    { when: { percent: 0.2 }, effect: { kind: "unavailable", at: "after" } },
    { when: { percent: 0.3 }, effect: { kind: "timeout" } },
    { when: { percent: 0.3 }, effect: { kind: "timeout", at: "after" } },
    { when: { percent: 0.2, batchItem: false }, effect: { kind: "reset" } },
    { when: { percent: 0.2, batchItem: false }, effect: { kind: "reset", at: "after" } },
    { when: { percent: 2, batchItem: true }, effect: { kind: "throttle" } },
    { when: { route: "batch", percent: 10 }, effect: { kind: "dropBatchAnswers", count: 2 } },
    { when: { route: "batch", percent: 50 }, effect: { kind: "shuffleBatch" } },
    { when: { percent: 5 }, effect: { kind: "delay", latency: { shape: "uniform", leastMillis: 1, mostMillis: 30 } } }
  ]
}

/** What is looked at in the service's log. */
interface LogLine {
  readonly level: number
  readonly msg: string
  readonly status?: number
}

/** The service in a process of its own, with an inspector, out of reach of this terminal's Ctrl-C. */
const startedService = async (env: Readonly<Record<string, string>>) => {
  const child = started(
    "main.ts",
    [],
    { WFA_PORT: "0", NODE_OPTIONS: "--inspect=127.0.0.1:0", ...env },
    { detached: true }
  )
  const kill = () => void child.kill("SIGKILL")
  process.once("exit", kill)
  const inspector = Promise.withResolvers<string>()
  const statuses = new Map<number, number>()
  const failures: Array<string> = []
  createInterface({ input: child.stderr }).on("line", (line) => {
    const address = inspectorAddress.exec(line)?.[1]
    if (address !== undefined) inspector.resolve(address)
    if (!line.startsWith("{")) return
    const { level, msg, status } = JSON.parse(line) as LogLine
    if (status !== undefined) statuses.set(status, (statuses.get(status) ?? 0) + 1)
    if (level >= 50 && failures.length < 10) failures.push(msg)
  })
  const lines = createInterface({ input: child.stdout })
  const [line] = (await Promise.race([once(lines, "line"), ended(child).then(() => [])])) as ReadonlyArray<string>
  const url = /^listening on (http:\S+)$/.exec(line ?? "")?.[1]
  if (url === undefined || child.pid === undefined) throw new Error("the service did not start")
  return {
    url,
    statuses,
    failures,
    probe: await memoryProbe(child.pid, await inspector.promise),
    stop: async () => {
      child.kill("SIGTERM")
      const result = await ended(child)
      process.off("exit", kill)
      return result
    }
  }
}

const play = async (url: string, script: FaultScriptInput): Promise<void> => {
  const headers = { "content-type": "application/json" }
  const { status } = await fetch(`${url}/_local/faults`, { method: "PUT", headers, body: JSON.stringify(script) })
  if (status !== 200) throw new Error(`the fault script was answered with ${status}`)
}

/** What attackers send before they look whether it goes on. */
const attacksAtOnce = 20

/** Runs a soak, and gives what came of it. */
export const soak = async (plan: Soak): Promise<SoakOutcome> => {
  const service = await startedService({ WFA_STORE: plan.store, WFA_FLEET: String(plan.devices) })
  const clients = Array.from({ length: plan.connections }, () =>
    createGraphClient({ baseUrl: `${service.url}/beta`, app: crypto.randomUUID() })
  )
  const model = soakModel()
  const begun = performance.now()
  const seconds = () => (performance.now() - begun) / 1_000
  const tasks = new Map<string, number>()
  const samples: Array<MemorySample> = []
  let given = 0
  let givenUp = 0
  let attacks = 0
  try {
    const fleet = [...(await walked({ url: service.url, model })).values()]
    if (fleet.length !== plan.devices || fleet.some((device) => numberIn(device) !== 0)) {
      throw new RangeError("--store: expected an empty one")
    }
    for (const device of fleet) model.add(device, 0)
    const written = fleet.filter((_, index) => index % 3 !== 0)
    const callers = clients.map((client, number): Caller => ({
      client,
      name: `soak ${number}`,
      own: written.filter((_, index) => index % plan.connections === number).map(({ id }) => id),
      comeAndGo: Array.from({ length: 10 }, (_, index) => `made ${number} ${index}`)
    }))
    for (const device of callers.flatMap(madeBy)) model.add(device, "absent")
    const untouched = fleet.filter((_, index) => index % 3 === 0)
    const target: Target = { url: service.url, model, fleet, untouched, random: plan.random }

    const load = { isWorking: true }
    const goesOn = () => load.isWorking && !plan.until.aborted && given < (plan.mostTasks ?? Infinity)
    // A pause keeps callers from their next task; those that are at one finish it.
    let pause: Promise<void> = Promise.resolve()
    const busy = new Set<Promise<unknown>>()
    const called = async (caller: Caller): Promise<void> => {
      const everyMillis = (1_000 * plan.connections) / plan.rate
      for (let due = performance.now(); goesOn(); due = Math.max(due + everyMillis, performance.now() - 1_000)) {
        await setTimeout(Math.max(0, due - performance.now()))
        await pause
        if (!goesOn()) return
        given += 1
        const task = work(target, caller)
        busy.add(task)
        const { name, done } = await task.finally(() => busy.delete(task))
        tasks.set(name, (tasks.get(name) ?? 0) + 1)
        if (!done) givenUp += 1
      }
    }

    // What they are answered is held elsewhere; here it must leave everybody else their devices, and memory as it was.
    const attacked = async (): Promise<void> => {
      const siege = besiege({ url: service.url, token: "", name: "attacker" }, plan.attackers)
      while (plan.attackers > 0 && goesOn()) {
        await setTimeout((1_000 * attacksAtOnce * 4) / plan.rate)
        await pause
        const seed = Math.floor(plan.random() * 2 ** 31)
        const task = siege.play(fc.sample(attack, { seed, numRuns: attacksAtOnce }))
        busy.add(task)
        await task.finally(() => busy.delete(task))
      }
      attacks = siege.outcome().sent
      siege.close()
    }

    const look = async (): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>()
      pause = promise
      await Promise.allSettled(busy)
      const sample = await service.probe.sample(seconds())
      samples.push(sample)
      resolve()
      plan.onProgress?.({ seconds: sample.seconds, tasks: given, model, memory: sample })
    }

    await play(service.url, faults)
    const working = Promise.all(callers.map(called)).finally(() => (load.isWorking = false))
    const attacking = attacked()
    const over = Promise.allSettled([working, attacking])
    while (load.isWorking) {
      const patience = new AbortController()
      await Promise.race([over, setTimeout(plan.sampleSeconds * 1_000, undefined, { signal: patience.signal })])
      patience.abort()
      if (load.isWorking) await look()
    }
    await working
    await attacking
    await look()

    await play(service.url, {})
    model.finish("by its lists", await walked({ url: service.url, model }))
  } finally {
    await Promise.all(clients.map((client) => client.close()))
    service.probe.close()
    const { code } = await service.stop()
    if (code !== 0) model.breach(`the service ended with ${code}`)
  }
  model.finish("by its store", await afterwards(plan.store))
  for (const sentence of integrityOf(plan.store)) model.breach(sentence)
  for (const failure of service.failures) model.breach(`the service says in its log: ${failure}`)
  const { count, sentences } = model.breaches()
  const trends = (["heap", "resident"] as const).flatMap((name) => trendOf(name, samples) ?? [])
  const { acknowledged, unknown, tookEffect } = model.tally
  return {
    seconds: seconds(),
    tasks,
    givenUp,
    attacks,
    acknowledged,
    unknown,
    tookEffect,
    broken: sentences,
    brokenCount: count,
    statuses: service.statuses,
    samples,
    trends
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`

const told = ({ seconds, tasks, model, memory }: Progress): string =>
  `${seconds.toFixed(0).padStart(5)} s  ${tasks} tasks, ${model.tally.acknowledged} writes acknowledged, ` +
  `${model.tally.unknown} unknown and read back, ${model.breaches().count} promises broken; ` +
  `heap ${megabytes(memory.heap)}, resident ${megabytes(memory.resident)}\n`

const table = (rows: ReadonlyArray<readonly [string, string, string]>): string =>
  rows.map(([what, seen, verdict]) => `${what.padEnd(38)} ${seen.padEnd(72)} ${verdict}\n`).join("")

const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([name, count]) => `${count} ${name}`).join(", ")

const statusesIn = (counts: ReadonlyMap<number, number>): string =>
  [...counts]
    .toSorted(([a], [b]) => a - b)
    .map(([status, count]) => `${status}: ${count}`)
    .join(", ")

const help = `pnpm soak [--seconds 600] [--store sqlite:<file>|postgres://…] [--connections 32] [--rate 400]
          [--devices 1500] [--attackers 8]

Attackers send what they like beside the connections, a quarter as much as these; 0 for none.
A store that is named has to be empty; without one it is a file that is removed afterwards. Exit codes: 0 all promises kept and memory flat,
1 a promise broken or memory grows, 2 wrong arguments, 130 interrupted with nothing wrong so far.
`

const positive = (name: string, text: string): number => {
  const number = Number(text)
  if (Number.isFinite(number) && number > 0) return number
  throw new RangeError(`--${name}: expected a number above 0`)
}

const main = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "600" },
      store: { type: "string" },
      connections: { type: "string", default: "32" },
      rate: { type: "string", default: "400" },
      devices: { type: "string", default: "1500" },
      attackers: { type: "string", default: "8" },
      help: { type: "boolean" }
    }
  })
  if (values.help === true) {
    process.stdout.write(help)
    return 0
  }
  const length = positive("seconds", values.seconds)
  if (values.store !== undefined && !/^(?:sqlite:|postgres:\/\/)./.test(values.store)) {
    throw new RangeError("--store: expected sqlite:<file> or postgres://…")
  }
  const folder = await mkdtemp(join(tmpdir(), "workanywhere-soak-"))
  const file = join(folder, "devices.sqlite")
  const store = (values.store ?? `sqlite:${file}`) as Soak["store"]
  const interruption = new AbortController()
  const interrupt = () => {
    // Whoever asks twice does not want to wait for the verdict.
    if (interruption.signal.aborted) process.exit(130)
    process.stderr.write("ending: what was written so far is still looked at\n")
    interruption.abort()
  }
  process.on("SIGINT", interrupt)
  process.on("SIGTERM", interrupt)
  try {
    const outcome = await soak({
      store,
      until: AbortSignal.any([interruption.signal, AbortSignal.timeout(length * 1_000)]),
      devices: positive("devices", values.devices),
      connections: positive("connections", values.connections),
      rate: positive("rate", values.rate),
      attackers: values.attackers === "0" ? 0 : positive("attackers", values.attackers),
      // Enough samples for a trend, however short it is.
      sampleSeconds: Math.min(20, length / 10),
      random: Math.random,
      onProgress: (progress) => process.stderr.write(told(progress))
    })
    for (const sentence of outcome.broken) process.stdout.write(`broken: ${sentence}\n`)
    const size = values.store === undefined ? `; file ${megabytes((await stat(file)).size)}` : ""
    const kept = outcome.brokenCount === 0
    process.stdout.write(
      table([
        ["work", `${outcome.seconds.toFixed(0)} s: ${listed(outcome.tasks)}`, ""],
        ["answers by status (444: reset)", statusesIn(outcome.statuses), ""],
        ["reads given up after every repeat", String(outcome.givenUp), ""],
        ["requests of attackers", String(outcome.attacks), ""],
        ["acknowledged writes", `${outcome.acknowledged}${size}`, kept ? "none lost, none by half" : "see above"],
        ["unknown outcomes, read back", `${outcome.unknown}, of which ${outcome.tookEffect} took effect`, ""],
        ["promises broken", String(outcome.brokenCount), kept ? "pass" : "FAIL"],
        ...outcome.trends.map(({ name, mean, growth, tolerance, isFlat }): readonly [string, string, string] => [
          `memory, ${name}, second half`,
          `mean ${megabytes(mean)}, moved by ${megabytes(growth)} (tolerated ${megabytes(tolerance)})`,
          isFlat ? "flat" : "GROWS"
        ])
      ])
    )
    if (!kept || outcome.trends.some(({ isFlat }) => !isFlat)) return 1
    return interruption.signal.aborted ? 130 : 0
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) await runScript(main)
