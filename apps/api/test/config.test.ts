import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { defaultSettings, readSettings, settingsTable } from "../src/config.ts"

const problemsOf = (env: Record<string, string>) => {
  const settings = readSettings(env)
  return settings.success ? [] : settings.problems
}

describe("the settings", () => {
  it("have the documented defaults in an empty environment", () => {
    expect(defaultSettings).toEqual({
      host: "127.0.0.1",
      port: 4010,
      store: "memory",
      auth: "none",
      profile: "documented",
      fleet: 0,
      fleetSeed: 1
    })
  })

  it("are read from every variable", () => {
    const env = {
      WFA_HOST: "::1",
      WFA_PORT: "0",
      WFA_STORE: "sqlite:/var/lib/devices.sqlite",
      WFA_AUTH: "none",
      WFA_PROFILE: "documented",
      WFA_FLEET: "1000000",
      WFA_FLEET_SEED: "7"
    }
    expect(readSettings(env)).toEqual({
      success: true,
      data: {
        host: "::1",
        port: 0,
        store: "sqlite:/var/lib/devices.sqlite",
        auth: "none",
        profile: "documented",
        fleet: 1_000_000,
        fleetSeed: 7
      }
    })
  })

  it("are refused with every problem at once, each in one line that says what would be right", () => {
    const problems = problemsOf({
      WFA_HOST: "0.0.0.0",
      WFA_PORT: "70000",
      WFA_STORE: "postgres://user:secret@db/devices",
      WFA_AUTH: "entra",
      WFA_PROFILE: "observed",
      WFA_FLEET: "1000001",
      WFA_FLEET_SEED: "x",
      WFA_BUDGET: "intune"
    })
    expect(problems).toEqual([
      "WFA_HOST: expected a loopback address (127.0.0.1, ::1, localhost), because WFA_AUTH is none and lets everyone in",
      "WFA_PORT: expected a whole number from 0 to 65535; 0 takes a free port",
      "WFA_STORE: expected memory, or sqlite:<file>",
      "WFA_AUTH: expected none",
      "WFA_PROFILE: expected documented",
      "WFA_FLEET: expected a whole number from 0 to 1000000",
      "WFA_FLEET_SEED: expected a whole number from 0 to 9007199254740991",
      "WFA_BUDGET is not a setting of this service"
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

  it.for(["", "sqlite:", "sqlite", "file:x", "Memory"])("refuse %j as a store", (store) => {
    expect(problemsOf({ WFA_STORE: store })).toEqual(["WFA_STORE: expected memory, or sqlite:<file>"])
  })

  it("refuse a variable they do not know, and say which one was probably meant, without its value", () => {
    expect(problemsOf({ WFA_PROT: "4011" })).toEqual([
      "WFA_PROT is not a setting of this service; did you mean WFA_PORT?"
    ])
    expect(problemsOf({ WFA_UPSTREAM: "https://user:secret@example.org" }).join()).not.toContain("secret")
  })

  it("leave alone what belongs to the command line, to tests and to others", () => {
    expect(problemsOf({ WFA_TARGET: "x", WFA_TOKEN: "y", WFA_TEST_POSTGRES: "z", PATH: "/bin" })).toEqual([])
  })

  it("are all in the table that help prints and in the README", async () => {
    const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8")
    const table = settingsTable()
    for (const name of ["HOST", "PORT", "STORE", "AUTH", "PROFILE", "FLEET", "FLEET_SEED"]) {
      expect(table).toContain(`WFA_${name} `)
      expect(readme).toContain(`\`WFA_${name}\``)
    }
  })
})
