// How long it takes from the start of the process until the service accepts connections, with 1,000 devices in a file.
import { mkdtemp, rm } from "node:fs/promises"
import { availableParallelism, cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { parseArgs } from "node:util"
import { ended, running } from "../test/process.ts"

const { values } = parseArgs({ options: { times: { type: "string", default: "15" } } })

const folder = await mkdtemp(join(tmpdir(), "workanywhere-bench-"))
const fleet = { WFA_FLEET: "1000" }
const at = (name: string) => ({ ...fleet, WFA_STORE: `sqlite:${join(folder, name)}` })
const kept = { NODE_COMPILE_CACHE: join(folder, "compiled") }
const notKept = { NODE_DISABLE_COMPILE_CACHE: "1" }

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}

/** Until it accepts connections; it then ends as its supervisor would have it, and keeps what was compiled. */
const service = async (env: Readonly<Record<string, string>>): Promise<number> => {
  let started: Awaited<ReturnType<typeof running>> | undefined
  const spent = await seconds(async () => (started = await running(env)))
  started?.child.kill("SIGTERM")
  if (started !== undefined) await ended(started.child)
  return spent
}

let number = 0
const starts: Readonly<Record<string, () => Promise<number>>> = {
  "node -e 0": () => seconds(() => once(spawn(process.execPath, ["-e", "0"]), "exit")),
  "a new file, the first start on a machine": () => service({ ...at(`first${number}.sqlite`), ...notKept }),
  "a new file": () => service({ ...at(`new${number}.sqlite`), ...kept }),
  "a file that is there": () => service({ ...at("old.sqlite"), ...kept }),
  "in memory": () => service({ ...fleet, WFA_STORE: "memory", ...kept })
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

try {
  console.log(
    `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${availableParallelism()} × ${cpus()[0]?.model}`
  )
  await service({ ...at("old.sqlite"), ...kept })
  const spent = new Map<string, Array<number>>(Object.keys(starts).map((name) => [name, []]))
  for (; number < Number(values.times); number++) {
    for (const [name, start] of Object.entries(starts)) spent.get(name)?.push(await start())
  }
  const node = median(spent.get("node -e 0") ?? [])
  for (const [name, of] of spent) {
    console.log(
      `${name.padEnd(42)} median ${median(of).toFixed(3)} s, fastest ${Math.min(...of).toFixed(3)} s, ` +
        `${(median(of) / node).toFixed(1)} × node -e 0`
    )
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
