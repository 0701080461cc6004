import { createHttpHeaders } from "@azure/core-rest-pipeline"
import type { TokenCredentialOptions } from "@azure/identity"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { generateKeyPairSync } from "node:crypto"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { inspect } from "node:util"
import { afterAll, afterEach, describe, expect, test, vi } from "vitest"
import { clouds, isCloud } from "../src/facts/clouds.ts"
import { signIn, tokenFromCredential } from "../src/identity.ts"
import { GraphClient, type TokenSource } from "../src/index.ts"
import { fakeGraph } from "../src/testing.ts"
import { clientOf, device, key } from "./fixtures.ts"

const folder = await mkdtemp(join(tmpdir(), "workanywhere-identity-"))
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => vi.unstubAllEnvs())

const ask = (source: TokenSource, claims?: string) =>
  Effect.runPromise(Effect.result(source({ wasRefused: false, ...(claims === undefined ? {} : { claims }) })))

const tenantId = "11111111-1111-4111-8111-111111111111"
const app = { tenantId, clientId: "22222222-2222-4222-8222-222222222222" }

/** Microsoft's sign-in, as far as these flows go: discovery, device codes and tokens. */
const entra = (answer: (form: URLSearchParams) => object) => {
  const forms: Array<URLSearchParams> = []
  const hosts = new Set<string>()
  const httpClient: NonNullable<TokenCredentialOptions["httpClient"]> = {
    sendRequest: (request) => {
      const url = new URL(request.url)
      hosts.add(url.origin)
      const authority = `${url.origin}/${tenantId}`
      const form = new URLSearchParams(typeof request.body === "string" ? request.body : "")
      const reply = (status: number, body: object) =>
        Promise.resolve({ request, status, headers: createHttpHeaders(), bodyAsText: JSON.stringify(body) })
      if (url.pathname.includes("/discovery/")) {
        return reply(200, {
          tenant_discovery_endpoint: `${authority}/v2.0/.well-known/openid-configuration`,
          metadata: [{ preferred_network: url.host, preferred_cache: url.host, aliases: [url.host] }]
        })
      }
      if (url.pathname.endsWith("openid-configuration")) {
        return reply(200, {
          issuer: `${authority}/v2.0`,
          authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
          token_endpoint: `${authority}/oauth2/v2.0/token`,
          device_authorization_endpoint: `${authority}/oauth2/v2.0/devicecode`,
          jwks_uri: `${authority}/discovery/v2.0/keys`
        })
      }
      if (url.pathname.endsWith("/devicecode")) {
        return reply(200, {
          device_code: "d",
          user_code: "ABCD",
          verification_uri: "https://example/device",
          expires_in: 900,
          interval: 0,
          message: "Go to https://example/device and enter ABCD."
        })
      }
      forms.push(form)
      const body = answer(form)
      return reply("error" in body ? 400 : 200, body)
    }
  }
  return { forms, hosts, credentialOptions: { httpClient } }
}

const token = (text: string) => ({ token_type: "Bearer", expires_in: 3600, access_token: text })

describe("signIn", () => {
  test("with a client secret asks the cloud's sign-in for a token for the cloud's Graph", async () => {
    const { credentialOptions, forms, hosts } = entra(() => token("t1"))
    const how = { with: "clientSecret", ...app, clientSecret: Redacted.make("s3cret") } as const
    const before = Date.now()
    const result = await ask(signIn(how, { cloud: "usGovL4", credentialOptions }))
    expect(result).toMatchObject({ _tag: "Success", success: { expiresAtMillis: expect.any(Number) } })
    if (result._tag === "Failure") throw result.failure
    expect(Redacted.value(result.success.token)).toBe("t1")
    expect(result.success.expiresAtMillis).toBeGreaterThan(before + 3_000_000)
    expect(forms[0]?.get("scope")).toContain("https://graph.microsoft.us/.default")
    expect(forms[0]?.get("client_secret")).toBe("s3cret")
    expect([...hosts]).toEqual(["https://login.microsoftonline.us"])
  })

  test("passes a claims challenge on, and asks again for it rather than answer from its cache", async () => {
    const { credentialOptions, forms } = entra(() => token(`t${forms.length}`))
    const source = signIn({ with: "clientSecret", ...app, clientSecret: Redacted.make("s") }, { credentialOptions })
    await ask(source)
    await ask(source)
    expect(forms).toHaveLength(1)
    const claims = JSON.stringify({ access_token: { nbf: { essential: true, value: "1" } } })
    expect(await ask(source, claims)).toMatchObject({ _tag: "Success" })
    expect(forms[1]?.get("claims")).toContain("nbf")
  })

  test("with a certificate proves it holds the key", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    const certificatePath = join(folder, "both.pem")
    const pem = privateKey.export({ type: "pkcs8", format: "pem" })
    await writeFile(certificatePath, `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${pem.toString()}`)
    const { credentialOptions, forms } = entra(() => token("t1"))
    expect(await ask(signIn({ with: "certificate", ...app, certificatePath }, { credentialOptions }))).toMatchObject({
      _tag: "Success"
    })
    expect(forms[0]?.get("client_assertion")?.split(".")).toHaveLength(3)
  })

  test("on behalf of a caller hands in the caller's token, and proves who the API is by a secret or a certificate", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    const certificatePath = join(folder, "api.pem")
    const pem = privateKey.export({ type: "pkcs8", format: "pem" })
    await writeFile(certificatePath, `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n${pem.toString()}`)
    const { credentialOptions, forms } = entra(() => token("t1"))
    const how = { with: "onBehalfOf", ...app, assertion: Redacted.make("of-the-caller") } as const
    for (const proof of [{ clientSecret: Redacted.make("s3cret") }, { certificatePath }]) {
      const result = await ask(signIn({ ...how, ...proof }, { credentialOptions }))
      expect(result).toMatchObject({ _tag: "Success" })
    }
    for (const form of forms) {
      expect(form.get("requested_token_use")).toBe("on_behalf_of")
      expect(form.get("assertion")).toBe("of-the-caller")
      expect(form.get("scope")).toContain("https://graph.microsoft.com/.default")
    }
    expect(forms[0]?.get("client_secret")).toBe("s3cret")
    expect(forms[1]?.get("client_assertion")?.split(".")).toHaveLength(3)
  })

  test("with a workload identity hands in the token of the platform", async () => {
    const tokenFilePath = join(folder, "federated")
    await writeFile(tokenFilePath, "federated-token")
    const { credentialOptions, forms } = entra(() => token("t1"))
    expect(await ask(signIn({ with: "workloadIdentity", ...app, tokenFilePath }, { credentialOptions }))).toMatchObject(
      {
        _tag: "Success"
      }
    )
    expect(forms[0]?.get("client_assertion")).toBe("federated-token")
  })

  test("with the environment reads what @azure/identity reads", async () => {
    vi.stubEnv("AZURE_TENANT_ID", app.tenantId)
    vi.stubEnv("AZURE_CLIENT_ID", app.clientId)
    vi.stubEnv("AZURE_CLIENT_SECRET", "from-env")
    const { credentialOptions, forms } = entra(() => token("t1"))
    expect(await ask(signIn({ with: "environment" }, { credentialOptions }))).toMatchObject({ _tag: "Success" })
    expect(forms[0]?.get("client_secret")).toBe("from-env")
  })

  test("with a device code tells the person what to do", async () => {
    const said: Array<string> = []
    const { credentialOptions } = entra(() => token("t1"))
    const how = { with: "deviceCode", ...app, onPrompt: (message: string) => said.push(message) } as const
    expect(await ask(signIn(how, { credentialOptions }))).toMatchObject({ _tag: "Success" })
    expect(said).toEqual(["Go to https://example/device and enter ABCD."])
  })

  test("with the Azure CLI runs it", async () => {
    const expires = Math.floor(Date.now() / 1000) + 3600
    const answer = JSON.stringify({ accessToken: "from-az", expires_on: expires })
    await writeFile(join(folder, "az"), `#!/bin/sh\necho '${answer}'\n`, { mode: 0o755 })
    vi.stubEnv("PATH", [folder, process.env["PATH"]].join(delimiter))
    const result = await ask(signIn({ with: "azureCli" }))
    if (result._tag === "Failure") throw result.failure
    expect(Redacted.value(result.success.token)).toBe("from-az")
    expect(result.success.expiresAtMillis).toBe(expires * 1_000)
  })

  test("with a managed identity asks the platform's own endpoint, for the identity that is named", async () => {
    const asked: Array<{ readonly url: URL; readonly secret: unknown }> = []
    const platform = createServer((request, response) => {
      asked.push({ url: new URL(request.url ?? "", "http://127.0.0.1"), secret: request.headers["x-identity-header"] })
      const expires = Math.floor(Date.now() / 1000) + 7_200
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ access_token: "of-the-platform", expires_on: String(expires), token_type: "Bearer" }))
    }).listen(0, "127.0.0.1")
    await once(platform, "listening")
    vi.stubEnv("IDENTITY_ENDPOINT", `http://127.0.0.1:${(platform.address() as AddressInfo).port}/token`)
    vi.stubEnv("IDENTITY_HEADER", "h")
    try {
      const result = await ask(signIn({ with: "managedIdentity", clientId: app.clientId }, { cloud: "usGovL5" }))
      if (result._tag === "Failure") throw result.failure
      expect(Redacted.value(result.success.token)).toBe("of-the-platform")
      expect(asked).toHaveLength(1)
      expect(asked[0]?.secret).toBe("h")
      expect(Object.fromEntries(asked[0]?.url.searchParams ?? [])).toMatchObject({
        resource: "https://dod-graph.microsoft.us",
        client_id: app.clientId
      })
    } finally {
      platform.closeAllConnections()
      platform.close()
      await once(platform, "close")
    }
  })

  test.each(Object.entries(clouds))(
    "in the cloud %s asks its own sign-in for its own Graph",
    async (cloud, addresses) => {
      const { credentialOptions, forms, hosts } = entra(() => token("t1"))
      const how = { with: "clientSecret", ...app, clientSecret: Redacted.make("s3cret") } as const
      if (!isCloud(cloud)) throw new Error(`${cloud} is no cloud`)
      expect(await ask(signIn(how, { cloud, credentialOptions }))).toMatchObject({ _tag: "Success" })
      expect([...hosts]).toEqual([addresses.signIn])
      expect(forms[0]?.get("scope")).toContain(`${addresses.graph}/.default`)
    }
  )
})

describe("a sign-in that fails", () => {
  test("shows Entra's code, and nothing of what was sent or answered", async () => {
    const { credentialOptions } = entra((form) => ({
      error: "invalid_client",
      error_description: `AADSTS7000215: Invalid client secret ${form.get("client_secret")} provided.`,
      error_codes: [7_000_215]
    }))
    const how = { with: "clientSecret", ...app, clientSecret: Redacted.make("canary-s3cret") } as const
    const result = await ask(signIn(how, { credentialOptions }))
    expect(result).toMatchObject({
      failure: { message: "the sign-in failed (AuthenticationRequiredError, AADSTS7000215)" }
    })
    expect(inspect(result, { depth: Infinity, showHidden: true })).not.toContain("canary")
  })

  test("says what the user has to prove when Entra wants more than the caller's token proves", async () => {
    const claims = { access_token: { polids: { essential: true, values: ["1"] } } }
    const { credentialOptions } = entra(() => ({
      error: "interaction_required",
      error_description:
        "AADSTS50076: canary-assertion Due to a configuration change, use multi-factor authentication.",
      error_codes: [50_076],
      suberror: "basic_action",
      claims: JSON.stringify(claims)
    }))
    const how = { with: "onBehalfOf", ...app, assertion: Redacted.make("canary-assertion") } as const
    const result = await ask(signIn({ ...how, clientSecret: Redacted.make("canary-s3cret") }, { credentialOptions }))
    expect(result).toMatchObject({
      failure: {
        message: "the sign-in failed (AuthenticationRequiredError, AADSTS50076)",
        code: "AADSTS50076",
        claims: JSON.stringify(claims)
      }
    })
    expect(inspect(result, { depth: Infinity, showHidden: true })).not.toContain("canary")
  })

  test("shows why a credential is not there", async () => {
    vi.stubEnv("PATH", folder)
    await rm(join(folder, "az"), { force: true })
    expect(await ask(signIn({ with: "azureCli" }))).toMatchObject({
      failure: { message: expect.stringMatching(/Azure CLI could not be found/) }
    })
  })

  test("with wrong details is a failure too, not a crash", async () => {
    const how = { with: "clientSecret", ...app, tenantId: "no such tenant!", clientSecret: Redacted.make("s") } as const
    expect(await ask(signIn(how))).toMatchObject({ failure: { _tag: "TokenUnavailable" } })
  })

  test.each([
    { what: "nothing", getToken: () => Promise.resolve(null), message: "the credential has no token" },
    { what: "an error", getToken: () => Promise.reject(new Error("canary")), message: "the sign-in failed (Error)" }
  ])("with $what is worded", async ({ getToken, message }) => {
    expect(await ask(tokenFromCredential({ getToken }))).toMatchObject({ failure: { message } })
  })
})

test("a client takes tokens from any credential", async () => {
  const asked: Array<unknown> = []
  const credential = {
    getToken: (scope: string | string[]) => {
      asked.push(scope)
      return Promise.resolve({
        token: "t1",
        expiresOnTimestamp: Date.now() + 3_600_000,
        refreshAfterTimestamp: Date.now() + 1_800_000
      })
    }
  }
  const graph = fakeGraph([Response.json(device)])
  const reading = GraphClient.use((client) => client.getDevice(key))
  const token = tokenFromCredential(credential, { scope: "api://mine/.default" })
  expect(await Effect.runPromise(Effect.provide(reading, clientOf(graph, { token })))).toEqual(device)
  expect(asked).toEqual(["api://mine/.default"])
  expect(graph.requests[0]?.headers.get("authorization")).toBe("Bearer t1")
})
