import { createHmac } from "node:crypto"
import { once } from "node:events"
import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { getRequestListener } from "@hono/node-server"
import { CompactSign, type JWTPayload, exportSPKI } from "jose"
import { afterEach, describe, expect, it, vi } from "vitest"
import { personalTenant } from "../../src/settings/clouds.ts"
import { devicesPath, failureOf, jsonRequest } from "../opened.ts"
import {
  type SigningKey,
  app,
  appClaims,
  audience,
  bearer,
  openedEntra,
  readOnly,
  readWrite,
  served,
  signed,
  signingKey,
  tenants,
  userClaims
} from "../tokens.ts"

const ours = await signingKey("ours")
const strange = await signingKey("strange")

const devicePath = `${devicesPath}/a`

const stranger = "99999999-9999-4999-8999-999999999999"

const hourSeconds = 3600

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url")

const parts = (token: string) => token.split(".") as [header: string, payload: string, signature: string]

afterEach(() => void vi.useRealTimers())

describe("a token", () => {
  it.for([
    ["a user lets an app write with", userClaims()],
    ["an app writes with by itself", appClaims()],
    ["a user has, of v1", { ...appClaims(), oid: "a user", roles: undefined, scp: readWrite }],
    ["an app has, of v2", { ...userClaims(), scp: undefined, roles: [readWrite], sub: "app", oid: "app" }],
    ["says in idtyp that it is an app's", { ...appClaims(), idtyp: "app", sub: "another name" }]
  ] as const)("that %s is taken for reading and writing", async ([, claims]) => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    const headers = bearer(await signed(claims, ours))
    expect((await opened.app.request(devicePath, { headers })).status).toBe(200)
    const update = jsonRequest("PATCH", { model: "X" })
    const updated = await opened.app.request(devicePath, { ...update, headers: { ...update.headers, ...headers } })
    expect(updated.status).toBe(200)
  })

  it.for(["bearer", "BEARER", "bEaReR"])("is taken after %s as well", async (scheme) => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    const authorization = `${scheme} ${await signed(userClaims(), ours)}`
    expect((await opened.app.request(devicePath, { headers: { authorization } })).status).toBe(200)
  })

  it.for([
    ["expired four minutes ago", { exp: -240 }],
    ["is valid in four minutes", { nbf: 240 }]
  ] as const)("that %s is taken, because clocks differ", async ([, times]) => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    const shifted = Object.fromEntries(Object.entries(times).map(([name, seconds]) => [name, inSeconds(seconds)]))
    const headers = bearer(await signed({ ...userClaims(), ...shifted }, ours))
    expect((await opened.app.request(devicePath, { headers })).status).toBe(200)
  })

  it.for([
    [
      "https://login.microsoftonline.us",
      "https://login.microsoftonline.us/{tid}/v2.0",
      "https://sts.windows.net/{tid}/"
    ],
    [
      "https://login.partner.microsoftonline.cn",
      "https://login.partner.microsoftonline.cn/{tid}/v2.0",
      "https://sts.chinacloudapi.cn/{tid}/"
    ],
    [
      "https://login.chinacloudapi.cn",
      "https://login.partner.microsoftonline.cn/{tid}/v2.0",
      "https://sts.chinacloudapi.cn/{tid}/"
    ]
  ] as const)("of the cloud of %s is taken there, and not in the global one", async ([authority, issuer2, issuer1]) => {
    await using there = await openedEntra([ours.jwk], ["a"], { authority })
    await using global = await openedEntra([ours.jwk], ["a"])
    const [tid] = tenants
    const [v1, v2] = await Promise.all([
      signed({ ...appClaims(), iss: issuer1.replace("{tid}", tid) }, ours),
      signed({ ...userClaims(), iss: issuer2.replace("{tid}", tid) }, ours)
    ])
    const statuses = async (opened: typeof there) => [
      (await opened.app.request(devicePath, { headers: bearer(v1) })).status,
      (await opened.app.request(devicePath, { headers: bearer(v2) })).status
    ]
    expect(await statuses(there)).toEqual([200, 200])
    // The US government's v1 issuer is the global one's, as public code has it: only its keys are others.
    expect(await statuses(global)).toEqual([issuer1.startsWith("https://sts.windows.net") ? 200 : 401, 401])
  })

  it("goes with the keys of its version, at the authority, when no address of keys is set", async () => {
    const asked: Array<string> = []
    vi.stubGlobal("fetch", async (address: string) => {
      asked.push(address)
      return Response.json({ keys: [ours.jwk] })
    })
    await using opened = await openedEntra([], ["a"], { jwksUrl: undefined })
    for (const claims of [userClaims(), appClaims()]) {
      const headers = bearer(await signed(claims, ours))
      expect((await opened.app.request(devicePath, { headers })).status).toBe(200)
    }
    vi.unstubAllGlobals()
    expect(asked).toEqual([
      "https://login.microsoftonline.com/common/discovery/v2.0/keys",
      "https://login.microsoftonline.com/common/discovery/keys"
    ])
  })
})

/** Something that must not get in, made with or without the key that the service trusts. */
type Attack = readonly [title: string, token: () => string | Promise<string>]

const claimed =
  (change: object, base: JWTPayload = userClaims()): (() => Promise<string>) =>
  () =>
    signed({ ...base, ...change }, ours)

const withHeader = (header: object, claims: object = userClaims()) => {
  const content = `${encoded(header)}.${encoded(claims)}`
  return (sign: (content: string) => string) => `${content}.${sign(content)}`
}

/** Each leads to 401; the address where a token says its keys are is that of a server of the attacker. */
const attacks = (attacker: string): ReadonlyArray<Attack> => [
  ["is unsigned, with alg none", () => withHeader({ alg: "none", typ: "JWT", kid: "ours" })(() => "")],
  ["is unsigned, with alg nOnE", () => withHeader({ alg: "nOnE", typ: "JWT", kid: "ours" })(() => "")],
  [
    "is signed by HS256 with the public key as the secret",
    async () => {
      const secret = await exportSPKI(ours.publicKey)
      return withHeader({ alg: "HS256", typ: "JWT", kid: "ours" })((content) =>
        createHmac("sha256", secret).update(content).digest("base64url")
      )
    }
  ],
  ["is signed by PS256", () => withHeader({ alg: "PS256", kid: "ours" })(() => "c2lnbmF0dXJl")],
  ["is signed by another key under our kid", () => signed(userClaims(), { ...strange, kid: "ours" })],
  ["has an unknown kid", () => signed(userClaims(), strange)],
  ["has no kid", () => signed(userClaims(), ours, { kid: undefined })],
  ["has an empty kid", () => signed(userClaims(), ours, { kid: "" })],
  ["has a kid with path characters", () => signed(userClaims(), ours, { kid: "../../ours" })],
  ["has a kid that is a URL", () => signed(userClaims(), strange, { kid: `${attacker}/keys` })],
  ["has a kid with a line end", () => signed(userClaims(), strange, { kid: "ours\r\nx-injected: 1" })],
  ["names its keys by jku", () => signed(userClaims(), strange, { jku: `${attacker}/keys` })],
  ["names its certificate by x5u", () => signed(userClaims(), strange, { x5u: `${attacker}/certificate` })],
  ["brings its key along as jwk", () => signed(userClaims(), { ...strange, kid: "ours" }, { jwk: strange.jwk })],
  [
    "has a critical extension that we do not know",
    () =>
      new CompactSign(Buffer.from(JSON.stringify(userClaims())))
        .setProtectedHeader({ alg: "RS256", kid: "ours", crit: ["x"], x: 1 })
        .sign(ours.privateKey, { crit: { x: true } })
  ],
  [
    "has lost its signature",
    async () =>
      parts(await signed(userClaims(), ours))
        .toSpliced(2, 1, "")
        .join(".")
  ],
  [
    "has lost its signature and the dot",
    async () =>
      parts(await signed(userClaims(), ours))
        .slice(0, 2)
        .join(".")
  ],
  [
    "has another's payload under its signature",
    async () =>
      parts(await signed(userClaims(), ours))
        .with(1, encoded({ ...userClaims(), tid: tenants[1] }))
        .join(".")
  ],
  ["is for another audience", claimed({ aud: "api://another.example" })],
  ["is for Microsoft Graph", claimed({ aud: "00000003-0000-0000-c000-000000000000" })],
  ["is for several audiences", claimed({ aud: [audience, "api://another.example"] })],
  ["is for an audience that begins like ours", claimed({ aud: `${audience}.evil` })],
  ["is for no audience", claimed({ aud: undefined })],
  ["is by another issuer", claimed({ iss: `https://evil.example/${tenants[0]}/v2.0` })],
  ["is by the issuer of another tenant", claimed({ iss: `https://login.microsoftonline.com/${tenants[1]}/v2.0` })],
  ["is by the v1 issuer with ver 2.0", claimed({ iss: `https://sts.windows.net/${tenants[0]}/` })],
  ["is by the v2 issuer with ver 1.0", claimed({ ver: "1.0", appid: app })],
  ["has the issuer's placeholder in its issuer", claimed({ iss: "https://login.microsoftonline.com/{tenantid}/v2.0" })],
  [
    "is by an issuer that goes on behind ours",
    claimed({ iss: `https://sts.windows.net/${tenants[0]}/x` }, appClaims())
  ],
  ["is of no version", claimed({ ver: undefined })],
  ["is of version 3.0", claimed({ ver: "3.0" })],
  ["is of a tenant that is not served", () => signed(userClaims(stranger), ours)],
  ["is of the tenant of personal accounts", () => signed(userClaims(personalTenant), ours)],
  ["is of no tenant", claimed({ tid: undefined })],
  ["is of the tenant local", () => signed(userClaims("local"), ours)],
  ["is of a tenant in capitals", () => signed(userClaims(tenants[0].toUpperCase()), ours)],
  ["is of several tenants", claimed({ tid: [tenants[0]] })],
  ["expired six minutes ago", claimed({ exp: inSeconds(-360) })],
  ["is valid in six minutes", claimed({ nbf: inSeconds(360) })],
  ["never expires", claimed({ exp: undefined })],
  ["was always valid", claimed({ nbf: undefined })],
  ["expires at a text", claimed({ exp: "never" })],
  ["names no client, as an id token", claimed({ azp: undefined })],
  ["is larger than 16 KiB", claimed({ padding: "x".repeat(16_384) })],
  ["is followed by a word", async () => `${await signed(userClaims(), ours)} x`],
  ["is no JWT", () => "opaque"],
  ["is three dots", () => "..."],
  ["is encrypted", () => "a.b.c.d.e"],
  ["has a header that is no JSON", () => `${Buffer.from("{").toString("base64url")}.e30.e30`],
  ["has a payload that is no object", () => `${encoded({ alg: "RS256", kid: "ours" })}.${encoded([1])}.e30`],
  [
    "is followed by another",
    async () => `${await signed(userClaims(), ours)}, Bearer ${await signed(userClaims(), ours)}`
  ]
]

describe("an attack", () => {
  it.for(attacks("").map(([title], index) => [title, index] as const))(
    "with a token that %s is 401, without a word of the token, and asks no one but the keys' server",
    async ([, index]) => {
      const asked: Array<string> = []
      await using attacker = await served((request, response) => {
        asked.push(request.url ?? "")
        response.end(JSON.stringify({ keys: [strange.jwk] }))
      })
      await using opened = await openedEntra([ours.jwk], ["a"])
      const token = (await attacks(attacker.url)[index]?.[1]()) ?? ""
      const response = await opened.app.request(devicePath, { headers: bearer(token) })
      const shown = JSON.stringify([[...response.headers], await response.clone().text(), opened.lines])
      expect([response.status, (await failureOf(response)).code]).toEqual([401, "InvalidAuthenticationToken"])
      expect(response.headers.get("www-authenticate")).toBe(
        'Bearer authorization_uri="https://login.microsoftonline.com/common/oauth2/v2.0/authorize", error="invalid_token"'
      )
      for (const part of token.split(/[.\s,]+/).filter((part) => part.length > 6)) expect(shown).not.toContain(part)
      expect(asked).toEqual([])
      expect(opened.asked.filter((path) => path !== "/keys")).toEqual([])
    }
  )

  it.for([
    ["nothing", {}],
    ["an empty header", { authorization: "" }],
    ["a scheme alone", { authorization: "Bearer" }],
    ["another scheme", { authorization: "Basic dXNlcjpwYXNzd29yZA==" }]
  ] as const)("with %s is 401 and asks for a token", async ([, headers]) => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    const response = await opened.app.request(devicePath, { headers })
    expect(response.headers.get("www-authenticate")).toBe(
      'Bearer authorization_uri="https://login.microsoftonline.com/common/oauth2/v2.0/authorize"'
    )
    expect([response.status, (await failureOf(response)).message]).toEqual([401, "Access token is empty."])
    expect(opened.asked).toEqual([])
  })

  it("with a personal account is 401, even if its tenant were among those that are served", async () => {
    await using opened = await openedEntra([ours.jwk], [], { tenants: [personalTenant] })
    const response = await opened.app.request(devicesPath, {
      headers: bearer(await signed(userClaims(personalTenant), ours))
    })
    expect([response.status, (await failureOf(response)).message]).toEqual([
      401,
      "Personal Microsoft accounts are not supported."
    ])
  })

  it.for(["access_token", "token", "authorization", "$token"])(
    "with a good token in the query as %s is 401",
    async (name) => {
      await using opened = await openedEntra([ours.jwk], ["a"])
      const token = await signed(userClaims(), ours)
      const response = await opened.app.request(`${devicePath}?${name}=${token}`)
      expect(response.status).toBe(401)
      expect(JSON.stringify([await response.text(), opened.lines])).not.toContain(token)
    }
  )

  it("with two Authorization headers is 401, though both are good", async () => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    await using server = await served(
      (request, response) => void getRequestListener(opened.app.fetch)(request, response)
    )
    const header = `Authorization: Bearer ${await signed(userClaims(), ours)}\r\n`
    const statusOf = async (headers: string) => {
      const { hostname, port } = new URL(server.url)
      const socket = connect(Number(port), hostname)
      await once(socket, "connect")
      socket.write(`GET ${devicePath} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: close\r\n${headers}\r\n`)
      return (await text(socket)).split(" ")[1]
    }
    expect(await statusOf(header)).toBe("200")
    expect(await statusOf(header + header)).toBe("401")
  })

  it.for([
    ["no scope at all", { scp: undefined }, 403, 403],
    ["scopes of other things", { scp: "User.Read Mail.ReadWrite" }, 403, 403],
    ["a scope that begins like the right one", { scp: `${readWrite}x` }, 403, 403],
    ["a scope in another case", { scp: readWrite.toLowerCase() }, 403, 403],
    ["scopes in a list", { scp: [readWrite] }, 403, 403],
    ["scopes with commas", { scp: `${readOnly},${readWrite}` }, 403, 403],
    ["the right to read only", { scp: readOnly }, 200, 403],
    ["a user's role that is named like the permission", { scp: "User.Read", roles: [readWrite] }, 403, 403],
    ["a user's role and no scope", { scp: undefined, roles: [readWrite] }, 403, 403],
    [
      "a user's role and no scope, said in idtyp",
      { scp: undefined, roles: [readWrite], idtyp: "user", sub: "u", oid: "u" },
      403,
      403
    ],
    ["an app's idtyp with a scope", { idtyp: "app" }, 403, 403]
  ] as const)("with a user's token that has %s is refused", async ([, change, reading, writing]) => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    const headers = bearer(await signed({ ...userClaims(), ...change }, ours))
    const update = jsonRequest("PATCH", { model: "X" })
    const read = await opened.app.request(devicePath, { headers })
    const written = await opened.app.request(devicePath, { ...update, headers: { ...update.headers, ...headers } })
    expect([read.status, written.status]).toEqual([reading, writing])
    expect((await failureOf(written)).code).toBe("Forbidden")
  })

  it.for([
    ["no role", { roles: undefined }, 403, 403],
    ["roles in one text", { roles: readWrite }, 403, 403],
    ["roles that are no texts", { roles: [{ value: readWrite }, null, 7] }, 403, 403],
    ["the right to read only", { roles: [readOnly] }, 200, 403]
  ] as const)("with an app's token that has %s is refused", async ([, change, reading, writing]) => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    const headers = bearer(await signed({ ...appClaims(), ...change }, ours))
    const update = jsonRequest("PATCH", { model: "X" })
    const read = await opened.app.request(devicePath, { headers })
    const written = await opened.app.request(devicePath, { ...update, headers: { ...update.headers, ...headers } })
    expect([read.status, written.status]).toEqual([reading, writing])
  })

  it("with rights to nothing that is served has its batch refused unread", async () => {
    await using opened = await openedEntra([ours.jwk])
    const batchOf = async (scp: string) => {
      const request = jsonRequest("POST", "{")
      const headers = { ...request.headers, ...bearer(await signed({ ...userClaims(), scp }, ours)) }
      return (await opened.app.request("/beta/$batch", { ...request, headers })).status
    }
    expect([await batchOf("User.Read"), await batchOf(readOnly)]).toEqual([403, 400])
  })

  it("with too few rights is told which would do, and nothing of its token", async () => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    const headers = bearer(await signed({ ...userClaims(), scp: "canary.Read" }, ours))
    const response = await opened.app.request(devicePath, { method: "DELETE", headers })
    const write = ["DeviceManagementConfiguration.ReadWrite.All", "DeviceManagementManagedDevices.ReadWrite.All"]
    expect(response.headers.get("www-authenticate")).toBe(
      `Bearer authorization_uri="https://login.microsoftonline.com/common/oauth2/v2.0/authorize", error="insufficient_scope", scope="${write.join(" ")}"`
    )
    expect(JSON.stringify([await response.clone().text(), opened.lines])).not.toContain("canary")
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([403, "Forbidden"])
    expect(message).toContain(`one of the following scopes: ${write.join(", ")}.`)
  })
})

const statusWith = async (opened: Awaited<ReturnType<typeof openedEntra>>, key: SigningKey, claims = userClaims()) =>
  (await opened.app.request(devicePath, { headers: bearer(await signed(claims, key)) })).status

describe("the keys", () => {
  it("are fetched once for many tokens", async () => {
    await using opened = await openedEntra([ours.jwk], ["a"])
    const claims = Array.from({ length: 20 }, (_, index) => ({ ...userClaims(), nonce: index }))
    const statuses = await Promise.all(claims.map((claim) => statusWith(opened, ours, claim)))
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(opened.asked).toEqual(["/keys"])
  })

  it("are fetched again for a kid that is not among them, but not more than once in thirty seconds", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] })
    await using opened = await openedEntra([ours.jwk], ["a"])
    expect(await statusWith(opened, ours)).toBe(200)
    opened.published.keys = [ours.jwk, strange.jwk]
    for (let time = 0; time < 5; time++) expect(await statusWith(opened, strange)).toBe(401)
    expect(opened.asked).toHaveLength(1)
    vi.advanceTimersByTime(30_001)
    expect(await statusWith(opened, strange)).toBe(200)
    expect(opened.asked).toHaveLength(2)
  })

  it("are forgotten after an hour: one that was withdrawn is trusted no longer", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] })
    await using opened = await openedEntra([ours.jwk, strange.jwk], ["a"])
    expect(await statusWith(opened, strange)).toBe(200)
    opened.published.keys = [ours.jwk]
    vi.advanceTimersByTime(hourSeconds * 1000 + 1)
    expect(await statusWith(opened, strange)).toBe(401)
    expect(await statusWith(opened, ours)).toBe(200)
  })

  it.for([
    ["answers with 500", 500, [ours.jwk]],
    ["redirects", 302, [ours.jwk]],
    ["sends more than a mebibyte", 200, [ours.jwk, { kty: "RSA", padding: "x".repeat(1_048_576) }]],
    ["sends something else", 200, [7]]
  ] as const)(
    "whose server %s are missing: 503, the cause in the log, and no request for five seconds",
    async ([, status, keys]) => {
      vi.useFakeTimers({ toFake: ["Date", "performance"] })
      await using opened = await openedEntra([ours.jwk], ["a"])
      Object.assign(opened.published, { status, keys })
      const token = await signed(userClaims(), ours)
      const response = await opened.app.request(devicePath, { headers: bearer(token) })
      expect([response.status, (await failureOf(response)).code]).toEqual([503, "serviceNotAvailable"])
      expect(opened.lines).toContainEqual(expect.objectContaining({ level: "error" }))
      const logged = opened.lines.map(({ err }) => (err instanceof Error ? `${err.stack} ${String(err.cause)}` : ""))
      expect(JSON.stringify([opened.lines, logged])).not.toContain(parts(token)[2])
      Object.assign(opened.published, { status: 200, keys: [ours.jwk] })
      vi.advanceTimersByTime(5_001)
      expect(await statusWith(opened, ours)).toBe(200)
    }
  )

  it("are fetched for a new kid, and after an hour, also when the clock of the day was set back", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] })
    await using opened = await openedEntra([ours.jwk], ["a"])
    expect(await statusWith(opened, ours)).toBe(200)
    opened.published.keys = [strange.jwk]
    vi.setSystemTime(Date.now() - 12 * hourSeconds * 1000)
    vi.advanceTimersByTime(30_001)
    expect(await statusWith(opened, strange)).toBe(200)
    opened.published.keys = [ours.jwk]
    vi.setSystemTime(Date.now() - 12 * hourSeconds * 1000)
    vi.advanceTimersByTime(hourSeconds * 1000 + 1)
    expect(await statusWith(opened, strange)).toBe(401)
    expect(opened.asked).toHaveLength(3)
  })

  it("are not asked for again at once when their server fails", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] })
    await using opened = await openedEntra([ours.jwk], ["a"])
    opened.published.status = 500
    for (let time = 0; time < 5; time++) expect(await statusWith(opened, ours)).toBe(503)
    expect(opened.asked).toEqual(["/keys"])
  })

  it("that are for one issuer sign for that one only", async () => {
    const template = "https://login.microsoftonline.com/{tenantid}/v2.0"
    await using opened = await openedEntra(
      [
        { ...ours.jwk, issuer: template },
        { ...strange.jwk, issuer: template.replace("{tenantid}", personalTenant) }
      ],
      ["a"]
    )
    expect(await statusWith(opened, ours)).toBe(200)
    expect(await statusWith(opened, ours, appClaims())).toBe(200)
    expect(await statusWith(opened, strange)).toBe(401)
  })
})

describe("a verified token", () => {
  it("is not looked at again until it expires", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] })
    await using opened = await openedEntra([ours.jwk], ["a"])
    const headers = bearer(await signed({ ...userClaims(), exp: inSeconds(2 * hourSeconds) }, ours))
    const status = async () => (await opened.app.request(devicePath, { headers })).status
    expect(await status()).toBe(200)
    opened.published.status = 500
    vi.advanceTimersByTime(2 * hourSeconds * 1000 - 1000)
    expect(await status()).toBe(200)
    expect(opened.asked).toHaveLength(1)
    vi.advanceTimersByTime(2000)
    expect(await status()).toBe(503)
    expect(opened.asked).toHaveLength(2)
  })

  it("makes room for others when there are more than a thousand", { timeout: 60_000 }, async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] })
    await using opened = await openedEntra([ours.jwk], ["a"])
    const claims = { ...userClaims(), exp: inSeconds(2 * hourSeconds) }
    const tokens = await Promise.all(Array.from({ length: 1001 }, (_, nonce) => signed({ ...claims, nonce }, ours)))
    const statusOf = async (token = "") => (await opened.app.request(devicePath, { headers: bearer(token) })).status
    for (const token of tokens) expect(await statusOf(token)).toBe(200)
    opened.published.status = 500
    vi.advanceTimersByTime(hourSeconds * 1000 + 1)
    expect(await statusOf(tokens[1])).toBe(200)
    expect(await statusOf(tokens[1000])).toBe(200)
    expect(await statusOf(tokens[0])).toBe(503)
  })

  it("is looked at again when its key was taken out of those that are published, or replaced by another of its name", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] })
    for (const later of [[strange.jwk], [strange.jwk, { ...strange.jwk, kid: ours.kid }]]) {
      await using opened = await openedEntra([ours.jwk], ["a"])
      const headers = bearer(await signed({ ...userClaims(), exp: inSeconds(hourSeconds) }, ours))
      const status = async () => (await opened.app.request(devicePath, { headers })).status
      expect(await status()).toBe(200)
      opened.published.keys = later
      vi.advanceTimersByTime(30_001)
      expect(await status()).toBe(200)
      expect(await statusWith(opened, strange)).toBe(200)
      expect(await status()).toBe(401)
    }
  })

  it("is refused once it has expired and the clocks' difference is over", async () => {
    vi.useFakeTimers({ toFake: ["Date", "performance"] })
    await using opened = await openedEntra([ours.jwk], ["a"])
    const headers = bearer(await signed(userClaims(), ours))
    const status = async () => (await opened.app.request(devicePath, { headers })).status
    expect(await status()).toBe(200)
    vi.advanceTimersByTime((hourSeconds + 299) * 1000)
    expect(await status()).toBe(200)
    vi.advanceTimersByTime(2000)
    expect(await status()).toBe(401)
  })
})
