import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { referencePageFiles } from "../../src/describe/reference-page.ts"
import { startService } from "../../src/service.ts"
import { defaultSettings } from "../../src/settings/config.ts"
import { failureOf, openedApp } from "../opened.ts"
import { openedEntra, signingKey } from "../tokens.ts"

const started = async () => {
  const { url, close } = await startService({ ...defaultSettings, port: 0 })
  return { url, [Symbol.asyncDispose]: close }
}

/** The addresses that a page or its styles would have a browser ask for. */
const addressesIn = (text: string): ReadonlyArray<string> => [
  ...[...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address = ""]) => address),
  ...[...text.matchAll(/url\(\s*["']?([^"')]*)/g)].map(([, address = ""]) => address),
  ...[...text.matchAll(/@import\s+["']([^"']*)/g)].map(([, address = ""]) => address)
]

describe("the reference page", () => {
  it("and all that it is made of come from the service", async () => {
    await using service = await started()
    const page = await fetch(`${service.url}/docs`)
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"])
    const addresses = addressesIn(await page.text()).filter((address) => !address.startsWith("data:"))
    expect(addresses.toSorted()).toEqual([
      "/docs/start.js",
      "/docs/swagger-ui-bundle.js",
      "/docs/swagger-ui.css",
      "/openapi.json"
    ])
    for (const address of addresses) {
      const response = await fetch(service.url + address)
      expect([address, response.status]).toEqual([address, 200])
      await response.text()
    }
    const styles = addressesIn(await (await fetch(`${service.url}/docs/swagger-ui.css`)).text())
    expect(styles.filter((address) => !address.startsWith("data:"))).toEqual([])
    expect(await (await fetch(`${service.url}/docs/start.js`)).text()).toContain('url: "/openapi.json"')
  })

  it("sends the script of its package as it is, with its licence", async () => {
    await using opened = await openedApp("memory", [])
    for (const file of ["swagger-ui-bundle.js", "LICENSE"]) {
      const original = await readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${file}`)))
      const response = await opened.app.request(`/docs/${file}`)
      expect(Buffer.from(await response.arrayBuffer()).equals(original)).toBe(true)
    }
  })

  it.for(["", ...referencePageFiles.map((file) => `/${file}`)])(
    "allows nothing from another origin, nor anything that leads to one, in /docs%s",
    async (file) => {
      await using opened = await openedApp("memory", [])
      const { headers } = await opened.app.request(`/docs${file}`)
      const policy = new Map(
        headers
          .get("content-security-policy")
          ?.split("; ")
          .map((directive) => [directive.split(" ")[0], directive.split(" ").slice(1)] as const)
      )
      expect(policy.get("default-src")).toEqual(["'none'"])
      expect(policy.get("script-src")).toEqual(["'self'"])
      expect(policy.get("style-src")).toEqual(["'self'"])
      expect(policy.get("connect-src")).toEqual(["'self'"])
      expect(policy.get("frame-ancestors")).toEqual(["'none'"])
      const sources = new Set([...policy.values()].flat())
      expect(sources).toEqual(new Set(["'none'", "'self'", "data:"]))
      expect(headers.get("x-content-type-options")).toBe("nosniff")
      expect(headers.get("referrer-policy")).toBe("no-referrer")
    }
  )

  it("has no other files: an unknown one is an unknown segment", async () => {
    await using opened = await openedApp("memory", [])
    for (const file of ["package.json", "..%2fpackage.json", "%2e%2e%2fpackage.json"]) {
      const response = await opened.app.request(`/docs/${file}`)
      expect([response.status, (await failureOf(response)).code]).toEqual([400, "BadRequest"])
    }
  })

  it("and the document are open where tokens are wanted, because they say nothing of a tenant", async () => {
    await using opened = await openedEntra([(await signingKey("key")).jwk], ["a device of a tenant"])
    for (const path of ["/docs", "/docs/start.js", "/openapi.json"]) {
      const response = await opened.app.request(path)
      expect([path, response.status]).toEqual([path, 200])
      expect(await response.text()).not.toContain("a device of a tenant")
    }
    const document = (await (await opened.app.request("/openapi.json")).json()) as Record<string, object>
    expect(document["components"]).toHaveProperty("securitySchemes.entra.scheme", "bearer")
    expect(Object.keys(document["paths"] ?? {}).filter((path) => path.startsWith("/_local"))).toEqual([])
  })

  it("is refused to pages of other sites while nobody has to prove who they are", async () => {
    await using service = await started()
    for (const path of ["/docs", "/openapi.json", "/metrics"]) {
      const response = await fetch(service.url + path, { headers: { origin: "https://elsewhere.example" } })
      expect([path, response.status]).toEqual([path, 400])
    }
  })
})
