import { createServer } from "node:http"
import { type AddressInfo } from "node:net"
import { describe, expect, it } from "vitest"
import { commands, wfa } from "./wfa.ts"

/** The entries of a help text under these headings, as what is typed and what is said of it. */
const entriesUnder = (help: string, headings: RegExp): ReadonlyArray<readonly [string, string]> =>
  help
    .split(/^(?=[A-Z])/m)
    .filter((section) => headings.test(section))
    .flatMap((section) => section.trimEnd().split("\n").slice(1))
    .map((line) => line.trim().split(/ {2,}/, 2))
    .filter(([typed]) => typed !== "")
    .map(([typed = "", said = ""]) => [typed, said])

describe("the command line", () => {
  it("shows help with nothing configured, on stdout", async () => {
    for (const args of [...commands.map(([words]) => [...words.split(" ").slice(1), "--help"]), []]) {
      const { code, stderr, stdout } = await wfa(args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(stdout).toContain("USAGE")
    }
  })

  it("gives examples in the help of every command", async () => {
    expect(commands.length).toBeGreaterThan(5)
    for (const [words, command] of commands.filter(([, { subcommands }]) => subcommands.length === 0)) {
      const { stdout } = await wfa([...words.split(" ").slice(1), "--help"])
      expect(command.examples.map((example) => example.command)).not.toEqual([])
      for (const example of command.examples) {
        expect(example.command.startsWith(`${words} `) || example.command === words).toBe(true)
        expect(stdout).toContain(example.command)
      }
    }
  })

  it.each(commands)("says of %s, of its arguments, flags and subcommands what they are for", async (words, command) => {
    const { stdout } = await wfa([...words.split(" ").slice(1), "--help"])
    expect(command.description).toMatch(/\.$/)
    expect(stdout).toContain(command.description)
    const entries = entriesUnder(stdout, /^(?:ARGUMENTS|(?:[A-Z]+ )?FLAGS|SUBCOMMANDS)$/m)
    expect(entries.map(([typed]) => typed)).toContain("--target url")
    expect(entries.filter(([, said]) => said === "").map(([typed]) => typed)).toEqual([])
    const below = command.subcommands.flatMap((group) => group.commands).map(({ name }) => name)
    expect(entriesUnder(stdout, /^SUBCOMMANDS$/m).map(([typed]) => typed.split(",")[0])).toEqual(below)
  })

  it.each(commands)("shows the help of %s without a word of what is configured", async (words) => {
    const args = [...words.split(" ").slice(1), "--help"]
    const configured = await wfa(args, { env: { WFA_TARGET: "https://canary.invalid/beta", WFA_TOKEN: "canary" } })
    expect(configured).toEqual(await wfa(args))
  })

  it("prints its version", async () => {
    expect((await wfa(["--version"])).stdout).toContain("1.2.3")
  })

  it.each([
    { what: "command", args: ["devise"], suggests: "device" },
    { what: "subcommand", args: ["device", "updat", "x"], suggests: "update" },
    { what: "flag", args: ["device", "list", "--tpo", "1"], suggests: "--top" },
    { what: "format", args: ["device", "list", "-o", "xml"], suggests: "jsonl" },
    { what: "missing argument", args: ["device", "get"], suggests: "id" }
  ])("answers a wrong $what on stderr with what would be right, and ends with 2", async ({ args, suggests }) => {
    const { code, stderr, stdout } = await wfa(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    expect(stderr).toContain(suggests)
    expect(stderr).toContain("--help")
  })

  it("ends with 2 for a --target that is no Graph root, and with 3 for such a WFA_TARGET", async () => {
    for (const target of ["graph", "ftp://127.0.0.1/beta", "http://127.0.0.1:1", "http://127.0.0.1:1/users"]) {
      const flagged = await wfa(["device", "list", "--target", target])
      expect(flagged).toMatchObject({ code: 2, stdout: "" })
      expect(flagged.stderr).toContain("--target is not the address of a Graph root with its version")
      const { code, stderr } = await wfa(["device", "list"], { env: { WFA_TARGET: target } })
      expect(code).toBe(3)
      expect(stderr).toContain("WFA_TARGET is not the address of a Graph root")
    }
  })

  it("never sends a token over a plain connection to another machine", async () => {
    const { code, stderr } = await wfa(["device", "list"], {
      env: { WFA_TARGET: "http://graph.invalid/beta", WFA_TOKEN: "canary" }
    })
    expect(code).toBe(3)
    expect(stderr).toContain("https")
    expect(stderr).not.toContain("canary")
  })
})

/** A server for one test that answers every request in the same way. */
const answering = async (
  status: number,
  body: string,
  headers: Readonly<Record<string, string>>,
  use: (target: string) => Promise<void>
): Promise<void> => {
  const server = createServer((_, response) => response.writeHead(status, headers).end(body)).listen(0, "127.0.0.1")
  await new Promise((listening) => server.once("listening", listening))
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/beta`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const json = { "content-type": "application/json" }
const envelope = (code: string, message: string) => JSON.stringify({ error: { code, message } })

describe("exit codes", () => {
  it.each([
    { status: 401, code: "InvalidAuthenticationToken", ends: 4, says: "WFA_TOKEN" },
    { status: 403, code: "Forbidden", ends: 4, says: "ReadWrite.All" },
    { status: 404, code: "ResourceNotFound", ends: 5, says: "wfa device list" },
    { status: 400, code: "No method match route template", ends: 6, says: "No method match route template" },
    { status: 500, code: "SomethingOdd", ends: 6, says: "SomethingOdd" }
  ])("an answer of $status ends with $ends", async ({ code, ends, says, status }) => {
    await answering(status, envelope(code, "what the service says"), json, async (target) => {
      const outcome = await wfa(["device", "get", "d"], { env: { WFA_TARGET: target } })
      expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code: ends, stdout: "" })
      expect(outcome.stderr).toContain("what the service says")
      expect(outcome.stderr).toContain(says)
    })
  })

  it("a write that may have taken effect ends with 7 and says so, a refused one with 6 and does not", async () => {
    const update = ["device", "update", "d", "--set", "model=X"]
    const atOnce = { ...json, "retry-after": "0" }
    for (const [status, body, headers] of [
      [500, envelope("InternalServerError", "broken"), atOnce],
      [502, "<h1>Bad Gateway</h1>", { ...atOnce, "content-type": "text/html" }],
      [520, "", atOnce],
      [200, "<html>", { "content-type": "text/html" }],
      [403, JSON.stringify({ error: { code: "Forbidden", innerError: { outcome: "unknown" } } }), json]
    ] as const) {
      await answering(status, body, headers, async (target) => {
        const { code, stderr } = await wfa(update, { env: { WFA_TARGET: target } })
        expect([status, code]).toEqual([status, 7])
        expect(stderr).toContain("Whether the write took effect is not known: read the device back with wfa device get")
        expect(stderr).not.toContain("run the command again")
      })
    }
    await answering(409, envelope("Conflict", "no"), json, async (target) => {
      const { code, stderr } = await wfa(update, { env: { WFA_TARGET: target } })
      expect(code).toBe(6)
      expect(stderr).not.toContain("not known")
    })
  })

  it("an answer that asks to wait longer than the deadline ends with 7 at once", async () => {
    await answering(429, envelope("TooManyRequests", "later"), { ...json, "retry-after": "100000" }, async (target) => {
      expect((await wfa(["device", "get", "d"], { env: { WFA_TARGET: target } })).code).toBe(7)
    })
  })

  it("a service that stays away ends with 7, after saying that it was tried again", async () => {
    await answering(503, envelope("", "restarting"), { ...json, "retry-after": "0" }, async (target) => {
      const { code, stderr } = await wfa(["device", "get", "d"], { env: { WFA_TARGET: target } })
      expect(code).toBe(7)
      expect(stderr).toMatch(/^restarting; trying again in 0\.0 s$/m)
      expect(stderr).toMatch(/^wfa: restarting$/m)
    })
  })

  it("what passes is tried again, and ends with 7 where it stays", async () => {
    const headers = { ...json, "retry-after": "0" }
    for (const [status, code] of [
      [500, "InternalServerError"],
      [502, ""],
      [408, ""]
    ] as const) {
      await answering(status, envelope(code, "in trouble"), headers, async (target) => {
        const outcome = await wfa(["device", "get", "d"], { env: { WFA_TARGET: target } })
        expect(outcome.code).toBe(7)
        expect(outcome.stderr.match(/^in trouble; trying again in 0\.0 s$/gm)).toHaveLength(4)
      })
    }
  })

  it("an update that is acknowledged without a body is done, and says where it could not be read back", async () => {
    await answering(204, "", {}, async (target) => {
      const args = ["device", "update", "d", "--set", "model=X"]
      const { code, stderr, stdout } = await wfa(args, { env: { WFA_TARGET: target } })
      expect({ code, stdout: JSON.parse(stdout) }).toEqual({
        code: 0,
        stdout: { id: "d", model: "X", notReadBack: true }
      })
      expect(stderr).toBe("d: updated, but it could not be read back: what is shown is what was sent.\n")
    })
  })

  it("a target that is not there says how to start the local service, at once", async () => {
    const server = createServer().listen(0, "127.0.0.1")
    await new Promise((listening) => server.once("listening", listening))
    const { port } = server.address() as AddressInfo
    await new Promise((closed) => server.close(closed))
    const env = { WFA_TARGET: `http://127.0.0.1:${port}/beta` }
    const { code, stderr, stdout } = await wfa(["device", "list"], { env })
    expect({ code, stdout }).toEqual({ code: 7, stdout: "" })
    expect(stderr).toContain("The local service is started with wfa-api")
    expect(stderr).not.toContain("trying again")
  })

  it("the activity id of Intune's errors is shown", async () => {
    const activityId = "0f5c2d1e-aaaa-4222-8333-944455556666"
    const message = JSON.stringify({
      _version: 3,
      Message: `No. - Operation ID (for customer support): 0 - Activity ID: ${activityId}`
    })
    await answering(403, envelope("Forbidden", message), json, async (target) => {
      const { code, stderr } = await wfa(["device", "get", "d"], { env: { WFA_TARGET: target } })
      expect(code).toBe(4)
      expect(stderr).toMatch(/^wfa: No\.$/m)
      expect(stderr).toContain(`activity-id ${activityId}`)
    })
  })

  it.each([200, 302, 400, 401, 403, 404, 405, 500])("a page of a proxy with status %i ends with 8", async (status) => {
    await answering(status, "<h1>Where are you?</h1>", { "content-type": "text/html" }, async (target) => {
      const { code, stderr, stdout } = await wfa(["device", "get", "d"], { env: { WFA_TARGET: target } })
      expect({ code, stdout }).toEqual({ code: 8, stdout: "" })
      expect(stderr).toContain("Is the target a Microsoft Graph root")
    })
  })

  it("an answer that is no JSON ends with 8", async () => {
    await answering(200, "<html>hello</html>", { "content-type": "text/html" }, async (target) => {
      const { code, stderr } = await wfa(["device", "get", "d"], { env: { WFA_TARGET: target } })
      expect(code).toBe(8)
      expect(stderr).toContain("Is the target a Microsoft Graph root")
    })
  })

  it("a list whose next page lies elsewhere ends with 10, and what was printed is still one JSON document", async () => {
    const page = JSON.stringify({ value: [{ id: "1" }], "@odata.nextLink": "https://elsewhere.invalid/beta/next" })
    await answering(200, page, json, async (target) => {
      const { code, stdout } = await wfa(["device", "list"], { env: { WFA_TARGET: target } })
      expect(code).toBe(10)
      expect(JSON.parse(stdout)).toEqual([{ id: "1" }])
    })
  })
})

describe("a token that starts with the word Bearer", () => {
  it("ends with 3, and is told to leave it out", async () => {
    const { code, stderr } = await wfa(["device", "list"], { env: { WFA_TOKEN: "Bearer canary" } })
    expect(code).toBe(3)
    expect(stderr).toBe('wfa: WFA_TOKEN starts with "Bearer ", which is put before it anyway: leave that out\n')
  })
})

describe("wfa help", () => {
  it("shows what --help shows, of wfa and of each command", async () => {
    for (const [words] of commands) {
      const args = words.split(" ").slice(1)
      expect(await wfa(["help", ...args])).toEqual(await wfa([...args, "--help"]))
    }
  })
})

describe("an id that cannot be a key", () => {
  it("ends with 2 and is told once, without anything being sent", async () => {
    const { code, stderr } = await wfa(["device", "get", ".."])
    expect(code).toBe(2)
    expect(stderr.match(/cannot be a key/g)).toHaveLength(1)
  })
})

describe("--debug", () => {
  it("shows requests and answers with the token masked", async () => {
    await answering(200, '{"id":"d"}', { ...json, "request-id": "r-1" }, async (target) => {
      const { stderr } = await wfa(["device", "get", "d", "--debug"], {
        env: { WFA_TARGET: target, WFA_TOKEN: "canary-token" }
      })
      expect(stderr).toContain(`> GET ${target}/deviceManagement/`)
      expect(stderr).toContain("authorization: ***")
      expect(stderr).toContain("< 200 after")
      expect(stderr).toContain("r-1")
      expect(stderr).not.toContain("canary")
    })
  })
})

/** What is in a text besides line ends that a terminal would follow. */
const steeringIn = (text: string) => text.replaceAll(/\r?\n/g, "").match(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu)

describe("what comes from outside", () => {
  const token = "canary-token"
  const jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
  const hostile = "a\u001b[2J\u009b31m\u202eb\u2028"

  it("is shown on stderr, and not sent: no control character, no other line, no token, no end", async () => {
    const error = {
      code: hostile,
      message: `${hostile}\nwfa: done ${token} Bearer ${"x".repeat(20)} ${jwt} ${"y".repeat(5_000)}`
    }
    const headers = { ...json, "request-id": `\u009br-${token}-${jwt}` }
    await answering(400, JSON.stringify({ error }), headers, async (target) => {
      const env = { WFA_TARGET: target, WFA_TOKEN: token }
      const { stderr } = await wfa(["device", "get", "d", "--debug"], { env })
      expect(steeringIn(stderr)).toBeNull()
      expect(stderr).not.toMatch(/canary|xxx|c2lnbmF0dXJl/)
      expect(stderr).toContain("request-id: \\u{9b}r-***-***")
      expect(stderr).not.toContain("\nwfa: done")
      expect(Math.max(...stderr.split("\n").map((line) => line.length))).toBeLessThan(2_100)
    })
  })

  it.each(["table", "json", "jsonl", "csv", "md"])("steers no terminal as %s", async (format) => {
    const body = JSON.stringify({ value: [{ id: "d", deviceName: hostile }] })
    await answering(200, body, json, async (target) => {
      const { code, stdout } = await wfa(["device", "list", "--output", format], {
        env: { WFA_TARGET: target },
        terminal: true
      })
      expect([code, steeringIn(stdout)]).toEqual([0, null])
      expect(stdout).toContain("[2J")
    })
  })

  it("is what it was for a program that reads JSON", async () => {
    await answering(200, JSON.stringify({ id: "d", deviceName: hostile }), json, async (target) => {
      const { stdout } = await wfa(["device", "get", "d", "--output", "json"], { env: { WFA_TARGET: target } })
      expect(JSON.parse(stdout)).toMatchObject({ deviceName: hostile })
    })
  })
})
