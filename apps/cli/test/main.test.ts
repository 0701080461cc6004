import { defaultSettings, startService } from "@workanywhere/api"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:http"
import { type AddressInfo } from "node:net"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { describe, expect, it } from "vitest"

const start = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) =>
  spawn(process.execPath, ["--conditions=@workanywhere/source", join(import.meta.dirname, "../src/main.ts"), ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })

describe("the wfa process", () => {
  it("prints data to stdout and ends with the code of its outcome", { timeout: 30_000 }, async () => {
    const service = await startService({ ...defaultSettings, port: 0, fleet: 2 })
    try {
      const env = { WFA_TARGET: `${service.url}/beta` }
      const listing = start(["device", "list", "--select", "id"], env)
      const [stdout] = await Promise.all([text(listing.stdout), once(listing, "exit")])
      expect(JSON.parse(stdout)).toHaveLength(2)
      expect(listing.exitCode).toBe(0)
      const missing = start(["device", "get", "nobody"], env)
      const [stderr] = await Promise.all([text(missing.stderr), once(missing, "exit")])
      expect(missing.exitCode).toBe(5)
      expect(stderr).not.toMatch(/\n\s+at /)
    } finally {
      await service.close()
    }
  })

  it("ends with 130 when it is interrupted, and closes its connection", { timeout: 30_000 }, async () => {
    const server = createServer(() => {}).listen(0, "127.0.0.1")
    await once(server, "listening")
    const asked = once(server, "request")
    const command = start(["device", "get", "d"], {
      WFA_TARGET: `http://127.0.0.1:${(server.address() as AddressInfo).port}/beta`
    })
    try {
      const [request] = await asked
      const closed = once(request.socket, "close")
      command.kill("SIGINT")
      await Promise.all([once(command, "exit"), closed])
      expect(command.exitCode).toBe(130)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it("ends quietly when the reader of its output goes away", { timeout: 30_000 }, async () => {
    const service = await startService({ ...defaultSettings, port: 0, fleet: 5000 })
    try {
      const listing = start(["device", "list", "-o", "jsonl"], { WFA_TARGET: `${service.url}/beta` })
      listing.stdout.once("data", () => listing.stdout.destroy())
      const [stderr] = await Promise.all([text(listing.stderr), once(listing, "exit")])
      expect({ code: listing.exitCode, stderr }).toEqual({ code: 0, stderr: "" })
    } finally {
      await service.close()
    }
  })
})
