import { defaultSettings, startService } from "@workanywhere/api"
import { protectedGraph } from "@workanywhere/tooling/protected-graph"
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

const ended = async (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  const command = start(args, env)
  const [stdout, stderr] = await Promise.all([text(command.stdout), text(command.stderr), once(command, "exit")])
  return { code: command.exitCode, stdout, stderr }
}

describe("an https target", () => {
  const list = ["device", "list", "--select", "id", "-o", "jsonl"]

  it("whose certificate is not trusted fails at once, and says how to trust it", { timeout: 30_000 }, async () => {
    await using graph = await protectedGraph()
    const distrusted = await ended(list, { WFA_TARGET: graph.url })
    expect({ code: distrusted.code, stdout: distrusted.stdout }).toEqual({ code: 7, stdout: "" })
    expect(distrusted.stderr).toContain("NODE_EXTRA_CA_CERTS")
    expect(distrusted.stderr).not.toContain("trying again")
    const trusted = await ended(list, { WFA_TARGET: graph.url, NODE_EXTRA_CA_CERTS: graph.trusted })
    expect(trusted).toEqual({ code: 0, stdout: '{"id":"1"}\n', stderr: "" })
  })

  it("that speaks plain http says so at once", { timeout: 30_000 }, async () => {
    await using graph = await protectedGraph()
    const { code, stderr } = await ended(list, { WFA_TARGET: `${graph.proxy.replace("http:", "https:")}/beta` })
    expect(code).toBe(7)
    expect(stderr).toContain("does it speak https?")
    expect(stderr).not.toContain("trying again")
  })

  it(
    "is reached through HTTPS_PROXY, in either case, and not through it where NO_PROXY names it",
    { timeout: 60_000 },
    async () => {
      await using graph = await protectedGraph()
      const env = { WFA_TARGET: "https://graph.example/beta", NODE_EXTRA_CA_CERTS: graph.trusted }
      for (const name of ["HTTPS_PROXY", "https_proxy"]) {
        expect(await ended(list, { ...env, [name]: graph.proxy })).toMatchObject({ code: 0, stdout: '{"id":"1"}\n' })
        expect(graph.asked.splice(0)).toEqual(["CONNECT graph.example:443", "GET graph.example"])
      }
      const direct = { ...env, WFA_TARGET: graph.url, HTTPS_PROXY: graph.proxy, NO_PROXY: "127.0.0.1" }
      expect(await ended(list, direct)).toMatchObject({ code: 0, stdout: '{"id":"1"}\n' })
      expect(graph.asked.splice(0)).toEqual([`GET ${new URL(graph.url).host}`])
    }
  )

  it("behind a proxy that wants to know who asks is told at once", { timeout: 30_000 }, async () => {
    await using graph = await protectedGraph()
    graph.refuse(407)
    const { code, stderr } = await ended(list, { WFA_TARGET: "https://graph.example/beta", HTTPS_PROXY: graph.proxy })
    expect(code).toBe(7)
    expect(stderr).toMatch(/^wfa: the proxy does not connect to graph\.example \(status 407\)/)
  })
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

  it.each(["SIGINT", "SIGTERM"] as const)(
    "closes what it prints when %s ends a list, says how far it came, and ends with 130",
    { timeout: 30_000 },
    async (signal) => {
      for (const format of ["json", "csv"]) {
        for (const arrived of [2, 0]) {
          const waiting = Promise.withResolvers<void>()
          const server = createServer((request, response) => {
            if (arrived === 0 || request.url?.includes("skiptoken") === true) return waiting.resolve()
            const link = `http://${request.headers.host}${request.url?.split("?")[0]}?$skiptoken=x`
            response.setHeader("content-type", "application/json")
            response.end(JSON.stringify({ value: [{ id: "1" }, { id: "2" }], "@odata.nextLink": link }))
          }).listen(0, "127.0.0.1")
          await once(server, "listening")
          try {
            const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/beta`
            const listing = start(["device", "list", "--select", "id", "-o", format], { WFA_TARGET: target })
            const printed = Promise.all([text(listing.stdout), text(listing.stderr), once(listing, "exit")])
            await waiting.promise
            listing.kill(signal)
            const [stdout, stderr] = await printed
            expect(listing.exitCode).toBe(130)
            expect(stderr).toBe(`wfa: interrupted after ${arrived} devices\n`)
            const whole = format === "json" ? '[\n{"id":"1"},\n{"id":"2"}\n]\n' : "id\r\n1\r\n2\r\n"
            expect(stdout).toBe(arrived === 0 ? "" : whole)
          } finally {
            server.closeAllConnections()
            server.close()
          }
        }
      }
    }
  )

  it("says that nobody knows of an update that is interrupted", { timeout: 30_000 }, async () => {
    const server = createServer(() => {}).listen(0, "127.0.0.1")
    await once(server, "listening")
    const asked = once(server, "request")
    const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/beta`
    const updating = start(["device", "update", "d", "--set", "model=X"], { WFA_TARGET: target })
    try {
      const printed = Promise.all([text(updating.stderr), once(updating, "exit")])
      await asked
      updating.kill("SIGINT")
      const [stderr] = await printed
      expect(updating.exitCode).toBe(130)
      expect(stderr).toMatch(/^wfa: interrupted\. Whether the write took effect is not known: read the device back/)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it("says which Node it needs where that is too old, and loads nothing else", { timeout: 30_000 }, async () => {
    const older = 'Object.defineProperty(process.versions, "node", { value: "20.19.1" })'
    const options = `--import=data:text/javascript,${encodeURIComponent(older)}`
    const command = start(["device", "list"], { NODE_OPTIONS: options })
    const [stderr] = await Promise.all([text(command.stderr), once(command, "exit")])
    expect([command.exitCode, stderr]).toEqual([3, "wfa: Node 22.19 or later is needed, and this is Node 20.19.1\n"])
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
