import { inspect } from "node:util"
import { type IncomingMessage, createServer } from "node:http"
import { readFile } from "node:fs/promises"
import { once } from "node:events"
import type { JWTPayload } from "jose"
import { decodeJwt } from "jose"
import { describe, expect, it } from "vitest"
import { entraAuthentication } from "../../src/http/auth.ts"
import { defaultSettings } from "../../src/settings/config.ts"
import { startService } from "../../src/service.ts"
import { type SignIn, entraSignIn, openedGateway } from "../gateways.ts"
import { devicesPath, documentedId, failureOf, jsonRequest } from "../opened.ts"
import {
  appClaims,
  audience,
  bearer,
  readOnly,
  readWrite,
  served,
  signed,
  signingKey,
  tenants,
  userClaims
} from "../tokens.ts"

const key = await signingKey("ours")
const authority = "https://login.microsoftonline.com"
const upstreamAudience = "api://upstream.example"
const clientId = "99999999-7777-4888-8999-aaaaaaaaaaaa"
const secret = "canary-client-s3cret"
const devicePath = `${devicesPath}/${documentedId}`

const otherUser = { ...userClaims(), oid: "77777777-dddd-4ddd-8ddd-444444444444" }

const callerToken = (claims: JWTPayload) => signed(claims, key)

/** A token for the upstream, for the tenant that was signed in to and the user of the assertion. */
const upstreamToken = async ({ form, tenant }: SignIn) => {
  const assertion = form.get("assertion")
  const claims =
    assertion === null
      ? { ...appClaims(tenant), appid: clientId, aud: upstreamAudience }
      : { ...userClaims(tenant), oid: decodeJwt(assertion)["oid"], aud: upstreamAudience, jti: crypto.randomUUID() }
  return { token_type: "Bearer", expires_in: 3600, access_token: await signed(claims, key) }
}

const keysServer = () => served((_, response) => response.end(JSON.stringify({ keys: [key.jwk] })))

const authenticationBy = (keys: string) =>
  entraAuthentication({ audience: [audience], tenants, authority, jwksUrl: keys })

const settingsFor = (upstreamAuth: "on-behalf-of" | "client-credentials") => ({
  auth: "entra" as const,
  tenants,
  upstreamAuth,
  upstreamClientId: clientId,
  upstreamClientSecret: () => secret
})

/** A gateway with credentials over any upstream; what the sign-in was asked is in the open. */
const gatewayTo = async (
  upstream: string,
  how: "on-behalf-of" | "client-credentials",
  answer: (signIn: SignIn) => object | Promise<object> = upstreamToken
) => {
  const keys = await keysServer()
  const signIn = entraSignIn(answer)
  const gateway = await openedGateway(upstream, {
    settings: settingsFor(how),
    authentication: authenticationBy(keys.url),
    credentialOptions: { ...signIn.credentialOptions, retryOptions: { maxRetries: 0 } },
    deadline: 3_000
  })
  return {
    gateway,
    asked: signIn.asked,
    call: async (claims: JWTPayload, path = devicePath, init: RequestInit = {}) => {
      const headers = { ...bearer(await callerToken(claims)), ...(init.headers as Record<string, string> | undefined) }
      return fetch(gateway.url + path, { ...init, headers })
    },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await keys[Symbol.asyncDispose]()
    }
  }
}

/** The real service as the upstream, which wants tokens of its own. */
const entraUpstream = async () => {
  const keys = await keysServer()
  const service = await startService({
    ...defaultSettings,
    port: 0,
    fleet: 3,
    auth: "entra",
    audience: [upstreamAudience],
    tenants,
    jwksUrl: keys.url
  })
  return {
    url: service.url,
    [Symbol.asyncDispose]: async () => {
      await service.close()
      await keys[Symbol.asyncDispose]()
    }
  }
}

/** An upstream that answers as told, and keeps what it was asked. */
const recording = async (status: number, headers: Record<string, string> = {}, body = "{}") => {
  const seen: Array<IncomingMessage> = []
  const server = await served((request, response) => {
    seen.push(request)
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(body)
  })
  return { ...server, seen }
}

describe("on behalf of callers", () => {
  it("[F102] exchanges a caller's token for one for the upstream, once, and separates callers and tenants", async () => {
    await using upstream = await entraUpstream()
    await using world = await gatewayTo(upstream.url, "on-behalf-of")
    const claims = userClaims()
    const token = await callerToken(claims)
    const read = () => fetch(world.gateway.url + devicePath, { headers: bearer(token) })
    expect((await Promise.all([read(), read(), read()])).map(({ status }) => status)).toEqual([200, 200, 200])
    expect(world.asked).toHaveLength(1)
    const [first] = world.asked
    expect([first?.origin, first?.tenant, first?.form.get("assertion")]).toEqual([authority, tenants[0], token])
    expect(first?.form.get("scope")).toContain(`${upstream.url}/.default`)
    expect(first?.form.get("client_secret")).toBe(secret)

    expect((await world.call(otherUser)).status).toBe(200)
    const update = jsonRequest("PATCH", { model: "of the first tenant" })
    expect((await world.call(userClaims(), devicePath, update)).status).toBe(200)
    const elsewhere = await world.call(userClaims(tenants[1]))
    expect(await elsewhere.text()).not.toContain("of the first tenant")
    expect(world.asked.at(-1)?.tenant).toBe(tenants[1])
    const [intent] = await world.gateway.audited()
    expect(intent).toMatchObject({ caller: { tenant: tenants[0], app: claims["azp"], user: claims["oid"] } })
  })

  it("[F103] takes no app's own token, because there is no user: 403, and nobody is asked", async () => {
    await using upstream = await recording(200)
    await using world = await gatewayTo(upstream.url, "on-behalf-of")
    const response = await world.call(appClaims())
    expect([response.status, (await failureOf(response)).code]).toEqual([403, "Forbidden"])
    const created = await world.call(appClaims(), devicesPath, jsonRequest("POST", { model: "X" }))
    expect(created.status).toBe(403)
    expect([world.asked, upstream.seen]).toEqual([[], []])
  })

  it("asks for the permissions of Microsoft's pages first", async () => {
    await using upstream = await recording(200)
    await using world = await gatewayTo(upstream.url, "on-behalf-of")
    const reader = { ...userClaims(), scp: readOnly }
    expect((await world.call(reader, devicePath, jsonRequest("PATCH", { model: "X" }))).status).toBe(403)
    expect((await fetch(world.gateway.url + devicePath)).status).toBe(401)
    expect((await world.call({ ...userClaims(), aud: "https://graph.microsoft.com" })).status).toBe(401)
    expect([world.asked, upstream.seen]).toEqual([[], []])
  })

  const wanted = { access_token: { polids: { essential: true, values: ["p"] } } }
  const encoded = Buffer.from(JSON.stringify(wanted)).toString("base64")

  it.for([
    [
      "a second factor",
      "interaction_required",
      50_076,
      wanted,
      401,
      `error="insufficient_claims", claims="${encoded}"`
    ],
    ["consent", "invalid_grant", 65_001, undefined, 401, 'error="interaction_required"'],
    ["a newer token", "invalid_grant", 500_133, undefined, 401, 'error="invalid_token"'],
    ["another secret of the gateway", "invalid_client", 7_000_215, undefined, 503, undefined]
  ] as const)(
    "[F104] lets the caller know when Entra wants %s, where the caller can do something",
    async ([, error, code, claims, status, challenge]) => {
      await using upstream = await recording(200)
      await using world = await gatewayTo(upstream.url, "on-behalf-of", ({ form }) => ({
        error,
        error_description: `AADSTS${code}: canary ${form.get("assertion")} ${form.get("client_secret")}`,
        error_codes: [code],
        ...(claims === undefined ? {} : { claims: JSON.stringify(claims), suberror: "basic_action" })
      }))
      const response = await world.call(userClaims())
      expect(response.status).toBe(status)
      expect(response.headers.get("www-authenticate") ?? "").toContain(challenge ?? "")
      expect(response.headers.has("www-authenticate")).toBe(challenge !== undefined)
      expect(await response.text()).not.toContain("canary")
      expect(upstream.seen).toEqual([])
    }
  )

  it("passes a claims challenge of the upstream on when a new token does not satisfy it", async () => {
    await using upstream = await recording(401, {
      "www-authenticate": `Bearer error="insufficient_claims", claims="${encoded}"`
    })
    await using world = await gatewayTo(upstream.url, "on-behalf-of")
    const response = await world.call(userClaims())
    expect(response.status).toBe(401)
    expect(response.headers.get("www-authenticate")).toContain(`claims="${encoded}"`)
    expect(world.asked[1]?.form.get("claims")).toContain("polids")
  })

  it("is ready when the upstream answers, though only a user could say more", async () => {
    await using upstream = await entraUpstream()
    await using world = await gatewayTo(upstream.url, "on-behalf-of")
    expect((await fetch(`${world.gateway.url}/readyz`)).status).toBe(200)
    expect(world.asked).toEqual([])
  })
})

describe("by itself", () => {
  it("[F105] signs in to the tenant of the caller's token, once for all callers of it", async () => {
    await using upstream = await entraUpstream()
    await using world = await gatewayTo(upstream.url, "client-credentials")
    for (const claims of [userClaims(), otherUser, appClaims(), userClaims(tenants[1])]) {
      expect((await world.call(claims)).status).toBe(200)
    }
    expect(world.asked.map(({ tenant }) => tenant)).toEqual(tenants)
    for (const { form } of world.asked) expect(form.get("grant_type")).toBe("client_credentials")
    const update = jsonRequest("PATCH", { model: "of the first tenant" })
    expect((await world.call(userClaims(), devicePath, update)).status).toBe(200)
    expect(await (await world.call(userClaims(tenants[1]))).text()).not.toContain("of the first tenant")
    expect((await fetch(`${world.gateway.url}/readyz`)).status).toBe(200)
  })

  it("[F106] tells no caller to sign in again when its own credentials are refused, and is not ready then", async () => {
    await using refusing = await recording(401, { "www-authenticate": 'Bearer error="invalid_token"' })
    await using world = await gatewayTo(refusing.url, "client-credentials")
    const response = await world.call(userClaims())
    expect([response.status, (await failureOf(response)).code]).toEqual([502, "badGateway"])
    expect(response.headers.has("www-authenticate")).toBe(false)
    expect((await fetch(`${world.gateway.url}/readyz`)).status).toBe(503)

    await using without = await gatewayTo(refusing.url, "client-credentials", () => ({
      error: "invalid_client",
      error_description: "AADSTS7000215: Invalid client secret provided.",
      error_codes: [7_000_215]
    }))
    const refused = await without.call(userClaims())
    expect([refused.status, (await failureOf(refused)).code]).toEqual([503, "serviceNotAvailable"])
    expect((await fetch(`${without.gateway.url}/readyz`)).status).toBe(503)
  })
})

describe("a wait that the upstream asks for", () => {
  it.for(["on-behalf-of", "client-credentials"] as const)(
    "holds for all callers of the tenant, and for no other tenant, with %s",
    async (how) => {
      const asked: Array<string | undefined> = []
      await using upstream = await served((request, response) => {
        const tenant = decodeJwt(request.headers.authorization?.split(" ")[1] ?? "")["tid"]
        asked.push(String(tenant))
        const status = tenant === tenants[0] ? 429 : 200
        response.writeHead(status, { "content-type": "application/json", "retry-after": "90" }).end('{"id":"a"}')
      })
      await using world = await gatewayTo(upstream.url, how)
      const first = await world.call(userClaims())
      expect([first.status, first.headers.get("retry-after")]).toEqual([429, "90"])
      const second = await world.call(otherUser)
      expect([second.status, await failureOf(second)]).toMatchObject([
        429,
        { message: expect.stringMatching(/again in [89]\d seconds/) }
      ])
      expect((await world.call(userClaims(tenants[1]))).status).toBe(200)
      expect(asked).toEqual([tenants[0], tenants[1]])
    }
  )
})

describe("secrets", () => {
  it("[F107] are in no line, no error, no record: neither callers' tokens, nor the upstream's, nor the client secret", async () => {
    const given: Array<string> = [secret]
    const answer = async (signIn: SignIn) => {
      const made = await upstreamToken(signIn)
      given.push(made.access_token)
      return made
    }
    const echo = createServer((request, response) => {
      const { authorization = "" } = request.headers
      const failing = request.method === "GET" ? 500 : 400
      response.writeHead(failing, { "content-type": "application/json", "request-id": authorization })
      response.end(JSON.stringify({ error: { code: authorization, message: `You sent ${authorization}.` } }))
    }).listen(0, "127.0.0.1")
    await once(echo, "listening")
    const { port } = echo.address() as { readonly port: number }
    await using broken = await served((request) => request.socket.destroy())
    await using redirecting = await recording(302, { location: `${broken.url}/beta` })
    const seen: Array<unknown> = []
    for (const upstream of [`http://127.0.0.1:${port}`, broken.url, redirecting.url]) {
      for (const how of ["on-behalf-of", "client-credentials"] as const) {
        await using world = await gatewayTo(upstream, how, answer)
        const token = await callerToken(userClaims())
        given.push(token)
        const headers = { ...bearer(token), "content-type": "application/json" }
        const item = { id: "1", method: "DELETE", url: devicePath.replace("/beta", "") }
        for (const [path, init] of [
          [devicePath, {}],
          [devicesPath, { method: "POST", body: JSON.stringify({ model: "X" }) }],
          [devicePath, { method: "PATCH", body: JSON.stringify({ model: "X" }) }],
          ["/beta/$batch", { method: "POST", body: JSON.stringify({ requests: [item] }) }],
          ["/readyz", {}]
        ] as const) {
          const response = await fetch(world.gateway.url + path, { ...init, headers })
          seen.push(await response.text(), JSON.stringify([...response.headers]))
        }
        seen.push(inspect(world.gateway.lines, { depth: Infinity, showHidden: true }))
        seen.push(await readFile(world.gateway.audit, "utf8"))
      }
    }
    echo.closeAllConnections()
    echo.close()
    const everything = seen.join("\n")
    expect(everything).toContain("<redacted>")
    expect(given.length).toBeGreaterThan(10)
    for (const one of given) expect(everything).not.toContain(one)
  })

  it("[F110] go to no other origin: a redirect is not followed, and a caller's token is not passed on", async () => {
    await using elsewhere = await recording(200)
    await using upstream = await recording(302, { location: `${elsewhere.url}${devicePath}` })
    await using world = await gatewayTo(upstream.url, "client-credentials")
    const token = await callerToken(userClaims())
    const response = await fetch(world.gateway.url + devicePath, {
      headers: { ...bearer(token), cookie: "a=b", "x-own": "c" }
    })
    expect(response.status).toBe(502)
    expect(elsewhere.seen).toEqual([])
    expect(upstream.seen).toHaveLength(1)
    const { headers } = upstream.seen[0] ?? {}
    expect(headers?.authorization).toMatch(/^Bearer ey/)
    expect(headers?.authorization).not.toContain(token)
    expect([headers?.cookie, headers?.["x-own"]]).toEqual([undefined, undefined])
  })
})

describe("permissions", () => {
  it("of the caller are asked for before those of the gateway are used", async () => {
    await using upstream = await entraUpstream()
    await using world = await gatewayTo(upstream.url, "client-credentials")
    const update = jsonRequest("PATCH", { model: "X" })
    expect((await world.call({ ...userClaims(), scp: readOnly }, devicePath, update)).status).toBe(403)
    expect((await world.call({ ...userClaims(), scp: readWrite }, devicePath, update)).status).toBe(200)
  })
})
