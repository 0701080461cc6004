import { clouds } from "@workanywhere/graph-client/promise"
import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { authoritiesFor } from "../../src/settings/clouds.ts"
import { readSettings } from "../../src/settings/config.ts"

const problemsOf = (env: Record<string, string>) => {
  const settings = readSettings(env)
  return settings.success ? [] : settings.problems
}

const namesIn = (problems: ReadonlyArray<string>) => problems.map((problem) => problem.split(":")[0])

const tenant = "11111111-2222-4333-8444-555555555555"
const clientId = "66666666-7777-4888-8999-aaaaaaaaaaaa"

/** Another local Graph. */
const local = { WFA_UPSTREAM: "http://127.0.0.1:4010" }

/** Microsoft's Graph for one tenant, for callers of this machine. */
const byItself = {
  WFA_UPSTREAM: "https://graph.microsoft.com",
  WFA_UPSTREAM_AUTH: "client-credentials",
  WFA_UPSTREAM_TENANT: tenant,
  WFA_UPSTREAM_CLIENT_ID: clientId,
  WFA_UPSTREAM_CLIENT_SECRET: "s3cret"
}

/** Microsoft's Graph on behalf of the users who call. */
const onBehalfOf = {
  WFA_AUTH: "entra",
  WFA_AUDIENCE: "api://devices.example",
  WFA_TENANTS: `${tenant},${clientId}`,
  WFA_UPSTREAM: "https://graph.microsoft.com",
  WFA_UPSTREAM_AUTH: "on-behalf-of",
  WFA_UPSTREAM_CLIENT_ID: clientId,
  WFA_UPSTREAM_CLIENT_SECRET_FILE: "/run/secrets/client"
}

describe("the settings of a gateway", () => {
  it.for([
    ["another local Graph", local],
    ["another local Graph on IPv6, with a slash", { WFA_UPSTREAM: "http://[::1]:4010/" }],
    ["a tenant by itself", byItself],
    [
      "a tenant by itself, with a certificate",
      { ...byItself, WFA_UPSTREAM_CLIENT_SECRET: "", WFA_UPSTREAM_CERTIFICATE: "/a.pem" }
    ],
    ["users of two tenants", onBehalfOf],
    ["the tenants of tokens by itself", { ...onBehalfOf, WFA_UPSTREAM_AUTH: "client-credentials" }],
    [
      "one tenant's tokens over another local Graph",
      { ...local, WFA_AUTH: "entra", WFA_AUDIENCE: "api://x", WFA_TENANTS: tenant }
    ],
    ["writes", { ...local, WFA_UPSTREAM_WRITES: "on", WFA_AUDIT: "audit.jsonl" }],
    ["a log of writes that waits for writes", { ...local, WFA_AUDIT: "audit.jsonl" }],
    ["some routes", { ...local, WFA_UPSTREAM_ROUTES: "devices, device" }],
    ["a short wait", { ...local, WFA_UPSTREAM_LONGEST_WAIT: "60" }],
    ["a slower pace", { ...byItself, WFA_UPSTREAM_BUDGET: "intune*0.5" }],
    [
      "another cloud",
      { ...byItself, WFA_UPSTREAM: "https://graph.microsoft.us", WFA_AUTHORITY: "https://login.microsoftonline.us" }
    ],
    ["a cloud that nobody has heard of", { ...byItself, WFA_UPSTREAM: "https://graph.example" }]
  ] as const)("take %s", ([, env]) => {
    expect(problemsOf(env)).toEqual([])
  })

  it.for([
    ["a version", { WFA_UPSTREAM: "https://graph.microsoft.com/beta" }],
    ["a path", { WFA_UPSTREAM: "https://graph.microsoft.com/x/" }],
    ["a query", { WFA_UPSTREAM: "https://graph.microsoft.com/?" }],
    ["a fragment", { WFA_UPSTREAM: "https://graph.microsoft.com/#" }],
    ["a password", { WFA_UPSTREAM: "https://user:s3cret@graph.microsoft.com" }],
    ["no encryption", { WFA_UPSTREAM: "http://graph.microsoft.com" }],
    ["another protocol", { WFA_UPSTREAM: "ftp://graph.microsoft.com" }],
    ["a name alone", { WFA_UPSTREAM: "graph.microsoft.com" }],
    ["nothing", { WFA_UPSTREAM: "" }]
  ] as const)("refuse an upstream with %s, and say that callers choose the version", ([, env]) => {
    const problems = problemsOf({ ...byItself, ...env })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/^WFA_UPSTREAM: expected none, or the root of a Graph.*without a version or path/)
    expect(problems[0]).not.toContain("s3cret")
  })

  it.for<[string, Record<string, string>, ReadonlyArray<string>]>([
    ["no credentials elsewhere", { WFA_UPSTREAM: "https://graph.microsoft.com" }, ["WFA_UPSTREAM_AUTH"]],
    ["an unknown way to sign in", { ...local, WFA_UPSTREAM_AUTH: "password" }, ["WFA_UPSTREAM_AUTH"]],
    [
      "no credentials for two tenants",
      { ...onBehalfOf, ...local, WFA_UPSTREAM_AUTH: "none" },
      ["WFA_UPSTREAM_AUTH", "WFA_UPSTREAM_CLIENT_ID", "WFA_UPSTREAM_CLIENT_SECRET_FILE"]
    ],
    ["on-behalf-of without callers", { ...byItself, WFA_UPSTREAM_AUTH: "on-behalf-of" }, ["WFA_UPSTREAM_AUTH"]],
    ["no tenant", { ...byItself, WFA_UPSTREAM_TENANT: "" }, ["WFA_UPSTREAM_TENANT"]],
    ["a tenant by name", { ...byItself, WFA_UPSTREAM_TENANT: "contoso.com" }, ["WFA_UPSTREAM_TENANT"]],
    ["a tenant that tokens say", { ...onBehalfOf, WFA_UPSTREAM_TENANT: tenant }, ["WFA_UPSTREAM_TENANT"]],
    ["no client", { ...byItself, WFA_UPSTREAM_CLIENT_ID: "" }, ["WFA_UPSTREAM_CLIENT_ID"]],
    ["no proof", { ...byItself, WFA_UPSTREAM_CLIENT_SECRET: "" }, ["WFA_UPSTREAM_CLIENT_SECRET"]],
    [
      "two proofs",
      { ...byItself, WFA_UPSTREAM_CERTIFICATE: "/a.pem" },
      ["WFA_UPSTREAM_CLIENT_SECRET", "WFA_UPSTREAM_CERTIFICATE"]
    ],
    ["a proof for nobody", { ...local, WFA_UPSTREAM_CLIENT_SECRET: "s3cret" }, ["WFA_UPSTREAM_CLIENT_SECRET"]],
    ["another cloud's sign-in", { ...byItself, WFA_UPSTREAM: "https://graph.microsoft.us" }, ["WFA_AUTHORITY"]],
    ["writes without a log", { ...local, WFA_UPSTREAM_WRITES: "on" }, ["WFA_AUDIT"]],
    ["a log without an upstream", { WFA_AUDIT: "audit.jsonl" }, ["WFA_AUDIT"]],
    ["writes without an upstream", { WFA_UPSTREAM_WRITES: "on" }, ["WFA_UPSTREAM_WRITES"]],
    ["routes without an upstream", { WFA_UPSTREAM_ROUTES: "devices" }, ["WFA_UPSTREAM_ROUTES"]],
    ["a pace without an upstream", { WFA_UPSTREAM_BUDGET: "off" }, ["WFA_UPSTREAM_BUDGET"]],
    ["a sign-in without an upstream", { WFA_UPSTREAM_AUTH: "client-credentials" }, ["WFA_UPSTREAM_AUTH"]],
    ["an unknown route", { ...local, WFA_UPSTREAM_ROUTES: "devices,users" }, ["WFA_UPSTREAM_ROUTES"]],
    ["no route", { ...local, WFA_UPSTREAM_ROUTES: "" }, ["WFA_UPSTREAM_ROUTES"]],
    ["an odd pace", { ...local, WFA_UPSTREAM_BUDGET: "intune*0" }, ["WFA_UPSTREAM_BUDGET"]],
    ["no wait", { ...local, WFA_UPSTREAM_LONGEST_WAIT: "0" }, ["WFA_UPSTREAM_LONGEST_WAIT"]],
    ["a wait of days", { ...local, WFA_UPSTREAM_LONGEST_WAIT: "86401" }, ["WFA_UPSTREAM_LONGEST_WAIT"]],
    ["a wait for nobody", { WFA_UPSTREAM_LONGEST_WAIT: "60" }, ["WFA_UPSTREAM_LONGEST_WAIT"]],
    ["open doors", { ...local, WFA_HOST: "0.0.0.0" }, ["WFA_HOST"]],
    [
      "what is about a store",
      {
        ...local,
        WFA_STORE: "memory",
        WFA_PROFILE: "observed",
        WFA_READ_ONLY: "accept",
        WFA_BUDGET: "off",
        WFA_FAULTS: "none",
        WFA_ETAG: "off",
        WFA_FLEET: "0",
        WFA_FLEET_SEED: "1"
      },
      [
        "WFA_STORE",
        "WFA_PROFILE",
        "WFA_READ_ONLY",
        "WFA_BUDGET",
        "WFA_FAULTS",
        "WFA_ETAG",
        "WFA_FLEET",
        "WFA_FLEET_SEED"
      ]
    ]
  ])("refuse %s, each in one line that says what would be right", ([, env, names]) => {
    const problems = problemsOf(env)
    expect(namesIn(problems)).toEqual(names)
    for (const problem of problems) expect(problem).toMatch(/^WFA_\w+: expected [^\n]+$/)
    expect(problems.join()).not.toMatch(/s3cret|contoso/)
  })

  it("keep the secret from whatever shows them", () => {
    const settings = readSettings(byItself)
    if (!settings.success) throw new Error("these settings fit")
    expect(settings.data.upstreamClientSecret?.()).toBe("s3cret")
    expect([JSON.stringify(settings), inspect(settings, { depth: Infinity, showHidden: true })].join()).not.toContain(
      "s3cret"
    )
  })

  it("know the same clouds as the client", () => {
    for (const { graph, signIn } of Object.values(clouds)) expect(authoritiesFor(graph)).toContain(signIn)
    expect(authoritiesFor("https://graph.example")).toBeUndefined()
  })
})
