import { connect } from "node:net"
import { text } from "node:stream/consumers"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { type Reach, straight } from "../../src/http/reach.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { httpServer, startService } from "../../src/service.ts"
import { defaultSettings } from "../../src/settings/config.ts"
import { listening } from "../listening.ts"
import { devicesPath, failureOf, jsonRequest, metricsPath, modelsPath, openedApp } from "../opened.ts"
import { openedEntra } from "../tokens.ts"

/** A service on a port, of devices that fill several pages. */
const reached = async (reach: Partial<Reach>) => {
  const opened = await openedApp("memory", ["a", "b", "c"])
  const app = createApp({ store: opened.store, reach: { ...straight, ...reach } })
  const server = await listening(httpServer(app))
  return {
    app,
    port: server.port,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await opened[Symbol.asyncDispose]()
    }
  }
}

/** What the service answers to a request with these headers, as it came on the wire; and its body where that is JSON. */
const asked = async (
  port: number,
  headers: Readonly<Record<string, string>>,
  line = `GET ${devicesPath}?$top=1`,
  body = ""
) => {
  const socket = connect(port, "127.0.0.1")
  const all = {
    host: "localhost",
    connection: "close",
    ...(body === "" ? {} : { "content-type": "application/json", "content-length": String(body.length) }),
    ...headers
  }
  socket.write(
    `${line} HTTP/1.1\r\n${Object.entries(all)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}\r\n${body}`
  )
  const [head = "", rest = ""] = (await text(socket)).split("\r\n\r\n", 2)
  return {
    status: Number(head.split(" ", 2)[1]),
    location: /^location: (.*)$/im.exec(head)?.[1],
    body: (rest.startsWith("{") ? JSON.parse(rest) : {}) as Readonly<Record<string, unknown>>
  }
}

const linkOf = async (port: number, headers: Readonly<Record<string, string>>) => {
  const { status, body } = await asked(port, headers)
  const link = body["@odata.nextLink"]
  return typeof link === "string" ? link.slice(0, link.indexOf("/beta")) : status
}

const loopbackProxy = { trustedProxies: ["127.0.0.0/8"] }

describe("behind a proxy", () => {
  it("every address in an answer has the root that is set, and its links can be followed", async () => {
    const publicUrl = "https://graph.example/intune"
    await using service = await reached({ publicUrl })
    const { body } = await asked(service.port, {})
    expect(body["@odata.context"]).toContain(`${publicUrl}/beta/$metadata#`)
    const link = String(body["@odata.nextLink"])
    expect(link).toContain(`${publicUrl}${devicesPath}?$top=1&$skiptoken=`)
    const next = await asked(service.port, {}, `GET ${link.slice(publicUrl.length)}`)
    expect(next.body["value"]).toEqual([expect.objectContaining({ id: "b" })])
    const created = await asked(service.port, {}, `POST ${devicesPath}`, JSON.stringify({ id: "new" }))
    expect(created).toMatchObject({
      status: 201,
      location: `${publicUrl}${devicesPath.replace("/allDevices", "('allDevices')")}('new')`
    })
    for (const path of [`/v1.0${metricsPath}?$top=1`, `/v1.0${modelsPath}`, "/v1.0", "/v1.0/deviceManagement"]) {
      expect((await asked(service.port, {}, `GET ${path}`)).body["@odata.context"]).toMatch(
        /^https:\/\/graph\.example\/intune\/v1\.0\//
      )
    }
    expect((await asked(service.port, {}, "GET /docs")).status).toBe(200)
    expect(await (await service.app.request("/docs")).text()).toContain('src="/intune/docs/start.js"')
    expect((await asked(service.port, {}, "GET /openapi.json")).body["servers"]).toMatchObject([
      { url: `${publicUrl}/beta` },
      {}
    ])
  })

  it("so it is for the items of a batch", async () => {
    for (const [reach, headers] of [
      [{ publicUrl: "https://localhost/x" }, {}],
      [loopbackProxy, { "x-forwarded-proto": "https", "x-forwarded-host": "localhost", "x-forwarded-prefix": "/y" }]
    ] as const) {
      await using service = await reached(reach)
      const requests = [{ id: "1", method: "GET", url: `${devicesPath.slice("/beta".length)}?$top=1` }]
      const { body } = await asked(service.port, headers, "POST /beta/$batch", JSON.stringify({ requests }))
      const root = "publicUrl" in reach ? "https://localhost/x" : "https://localhost"
      expect(body["responses"]).toMatchObject([
        { status: 200, body: { "@odata.nextLink": expect.stringContaining(`${root}/beta/deviceManagement`) } }
      ])
    }
  })

  it.for([
    [{ "x-forwarded-proto": "https" }, "https://localhost"],
    [{ "x-forwarded-proto": "HTTPS", "x-forwarded-host": "127.0.0.1:8443" }, "https://127.0.0.1:8443"],
    [
      { "x-forwarded-proto": "https", "x-forwarded-host": "localhost", "x-forwarded-port": "8443" },
      "https://localhost:8443"
    ],
    [{ "x-forwarded-proto": "https", "x-forwarded-host": "localhost", "x-forwarded-port": "443" }, "https://localhost"],
    [{ forwarded: "proto=https;host=localhost" }, "https://localhost"],
    [{ forwarded: 'For="[::1]:4711" ; Proto=https; Host="[::1]:8443"' }, "https://[::1]:8443"],
    [
      { forwarded: "proto=https;host=localhost", "x-forwarded-proto": "http", "x-forwarded-host": "127.0.0.9" },
      "https://localhost"
    ],
    // A caller can write anything in front of what the proxy adds.
    [
      { forwarded: "for=127.0.0.1;host=127.6.6.6;proto=http, for=192.0.2.1;proto=https;host=localhost" },
      "https://localhost"
    ],
    [
      {
        "x-forwarded-for": "127.0.0.1, 192.0.2.1",
        "x-forwarded-proto": "http, https",
        "x-forwarded-host": "127.6.6.6, localhost"
      },
      "https://localhost"
    ],
    // Two proxies in a row, of which the first was asked by https.
    [
      { forwarded: "for=192.0.2.1;proto=https;host=localhost, for=127.0.0.5;proto=http;host=127.0.0.7" },
      "https://localhost"
    ],
    [
      {
        "x-forwarded-for": "192.0.2.1, 127.0.0.5",
        "x-forwarded-proto": "https, http",
        "x-forwarded-host": "localhost"
      },
      "https://localhost"
    ],
    [{}, "http://localhost"]
  ] as const)("that is believed, %o makes links begin with %s", async ([headers, root]) => {
    await using service = await reached(loopbackProxy)
    expect(await linkOf(service.port, headers)).toBe(root)
  })

  it("that nobody named, none of its headers is believed", async () => {
    for (const trustedProxies of [[], ["192.0.2.0/24", "::1", "10.0.0.1"]]) {
      await using service = await reached({ trustedProxies })
      for (const headers of [
        { forwarded: "proto=https;host=evil.example" },
        { "x-forwarded-host": "evil.example", "x-forwarded-proto": "https" }
      ]) {
        expect(await linkOf(service.port, headers)).toBe("http://localhost")
      }
    }
  })

  it("that is believed, what is no root of a URL is refused, and so is a name of others while nobody has to sign in", async () => {
    await using service = await reached(loopbackProxy)
    for (const host of ["evil.example", "a b", "localhost/x", "localhost@evil.example", "256.1.1.1", '"']) {
      expect([host, await linkOf(service.port, { "x-forwarded-host": host })]).toEqual([host, 400])
    }
    expect(await linkOf(service.port, { "x-forwarded-proto": "javascript" })).toBe(400)
  })

  it("answers under the name that is set, though nobody has to sign in, and takes what its own page sends", async () => {
    await using service = await reached({ publicUrl: "https://graph.example" })
    const line = `PATCH ${devicesPath}/a`
    expect(
      (await asked(service.port, { host: "graph.example", origin: "https://graph.example" }, line, '{"model":"X"}'))
        .status
    ).toBe(200)
    expect((await asked(service.port, { host: "evil.example" }, line, '{"model":"Y"}')).status).toBe(400)
    expect((await asked(service.port, { origin: "https://evil.example" }, line, '{"model":"Y"}')).status).toBe(400)
  })

  it("whatever its headers say, the service answers", async () => {
    await using service = await reached(loopbackProxy)
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'=;,"\\ :[]./for=proto=host=httpsx127.0.1'.split("")), maxLength: 60 }),
      fc.constantFrom("for=", 'for="', "proto=https,", ";;,,", 'host="\\"', "for=127.0.0.1,for=127.0.0.1,for=127.0.0.1")
    )
    await fc.assert(
      fc.asyncProperty(value, value, value, async (forwarded, proto, from) => {
        const headers = {
          "x-forwarded-proto": proto,
          "x-forwarded-for": from,
          ...(forwarded === "" ? {} : { forwarded })
        }
        expect([200, 400]).toContain((await asked(service.port, headers)).status)
      }),
      { numRuns: 150 }
    )
  })

  it("a gateway gives the root that is set to what its upstream answers, and gives pages to who follows its links", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }, { id: "b" }] })
    const publicUrl = "https://graph.example"
    const settings = { ...defaultSettings, port: 0, upstream: await graph.url(), publicUrl }
    const { url, close } = await startService(settings)
    const page = (await (await fetch(`${url}${devicesPath}?$top=1`)).json()) as Record<string, unknown>
    expect(page["@odata.context"]).toContain(`${publicUrl}/beta/$metadata#`)
    const link = String(page["@odata.nextLink"])
    expect(link.startsWith(`${publicUrl}${devicesPath}`)).toBe(true)
    const next: unknown = await (await fetch(`${url}${link.slice(publicUrl.length)}`)).json()
    expect(next).toMatchObject({ value: [{ id: "b" }] })
    await close()
  })
})

describe("pages on another port or site", () => {
  const page = "https://grid.example"

  it("may read answers, failures too, where a setting names them, after their browser has asked without a token", async () => {
    await using service = await reached({ cors: [page, "http://127.0.0.1:5173"] })
    const preflight = await service.app.request(`${devicesPath}/a`, {
      method: "OPTIONS",
      headers: {
        origin: page,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,content-type,prefer"
      }
    })
    expect(preflight.status).toBe(204)
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": page,
      "access-control-allow-methods": "GET,HEAD,POST,PATCH,DELETE",
      "access-control-allow-headers": "authorization,content-type,prefer",
      "access-control-max-age": "600"
    })
    for (const [path, status] of [
      [`${devicesPath}/a`, 200],
      [`${devicesPath}/none`, 404],
      ["/beta/nothing", 400]
    ] as const) {
      const response = await service.app.request(path, { headers: { origin: page } })
      expect([path, response.status, response.headers.get("access-control-allow-origin")]).toEqual([path, status, page])
      expect(response.headers.get("access-control-expose-headers")).toContain("request-id")
      expect(response.headers.get("vary")).toContain("Origin")
    }
    expect((await asked(service.port, { origin: page }, `PATCH ${devicesPath}/a`, '{"model":"X"}')).status).toBe(200)
  })

  it("are told, where it does, also what their caller lacks", async () => {
    await using opened = await openedEntra([])
    const { authentication, store } = opened
    const app = createApp({ store, authentication, reach: { ...straight, cors: [page] } })
    const preflight = { origin: page, "access-control-request-method": "PATCH" }
    expect((await app.request(`${devicesPath}/a`, { method: "OPTIONS", headers: preflight })).status).toBe(204)
    const refused = await app.request(`${devicesPath}/a`, { headers: { origin: page } })
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, page])
    const strange = { ...preflight, origin: "https://evil.example" }
    expect((await app.request(`${devicesPath}/a`, { method: "OPTIONS", headers: strange })).status).toBe(401)
  })

  it("are strangers where it does not: refused without authentication, and not told that they may read", async () => {
    for (const reach of [{}, { cors: [page] }]) {
      await using service = await reached(reach)
      const headers = { origin: "https://evil.example" }
      expect((await asked(service.port, headers, `PATCH ${devicesPath}/a`, '{"model":"X"}')).status).toBe(400)
      for (const method of ["GET", "OPTIONS"]) {
        const response = await service.app.request(`${devicesPath}/a`, {
          method,
          headers: { ...headers, "access-control-request-method": "PATCH" }
        })
        expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([])
      }
    }
  })

  it("do not get at what is for this machine alone, though a setting names them", async () => {
    await using graph = await createLocalGraph()
    const response = await graph.fetch("/_local/calls", { headers: { origin: page } })
    expect([response.status, (await failureOf(response)).code]).toEqual([403, "Forbidden"])
  })
})

describe("the root", () => {
  it("leads a browser to the reference page, and tells a program what there is", async () => {
    const service = await startService({ ...defaultSettings, port: 0 })
    const browser = await fetch(service.url, { redirect: "manual", headers: { accept: "text/html,*/*;q=0.8" } })
    expect([browser.status, browser.headers.get("location")]).toEqual([302, `${service.url}/docs`])
    const answer = await fetch(service.url)
    const { links } = (await answer.json()) as { readonly links: Readonly<Record<string, string>> }
    expect(Object.keys(links)).toEqual(["beta", "v1.0", "openapi", "docs", "health", "readiness", "metrics"])
    for (const link of Object.values(links)) expect([link, (await fetch(link)).status]).toEqual([link, 200])
    expect((await fetch(service.url, jsonRequest("POST", {}))).status).toBe(400)
    await service.close()
  })
})
