import { once } from "node:events"
import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { describe, expect, it } from "vitest"
import { httpServer, serverLimits } from "../../src/service.ts"
import { listening } from "../listening.ts"
import { devicesPath, failureOf, jsonRequest, metricsPath, openedApp } from "../opened.ts"
import { bearer, openedEntra, readOnly, signed, signingKey, userClaims } from "../tokens.ts"

const key = await signingKey("ours")

/** What a server answers to some bytes until it hangs up. */
const answerTo = async (port: number, message: string) => {
  const socket = connect(port, "127.0.0.1")
  await once(socket, "connect")
  socket.write(message)
  const answer = await text(socket)
  return { status: Number(answer.split(" ", 2)[1]), answer }
}

const get = (port: number, headers: string, target = devicesPath) =>
  answerTo(port, `GET ${target} HTTP/1.1\r\nConnection: close\r\n${headers}\r\n\r\n`)

describe("without authentication, a service on a port", () => {
  it.for(["localhost", "LOCALHOST:4010", "127.0.0.1", "127.8.9.10:80", "[::1]:4010", "[::1]"])(
    "answers under the name %s",
    async (host) => {
      await using opened = await openedApp("memory", [])
      await using server = await listening(httpServer(opened.app))
      expect((await get(server.port, `Host: ${host}`)).status).toBe(200)
    }
  )

  it.for([
    "rebound.example",
    "rebound.example:4010",
    "localhost.rebound.example",
    "127.0.0.1.rebound.example",
    "128.0.0.1",
    "0.0.0.0",
    "[::2]",
    "localhost@rebound.example",
    "rebound.example#127.0.0.1",
    "localhost:4010:4010",
    "a b",
    "/",
    "%6cocalhost.example"
  ])("refuses what came by the name %s, and writes nothing", async (host) => {
    await using opened = await openedApp("memory", ["a"])
    await using server = await listening(httpServer(opened.app))
    expect((await get(server.port, `Host: ${host}`)).status).toBe(400)
    const body = JSON.stringify({ model: "rebound" })
    const head = `PATCH ${devicesPath}/a HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Type: application/json\r\n`
    const written = await answerTo(server.port, `${head}Content-Length: ${body.length}\r\n\r\n${body}`)
    expect(written.status).toBe(400)
    expect(await (await opened.app.request(`${devicesPath}/a`)).text()).not.toContain("rebound")
  })

  it("says under which names it answers", async () => {
    await using opened = await openedApp("memory", [])
    await using server = await listening(httpServer(opened.app))
    const { answer } = await get(server.port, "Host: rebound.example")
    expect(answer).toContain("only under a loopback name")
    expect(answer).not.toContain("rebound.example")
  })

  it("refuses another name in the request line, whatever Host says", async () => {
    await using opened = await openedApp("memory", [])
    await using server = await listening(httpServer(opened.app))
    expect((await get(server.port, "Host: localhost", `http://rebound.example${devicesPath}`)).status).toBe(400)
    expect((await get(server.port, "Host: localhost", `http://localhost${devicesPath}`)).status).toBe(200)
  })

  it.for(["https://evil.example", "http://localhost.evil.example", "null", "http://127.0.0.1@evil.example"])(
    "refuses what a page of %s sends",
    async (origin) => {
      await using opened = await openedApp("memory", [])
      await using server = await listening(httpServer(opened.app))
      expect((await get(server.port, `Host: localhost\r\nOrigin: ${origin}`)).status).toBe(400)
    }
  )

  it("takes what a page of this machine sends", async () => {
    await using opened = await openedApp("memory", [])
    await using server = await listening(httpServer(opened.app))
    expect((await get(server.port, "Host: localhost\r\nOrigin: http://localhost:5173")).status).toBe(200)
  })

  it("takes any name for a request that is made in process", async () => {
    await using opened = await openedApp("memory", [])
    expect((await opened.app.request(`https://graph.microsoft.com${devicesPath}`)).status).toBe(200)
    expect((await opened.app.fetch(new Request(`https://graph.microsoft.com${devicesPath}`))).status).toBe(200)
  })
})

describe("with authentication", () => {
  it("any well-formed name will do, and links are built of it", async () => {
    await using opened = await openedEntra([key.jwk], ["a", "b"])
    await using server = await listening(httpServer(opened.app))
    const authorization = `Authorization: Bearer ${await signed(userClaims(), key)}`
    const { status, answer } = await get(
      server.port,
      `Host: graph.example\r\n${authorization}`,
      `${devicesPath}?$top=1`
    )
    expect(status).toBe(200)
    expect(answer).toContain(`"@odata.nextLink":"http://graph.example${devicesPath}?`)
    for (const host of [
      "graph.example/evil?",
      "user:secret@graph.example",
      "a b",
      "",
      'graph"example',
      "graph'example",
      "graph,example",
      "graph.example:x",
      // What looks like numbers is one, and none that there can be.
      "256.1.1.1",
      "1.2.3.4.5",
      "graph.0x100000000",
      "graph.example:65536"
    ]) {
      expect((await get(server.port, `Host: ${host}\r\n${authorization}`)).status).toBe(400)
    }
  })

  it("an unknown segment is 400, whoever asks, because Graph decides about the path first", async () => {
    await using opened = await openedEntra([key.jwk])
    for (const path of ["/beta/nothing", "/nothing", "/beta/deviceManagement/x/healthz", "/metric", "/_local/calls"]) {
      const response = await opened.app.request(path)
      const { code, message } = await failureOf(response)
      expect([response.status, code]).toEqual([400, "BadRequest"])
      expect(message).toContain("Resource not found for the segment")
    }
  })

  it("a property by itself is not served, and its caller is told where it is", async () => {
    await using opened = await openedApp("memory", ["a"])
    const { message } = await failureOf(await opened.app.request(`${devicesPath}/a/deviceName/$value`))
    expect(message).toBe("The property 'deviceName' is not served by itself: read the device with $select=deviceName.")
  })

  it.for([
    ["GET", `/beta${metricsPath}`],
    ["GET", "/v1.0"],
    ["GET", `${devicesPath}('a')`],
    ["DELETE", devicesPath],
    ["PATCH", `/V1.0${metricsPath.toUpperCase()}/allDevices/METRICDEVICES/a`],
    ["OPTIONS", `${devicesPath}/a`]
  ])("%s %s is 401 without a token, whether it is served or not", async ([method = "", path = ""]) => {
    await using opened = await openedEntra([key.jwk], ["a"])
    expect((await opened.app.request(path, { method })).status).toBe(401)
  })

  it("a route that is missing in the tree of paths is not open by that", async () => {
    await using opened = await openedEntra([key.jwk])
    opened.app.get("/hidden", (c) => c.text("secret"))
    const response = await opened.app.request("/hidden")
    expect([response.status, (await failureOf(response)).code]).toEqual([400, "BadRequest"])
  })

  it("who may only read learns nothing from writing, not even whether the device exists", async () => {
    await using opened = await openedEntra([key.jwk], ["a"])
    const headers = bearer(await signed({ ...userClaims(), scp: readOnly }, key))
    const refusals = await Promise.all(
      ["a", "b"].map(async (id) => {
        const update = jsonRequest("PATCH", { model: "X" })
        const response = await opened.app.request(`${devicesPath}/${id}`, {
          ...update,
          headers: { ...update.headers, ...headers, "client-request-id": "same" }
        })
        const { code, message } = await failureOf(response)
        return [response.status, code, message]
      })
    )
    expect(refusals[0]).toEqual(refusals[1])
    expect(refusals[0]?.[0]).toBe(403)
  })

  it.for(["/", "/healthz", "/readyz", "/HEALTHZ", "/openapi.json", "/docs", "/docs/start.js"])(
    "%s needs no token",
    async (path) => {
      await using opened = await openedEntra([key.jwk])
      expect((await opened.app.request(path)).status).toBe(200)
    }
  )
})

describe("a URL", () => {
  it("of more than 8 KiB is 414, before its token is looked at", async () => {
    await using opened = await openedEntra([key.jwk])
    await using server = await listening(httpServer(opened.app))
    const root = `http://127.0.0.1${devicesPath}?x=`
    const target = (length: number) => `${devicesPath}?x=${"x".repeat(length - root.length)}`
    expect((await get(server.port, "Host: 127.0.0.1", target(8192))).status).toBe(401)
    const { status, answer } = await get(server.port, "Host: 127.0.0.1", target(8193))
    expect([status, answer.includes('"code":"uriTooLong"')]).toEqual([414, true])
  })

  it("and a token of the greatest lengths fit into what a server reads", async () => {
    await using opened = await openedEntra([key.jwk], ["a"])
    await using server = await listening(httpServer(opened.app))
    const token = async (padding: number) => await signed({ ...userClaims(), padding: "x".repeat(padding) }, key)
    const long = await token(11_400)
    expect(long.length).toSatisfy((length: number) => length > 16_000 && length <= 16_384)
    const target = `${devicesPath}?x=${"x".repeat(7900)}`
    const headers = "Host: 127.0.0.1\r\nAuthorization: Bearer "
    expect((await get(server.port, headers + long, target)).status).toBe(200)
    expect((await get(server.port, headers + (await token(12_000)), target)).status).toBe(401)
  })
})

describe("a slow caller", () => {
  const limits = {
    ...serverLimits,
    headersTimeout: 40,
    requestTimeout: 80,
    keepAliveTimeout: 40,
    connectionsCheckingInterval: 10
  }

  const head = `PATCH ${devicesPath}/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`

  it.for([
    ["sends nothing", ""],
    ["stops in the middle of its request line", head.slice(0, 10)],
    ["stops in the middle of its headers", head],
    ["stops in the middle of its body", `${head}Content-Length: 20\r\n\r\n{"model"`],
    ["stops in the middle of a chunk", `${head}Transfer-Encoding: chunked\r\n\r\nff\r\n{"model"`]
  ] as const)("who %s is cut off, and others are served", async ([, bytes]) => {
    await using opened = await openedApp("memory", ["a"])
    await using server = await listening(httpServer(opened.app, limits))
    const { status } = await answerTo(server.port, bytes)
    expect(status).toBe(408)
    expect((await get(server.port, "Host: localhost")).status).toBe(200)
  })

  it("who keeps its connection and sends nothing more is cut off", async () => {
    await using opened = await openedApp("memory", ["a"])
    await using server = await listening(httpServer(opened.app, limits))
    const { status } = await answerTo(server.port, `GET ${devicesPath} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    expect(status).toBe(200)
  })
})

describe("a name that JavaScript gives a meaning to", () => {
  const names = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"]

  it.for(names)("%s is an unknown property of a body, and pollutes nothing", async (name) => {
    await using opened = await openedApp("memory", ["a"])
    const body = `{"${name}":{"polluted":true,"model":"X"},"model":"Y"}`
    const response = await opened.app.request(`${devicesPath}/a`, jsonRequest("PATCH", body))
    const { code, details } = await failureOf(response)
    expect([response.status, code, details?.map(({ target }) => target)]).toEqual([
      400,
      "ModelValidationFailure",
      [name]
    ])
    expect("polluted" in {}).toBe(false)
    expect(await (await opened.app.request(`${devicesPath}/a?$select=model`)).json()).toMatchObject({ model: null })
  })

  it.for(names)("%s is an unknown segment, metric, device, property and option, and no crash", async (name) => {
    await using opened = await openedApp("memory", ["a"])
    const statusOf = async (path: string) => (await opened.app.request(path)).status
    expect(await statusOf(`/${name}`)).toBe(400)
    expect(await statusOf(`/beta/${name}`)).toBe(400)
    expect(await statusOf(`/beta${metricsPath}/${name}/metricDevices`)).toBe(404)
    expect(await statusOf(`/beta${metricsPath}('${name}')/metricDevices('a')`)).toBe(404)
    expect(await statusOf(`${devicesPath}/${name}`)).toBe(404)
    expect(await statusOf(`${devicesPath}?$select=${name}`)).toBe(400)
    expect(await statusOf(`${devicesPath}?$${name}=1`)).toBe(400)
    expect(await statusOf(`${devicesPath}?${name}=1`)).toBe(200)
  })
})

describe("what a caller sends and gets back", () => {
  const lineEnds = ["%0d%0a", "%0D%0AX-Injected:%201%0D%0A%0D%0A", "%E5%98%8D%E5%98%8A", "%00", "%22%3e"]

  it.for(lineEnds)("cannot end a line of the answer's headers: %s in a key or an option", async (text) => {
    await using opened = await openedApp("memory", ["a"])
    await using server = await listening(httpServer(opened.app))
    const injected = `a${text}X-Injected:1`
    for (const target of [
      `${devicesPath}/${injected}`,
      `/beta${metricsPath}/${injected}/metricDevices`,
      `${devicesPath}?$select=${injected}`,
      `${devicesPath}?$skiptoken=${injected}`,
      `${devicesPath}?${injected}=1&$top=1`
    ]) {
      const { status, answer } = await get(server.port, "Host: localhost\r\nPrefer: odata.maxpagesize=1", target)
      expect([200, 400, 404]).toContain(status)
      expect(answer.slice(0, answer.indexOf("\r\n\r\n")).toLowerCase()).not.toContain("injected")
    }
  })
})

describe("a secret of the caller", () => {
  it("is in no answer and in no line of the log, whatever becomes of the request", async () => {
    await using opened = await openedEntra([key.jwk], ["a"])
    const stranger = await signingKey("stranger")
    const good = await signed({ ...userClaims(), canary: "canary" }, key)
    const tokens = [
      good,
      await signed({ ...userClaims(), scp: "canary" }, key),
      await signed({ ...userClaims(), iss: "canary" }, key),
      await signed({ ...userClaims(), exp: 1 }, key),
      await signed(userClaims(), stranger),
      `canary.canary.${good.split(".")[2]}`
    ]
    const shown: Array<unknown> = [opened.lines]
    const send = async (path: string, init: RequestInit) => {
      const response = await opened.app.request(path, init)
      shown.push([...response.headers], await response.text())
    }
    for (const token of tokens) {
      for (const path of [devicesPath, `${devicesPath}/a`, `${devicesPath}/b`, "/beta/nothing", "/healthz"]) {
        await send(path, { headers: bearer(token) })
        await send(`${path}?access_token=${token}`, { headers: { "client-request-id": token, ...bearer(token) } })
        await send(path, { method: "PATCH", headers: bearer(token), body: token })
      }
    }
    opened.published.status = 500
    await send(devicesPath, { headers: bearer(await signed(userClaims(), stranger)) })
    await opened.store.close()
    await send(devicesPath, { headers: bearer(good) })
    const errors = opened.lines.map(({ err }) => (err instanceof Error ? [err.stack, String(err.cause)] : []))
    const everything = JSON.stringify([shown, errors])
    for (const part of new Set(tokens.flatMap((token) => token.split(".")))) expect(everything).not.toContain(part)
  })
})
