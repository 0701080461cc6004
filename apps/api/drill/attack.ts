// Plays what one caller can send against a service of its own, and measures what becomes of all others: how long they wait,
// and how much memory it takes. Ends with 1 when the service ended, or was over a bound.
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { startedPostgres } from "../test/postgres.ts"
import { running } from "../test/process.ts"
import { type Answers, type Target, attacks, attacksOnOpen, quietly } from "./attacks.ts"
import { endAtSignals, runScript } from "./script.ts"
import { devices, issuer, probe, readWrite, residentMiB, startedVictim, tenantIds } from "./victim.ts"

const help = `node drill/attack.ts [--short] [--store <which>] [--only <words>] [--stall <ms>] [--memory <MiB>]

  --short    a second for each attack, in place of ten
  --store    only over sqlite, or only over postgres
  --only     only the attacks whose names hold these words, and nothing for comparison
  --stall    the longest that others may wait; 250
  --memory   the most memory that the service may have; 768
`

const { values } = parseArgs({
  options: {
    help: { type: "boolean" },
    short: { type: "boolean", default: false },
    store: { type: "string" },
    only: { type: "string", default: "" },
    stall: { type: "string", default: "250" },
    memory: { type: "string", default: "768" }
  }
})

const played = async (name: string, target: Target): Promise<Answers> => {
  const worker = new Worker(join(import.meta.dirname, "attacks.ts"), { workerData: { name, target } })
  const [answers] = (await once(worker, "message")) as [Answers]
  await worker.terminate()
  return answers
}

const line = (cells: ReadonlyArray<string>): void => {
  const [first = "", ...rest] = cells
  process.stdout.write(`${first.padEnd(56)}${rest.map((cell) => cell.padStart(12)).join("")}\n`)
}

const heading = (store: string): void =>
  line([`over ${store}`, "healthz ms", "by key ms", "x quiet", "peak MiB", "  answers"])

const stall = Number(values.stall)
const memory = Number(values.memory)

/** Who attacks one service, and who looks how it is for others. */
interface Callers {
  readonly token: string
  readonly powerless: string
  readonly others: string
}

/** Plays attacks one after the other, on a service that is started again when it has ended, and tells whether all bounds held. */
const attacked = async (
  start: () => ReturnType<typeof startedVictim>,
  { token, powerless, others }: Callers,
  file: string | undefined,
  names: ReadonlyArray<string>
): Promise<boolean> => {
  const path = `/beta${devices}`
  const headers = { authorization: `Bearer ${others}` }
  let held = true
  let quiet: number | undefined
  let service = await start()
  try {
    for (const name of names) {
      const { url, child } = service
      const page = (await (await fetch(`${url}${path}?$top=1`, { headers })).json()) as {
        readonly value: ReadonlyArray<{ readonly id: string }>
      }
      const probes = [probe(`${url}/healthz`, {}), probe(`${url}${path}/${page.value[0]?.id}`, headers)]
      let peak = 0
      const looking = setInterval(async () => (peak = Math.max(peak, await residentMiB(child.pid))), 50)
      const answers = await played(name, { url, token, powerless, file, millis: values.short ? 1_000 : 10_000 })
      clearInterval(looking)
      const seen = await Promise.all(probes.map(({ end }) => end()))
      const worst = seen.map((one) => one.worst)
      const median = seen[1]?.median ?? 0
      // The first that is played is nothing at all.
      quiet ??= median
      const isUp = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) }).then(
        ({ ok }) => ok,
        () => false
      )
      const isWithin = isUp && worst.every((millis) => millis <= stall) && peak <= memory
      held &&= isWithin
      const told = Object.entries(answers).map(([status, count]) => `${count} × ${status}`)
      const cells = [...worst.map((millis) => millis.toFixed(0)), (median / quiet).toFixed(1), peak.toFixed(0)]
      line([name, ...cells, `  ${told.join(", ")}${isWithin ? "" : isUp ? "  OVER A BOUND" : "  THE SERVICE ENDED"}`])
      if (!isUp) {
        await service[Symbol.asyncDispose]()
        service = await start()
      }
    }
  } finally {
    await service[Symbol.asyncDispose]()
  }
  return held
}

const chosen = (all: typeof attacks): ReadonlyArray<string> => {
  const names = Object.keys(all).filter((name) => name !== quietly && name.includes(values.only))
  return names.length === 0 ? [] : [quietly, ...names]
}

const isWanted = (store: string): boolean => values.store === undefined || values.store === store

const attackAll = async (): Promise<boolean> => {
  const folder = await mkdtemp(join(tmpdir(), "workanywhere-attack-"))
  const keys = await issuer()
  const [token, powerless, others] = await Promise.all([
    keys.token(tenantIds.attacker, readWrite),
    keys.token(tenantIds.attacker, "nothing"),
    keys.token(tenantIds.other, readWrite)
  ])
  const callers = { token, powerless, others }
  const held: Array<boolean> = []
  try {
    if (isWanted("sqlite")) {
      const file = join(folder, "devices.sqlite")
      const env = { WFA_STORE: `sqlite:${file}`, WFA_FLEET: "1000" }
      heading("a SQLite file")
      held.push(await attacked(() => startedVictim(keys.url, env), callers, file, chosen(attacks)))
      heading("a SQLite file, without authentication")
      const open = { WFA_LOG: "off", WFA_STORE: `sqlite:${join(folder, "open.sqlite")}`, WFA_FLEET: "1000" }
      held.push(await attacked(() => running(open), callers, undefined, chosen(attacksOnOpen)))
    }
    if (isWanted("postgres")) {
      const postgres = await startedPostgres()
      try {
        heading("PostgreSQL")
        const env = { WFA_STORE: postgres.url, WFA_FLEET: "1000" }
        held.push(await attacked(() => startedVictim(keys.url, env), callers, undefined, chosen(attacks)))
      } finally {
        await postgres.stop()
      }
    }
  } finally {
    keys.close()
    await rm(folder, { recursive: true, force: true })
  }
  const isKept = held.every(Boolean)
  process.stdout.write(`bounds: ${stall} ms, ${memory} MiB: ${isKept ? "kept" : "NOT KEPT"}\n`)
  return isKept
}

endAtSignals()
if (values.help === true) process.stdout.write(help)
else await runScript(async () => ((await attackAll()) ? 0 : 1))
