import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { createHttpHeaders } from "@azure/core-rest-pipeline"
import type { TokenCredentialOptions } from "@azure/identity"
import { type Surroundings, appOver } from "../src/app.ts"
import { type GatewayOptions, openGateway } from "../src/gateway/open.ts"
import { closed, httpServer, listen } from "../src/service.ts"
import { defaultSettings } from "../src/settings/config.ts"
import type { Settings } from "../src/settings/settings.ts"
import { temporaryFolder } from "./opened.ts"

/** A record of the log of writes. */
export interface AuditRecord {
  readonly id: string
  readonly event: "intent" | "outcome"
  readonly [name: string]: unknown
}

/** A gateway on a port, which writes unless it is told otherwise; gone, with its log of writes, with the scope. */
export const openedGateway = async (
  upstream: string,
  {
    settings = {},
    observers = [],
    exposition,
    ...options
  }: Omit<GatewayOptions, "log"> &
    Pick<Surroundings, "exposition" | "observers"> & { readonly settings?: Partial<Settings> } = {}
) => {
  const folder = await temporaryFolder()
  const audit = join(folder.path, "audit.jsonl")
  const lines: Array<Readonly<Record<string, unknown>>> = []
  const logged = (level: string) => (facts: object, message: string) => void lines.push({ level, message, ...facts })
  const log = { info: logged("info"), error: logged("error") }
  const gateway = await openGateway(
    { ...defaultSettings, upstreamWrites: "on", audit, ...settings, upstream },
    { ...options, log }
  )
  const app = appOver(gateway.backend, { authentication: options.authentication, log, observers, exposition })
  const server = httpServer(app)
  const url = await listen(server, { host: "127.0.0.1", port: 0 })
  return {
    url,
    app,
    audit,
    lines,
    audited: async (): Promise<ReadonlyArray<AuditRecord>> =>
      (await readFile(audit, "utf8"))
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line)),
    [Symbol.asyncDispose]: async () => {
      await closed(server)
      await gateway.close()
      await folder[Symbol.asyncDispose]()
    }
  }
}

/** One request for a token. */
export interface SignIn {
  readonly origin: string
  readonly tenant: string
  readonly form: URLSearchParams
}

/** Entra's sign-in as far as the gateway asks it, at the seam that `@azure/identity` has for this. */
export const entraSignIn = (answer: (signIn: SignIn) => object | Promise<object>) => {
  const asked: Array<SignIn> = []
  const httpClient: NonNullable<TokenCredentialOptions["httpClient"]> = {
    sendRequest: async (request) => {
      const { host, origin, pathname } = new URL(request.url)
      const [, tenant = ""] = pathname.split("/")
      const authority = `${origin}/${tenant}`
      const reply = (status: number, body: object) => ({
        request,
        status,
        headers: createHttpHeaders(),
        bodyAsText: JSON.stringify(body)
      })
      if (pathname.includes("/discovery/")) {
        return reply(200, {
          tenant_discovery_endpoint: `${authority}/v2.0/.well-known/openid-configuration`,
          metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }]
        })
      }
      if (pathname.endsWith("openid-configuration")) {
        return reply(200, {
          issuer: `${authority}/v2.0`,
          authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
          token_endpoint: `${authority}/oauth2/v2.0/token`,
          jwks_uri: `${authority}/discovery/v2.0/keys`
        })
      }
      const signIn = { origin, tenant, form: new URLSearchParams(typeof request.body === "string" ? request.body : "") }
      asked.push(signIn)
      const body = await answer(signIn)
      return reply("error" in body ? 400 : 200, body)
    }
  }
  return { asked, credentialOptions: { httpClient } }
}
