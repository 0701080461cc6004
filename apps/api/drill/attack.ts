// Plays what one caller can send against a service of its own, and measures what becomes of all others: how long they wait,
// and how much memory it takes. Ends with 1 when the service ended, or was over a bound.
import { once } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { Agent, createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Worker } from "node:worker_threads"
import { SignJWT, exportJWK, generateKeyPair } from "jose"
import { running } from "../test/process.ts"
import { type Answers, type Target, attacks } from "./attacks.ts"

const help = `node drill/attack.ts [--short] [--only <words>] [--stall <ms>] [--memory <MiB>]

  --short    a second for each attack, in place of ten
  --only     only the attacks whose names hold these words
  --stall    the longest that others may wait; 250
  --memory   the most memory that the service may have; 768
`

const { values } = parseArgs({
  options: {
    help: { type: "boolean" },
    short: { type: "boolean" },
    only: { type: "string", default: "" },
    stall: { type: "string", default: "250" },
    memory: { type: "string", default: "768" }
  }
})

const audience = "api://attacked.example"
const tenantIds = { attacker: "11111111-aaaa-4aaa-8aaa-111111111111", other: "22222222-bbbb-4bbb-8bbb-222222222222" }

/** Makes tokens, and serves the key that they are checked with. */
const issuer = async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256")
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "k", use: "sig" }] })
  const server = createServer((_, response) => response.end(keys)).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/keys`,
    token: (tid: string, scp: string) =>
      new SignJWT({ tid, scp, ver: "2.0", azp: "attack", oid: "attacker" })
        .setProtectedHeader({ alg: "RS256", kid: "k" })
        .setIssuer(`https://login.microsoftonline.com/${tid}/v2.0`)
        .setAudience(audience)
        .setNotBefore("-1m")
        .setExpirationTime("1h")
        .sign(privateKey),
    close: () => server.close()
  }
}

/** Asks again and again, as one who has nothing to do with it, and gives the longest that an answer took. */
const probe = (url: string, headers: Readonly<Record<string, string>>) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const state = { worst: 0, asking: true }
  const ask = (): Promise<void> =>
    new Promise((resolve, reject) => {
      request(url, { agent, headers }, (response) => response.resume().once("end", resolve))
        .once("error", reject)
        .end()
    })
  const asked = (async () => {
    while (state.asking) {
      const started = performance.now()
      try {
        await ask()
      } catch {
        // Whether the service still is there is asked afterwards; a connection may end between two requests.
        await setTimeout(5)
        continue
      }
      state.worst = Math.max(state.worst, performance.now() - started)
      await setTimeout(5)
    }
    agent.destroy()
  })()
  return {
    end: async (): Promise<number> => {
      state.asking = false
      await asked
      return state.worst
    }
  }
}

/** What a process has of memory now, in MiB; nothing where the system does not tell. */
const residentMiB = async (pid: number | undefined): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "")
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

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

const attack = async (): Promise<boolean> => {
  const stall = Number(values.stall)
  const memory = Number(values.memory)
  const folder = await mkdtemp(join(tmpdir(), "workanywhere-attack-"))
  const keys = await issuer()
  const readWrite = "DeviceManagementManagedDevices.ReadWrite.All"
  const [token, powerless, others] = await Promise.all([
    keys.token(tenantIds.attacker, readWrite),
    keys.token(tenantIds.attacker, "nothing"),
    keys.token(tenantIds.other, readWrite)
  ])
  const start = () =>
    running({
      WFA_STORE: `sqlite:${join(folder, "devices.sqlite")}`,
      WFA_FLEET: "1000",
      WFA_LOG: "off",
      WFA_AUTH: "entra",
      WFA_AUDIENCE: audience,
      WFA_TENANTS: Object.values(tenantIds).join(","),
      WFA_JWKS_URL: keys.url
    })
  const path = "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"
  const headers = { authorization: `Bearer ${others}` }

  let service = await start()
  let held = true
  line(["attack", "healthz ms", "by key ms", "peak MiB", "  answers"])
  try {
    for (const name of Object.keys(attacks).filter((one) => one.includes(values.only))) {
      const { url, child } = service
      const page = (await (await fetch(`${url}${path}?$top=1`, { headers })).json()) as {
        readonly value: ReadonlyArray<{ readonly id: string }>
      }
      const probes = [probe(`${url}/healthz`, {}), probe(`${url}${path}/${page.value[0]?.id}`, headers)]
      let peak = 0
      const looking = setInterval(async () => (peak = Math.max(peak, await residentMiB(child.pid))), 50)
      const answers = await played(name, { url, token, powerless, millis: values.short === true ? 1_000 : 10_000 })
      clearInterval(looking)
      const worst = await Promise.all(probes.map(({ end }) => end()))
      const isUp = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) }).then(
        ({ ok }) => ok,
        () => false
      )
      const isWithin = isUp && worst.every((millis) => millis <= stall) && peak <= memory
      held &&= isWithin
      const told = Object.entries(answers).map(([status, count]) => `${count} × ${status}`)
      const cells = [...worst.map((millis) => millis.toFixed(0)), peak.toFixed(0)]
      line([name, ...cells, `  ${told.join(", ")}${isWithin ? "" : isUp ? "  OVER A BOUND" : "  THE SERVICE ENDED"}`])
      if (!isUp) {
        await service[Symbol.asyncDispose]()
        service = await start()
      }
    }
  } finally {
    await service[Symbol.asyncDispose]()
    keys.close()
    await rm(folder, { recursive: true, force: true })
  }
  process.stdout.write(`bounds: ${stall} ms, ${memory} MiB: ${held ? "kept" : "NOT KEPT"}\n`)
  return held
}

if (values.help === true) process.stdout.write(help)
else process.exitCode = (await attack()) ? 0 : 1
