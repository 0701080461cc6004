import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFile, readdir, stat } from "node:fs/promises"
import { connect } from "node:net"
import { dirname, join } from "node:path"
import { text } from "node:stream/consumers"
import type { Page, WholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import manifest from "../package.json" with { type: "json" }
import { devicesPath, documentedId, documentedUpdate, jsonRequest, temporaryFolder } from "./opened.ts"
import { ended, ran, running } from "./process.ts"

// Several processes start in each of these, and the machine may be busy.
const options = { timeout: 60_000 }

const devicePath = `${devicesPath}/${documentedId}`

/** A request on a connection of its own, of which the rest is sent later. */
const begun = (url: string, body: string) => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const half = Math.floor(body.length / 2)
  const head = `PATCH ${devicePath} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n`
  socket.write(`${head}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`)
  const answer = text(socket)
  return {
    /** Resolves when the service has the first half of the body. */
    reached: async () => {
      await once(socket, "data")
      socket.write(body.slice(0, half))
    },
    finish: () => socket.write(body.slice(half)),
    answer
  }
}

const refused = async (url: string): Promise<boolean> => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const outcome = await once(socket, "connect").then(
    () => false,
    () => true
  )
  socket.destroy()
  return outcome
}

/** A module that lets Node call itself another version. */
const pretending = (version: string) =>
  `data:text/javascript,import { syncBuiltinESMExports } from "node:module"; Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } }); syncBuiltinESMExports()`

describe("the command", () => {
  it.for(["error", "off"])("logs no request with WFA_LOG=%s", options, async (log) => {
    await using service = await running({ WFA_LOG: log })
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    service.child.kill("SIGTERM")
    expect(await ended(service.child)).toEqual({ code: 0, signal: null })
    expect(await service.stderr).toBe("")
  })

  it("prints one line on stdout, and everything else on stderr", options, async () => {
    await using service = await running({ WFA_FLEET: "1" })
    const response = await fetch(`${service.url}${devicePath}`, jsonRequest("PATCH", await documentedUpdate()))
    expect(response.status).toBe(200)
    service.child.kill("SIGTERM")
    expect(await ended(service.child)).toEqual({ code: 0, signal: null })
    expect(service.stdout()).toBe(`listening on ${service.url}\n`)
    const lines = (await service.stderr)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toEqual([expect.objectContaining({ method: "PATCH", path: devicePath, status: 200 })])
  })

  it.for(["SIGTERM", "SIGINT"] as const)(
    "finishes what is in flight on %s, takes nothing new, and exits with 0",
    options,
    async (signal) => {
      await using service = await running({ WFA_FLEET: "1" })
      const request = begun(service.url, JSON.stringify({ model: "in flight" }))
      await request.reached()
      service.child.kill(signal)
      while (!(await refused(service.url)));
      expect(service.child.exitCode).toBeNull()
      request.finish()
      expect(await request.answer).toMatch(/HTTP\/1.1 200 OK[^]*"model":"in flight"/)
      expect(await ended(service.child)).toEqual({ code: 0, signal: null })
    }
  )

  it("stops at once on a second signal", options, async () => {
    await using service = await running({ WFA_FLEET: "1" })
    const request = begun(service.url, JSON.stringify({ model: "never" }))
    await request.reached()
    service.child.kill("SIGTERM")
    while (!(await refused(service.url)));
    service.child.kill("SIGTERM")
    expect(await ended(service.child)).toEqual({ code: 143, signal: null })
    await request.answer.catch(() => "")
  })

  it(
    "prints its settings with --help and its version with --version, whatever the environment holds",
    options,
    async () => {
      const help = await ran(["--help"], { WFA_PORT: "wrong" })
      expect(help).toMatchObject({ code: 0, stderr: "" })
      expect(help.stdout).toContain("WFA_STORE")
      expect(await ran(["--version"])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: "" })
    }
  )

  it("exits with 2 for an argument that it does not know", options, async () => {
    const { code, stdout, stderr } = await ran(["--prot", "4011"])
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).toContain("--prot")
    expect(stderr).not.toContain("at ")
  })

  it("exits with 3 and lists every problem with its settings", options, async () => {
    const { code, stdout, stderr } = await ran([], { WFA_PORT: "x", WFA_AUTH: "token", WFA_HOST: "0.0.0.0" })
    expect([code, stdout]).toEqual([3, ""])
    expect(stderr.match(/^wfa-api: WFA_\w+: expected .*$/gm)).toHaveLength(3)
  })

  it("exits with 3 and one line when its port is in use", options, async () => {
    await using service = await running({})
    const { port } = new URL(service.url)
    const { code, stderr } = await ran([], { WFA_PORT: port })
    expect(code).toBe(3)
    expect(stderr).toBe(
      `wfa-api: cannot listen on port ${port} of 127.0.0.1: it is in use; set WFA_PORT to another port, or to 0 for a free one\n`
    )
  })

  it("exits with 3 and one line when its store cannot be used", options, async () => {
    const { code, stderr } = await ran([], { WFA_STORE: `sqlite:${import.meta.filename}` })
    expect(code).toBe(3)
    expect(stderr).toMatch(/^wfa-api: cannot use the store sqlite:.*: file is not a database\n$/)
    const inAFile = await ran([], { WFA_STORE: `sqlite:${join(import.meta.filename, "x.sqlite")}` })
    expect([inAFile.code, inAFile.stderr.split("\n").length]).toEqual([3, 2])
  })

  it("starts with a thousand devices in the user's data folder when it is started for a look", options, async () => {
    await using home = await temporaryFolder()
    const env = { HOME: home.path, XDG_DATA_HOME: join(home.path, "data"), LOCALAPPDATA: home.path }
    await using service = await running(env, "start.ts")
    const response = await fetch(`${service.url}${devicesPath}?$top=999`)
    const page = (await response.json()) as Page<WholeDevice>
    expect(page.value).toHaveLength(999)
    expect(page["@odata.nextLink"]).toBeDefined()
    service.child.kill("SIGTERM")
    await ended(service.child)
    const [, path = ""] =
      /^wfa-api: the devices are in (.*): a new file, with 1,000 devices made up$/m.exec(await service.stderr) ?? []
    expect(path.startsWith(home.path)).toBe(true)
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
    await using again = await running({ ...env, WFA_FLEET: "5" }, "start.ts")
    expect(((await (await fetch(`${again.url}${devicesPath}?$top=1`)).json()) as Page<WholeDevice>).value[0]).toEqual(
      page.value[0]
    )
    again.child.kill("SIGTERM")
    await ended(again.child)
    expect((await again.stderr).split("\n", 1)[0]).toMatch(
      /^wfa-api: the devices are in .*: 1,000 devices from before; WFA_FLEET=5 did nothing, because it fills only an empty store$/
    )
  })

  it("exits with 3 and names the folder when that of its store is not there, and makes none", options, async () => {
    await using folder = await temporaryFolder()
    const missing = join(folder.path, "no", "such")
    const store = `sqlite:${join(missing, "devices.sqlite")}`
    const expected = `cannot use the store ${store}: there is no folder ${missing}; make it, or correct WFA_STORE\n`
    expect(await ran([], { WFA_STORE: store })).toEqual({ code: 3, stdout: "", stderr: `wfa-api: ${expected}` })
    expect(await ran(["import", "-"], { WFA_STORE: store })).toEqual({
      code: 3,
      stdout: "",
      stderr: `wfa-api: ${expected}`
    })
    expect(await readdir(folder.path)).toEqual([])
  })

  it(
    "says which Node it needs to one that is too old, and loads nothing that such a one does not know",
    options,
    async () => {
      const [least = ""] = /\d+\.\d+/.exec(manifest.engines.node) ?? []
      const main = join(import.meta.dirname, "../src/main.ts")
      const young = spawn(process.execPath, [
        "--conditions=@workanywhere/source",
        "--import",
        pretending(`${least}.0`),
        main,
        "--version"
      ])
      expect(await ended(young)).toMatchObject({ code: 0 })
      for (const version of ["20.20.2", "22.18.9"]) {
        const old = spawn(process.execPath, ["--import", pretending(version), main])
        const [stderr, { code }] = await Promise.all([text(old.stderr), ended(old)])
        expect([stderr, code]).toEqual([`wfa-api: needs Node ${least} or later, and this is Node ${version}\n`, 3])
      }
      expect((await readFile(main, "utf8")).match(/^import .* from .*$/gm)).toEqual([
        'import { argv, env, exit, stderr, versions } from "node:process"',
        'import { exitCode } from "./exit.ts"'
      ])
    }
  )

  it("prints the help of an import by itself, and with the other help", options, async () => {
    const { code, stdout, stderr } = await ran(["import", "--help"], { WFA_PORT: "wrong" })
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(/^wfa-api import <file>\n\nPuts the devices/)
    expect(stdout).not.toContain("WFA_PORT")
    expect((await ran(["--help"])).stdout).toContain(stdout)
  })
})

/** Writes the same number to several properties, so that half an update would show. */
const updateOf = (round: number) => ({
  deviceName: `round ${round}`,
  serialNumber: `round ${round}`,
  windowsScore: round % 100,
  tenantAttached: round % 2 === 0,
  model: round % 3 === 0 ? null : `round ${round}`
})

describe("a store file", () => {
  it("can be made by two services that start at the same time", options, async () => {
    await using folder = await temporaryFolder()
    const env = { WFA_STORE: `sqlite:${join(folder.path, "devices.sqlite")}`, WFA_FLEET: "200" }
    const services = await Promise.all([running(env), running(env)])
    const pages = await Promise.all(
      services.map(
        async ({ url }) => ((await (await fetch(`${url}${devicesPath}?$top=999`)).json()) as Page<WholeDevice>).value
      )
    )
    for (const service of services) await service[Symbol.asyncDispose]()
    expect(pages[0]).toHaveLength(200)
    expect(pages[1]).toEqual(pages[0])
  })

  it("holds every acknowledged update, whole, after kill -9 in the middle of a thousand at once", options, async () => {
    await using folder = await temporaryFolder()
    const env = { WFA_STORE: `sqlite:${join(folder.path, "devices.sqlite")}`, WFA_FLEET: "1000" }
    const acknowledged = new Map<string, number>()

    await using killed = await running(env)
    const devices = `${killed.url}${devicesPath}`
    const listed: Array<WholeDevice> = []
    for (let next: string | undefined = `${devices}?$top=999`; next !== undefined;) {
      const page = (await (await fetch(next)).json()) as Page<WholeDevice>
      listed.push(...page.value)
      next = page["@odata.nextLink"]
    }
    let answers = 0
    let failures = 0
    await Promise.all(
      listed.map(async ({ id }) => {
        try {
          for (let round = 1; ; round++) {
            const response = await fetch(`${devices}/${id}`, jsonRequest("PATCH", updateOf(round)))
            await response.arrayBuffer()
            expect(response.status).toBe(200)
            acknowledged.set(id, round)
            if (++answers === 1500) killed.child.kill("SIGKILL")
          }
        } catch (error) {
          if (!(error instanceof TypeError)) throw error
          failures++
        }
      })
    )
    expect(await ended(killed.child)).toEqual({ code: null, signal: "SIGKILL" })
    expect(failures).toBe(1000)

    await using restarted = await running(env)
    for (const before of listed) {
      const response = await fetch(`${restarted.url}${devicesPath}/${before.id}`)
      const device = (await response.json()) as WholeDevice
      const round = /^round (\d+)$/.exec(device.deviceName ?? "")?.[1]
      const last = acknowledged.get(before.id) ?? 0
      // The last update may have been written without its acknowledgement having been sent.
      expect([last, last + 1]).toContain(Number(round ?? 0))
      expect(device).toMatchObject(round === undefined ? before : { ...before, ...updateOf(Number(round)) })
    }
  })
})
