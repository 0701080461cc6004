import { once } from "node:events"
import { type RequestListener, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { type JWTPayload, SignJWT, exportJWK, generateKeyPair } from "jose"
import { type EntraSettings, entraAuthentication } from "../src/http/auth.ts"
import { standingCollection } from "../src/store/device-store.ts"
import { blankDevices, openedApp } from "./opened.ts"

/** Two tenants that the service serves. */
export const tenants = ["11111111-aaaa-4aaa-8aaa-111111111111", "22222222-bbbb-4bbb-8bbb-222222222222"] as const

/** What the service calls itself in Entra. */
export const audience = "api://devices.example"

/** The client that the tokens were made for. */
export const app = "33333333-cccc-4ccc-8ccc-333333333333"

/** The permission on Microsoft's page that is needed to update. */
export const readWrite = "DeviceManagementManagedDevices.ReadWrite.All"

/** One that is enough for reading only. */
export const readOnly = "DeviceManagementManagedDevices.Read.All"

/** A key of Entra's, as far as the service can tell. Making one takes long, so tests share them. */
export const signingKey = async (kid: string) => {
  const { publicKey, privateKey } = await generateKeyPair("RS256")
  return { kid, publicKey, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, use: "sig" } }
}

/** A key as {@link signingKey} makes it. */
export type SigningKey = Awaited<ReturnType<typeof signingKey>>

const nowSeconds = () => Math.floor(Date.now() / 1000)

/** The claims of a v2 token that a user lets an app write with. */
export const userClaims = (tid: string = tenants[0]): JWTPayload => ({
  aud: audience,
  iss: `https://login.microsoftonline.com/${tid}/v2.0`,
  iat: nowSeconds(),
  nbf: nowSeconds(),
  exp: nowSeconds() + 3600,
  azp: app,
  oid: "44444444-dddd-4ddd-8ddd-444444444444",
  sub: "a name for the user that only this audience sees",
  scp: `User.Read ${readWrite}`,
  tid,
  ver: "2.0"
})

/** The claims of a v1 token that an app writes with by itself. */
export const appClaims = (tid: string = tenants[0]): JWTPayload => ({
  aud: audience,
  iss: `https://sts.windows.net/${tid}/`,
  iat: nowSeconds(),
  nbf: nowSeconds(),
  exp: nowSeconds() + 3600,
  appid: app,
  oid: "55555555-eeee-4eee-8eee-555555555555",
  sub: "55555555-eeee-4eee-8eee-555555555555",
  roles: [readWrite],
  tid,
  ver: "1.0"
})

/** A token as Entra makes them. */
export const signed = (claims: JWTPayload, key: SigningKey, header: object = {}) =>
  new SignJWT(claims).setProtectedHeader({ typ: "JWT", alg: "RS256", kid: key.kid, ...header }).sign(key.privateKey)

/** A server on a free port; gone with its scope. */
export const served = async (answer: RequestListener) => {
  const server = createServer(answer).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}

/** The app behind tokens, and the server that has the keys; what that answers, and what it was asked, is in the open. */
export const openedEntra = async (
  keys: ReadonlyArray<object>,
  ids: Iterable<string> = [],
  settings: Partial<EntraSettings> = {}
) => {
  const asked: Array<string> = []
  const published = { keys, status: 200 }
  const server = await served((request, response) => {
    asked.push(request.url ?? "")
    response.writeHead(published.status, { "content-type": "application/json" })
    response.end(JSON.stringify({ keys: published.keys }))
  })
  const authentication = entraAuthentication({
    audience: [audience],
    tenants,
    authority: "https://login.microsoftonline.com",
    jwksUrl: `${server.url}/keys`,
    ...settings
  })
  const opened = await openedApp("memory", [], { authentication })
  for (const tenant of tenants) await opened.store.fillEmpty(standingCollection(tenant), blankDevices(ids))
  return {
    ...opened,
    authentication,
    asked,
    published,
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    }
  }
}

/** A header that carries a token. */
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
