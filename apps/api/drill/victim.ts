// A service in a process of its own that is attacked, and those who have nothing to do with it and are to notice nothing.
import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { Agent, createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout } from "node:timers/promises"
import { SignJWT, exportJWK, generateKeyPair } from "jose"
import { running } from "../test/process.ts"

/** Who attacks, and who has nothing to do with it. */
export const tenantIds = {
  attacker: "11111111-aaaa-4aaa-8aaa-111111111111",
  other: "22222222-bbbb-4bbb-8bbb-222222222222"
}

/** The permission that is enough for everything. */
export const readWrite = "DeviceManagementManagedDevices.ReadWrite.All"

/** Where the devices are that are attacked. */
export const devices = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"

const audience = "api://attacked.example"

/** Makes tokens, and serves the key that they are checked with. */
export const issuer = async () => {
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
        .setExpirationTime("12h")
        .sign(privateKey),
    close: () => server.close()
  }
}

/** A service that serves both tenants, who show tokens that are checked with the key at this address. */
export const startedVictim = (keysUrl: string, env: Readonly<Record<string, string>>) =>
  running({
    WFA_LOG: "off",
    WFA_AUTH: "entra",
    WFA_AUDIENCE: audience,
    WFA_TENANTS: Object.values(tenantIds).join(","),
    WFA_JWKS_URL: keysUrl,
    ...env
  })

/** Asks again and again, as one who has nothing to do with it; gives the longest that an answer took, and the middle of all. */
export const probe = (url: string, headers: Readonly<Record<string, string>>) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const took: Array<number> = []
  const state = { asking: true }
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
      took.push(performance.now() - started)
      await setTimeout(5)
    }
    agent.destroy()
  })()
  return {
    end: async (): Promise<{ readonly worst: number; readonly median: number }> => {
      state.asking = false
      await asked
      const inOrder = took.toSorted((a, b) => a - b)
      return { worst: inOrder.at(-1) ?? 0, median: inOrder[inOrder.length >> 1] ?? 0 }
    }
  }
}

const memoryOf = async (pid: number | undefined, name: "VmRSS" | "VmHWM"): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "")
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024
}

/** What a process has of memory now, in MiB; nothing where the system does not tell. */
export const residentMiB = (pid: number | undefined): Promise<number> => memoryOf(pid, "VmRSS")

/** The most that it ever had. */
export const peakMiB = (pid: number | undefined): Promise<number> => memoryOf(pid, "VmHWM")
