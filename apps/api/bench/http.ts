// What a request costs over HTTP, against a bare `node:http` server; all servers take turns under the same load, which
// is made by wrk (https://github.com/wg/wrk, `apt-get install wrk`): a generator in JavaScript would be slower than the
// bare server. `--layers` adds the servers in between, which show what each layer costs.
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { availableParallelism, cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type WholeDevice, propertyNames } from "@workanywhere/domain"
import { running } from "../test/process.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    seconds: { type: "string", default: "2" },
    layers: { type: "boolean", default: false }
  }
})
const rounds = Number(values.rounds)
const connections = 32
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
  return { name, url: line.toString().trim().replace("listening on ", ""), stop: () => child.kill() }
}

interface Measured {
  readonly requestsPerSecond: number
  readonly medianMillis: number
  readonly p99Millis: number
}

const unit: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 }

const millisIn = (output: string, percent: string): number => {
  const [, amount = "", of = ""] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(output) ?? []
  return Number(amount) * (unit[of] ?? Number.NaN)
}

const load = async (url: string, script: string): Promise<Measured> => {
  const args = ["-t1", `-c${connections}`, `-d${values.seconds}s`, "--latency", "-s", script, url]
  const child = spawn("wrk", args, { stdio: ["ignore", "pipe", "inherit"] })
  let output = ""
  child.stdout.on("data", (chunk) => (output += chunk))
  await once(child, "close")
  if (/Non-2xx|Socket errors/.test(output) || !/Requests\/sec/.test(output))
    throw new Error(`not every request succeeded: ${output}`)
  return {
    requestsPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    medianMillis: millisIn(output, "50"),
    p99Millis: millisIn(output, "99")
  }
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

try {
  await using service = await running({ WFA_STORE: `sqlite:${join(folder, "service.sqlite")}`, WFA_FLEET: "1000" })
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
  // As a browser asks for a page that it was shown before.
  const thePage = `request = function() return wrk.format("GET", "${path}?$top=100") end`
  const works = {
    PATCH: eachDevice("PATCH", JSON.stringify(update)),
    GET: eachDevice("GET", ""),
    page: thePage
  }
  const scripts = new Map<string, string>()
  for (const [name, script] of Object.entries(works)) {
    scripts.set(name, join(folder, `${name}.lua`))
    await writeFile(join(folder, `${name}.lua`), script)
  }

  const layers = values.layers ? ["hono", "memory", "file", "recorded"] : []
  const others = await Promise.all(["bare", ...layers].map(variant))
  const servers = [...others, { name: "service", url: service.url }]
  const measured = new Map<string, Array<Measured>>()
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const [work, script] of scripts) {
        for (const { name, url } of servers) {
          const result = await load(url, script)
          const known = measured.get(`${work} ${name}`) ?? []
          measured.set(`${work} ${name}`, known)
          // The first is for warming up.
          if (round > 0) known.push(result)
        }
      }
    }
  } finally {
    for (const { stop } of others) stop()
  }

  const of = (work: string, name: string) => measured.get(`${work} ${name}`) ?? []
  const rate = (work: string, name: string) => median(of(work, name).map((one) => one.requestsPerSecond))
  // A device is read against the server that parses and echoes one, too: design, section 8.
  const against = { PATCH: ["PATCH", 0.5], GET: ["PATCH", 0.6], page: ["page", 0.5] } as const
  console.log(
    `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model}; ` +
      `${connections} connections, ${rounds} rounds of ${values.seconds} s each, medians`
  )
  for (const [work, [baseline, want]] of Object.entries(against)) {
    for (const { name } of servers) {
      const perRound = of(work, name).map((one, round) => {
        const base = of(baseline, "bare")[round]?.requestsPerSecond ?? Number.NaN
        return one.requestsPerSecond / base
      })
      const middle = median(of(work, name).map((one) => one.medianMillis))
      const slow = median(of(work, name).map((one) => one.p99Millis))
      console.log(
        [
          work.padEnd(5),
          name.padEnd(8),
          `${rate(work, name).toFixed(0).padStart(6)}/s`,
          `${median(perRound).toFixed(2)} of a bare ${baseline}${name === "service" ? ` (want ${want})` : ""}`,
          `median ${middle.toFixed(2)} ms, p99 ${slow.toFixed(2)} ms = ${(slow / middle).toFixed(1)} ×`
        ].join("  ")
      )
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
