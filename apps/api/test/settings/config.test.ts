import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { defaultSettings, readSettings } from "../../src/settings/config.ts"
import { storeName } from "../../src/settings/settings.ts"
import { settingsTable } from "../../src/settings/variables.ts"
import { temporaryFolder } from "../opened.ts"

const problemsOf = (env: Record<string, string>) => {
  const settings = readSettings(env)
  return settings.success ? [] : settings.problems
}

/** What is told about an upstream when there is none. */
const noUpstream = {
  upstream: undefined,
  upstreamAuth: "none",
  upstreamWrites: "off",
  upstreamRoutes: ["metrics", "metric", "devices", "device", "count", "readiness", "models", "summary", "batch"],
  upstreamTenant: undefined,
  upstreamClientId: undefined,
  upstreamClientSecret: undefined,
  upstreamClientSecretFile: undefined,
  upstreamCertificate: undefined,
  upstreamBudget: "auto",
  upstreamLongestWaitSeconds: 3_600,
  audit: undefined
}

describe("the settings", () => {
  it("have the documented defaults in an empty environment", () => {
    expect(defaultSettings).toEqual({
      host: "127.0.0.1",
      port: 4010,
      maxConnections: 4000,
      tls: "off",
      publicUrl: undefined,
      trustedProxies: [],
      cors: [],
      expose: "off",
      store: "memory",
      auth: "none",
      audience: [],
      tenants: [],
      authority: "https://login.microsoftonline.com",
      jwksUrl: undefined,
      profile: "documented",
      readOnly: "accept",
      budget: "off",
      faults: "none",
      etag: "off",
      fleet: 0,
      fleetSeed: 1,
      exposition: "loopback",
      log: "info",
      traces: undefined,
      ...noUpstream
    })
  })

  it("are read from every variable", () => {
    const env = {
      WFA_HOST: "::1",
      WFA_PORT: "0",
      WFA_MAX_CONNECTIONS: "50",
      WFA_TLS: "/etc/tls/cert.pem, /etc/tls/key.pem",
      WFA_PUBLIC_URL: "HTTPS://Graph.Example/intune/",
      WFA_TRUSTED_PROXIES: "loopback, 10.0.0.0/8,2001:db8::1",
      WFA_CORS: "http://localhost:5173, https://Grid.example",
      WFA_EXPOSE: "off",
      WFA_STORE: "sqlite:/var/lib/devices.sqlite",
      WFA_AUTH: "entra",
      WFA_AUDIENCE: "api://devices.example, 5d1a3c7e-1111-4222-8333-944455556666",
      WFA_TENANTS: "0F5C2D1E-2222-4333-8444-955566667777,11111111-2222-3333-4444-555555555555",
      WFA_AUTHORITY: "https://login.microsoftonline.us",
      WFA_JWKS_URL: "https://keys.example/keys",
      WFA_PROFILE: "observed",
      WFA_READ_ONLY: "reject",
      WFA_BUDGET: "intune*2.5",
      WFA_FAULTS: "/etc/faults.json",
      WFA_ETAG: "on",
      WFA_FLEET: "1000000",
      WFA_FLEET_SEED: "7",
      WFA_METRICS: "on",
      WFA_LOG: "error"
    }
    expect(readSettings(env)).toEqual({
      success: true,
      data: {
        host: "::1",
        port: 0,
        maxConnections: 50,
        tls: { certificate: "/etc/tls/cert.pem", key: "/etc/tls/key.pem" },
        publicUrl: "https://graph.example/intune",
        trustedProxies: ["127.0.0.0/8", "::1", "10.0.0.0/8", "2001:db8::1"],
        cors: ["http://localhost:5173", "https://grid.example"],
        expose: "off",
        store: "sqlite:/var/lib/devices.sqlite",
        auth: "entra",
        audience: ["api://devices.example", "5d1a3c7e-1111-4222-8333-944455556666"],
        tenants: ["0f5c2d1e-2222-4333-8444-955566667777", "11111111-2222-3333-4444-555555555555"],
        authority: "https://login.microsoftonline.us",
        jwksUrl: "https://keys.example/keys",
        profile: "observed",
        readOnly: "reject",
        budget: { timesAsFast: 2.5 },
        faults: "/etc/faults.json",
        etag: "on",
        fleet: 1_000_000,
        fleetSeed: 7,
        exposition: "on",
        log: "error",
        traces: undefined,
        ...noUpstream
      }
    })
  })

  it("may name a file of tenants, with one on each line and remarks", async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, "tenants")
    const env = { WFA_AUTH: "entra", WFA_AUDIENCE: "api://devices.example", WFA_TENANTS: `@${path}` }
    const expected =
      "WFA_TENANTS: expected with WFA_AUTH=entra, ids (GUIDs) of organizations, comma separated, or @<file> with one on each line; else nothing"
    expect(problemsOf(env)).toEqual([
      `${expected}; ${path} cannot be read: ENOENT: no such file or directory, open '${path}'`
    ])
    await writeFile(
      path,
      "# ours\n\n0F5C2D1E-2222-4333-8444-955566667777 # Contoso\r\n 11111111-2222-3333-4444-555555555555"
    )
    const settings = readSettings(env)
    expect(settings.success && settings.data.tenants).toEqual([
      "0f5c2d1e-2222-4333-8444-955566667777",
      "11111111-2222-3333-4444-555555555555"
    ])
    await writeFile(path, "0f5c2d1e-2222-4333-8444-955566667777\nContoso\n")
    expect(problemsOf(env)).toEqual([`${expected}; line 2 of ${path} is none`])
    await writeFile(path, "# later\n")
    expect(problemsOf(env)).toEqual([`${expected}; ${path} has none`])
  })

  it("are refused with every problem at once, each in one line that says what would be right", () => {
    const problems = problemsOf({
      WFA_HOST: "0.0.0.0",
      WFA_PORT: "70000",
      WFA_MAX_CONNECTIONS: "0",
      WFA_STORE: "postgres:user:secret@db/devices",
      WFA_AUTH: "token",
      WFA_AUDIENCE: "api://devices.example",
      WFA_TENANTS: "11111111-2222-3333-4444-555555555555",
      WFA_AUTHORITY: "https://login.example",
      WFA_JWKS_URL: "https://keys.example/keys",
      WFA_PROFILE: "real",
      WFA_READ_ONLY: "",
      WFA_BUDGET: "intune*0",
      WFA_FAULTS: "",
      WFA_ETAG: "yes",
      WFA_FLEET: "1000001",
      WFA_FLEET_SEED: "x",
      WFA_METRICS: "yes",
      WFA_LOG: "debug",
      WFA_COLOUR: "none"
    })
    expect(problems).toEqual([
      "WFA_HOST: expected a loopback address (127.0.0.1, ::1, localhost) while WFA_AUTH is none, which lets everyone in; any with WFA_EXPOSE=synthetic",
      "WFA_PORT: expected a whole number from 0 to 65535; 0 takes a free port",
      "WFA_MAX_CONNECTIONS: expected a whole number from 1 to 100000",
      "WFA_STORE: expected memory, sqlite:<file>, or postgres://<user>:<password>@<host>/<database>",
      "WFA_AUTH: expected none, or entra, with which WFA_HOST may be any address",
      "WFA_AUDIENCE: expected with WFA_AUTH=entra, client ids or id URIs of your own app registration (not Graph's), comma separated; else nothing",
      "WFA_TENANTS: expected with WFA_AUTH=entra, ids (GUIDs) of organizations, comma separated, or @<file> with one on each line; else nothing",
      "WFA_AUTHORITY: expected one of https://login.microsoftonline.com, https://login.microsoftonline.us, https://login.partner.microsoftonline.cn, https://login.chinacloudapi.cn; with WFA_UPSTREAM_AUTH, the one of WFA_UPSTREAM's cloud",
      "WFA_JWKS_URL: expected with WFA_AUTH=entra, an https URL, or http on a loopback address; else nothing",
      "WFA_PROFILE: expected documented (Microsoft's pages), or observed (what public probes saw)",
      "WFA_READ_ONLY: expected accept, ignore (200, nothing changes), or reject (400)",
      "WFA_BUDGET: expected off, intune (the published limits), or intune*<k>, k times as fast, as in intune*10",
      "WFA_FAULTS: expected none, or the path of a fault script (JSON)",
      "WFA_ETAG: expected off, or on",
      "WFA_FLEET: expected a whole number from 0 to 1000000",
      "WFA_FLEET_SEED: expected a whole number from 0 to 9007199254740991",
      "WFA_METRICS: expected loopback (callers on this machine), off, or on (whoever reaches the service, without a token)",
      "WFA_LOG: expected info (each request), error (failures of the service only), or off",
      "WFA_COLOUR is not a setting of this service"
    ])
  })

  it.for(["", " 4010", "4010.5", "-1", "+1", "1e3", "0x10", "4010\n"])(
    "do not take %j for a port, though JavaScript would make a number of most of these",
    (port) => {
      expect(problemsOf({ WFA_PORT: port })).toHaveLength(1)
    }
  )

  it.for(["127.0.0.1", "127.8.9.10", "::1", "0:0:0:0:0:0:0:1", "localhost"])(
    "listen on %s while auth is off",
    (host) => {
      expect(problemsOf({ WFA_HOST: host })).toEqual([])
    }
  )

  it.for(["0.0.0.0", "::", "192.168.1.2", "128.0.0.1", "example.org", "127.0.0.1.example.org", ""])(
    "refuse to listen on %j while auth is off",
    (host) => {
      expect(problemsOf({ WFA_HOST: host })).toHaveLength(1)
    }
  )

  const entra = {
    WFA_AUTH: "entra",
    WFA_AUDIENCE: "api://devices.example",
    WFA_TENANTS: "11111111-2222-3333-4444-555555555555"
  }

  it.for(["0.0.0.0", "::", "192.168.1.2", "example.org", "127.0.0.1"])(
    "listen on %s when callers have to prove who they are",
    (host) => {
      expect(problemsOf({ ...entra, WFA_HOST: host })).toEqual([])
    }
  )

  it("want to know whose tokens to take when there are tokens", () => {
    expect(problemsOf({ WFA_AUTH: "entra" })).toEqual([
      expect.stringMatching(/^WFA_AUDIENCE: expected /),
      expect.stringMatching(/^WFA_TENANTS: expected /)
    ])
  })

  it.for([
    { WFA_AUDIENCE: "api://devices.example,," },
    { WFA_AUDIENCE: "api://devices example" },
    { WFA_AUDIENCE: "00000003-0000-0000-c000-000000000000" },
    { WFA_AUDIENCE: "api://devices.example,https://graph.microsoft.com/" },
    { WFA_AUDIENCE: "https://GRAPH.microsoft.us" },
    { WFA_TENANTS: "contoso.com" },
    { WFA_TENANTS: "common" },
    { WFA_TENANTS: "11111111-2222-3333-4444-555555555555;11111111-2222-3333-4444-555555555556" },
    { WFA_TENANTS: "9188040D-6C67-4C5B-B112-36A304B66DAD" },
    { WFA_AUTHORITY: "https://login.microsoftonline.com/" },
    { WFA_AUTHORITY: "" },
    { WFA_JWKS_URL: "keys" },
    { WFA_JWKS_URL: "http://keys.example/keys" },
    { WFA_JWKS_URL: "https://user:secret@keys.example/keys" },
    { WFA_JWKS_URL: "file:///etc/passwd" },
    { WFA_HOST: "" }
  ])("refuse %j, and do not repeat it", (wrong) => {
    const problems = problemsOf({ ...entra, ...wrong })
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${Object.keys(wrong).join()}: expected `))])
    expect(problems.join()).not.toMatch(/secret|passwd|contoso/)
  })

  it.for(["http://127.0.0.1:8080/keys", "http://[::1]:8080/keys", "http://localhost/keys"])(
    "take keys from %s, which is this machine",
    (url) => {
      expect(problemsOf({ ...entra, WFA_JWKS_URL: url })).toEqual([])
    }
  )

  it.for(["", "sqlite:", "sqlite", "file:x", "Memory", "postgres:", "postgres://", "postgres://[", "mysql://db/x"])(
    "refuse %j as a store",
    (store) => {
      expect(problemsOf({ WFA_STORE: store })).toEqual([
        "WFA_STORE: expected memory, sqlite:<file>, or postgres://<user>:<password>@<host>/<database>"
      ])
    }
  )

  it.for([
    { WFA_TLS: "on" },
    { WFA_TLS: "/etc/cert.pem" },
    { WFA_TLS: "a,b,c" },
    { WFA_PUBLIC_URL: "graph.example" },
    { WFA_PUBLIC_URL: "ftp://graph.example" },
    { WFA_PUBLIC_URL: "https://me:secret@graph.example" },
    { WFA_PUBLIC_URL: "https://graph.example/?secret" },
    { WFA_TRUSTED_PROXIES: "" },
    { WFA_TRUSTED_PROXIES: "proxy.example" },
    { WFA_TRUSTED_PROXIES: "10.0.0.0/33" },
    { WFA_TRUSTED_PROXIES: "10.0.0.0/8/8,::1" },
    { WFA_CORS: "*" },
    { WFA_CORS: "on" },
    { WFA_CORS: "https://grid.example/" },
    { WFA_CORS: "https://grid.example, null" },
    { WFA_EXPOSE: "on" }
  ])("refuse %j, which would not be kept", (wrong) => {
    const problems = problemsOf(wrong)
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${Object.keys(wrong).join()}: expected `))])
    expect(problems.join()).not.toContain("secret")
  })

  it("let others in without authentication only where they say so, and never together with it or with an upstream", () => {
    expect(problemsOf({ WFA_HOST: "0.0.0.0", WFA_EXPOSE: "synthetic" })).toEqual([])
    expect(problemsOf({ ...entra, WFA_EXPOSE: "synthetic" })).toEqual([expect.stringMatching(/^WFA_EXPOSE: expected /)])
    expect(problemsOf({ WFA_EXPOSE: "synthetic", WFA_UPSTREAM: "http://127.0.0.1:1" })).toEqual([
      expect.stringMatching(/^WFA_EXPOSE: expected nothing with WFA_UPSTREAM/)
    ])
  })

  it("take the URL of a PostgreSQL database, and name it without what may be secret in it", () => {
    const store = "postgres://me:secret@db.example:5433/devices?password=secret&options=-c%20search_path%3Dx"
    expect(problemsOf({ WFA_STORE: store })).toEqual([])
    expect(storeName(store)).toBe("postgres://db.example:5433/devices")
    expect([storeName("memory"), storeName("sqlite:a/b.sqlite")]).toEqual(["memory", "sqlite:a/b.sqlite"])
  })

  it.for([
    ["off", "off"],
    ["intune", { timesAsFast: 1 }],
    ["intune*10", { timesAsFast: 10 }]
  ] as const)("read %s as a budget", ([text, budget]) => {
    expect(readSettings({ WFA_BUDGET: text })).toMatchObject({ success: true, data: { budget } })
  })

  it.for(["Intune", "intune*", "intune*-1", "intune*0.0", "intune*1e9", "2"])("refuse %j as a budget", (budget) => {
    expect(problemsOf({ WFA_BUDGET: budget })).toHaveLength(1)
  })

  it("refuse a variable they do not know, and say which one was probably meant, without its value", () => {
    expect(problemsOf({ WFA_PROT: "4011" })).toEqual([
      "WFA_PROT is not a setting of this service; did you mean WFA_PORT?"
    ])
    expect(problemsOf({ WFA_DATABASE: "https://user:secret@example.org" }).join()).not.toContain("secret")
  })

  it("leave alone what belongs to the command line, to tests and to others", () => {
    expect(problemsOf({ WFA_TARGET: "x", WFA_TOKEN: "y", WFA_TEST_POSTGRES: "z", PATH: "/bin" })).toEqual([])
  })

  it("are all in the table that help prints and in the README", async () => {
    const readme = await readFile(join(import.meta.dirname, "../../README.md"), "utf8")
    const table = settingsTable()
    expect(table.split("\n").filter((line) => line.length > 80)).toEqual([])
    for (const name of [
      "HOST",
      "PORT",
      "TLS",
      "PUBLIC_URL",
      "TRUSTED_PROXIES",
      "CORS",
      "EXPOSE",
      "STORE",
      "AUTH",
      "AUDIENCE",
      "TENANTS",
      "AUTHORITY",
      "JWKS_URL",
      "PROFILE",
      "READ_ONLY",
      "BUDGET",
      "FAULTS",
      "FLEET",
      "FLEET_SEED",
      "UPSTREAM",
      "UPSTREAM_AUTH",
      "UPSTREAM_WRITES",
      "UPSTREAM_ROUTES",
      "UPSTREAM_TENANT",
      "UPSTREAM_CLIENT_ID",
      "UPSTREAM_CLIENT_SECRET",
      "UPSTREAM_CLIENT_SECRET_FILE",
      "UPSTREAM_CERTIFICATE",
      "UPSTREAM_BUDGET",
      "UPSTREAM_LONGEST_WAIT",
      "AUDIT"
    ]) {
      expect(table).toContain(`WFA_${name} `)
      expect(readme).toContain(`\`WFA_${name}\``)
    }
  })
})
