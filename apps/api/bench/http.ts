// What a request costs over HTTP, against a bare `node:http` server; all servers take turns under the same load, which
// is made by wrk (https://github.com/wg/wrk, `apt-get install wrk`): a generator in JavaScript would be slower than the
// bare server. `--layers` adds the servers in between, which show what each layer costs. `--beside <checkout>` lets the
// service of another checkout take turns with this one instead, and tells how they compare; `--work` picks some of the works.
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { availableParallelism, cpus, tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { type WholeDevice, propertyNames } from "@workanywhere/domain"
import { running } from "../test/process.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    seconds: { type: "string", default: "2" },
    layers: { type: "boolean", default: false },
    beside: { type: "string" },
    work: { type: "string", multiple: true }
  }
})
const rounds = Number(values.rounds)
const callers = 32
const fewCallers = 4
const path = "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"

if (spawnSync("wrk", ["--version"]).error !== undefined) {
  console.error("this bench needs wrk on the PATH (apt-get install wrk)")
  process.exit(2)
}

const folder = await mkdtemp(join(tmpdir(), "workanywhere-bench-"))

const variant = async (name: string) => {
  const script = join(import.meta.dirname, "http-variant.ts")
  const args = ["--conditions=@workanywhere/source", script, name, folder]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] })
  const [line] = (await once(child.stdout, "data")) as [Buffer]
  return { name, child, url: line.toString().trim().replace("listening on ", "") }
}

interface Measured {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly medianMillis: number
  readonly p99Millis: number
}

const unit: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 }

const millisIn = (output: string, percent: string): number => {
  const [, amount = "", of = ""] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(output) ?? []
  return Number(amount) * (unit[of] ?? Number.NaN)
}

/** How long the processors have worked for a process; the system counts in hundredths of a second. */
const cpuMicrosOf = ({ pid }: ChildProcess): number => {
  const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")
  const [user, system] = rest.split(" ").slice(11, 13)
  return (Number(user) + Number(system)) * 10_000
}

/** What wrk saw, and what the server spent on a request, whichever of those that came at the same time. */
interface Result extends Measured {
  readonly cpuMicros: number
}

/** What wrk does to a server. */
interface Load {
  readonly name: string
  readonly script: string
  readonly connections: number
  /** The load of the bare server that it is a share of. */
  readonly baseline: string
  /** Which share we want. */
  readonly want?: number
}

const load = async (url: string, { connections, script }: Load): Promise<Measured> => {
  const args = ["-t1", `-c${connections}`, `-d${values.seconds}s`, "--latency", "-s", script, url]
  const child = spawn("wrk", args, { stdio: ["ignore", "pipe", "inherit"] })
  let output = ""
  child.stdout.on("data", (chunk) => (output += chunk))
  await once(child, "close")
  if (/Non-2xx|Socket errors/.test(output) || !/Requests\/sec/.test(output))
    throw new Error(`not every request succeeded: ${output}`)
  return {
    requests: Number(/(\d+) requests in/.exec(output)?.[1]),
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    medianMillis: millisIn(output, "50"),
    p99Millis: millisIn(output, "99")
  }
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

/** The ratios of the rounds: their median, and between what half of them lie. */
const ratio = (ratios: ReadonlyArray<number>): string => {
  const sorted = ratios.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(3)
  return `${at(1 / 2)} (${at(1 / 4)} to ${at(3 / 4)})`
}

const serviceOf = (name: string, checkout: string) =>
  running(
    { WFA_STORE: `sqlite:${join(folder, `${name}.sqlite`)}`, WFA_FLEET: "1000" },
    join(checkout, "apps/api/src/main.ts")
  )

try {
  await using service = await serviceOf("service", join(import.meta.dirname, "../../.."))
  await using beside = values.beside === undefined ? undefined : await serviceOf("beside", resolve(values.beside))
  const read = async (address: string) => (await fetch(`${service.url}${path}${address}`)).text()
  const page = await read("?$top=100")
  const { value } = JSON.parse(await read("?$top=999")) as { readonly value: ReadonlyArray<WholeDevice> }
  const [first] = value
  const update = Object.fromEntries(propertyNames.filter((name) => name !== "id").map((name) => [name, first?.[name]]))
  await writeFile(join(folder, "page.json"), page)
  await writeFile(join(folder, "device.json"), await read(`/${first?.id}`))

  // A device after the other, so that it is not the same one that is read and written again and again.
  const eachDevice = (method: string, body: string) => `
local ids = { ${value.map(({ id }) => JSON.stringify(id)).join()} }
local at = 0
local headers = { ["Content-Type"] = "application/json" }
request = function()
  at = at % #ids + 1
  return wrk.format("${method}", "${path}/" .. ids[at], headers, ${body === "" ? "nil" : `[[${body}]]`})
end`
  const scripts = {
    patch: eachDevice("PATCH", JSON.stringify(update)),
    get: eachDevice("GET", ""),
    // As a browser asks for a page that it was shown before.
    page: `request = function() return wrk.format("GET", "${path}?$top=100") end`
  }
  for (const [name, script] of Object.entries(scripts)) await writeFile(join(folder, `${name}.lua`), script)
  const scriptAt = (name: keyof typeof scripts): string => join(folder, `${name}.lua`)

  /** The loads of a work come at the same time. */
  const works: Readonly<Record<string, ReadonlyArray<Load>>> = {
    PATCH: [{ name: "PATCH", script: scriptAt("patch"), connections: callers, baseline: "PATCH", want: 0.4 }],
    // A device is read against the server that parses and echoes one, too: design, section 8.
    GET: [{ name: "GET", script: scriptAt("get"), connections: callers, baseline: "PATCH", want: 0.6 }],
    page: [{ name: "page", script: scriptAt("page"), connections: callers, baseline: "page", want: 0.5 }],
    both: [
      { name: "GET beside writers", script: scriptAt("get"), connections: fewCallers, baseline: "GET beside writers" },
      {
        name: "PATCH beside readers",
        script: scriptAt("patch"),
        connections: callers,
        baseline: "PATCH beside readers"
      }
    ]
  }
  const chosen = Object.entries(works).flatMap(([name, loads]) =>
    values.work?.includes(name) === false ? [] : [loads]
  )

  const layers = values.layers ? ["hono", "memory", "file", "recorded"] : []
  const others = beside === undefined ? await Promise.all(["bare", ...layers].map(variant)) : []
  const servers = [
    ...others,
    { name: "service", child: service.child, url: service.url },
    ...(beside === undefined ? [] : [{ name: "beside", child: beside.child, url: beside.url }])
  ]
  const measured = new Map<string, ReadonlyArray<Result>>()
  const of = (work: string, name: string) => measured.get(`${work} ${name}`) ?? []
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const loads of chosen) {
        // Whoever was last is first, so that nobody always follows the same one.
        for (const { child, name, url } of round % 2 === 0 ? servers : servers.toReversed()) {
          const before = cpuMicrosOf(child)
          const results = await Promise.all(loads.map((one) => load(url, one)))
          const spent = (cpuMicrosOf(child) - before) / results.reduce((sum, { requests }) => sum + requests, 0)
          // The first is for warming up.
          if (round === 0) continue
          for (const [index, result] of results.entries()) {
            const work = loads[index]?.name ?? ""
            measured.set(`${work} ${name}`, [...of(work, name), { ...result, cpuMicros: spent }])
          }
        }
      }
    }
  } finally {
    for (const { child } of others) child.kill()
  }

  /** How one server did in each round, as a share of what another one did in that round. */
  const shares = (
    [work, name]: readonly [work: string, name: string],
    [baseWork, baseName]: readonly [work: string, name: string],
    figure: (one: Result) => number = ({ requestsPerSecond }) => requestsPerSecond
  ): ReadonlyArray<number> => {
    const base = of(baseWork, baseName).map(figure)
    return of(work, name).map((one, round) => figure(one) / (base[round] ?? Number.NaN))
  }
  console.log(
    `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model}; ` +
      `${callers} connections (GET beside writers: ${fewCallers}), ${rounds} rounds of ${values.seconds} s each, medians`
  )
  for (const { baseline, name: work, want } of chosen.flat()) {
    for (const { name } of servers) {
      const middle = (figure: (one: Result) => number): number => median(of(work, name).map(figure))
      const typical = middle(({ medianMillis }) => medianMillis)
      const slow = middle(({ p99Millis }) => p99Millis)
      const share = `${median(shares([work, name], [baseline, "bare"])).toFixed(2)} of a bare ${baseline}`
      const wanted = name === "service" && want !== undefined ? ` (want ${want})` : ""
      console.log(
        [
          work.padEnd(20),
          name.padEnd(8),
          `${middle(({ requestsPerSecond }) => requestsPerSecond)
            .toFixed(0)
            .padStart(6)}/s`,
          ...(of(baseline, "bare").length === 0 ? [] : [`${share}${wanted}`]),
          `median ${typical.toFixed(2)} ms, p99 ${slow.toFixed(2)} ms = ${(slow / typical).toFixed(1)} ×`,
          `${middle(({ cpuMicros }) => cpuMicros).toFixed(0)} µs of CPU a request`
        ].join("  ")
      )
    }
    if (beside === undefined) continue
    const [ours, theirs] = [[work, "service"] as const, [work, "beside"] as const]
    const spent = shares(ours, theirs, ({ cpuMicros }) => cpuMicros)
    console.log(`${work.padEnd(20)} ${ratio(shares(ours, theirs))} × the rate of the other, ${ratio(spent)} × its CPU`)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
