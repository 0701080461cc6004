import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { faultScriptSchema } from "../../src/rehearsal/fault-script.ts"
import { createRehearsal } from "../../src/rehearsal/rehearsal.ts"
import { startService } from "../../src/service.ts"
import { defaultSettings } from "../../src/settings/config.ts"
import { StartError } from "../../src/settings/settings.ts"
import { devicesPath, failureOf, jsonRequest, metricsPath, openedApp, temporaryFolder } from "../opened.ts"

type Fetch = (path: string, init?: RequestInit) => Promise<Response> | Response

const idsIn = async (fetch: Fetch) => {
  const page = (await (await fetch(`${devicesPath}?$select=id`)).json()) as {
    readonly value: ReadonlyArray<{ readonly id: string }>
  }
  return page.value.map(({ id }) => id)
}

const throttleOnce = { seed: 7, rules: [{ when: { method: "GET", nth: 1 }, effect: { kind: "throttle" } }] }

describe("the local routes", () => {
  it("put another fleet in the place of the devices, and bring the first ones back", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }, { id: "b" }] })
    const seeded = await graph.fetch("/_local/seed", jsonRequest("POST", { size: 3, seed: 9 }))
    expect([seeded.status, await seeded.json()]).toEqual([200, { fleet: { size: 3, seed: 9 } }])
    const nine = await idsIn(graph.fetch)
    expect(nine).toHaveLength(3)
    await graph.fetch("/_local/seed", jsonRequest("POST", { size: 3 }))
    expect(await idsIn(graph.fetch)).not.toEqual(nine)
    const reset = await graph.fetch("/_local/reset", { method: "POST" })
    expect([reset.status, await reset.text()]).toEqual([204, ""])
    expect(await idsIn(graph.fetch)).toEqual(["a", "b"])
  })

  it("take away the metrics that callers created when they put other devices in place", async () => {
    await using graph = await createLocalGraph()
    await graph.fetch(`/beta${metricsPath}`, jsonRequest("POST", { id: "mine" }))
    await graph.fetch(`/beta${metricsPath}/mine/metricDevices`, jsonRequest("POST", { id: "a" }))
    await graph.fetch("/_local/reset", { method: "POST" })
    expect((await graph.fetch(`/beta${metricsPath}/mine`)).status).toBe(404)
    await graph.fetch(`/beta${metricsPath}`, jsonRequest("POST", { id: "mine" }))
    expect((await graph.fetch(`/beta${metricsPath}/mine/metricDevices/a`)).status).toBe(404)
  })

  it("take a fault script, give it back with everything filled in, and start it from its beginning", async () => {
    await using graph = await createLocalGraph()
    for (let round = 0; round < 2; round++) {
      const put = await graph.fetch("/_local/faults", jsonRequest("PUT", throttleOnce))
      const script = await put.json()
      expect(script).toEqual({
        seed: 7,
        retryAfter: true,
        rules: [{ when: { method: "GET", nth: 1 }, effect: { kind: "throttle", asDate: false } }]
      })
      expect(await (await graph.fetch("/_local/faults")).json()).toEqual(script)
      expect((await graph.fetch(devicesPath)).status).toBe(429)
      expect((await graph.fetch(devicesPath)).status).toBe(200)
    }
    await graph.fetch("/_local/reset", { method: "POST" })
    expect(await (await graph.fetch("/_local/faults")).json()).toMatchObject({ rules: [] })
  })

  it("refuse a script or a fleet that does not fit, naming each place, and keep what there was", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    const script = await graph.fetch("/_local/faults", jsonRequest("PUT", { rules: [{ effect: { kind: "x" } }], y: 1 }))
    const { code, details = [] } = await failureOf(script)
    expect([script.status, code]).toEqual([400, "ModelValidationFailure"])
    expect(details.map(({ target }) => target)).toEqual(["rules.0.effect.kind", ""])
    const fleet = await graph.fetch("/_local/seed", jsonRequest("POST", { size: 1_000_001 }))
    expect((await failureOf(fleet)).message).toContain("size")
    expect(await idsIn(graph.fetch)).toEqual(["a"])
  })

  it("publish the schema of a fault script", async () => {
    await using graph = await createLocalGraph()
    expect(await (await graph.fetch("/_local/faults/schema")).json()).toEqual(faultScriptSchema())
  })

  it("tell what each caller did, without bodies, queries and tokens", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }, { id: "b" }] })
    await graph.fetch(`${devicesPath}?$top=1&x=canary1`, { headers: { authorization: "Bearer canary2" } })
    await graph.fetch(`${devicesPath}/a`, {
      ...jsonRequest("PATCH", { model: "canary3" }),
      headers: { "content-type": "application/json", "x-wfa-app": "nightly" }
    })
    const text = await (await graph.fetch("/_local/calls")).text()
    expect(text).not.toContain("canary")
    expect(JSON.parse(text)).toEqual({
      forgotten: 0,
      calls: [
        {
          number: 1,
          caller: { tenant: "local", app: "local" },
          method: "GET",
          route: "devices",
          metricId: "allDevices",
          path: devicesPath,
          status: 200,
          requestId: expect.any(String),
          hasClientRequestId: false,
          hasSelect: false,
          isOverBudget: false,
          top: 1,
          sent: expect.stringMatching(/^\d{4}-.*Z$/),
          durationMillis: expect.any(Number),
          followsNextLink: false,
          hasNextLink: true
        },
        expect.objectContaining({ number: 2, caller: { tenant: "local", app: "nightly" }, deviceId: "a", status: 200 })
      ]
    })
  })

  it("judge callers, as JSON and as JUnit", async () => {
    await using graph = await createLocalGraph()
    await graph.fetch(devicesPath)
    const verdict = await graph.fetch("/_local/verdict")
    expect(await verdict.json()).toMatchObject({ passed: false, calls: 1 })
    for (const [query, accept] of [
      ["?format=junit", "*/*"],
      ["", "application/xml"]
    ] as const) {
      const junit = await graph.fetch(`/_local/verdict${query}`, { headers: { accept } })
      expect(junit.headers.get("content-type")).toBe("application/xml; charset=utf-8")
      expect(await junit.text()).toBe(graph.verdict().junit())
    }
  })

  it("are not for pages of other sites", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    for (const headers of [{ origin: "https://example.org" }, { "sec-fetch-site": "cross-site" }, { origin: "null" }]) {
      const response = await graph.fetch("/_local/reset", { method: "POST", headers })
      expect([response.status, (await failureOf(response)).code]).toEqual([403, "Forbidden"])
    }
    const own = { origin: "https://graph.microsoft.com", "sec-fetch-site": "same-origin" }
    expect((await graph.fetch("/_local/reset", { method: "POST", headers: own })).status).toBe(204)
  })

  it("are absent where others can reach the service, and so are the headers that choose a profile", async () => {
    await using opened = await openedApp("memory", ["a"])
    const app = createApp({ store: opened.store, rehearsal: createRehearsal({ hasControls: false }) })
    for (const path of ["/_local/reset", "/_local/calls", "/_local/faults", "/_local/verdict"]) {
      const response = await app.request(path, { method: path.endsWith("reset") ? "POST" : "GET" })
      expect([response.status, (await failureOf(response)).message]).toEqual([400, expect.stringContaining("_local")])
    }
    const headers = { "content-type": "application/json", "x-wfa-profile": "observed", "x-wfa-read-only": "ignore" }
    const updated = await app.request(`${devicesPath}/a`, { method: "PATCH", body: '{"model":"X"}', headers })
    expect(await updated.json()).toMatchObject({ model: "X" })
    expect(await idsIn((path) => app.request(path))).toEqual(["a"])
  })
})

describe("the service", () => {
  it("behaves as its settings say, and a reset brings its own fleet back", async () => {
    await using folder = await temporaryFolder()
    const faults = join(folder.path, "faults.json")
    await writeFile(faults, JSON.stringify(throttleOnce))
    const service = await startService({ ...defaultSettings, port: 0, fleet: 4, profile: "observed", faults })
    const call: Fetch = (path, init) => fetch(`${service.url}${path}`, init)
    expect((await call(devicesPath)).status).toBe(429)
    const before = await idsIn(call)
    expect(before).toHaveLength(4)
    expect((await call(`${devicesPath}/${before[0]}`, jsonRequest("PATCH", { model: "X" }))).status).toBe(400)
    await call("/_local/seed", jsonRequest("POST", { size: 1, seed: 2 }))
    expect((await call("/_local/reset", { method: "POST" })).status).toBe(204)
    expect((await call(devicesPath)).status).toBe(429)
    expect(await idsIn(call)).toEqual(before)
    await service.close()
  })

  it("closes though a fault holds a request", async () => {
    await using folder = await temporaryFolder()
    const faults = join(folder.path, "faults.json")
    await writeFile(faults, JSON.stringify({ rules: [{ effect: { kind: "hang" } }] }))
    const service = await startService({ ...defaultSettings, port: 0, faults })
    const held = fetch(`${service.url}${devicesPath}`).catch((error: unknown) => error)
    // By then the first will have come; if it should not, it is refused, which looks the same.
    await fetch(`${service.url}/healthz`)
    await service.close()
    expect(await held).toBeInstanceOf(TypeError)
  })

  it("does not start with a fault script that it cannot read, or that does not fit", async () => {
    await using folder = await temporaryFolder()
    const faults = join(folder.path, "faults.json")
    const starting = () => startService({ ...defaultSettings, port: 0, faults })
    await expect(starting()).rejects.toThrow(StartError)
    await writeFile(faults, "{")
    await expect(starting()).rejects.toThrow(/cannot read the fault script/)
    await writeFile(faults, '{"rules":[{"effect":{"kind":"x"}}]}')
    await expect(starting()).rejects.toThrow(/does not fit: rules\.0\.effect\.kind: /)
  })
})
