import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { request } from "node:http"
import { connect } from "node:net"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { describe, expect, it } from "vitest"
import { httpServer, startService } from "../src/service.ts"
import { defaultSettings, readSettings } from "../src/settings/config.ts"
import { StartError } from "../src/settings/settings.ts"
import { devicesPath, documentedId, openedApp, temporaryFolder } from "./opened.ts"
import { smallHeap } from "./process.ts"

const started = async () => {
  const { url, close } = await startService({ ...defaultSettings, port: 0, fleet: 1 })
  return { url, [Symbol.asyncDispose]: close }
}

const devicePath = `${devicesPath}/${documentedId}`

/** Sends a body in pieces, without its length unless headers declare it, and gives the status of the answer. */
const sent = async (url: string, headers: Record<string, string>, pieces: ReadonlyArray<string>) => {
  const exchange = request(`${url}${devicePath}`, {
    method: "PATCH",
    headers: { "content-type": "application/json", ...headers }
  })
  // The service may answer and hang up before it was sent everything.
  exchange.on("error", () => {})
  const answered = once(exchange, "response")
  for (const piece of pieces) exchange.write(piece)
  exchange.end()
  const [response] = await answered
  return [response.statusCode, JSON.parse(await text(response)).error?.code]
}

const raw = async (url: string, message: string) => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(message)
  return await text(socket)
}

it.each(["package.json", "Dockerfile"])(
  "is started by %s with half of the memory that Node would take",
  async (file) => {
    expect(await readFile(join(import.meta.dirname, "../../..", file), "utf8")).toContain(smallHeap)
  }
)

it("is composed so that it may write nothing, gain no rights, and take no more than its share", async () => {
  const compose = await readFile(join(import.meta.dirname, "../../../compose.yaml"), "utf8")
  const forms = [
    compose.slice(compose.indexOf("  graph:"), compose.indexOf("  api:")),
    compose.slice(compose.indexOf("  api:"), compose.indexOf("  postgres:\n    image"))
  ]
  for (const form of forms) {
    for (const wanted of [
      "read_only: true",
      "cap_drop: [ALL]",
      'security_opt: ["no-new-privileges:true"]',
      "mem_limit: 1g",
      "pids_limit:",
      "healthcheck:"
    ]) {
      expect(form).toContain(wanted)
    }
  }
  const dockerfile = await readFile(join(import.meta.dirname, "../../../Dockerfile"), "utf8")
  expect(dockerfile).toMatch(/^ARG BASE=node:[\w.-]+@sha256:[\da-f]{64}$/m)
  expect(dockerfile.match(/^FROM .*$/gm)).toEqual(["FROM ${BASE} AS build", "FROM ${BASE}"])
})

/** The settings of a service in compose.yaml, with what stands in for variables that are not given. */
const settingsOf = (form: string) =>
  Object.fromEntries(
    [...form.matchAll(/^      (WFA_\w+): (.*)$/gm)].map(([, name = "", value = ""]) => [
      name,
      value.replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1")
    ])
  )

it("is composed in two forms whose settings fit: for a CI job without a tenant, and over PostgreSQL", async () => {
  const compose = await readFile(join(import.meta.dirname, "../../../compose.yaml"), "utf8")
  const graph = settingsOf(compose.slice(compose.indexOf("  graph:"), compose.indexOf("  api:")))
  expect(readSettings({ WFA_HOST: "0.0.0.0", ...graph })).toMatchObject({
    success: true,
    data: { auth: "none", expose: "synthetic", store: "memory", fleet: 1_000 }
  })
  const api = settingsOf(compose.slice(compose.indexOf("  api:")))
  const given = { WFA_AUDIENCE: "api://devices.example", WFA_TENANTS: "11111111-2222-3333-4444-555555555555" }
  const image = { WFA_HOST: "0.0.0.0", WFA_AUTH: "entra" }
  expect(readSettings({ ...image, ...api, ...given })).toMatchObject({ success: true, data: { publicUrl: undefined } })
  expect(readSettings({ ...image, ...api })).toMatchObject({
    problems: [expect.stringMatching(/^WFA_AUDIENCE/), expect.stringMatching(/^WFA_TENANTS/)]
  })
})

describe("the service on a port", () => {
  it("answers under the address it gives, and no longer once it is closed", async () => {
    const service = await startService({ ...defaultSettings, port: 0, fleet: 3 })
    const response = await fetch(`${service.url}${devicesPath}`)
    const page = (await response.json()) as { readonly value: ReadonlyArray<unknown> }
    expect(page.value).toHaveLength(3)
    await service.close()
    await expect(fetch(service.url)).rejects.toThrow("fetch failed")
  })

  it("gives links that lead back to it", async () => {
    await using service = await started()
    const response = await fetch(`${service.url}${devicesPath}?$top=1`)
    expect(((await response.json()) as Record<string, unknown>)["@odata.context"]).toContain(
      `${service.url}/beta/$metadata#`
    )
  })

  it("listens on IPv6 as well", async () => {
    const service = await startService({ ...defaultSettings, host: "::1", port: 0 })
    expect(service.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
    await service.close()
  })

  it("does not start where others could reach it without proving who they are", async () => {
    await expect(startService({ ...defaultSettings, host: "0.0.0.0", port: 0 })).rejects.toThrow(StartError)
  })

  it("lets others in without authentication where a setting says so, and over nothing but what is made up", async () => {
    await using folder = await temporaryFolder()
    const store = `sqlite:${join(folder.path, "devices.sqlite")}` as const
    const exposed = { ...defaultSettings, host: "0.0.0.0", port: 0, fleet: 2, expose: "synthetic", store } as const
    const first = await startService(exposed)
    const { port } = new URL(first.url)
    const answer = await raw(
      `http://127.0.0.1:${port}`,
      `GET ${devicesPath} HTTP/1.1\r\nHost: graph:4010\r\nConnection: close\r\n\r\n`
    )
    expect(answer).toMatch(/^HTTP\/1.1 200 /)
    expect(answer).toContain(`"@odata.context":"http://graph:4010/beta/$metadata#`)
    const foreign = await raw(
      `http://127.0.0.1:${port}`,
      `GET ${devicesPath} HTTP/1.1\r\nHost: graph:4010\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n`
    )
    expect(foreign).toMatch(/^HTTP\/1.1 400 /)
    await first.close()
    await expect(startService(exposed)).rejects.toThrow(
      new StartError(
        `WFA_EXPOSE=synthetic lets everyone in: it is for a store that is empty at the start, and ${store} is not`
      )
    )
    const inMemory = await startService({ ...exposed, store: "memory" })
    expect((await fetch(`http://127.0.0.1:${new URL(inMemory.url).port}/readyz`)).status).toBe(200)
    await inMemory.close()
  })

  it("refuses a body over 1 MiB, whether its length is declared or not, and goes on", async () => {
    await using service = await started()
    const large = JSON.stringify({ model: "x".repeat(1_048_576) })
    expect(await sent(service.url, { "content-length": String(large.length) }, [large])).toEqual([
      413,
      "invalidRequest"
    ])
    const chunks = large.match(/[^]{1,65536}/g) ?? []
    expect(await sent(service.url, { "transfer-encoding": "chunked" }, chunks)).toEqual([413, "invalidRequest"])
    expect(await sent(service.url, { "transfer-encoding": "chunked" }, ['{"model":', '"X"}'])).toEqual([200, undefined])
  })

  it("takes a body of exactly 1 MiB", async () => {
    await using service = await started()
    const frame = JSON.stringify({ model: "x", "@odata.etag": "" })
    const body = JSON.stringify({ model: "x", "@odata.etag": "x".repeat(1_048_576 - frame.length) })
    expect(await sent(service.url, { "content-length": String(body.length) }, [body])).toEqual([200, undefined])
  })

  it("closes the connection of a caller that does not speak HTTP", async () => {
    await using service = await started()
    expect(await raw(service.url, "hello\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /)
    expect(await raw(service.url, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(50_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /
    )
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
  })

  it("limits how long a caller may take and how much its headers may hold", async () => {
    await using opened = await openedApp("memory", [])
    const server = httpServer(opened.app)
    expect(server).toMatchObject({
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 10_000,
      timeout: 60_000
    })
  })
})
