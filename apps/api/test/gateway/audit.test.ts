import { execFile } from "node:child_process"
import { appendFile, chmod, readFile, stat, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { openAudit } from "../../src/gateway/audit.ts"
import { defaultSettings } from "../../src/settings/config.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { openGateway } from "../../src/gateway/open.ts"
import { type AuditRecord, openedGateway } from "../gateways.ts"
import { startService } from "../../src/service.ts"
import { devicesPath, failureOf, jsonRequest, metricsPath, temporaryFolder } from "../opened.ts"
import { ended, running } from "../process.ts"
import { served } from "../tokens.ts"

const intent = {
  method: "PATCH",
  path: "/x",
  caller: { tenant: "t", app: "a" },
  requestId: "r",
  clientRequestId: "c",
  old: "none",
  changes: {}
} as const

const linesOf = async (path: string) => (await readFile(path, "utf8")).split("\n").slice(0, -1)

const recordsOf = async (path: string): Promise<ReadonlyArray<AuditRecord>> =>
  (await linesOf(path)).map((line) => JSON.parse(line))

const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8")

/** Runs what the README shows for finding writes that were on their way, over a log. */
const onTheirWay = async (path: string) => {
  const [, command = ""] = /<!-- audit -->\n+```sh\n(.*?)```/s.exec(readme) ?? []
  expect(command).toContain("audit.jsonl")
  const { stdout } = await promisify(execFile)("sh", ["-c", command.replaceAll("audit.jsonl", path)])
  return stdout.split("\n").filter((line) => line !== "")
}

describe("the log of writes", () => {
  it("calls an update done that was acknowledged, also when it cannot be read back", async () => {
    let reads = 0
    await using upstream = await served((request, response) => {
      const status = request.method === "PATCH" ? 204 : (reads += 1) === 1 ? 200 : 403
      response.writeHead(status, { "content-type": "application/json" })
      response.end(status === 200 ? '{"id":"a","model":"X"}' : "")
    })
    await using gateway = await openedGateway(upstream.url)
    const answer = await fetch(`${gateway.url}${devicesPath}/a`, jsonRequest("PATCH", { model: "Y" }))
    expect([answer.status, await answer.text()]).toEqual([204, ""])
    const [, ending] = await gateway.audited()
    expect(ending).toMatchObject({ event: "outcome", outcome: "done", status: 204 })
  })

  it("has what is new, what changes and what goes away, with who, what, outcome and ids", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a", model: "X", windowsScore: 3 }] })
    await using gateway = await openedGateway(await graph.url())
    const headers = { "content-type": "application/json", "client-request-id": "of-the-caller" }
    const send = (method: string, path: string, body?: object) =>
      fetch(gateway.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    const update = {
      "@odata.type": "#microsoft.graph.userExperienceAnalyticsWorkFromAnywhereDevice",
      model: null,
      windowsScore: 4.5
    }
    expect((await send("PATCH", `${devicesPath}/a`, update)).status).toBe(200)
    expect((await send("POST", devicesPath, { model: "Y" })).status).toBe(201)
    expect((await send("DELETE", `${devicesPath}/a`)).status).toBe(204)
    expect((await send("DELETE", `${devicesPath}/a`)).status).toBe(404)
    expect((await send("POST", `/beta${metricsPath}`, { id: "m" })).status).toBe(201)
    const records = await gateway.audited()
    expect(records).toHaveLength(10)
    const pairs = [0, 2, 4, 6, 8].map((index) => [records[index], records[index + 1]] as const)
    for (const [before, after] of pairs) {
      expect([before?.event, after?.event, after?.id]).toEqual(["intent", "outcome", before?.id])
      expect(before).toMatchObject({ caller: { tenant: "local", app: "local" }, clientRequestId: "of-the-caller" })
      expect(Date.parse(String(before?.["time"]))).not.toBeNaN()
      expect(after?.["upstreamRequestId"]).toMatch(/^[\da-f-]{36}$/)
    }
    const [patched, posted, gone, missing, metric] = pairs
    expect(patched?.[0]).toMatchObject({ method: "PATCH", metricId: "allDevices", deviceId: "a", old: "read" })
    expect(patched?.[0]?.["changes"]).toEqual({ model: { old: "X", new: null }, windowsScore: { old: 3, new: 4.5 } })
    expect(patched?.[1]).toMatchObject({ outcome: "done", status: 200 })
    expect(posted?.[0]).toMatchObject({ method: "POST", old: "none", changes: { model: { new: "Y" } } })
    expect(posted?.[1]).toMatchObject({ outcome: "done", status: 201, createdId: expect.any(String) })
    expect(gone?.[0]).toMatchObject({ method: "DELETE", changes: { id: { old: "a" }, windowsScore: { old: 4.5 } } })
    expect(missing?.[0]).toMatchObject({ old: "unknown", oldUnknownBecause: expect.stringContaining("404") })
    expect(missing?.[1]).toMatchObject({ outcome: "refused", status: 404, code: "ResourceNotFound" })
    expect(metric?.[0]).toMatchObject({ path: `/beta${metricsPath}`, changes: { id: { new: "m" } } })
  })

  it("has no write that was refused here, and none that could not be asked about", async () => {
    await using graph = await served((_, response) => response.writeHead(503, { "retry-after": "60" }).end())
    await using gateway = await openedGateway(graph.url)
    expect((await fetch(`${gateway.url}${devicesPath}/a`, jsonRequest("PATCH", { model: 1 }))).status).toBe(400)
    expect((await fetch(`${gateway.url}${devicesPath}/a`, jsonRequest("PATCH", { model: "X" }))).status).toBe(503)
    expect(await gateway.audited()).toEqual([])
  })

  it.for([
    ["failed", 429, "failed"],
    ["refused", 400, "refused"],
    ["refused, because it is not implemented", 501, "refused"],
    ["ended in the middle", 500, "unknown"]
  ] as const)("says that a write %s", async ([, status, outcome]) => {
    await using graph = await served((request, response) => {
      response.writeHead(request.method === "GET" ? 200 : status, {
        "content-type": "application/json",
        "retry-after": "60"
      })
      response.end('{"id":"a"}')
    })
    await using gateway = await openedGateway(graph.url)
    expect((await fetch(`${gateway.url}${devicesPath}/a`, jsonRequest("PATCH", { model: "X" }))).status).toBe(status)
    expect((await gateway.audited())[1]).toMatchObject({ outcome, status })
  })

  it("[F101] keeps a write from being sent when it cannot be kept: 503, and reading goes on", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "audit.jsonl")
    const written: Array<string | undefined> = []
    await using graph = await served((request, response) => {
      if (request.method !== "GET") written.push(request.url)
      response.writeHead(200, { "content-type": "application/json" }).end('{"id":"a"}')
    })
    const env = { WFA_UPSTREAM: graph.url, WFA_UPSTREAM_WRITES: "on", WFA_AUDIT: path }
    // No file of the process may grow beyond a few thousand bytes, as on a disk that is full then.
    await using gateway = await running(env, "main.ts", ["sh", "-c", 'ulimit -f 4 && exec "$0" "$@"'])
    const update = async () => {
      const response = await fetch(`${gateway.url}${devicesPath}/a`, jsonRequest("PATCH", { model: "x".repeat(300) }))
      return response.status === 200 ? undefined : { status: response.status, ...(await failureOf(response)) }
    }
    let failure: Awaited<ReturnType<typeof update>>
    for (let count = 0; count < 20 && failure === undefined; count++) failure = await update()
    expect(failure).toMatchObject({
      status: 503,
      code: "serviceNotAvailable",
      message: expect.stringMatching(/nothing was sent/)
    })
    const before = written.length
    expect(before).toBeGreaterThan(0)
    expect(await update()).toMatchObject({ status: 503 })
    expect(written.length).toBe(before)
    const intents = (await linesOf(path)).filter((line) => line.includes('"event":"intent"'))
    expect(intents.length).toBe(before)
    expect((await fetch(`${gateway.url}${devicesPath}/a`)).status).toBe(200)
  })

  it("is closed when the outcomes that are still to come are in it", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "audit.jsonl")
    const audit = await openAudit(path)
    const end = await audit.begin(intent)
    const closing = audit.close()
    await Promise.all([closing, end({ outcome: "unknown" })])
    expect((await recordsOf(path)).map(({ event }) => event)).toEqual(["intent", "outcome"])
    await expect(audit.begin(intent)).rejects.toThrow(/closed|EBADF/)
  })

  it("is made for this user alone, also when it was there before", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "audit.jsonl")
    const modeOf = async () => (await stat(path)).mode & 0o777
    await (await openAudit(path)).close()
    expect(await modeOf()).toBe(0o600)
    await chmod(path, 0o644)
    await (await openAudit(path)).close()
    expect(await modeOf()).toBe(0o600)
  })

  it("is only ever added to, and begins a line of its own after one that a crash cut", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "audit.jsonl")
    const first = await openAudit(path)
    await first.begin(intent)
    await first.close()
    await appendFile(path, '{"id":"cut')
    const second = await openAudit(path)
    await (
      await second.begin(intent)
    )({ outcome: "done" })
    await second.close()
    const lines = await linesOf(path)
    expect(lines).toHaveLength(4)
    expect(lines[1]).toBe('{"id":"cut')
    expect(lines.filter((line) => line !== lines[1]).map((line) => JSON.parse(line).event)).toEqual([
      "intent",
      "intent",
      "outcome"
    ])
  })

  it("has many records at the same time whole and in order, each on disk before it is acknowledged", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "audit.jsonl")
    const audit = await openAudit(path)
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const end = await audit.begin({ ...intent, requestId: String(index) })
        expect((await recordsOf(path)).some(({ requestId }) => requestId === String(index))).toBe(true)
        await end({ outcome: "done" })
      })
    )
    await audit.close()
    const records = await recordsOf(path)
    expect(records).toHaveLength(400)
    const seen = new Set<string>()
    for (const { event, id } of records) {
      expect(seen.has(id)).toBe(event === "outcome")
      seen.add(id)
    }
    expect(await onTheirWay(path)).toEqual([])
  })

  it("shows the writes that were on their way when the process was killed, by the README's command", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "audit.jsonl")
    const arrived = Promise.withResolvers<void>()
    await using graph = await served((request, response) => {
      if (request.method === "PATCH" && request.url?.endsWith("/slow") === true) return arrived.resolve()
      response.writeHead(200, { "content-type": "application/json" }).end('{"id":"a"}')
    })
    const env = { WFA_UPSTREAM: graph.url, WFA_UPSTREAM_WRITES: "on", WFA_AUDIT: path }
    await using gateway = await running(env)
    await fetch(`${gateway.url}${devicesPath}/quick`, jsonRequest("PATCH", { model: "X" }))
    const lost = fetch(`${gateway.url}${devicesPath}/slow`, jsonRequest("PATCH", { model: "X" })).catch(() => "lost")
    await arrived.promise
    gateway.child.kill("SIGKILL")
    await ended(gateway.child)
    expect(await lost).toBe("lost")
    const [id, ...others] = await onTheirWay(path)
    expect(others).toEqual([])
    expect((await recordsOf(path)).find((record) => record.id === id)).toMatchObject({
      event: "intent",
      deviceId: "slow"
    })
    await using again = await running(env)
    expect(again.url).toBeDefined()
    expect(await onTheirWay(path)).toEqual([id])
  })
})

const upstream = "http://127.0.0.1:9"

const start = (settings: Partial<typeof defaultSettings>) => openGateway({ ...defaultSettings, ...settings, upstream })

describe("a gateway that cannot start", () => {
  it("says which log of writes cannot be kept, secret not read, or certificate not fit", async () => {
    await using folder = await temporaryFolder()
    const at = (name: string) => join(folder.path, name)
    await writeFile(at("empty"), "\n")
    await writeFile(at("text.pem"), "canary-s3cret")
    await symlink(at("nowhere/file"), at("link"))
    const writing = { upstreamWrites: "on" } as const
    await expect(start({ ...writing, audit: folder.path })).rejects.toThrow(/^cannot keep the log of writes .*EISDIR/)
    await expect(start({ ...writing, audit: at("none/audit") })).rejects.toThrow(
      /^cannot keep the log of writes .*ENOENT/
    )
    await expect(start({ ...writing, audit: at("link") })).rejects.toThrow(/^cannot keep the log of writes/)
    await expect(start({ ...writing, audit: "/dev/null" })).rejects.toThrow(/it is not a file$/)
    await expect(start({ upstreamClientSecretFile: at("none") })).rejects.toThrow(/^cannot read the client secret/)
    await expect(start({ upstreamClientSecretFile: at("empty") })).rejects.toThrow(/it is empty$/)
    await expect(start({ upstreamCertificate: at("none") })).rejects.toThrow(/^cannot read the certificate/)
    const wrong = await start({ upstreamCertificate: at("text.pem") }).catch((error: unknown) => String(error))
    expect(wrong).toMatch(/expected PEM with a certificate and its private key$/)
    expect(wrong).not.toContain("canary")
  })

  it("says that it is its own upstream", async () => {
    const free = await served(() => {})
    await free[Symbol.asyncDispose]()
    const port = Number(new URL(free.url).port)
    await expect(startService({ ...defaultSettings, port, upstream: `http://localhost:${port}` })).rejects.toThrow(
      /where this service itself listens/
    )
  })
})
