import { defaultSettings, startService } from "@workanywhere/api"
import { jsonSchemaOf, properties, readDeviceLines } from "@workanywhere/domain"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { documentedBody, wfa } from "./wfa.ts"

const id = "83d5adfc-adfc-83d5-fcad-d583fcadd583"
const names = properties.map(({ name }) => name)
const sent = JSON.parse(readFileSync(documentedBody, "utf8")) as Readonly<Record<string, unknown>>

let service: Awaited<ReturnType<typeof startService>>
let env: { readonly WFA_TARGET: string }
let folder: string

beforeAll(async () => {
  service = await startService({ ...defaultSettings, port: 0, fleet: 250 })
  env = { WFA_TARGET: `${service.url}/beta` }
  folder = mkdtempSync(join(tmpdir(), "wfa-test-"))
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true })
})

const device = async (of = id): Promise<Readonly<Record<string, unknown>>> => {
  const { stdout } = await wfa(["device", "get", of], { env })
  return JSON.parse(stdout) as Readonly<Record<string, unknown>>
}

const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

/** A target that answers each request with this JSON, or refuses it. */
const answering = async (answer: (url: URL) => object | undefined) => {
  const server = createServer((request, response) => {
    const body = answer(new URL(request.url ?? "", "http://127.0.0.1"))
    response.writeHead(body === undefined ? 400 : 200, { "content-type": "application/json" })
    response.end(JSON.stringify(body ?? { error: { code: "BadRequest", message: "No." } }))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/beta`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    }
  }
}

describe("wfa device update", () => {
  it("sends the documented body and prints the whole device as the service answered it", async () => {
    const { code, stderr, stdout } = await wfa(["device", "update", id, "--file", documentedBody], { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const answer = JSON.parse(stdout) as Record<string, unknown>
    expect(answer).toMatchObject({ ...sent, id })
    expect(Object.keys(answer).filter((name) => !name.includes("@"))).toEqual(names)
  })

  it("shows old and new values on a terminal", async () => {
    await wfa(["device", "update", id, "--set", "ownership=Personal", "--set", "windowsScore=12.5"], { env })
    const { code, stderr, stdout } = await wfa(
      ["device", "update", id, "--set", "ownership=Corporate", "--set", "windowsScore=null"],
      { env, terminal: true }
    )
    expect(code).toBe(0)
    expect(stdout.split("\n").map((line) => line.split(/\s{2,}/))).toEqual([
      ["Property", "Old", "New"],
      ["------------", "--------", "---------"],
      ["ownership", "Personal", "Corporate"],
      ["windowsScore", "12.5", "-"],
      [""]
    ])
    expect(stderr).toBe(`${id}: 2 properties changed.\n`)
  })

  it("says so when the device already had the values", async () => {
    await wfa(["device", "update", id, "--set", "model=Same"], { env })
    const { code, stderr } = await wfa(["device", "update", id, "--set", "model=Same", "-o", "table"], { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: `${id}: sent; it already had these values.\n` })
  })

  it("reads the body from standard input, and lets --set win over it", async () => {
    const stdin = JSON.stringify({ deviceName: "from-stdin", model: "from-stdin" })
    const { code } = await wfa(["device", "update", id, "--file", "-", "--set", "model=from-flag"], { env, stdin })
    expect(code).toBe(0)
    expect(await device()).toMatchObject({ deviceName: "from-stdin", model: "from-flag" })
  })

  it("takes an equals sign and an empty text as part of a value", async () => {
    await wfa(["device", "update", id, "--set", "deviceName=a=b", "--set", "model="], { env })
    expect(await device()).toMatchObject({ deviceName: "a=b", model: "" })
  })

  it("with --dry-run shows what would change and sends nothing", async () => {
    await wfa(["device", "update", id, "--set", "managedBy=before"], { env })
    const { code, stderr, stdout } = await wfa(["device", "update", id, "--set", "managedBy=after", "--dry-run"], {
      env
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: "Dry run: nothing was sent.\n" })
    expect(JSON.parse(stdout)).toEqual({ id, changes: [{ property: "managedBy", from: "before", to: "after" }] })
    expect(await device()).toMatchObject({ managedBy: "before" })
  })

  it("prints an answer in every format", async () => {
    const args = ["device", "update", id, "--set", "deviceName==1+1", "-o"]
    expect(JSON.parse((await wfa([...args, "jsonl"], { env })).stdout)).toMatchObject({ deviceName: "=1+1" })
    const csv = (await wfa([...args, "csv"], { env })).stdout.split("\r\n")
    expect(csv[0]).toBe(names.join(","))
    expect(csv[1]).toContain("'=1+1")
    await wfa(["device", "update", id, "--set", "deviceName=before"], { env })
    expect((await wfa([...args, "md"], { env })).stdout).toContain("| deviceName | before | =1+1 |\n")
  })

  it.each([
    {
      fault: "an unknown property",
      args: ["--set", "autopilotRegistered=true"],
      says: ["autopilotRegistered: a device has no such property; did you mean autoPilotRegistered?"]
    },
    {
      fault: "several faults at once",
      args: [
        "--set",
        "windowsScore=101",
        "--set",
        "tpmCheckFailed=yes",
        "--set",
        "healthStatus=null",
        "--set",
        "deviceName=ok"
      ],
      says: [
        "windowsScore: 101 is not a score",
        'tpmCheckFailed: "yes" is not of the right type',
        "healthStatus: null is not allowed"
      ]
    },
    {
      fault: "an unknown member",
      args: ["--set", "upgradeEligibility=Capable"],
      says: ['"Capable" is not a member', "did you mean capable?"]
    },
    { fault: "a number as text", stdin: '{"windowsScore":"7"}', says: ['windowsScore: "7" is not of the right type'] },
    { fault: "malformed JSON", stdin: '{"deviceName":', says: ["standard input is not JSON in UTF-8"] },
    {
      fault: "a property that stands twice, once with an escape",
      stdin: '{"windowsScore":500,"model":"x","windows\\u0053core":5}',
      says: ["nothing was sent", "windowsScore: the name stands more than once"]
    },
    { fault: "very deep nesting", stdin: "[".repeat(100_000), says: ["nested deeper than the 64 levels"] },
    { fault: "an empty body", stdin: "", says: ["standard input is not JSON in UTF-8"] },
    { fault: "an empty object", stdin: "{}", says: ["the update names no property"] },
    { fault: "an array", stdin: "[]", says: ["expected an object with the properties of a device, got an array"] },
    {
      fault: "another type",
      stdin: '{"@odata.type":"#microsoft.graph.user","model":"x"}',
      says: ["@odata.type:", "is another type"]
    },
    {
      fault: "bytes that are not UTF-8",
      stdin: new Uint8Array([0x22, 0xff, 0x22]),
      says: ["standard input is not JSON in UTF-8"]
    },
    { fault: "a body over the limit", stdin: `{"model":"${"x".repeat(1024 * 1024)}"}`, says: ["longer than 1 MiB"] },
    { fault: "nothing to update", args: [], says: ["nothing to update"] },
    {
      fault: "an id",
      args: ["--set", `id=${id}`, "--set", "model=X"],
      says: ["id: a device keeps its id; leave it out"]
    },
    {
      fault: "an id in a body",
      stdin: '{"id":"other","windowsScore":101}',
      says: ["id: a device keeps its id; leave it out", "windowsScore: 101 is not a score"]
    },
    {
      fault: "a --set without a value",
      args: ["--set", "model"],
      says: ['"model" is no name=value; write, for example, --set model=X']
    },
    { fault: "a property set twice", args: ["--set", "model=a", "--set", "model=b"], says: ["model is set twice"] },
    { fault: "a file that is not there", args: ["--file", "missing.json"], says: ["there is no file missing.json"] }
  ])("finds $fault before anything is sent, and ends with 2", async ({ args = ["--file", "-"], says, stdin }) => {
    // No service listens there: a request that was sent would end with 7.
    const { code, stderr, stdout } = await wfa(["device", "update", id, ...args], {
      env: { WFA_TARGET: "http://127.0.0.1:9/beta" },
      ...(stdin === undefined ? {} : { stdin })
    })
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    for (const text of says) expect(stderr).toContain(text)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it("keeps nothing of an update that has one bad property", async () => {
    const before = await device()
    const body = file("half-good.json", '{"deviceName":"good","windowsScore":-2}')
    expect((await wfa(["device", "update", id, "--file", body], { env })).code).toBe(2)
    expect(await device()).toEqual(before)
  })
})

describe("wfa device get", () => {
  it("prints one device as a JSON object when the output is no terminal", async () => {
    expect(Object.keys(await device()).filter((name) => !name.includes("@"))).toEqual(names)
  })

  it("prints a line for each property on a terminal", async () => {
    const { stdout } = await wfa(["device", "get", id], { env, terminal: true })
    expect(
      stdout
        .split("\n")
        .slice(2, -1)
        .map((line) => line.split(" ")[0])
    ).toEqual(names)
  })

  it("ends with 5 and says what to do when there is no such device", async () => {
    const { code, stderr, stdout } = await wfa(["device", "get", "nobody"], { env })
    expect({ code, stdout }).toEqual({ code: 5, stdout: "" })
    expect(stderr).toMatch(/request-id [0-9a-f-]{36}/)
    expect(stderr).toContain("404 ResourceNotFound")
    expect(stderr).toContain("wfa device list")
  })

  it("ends with 5 when there is no such metric", async () => {
    expect((await wfa(["device", "get", id, "--metric", "nothing"], { env })).code).toBe(5)
  })

  it("never lets a device's text steer the terminal", async () => {
    await wfa(["device", "update", id, "--file", "-"], { env, stdin: JSON.stringify({ model: "\u001b[2Jgone\u202e" }) })
    const { stdout } = await wfa(["device", "get", id], { env, terminal: true })
    expect(stdout).toContain("\\u{1b}[2Jgone\\u{202e}")
    expect(stdout).not.toContain("\u001b")
  })
})

describe("wfa device list", () => {
  it("lists every device over several pages as one JSON document", async () => {
    const { code, stdout } = await wfa(["device", "list"], { env })
    const devices = JSON.parse(stdout) as ReadonlyArray<{ readonly id: string }>
    expect(code).toBe(0)
    expect(new Set(devices.map((row) => row.id)).size).toBe(250)
  })

  it.each(["json", "jsonl"])(
    "writes as %s what the reader of device files reads as the same devices",
    async (format) => {
      const { stdout } = await wfa(["device", "list", "-o", format], { env })
      const plain = await wfa(["device", "list", "-o", "json"], { env })
      const read: Array<unknown> = []
      for await (const item of readDeviceLines(stdout)) read.push(item.kind === "device" ? item.device : item)
      expect(read).toEqual(JSON.parse(plain.stdout))
      expect(read).toHaveLength(250)
    }
  )

  it("fetches only the selected properties", async () => {
    const { stdout } = await wfa(["device", "list", "--select", "deviceName, healthStatus", "--top", "3"], { env })
    const devices = JSON.parse(stdout) as ReadonlyArray<Readonly<Record<string, unknown>>>
    expect(devices.map((row) => Object.keys(row).toSorted())).toEqual(
      Array.from({ length: 3 }, () => ["deviceName", "healthStatus"])
    )
  })

  it("prints a table on a terminal, and the count beside it", async () => {
    const { stderr, stdout } = await wfa(["device", "list", "--top", "4"], { env, terminal: true })
    expect(stdout.split("\n")).toHaveLength(2 + 4 + 1)
    const [heading = "", ruler = "", ...rows] = stdout.trimEnd().split("\n")
    expect(heading).toContain("Device name")
    // Every column is as wide as its widest cell, so that the gaps of the ruler are gaps in every row.
    for (const { index } of ruler.matchAll(/ {2}/g))
      for (const row of rows) expect(row.slice(index, index + 2)).toBe("  ")
    expect(stderr).toBe("4 devices\n")
  })

  it("prints CSV with a header of property names, and JSON lines", async () => {
    const csv = await wfa(["device", "list", "--select", "id,model", "--top", "2", "-o", "csv"], { env })
    expect(csv.stdout.split("\r\n")[0]).toBe("id,model")
    const jsonl = await wfa(["device", "list", "--select", "id,model", "--top", "2", "-o", "jsonl"], { env })
    expect(
      jsonl.stdout
        .trim()
        .split("\n")
        .map((line) => Object.keys(JSON.parse(line) as object))
    ).toEqual(Array.from({ length: 2 }, () => ["id", "model"]))
  })

  it("refuses a property that does not exist, with the one that was meant", async () => {
    const { code, stderr } = await wfa(["device", "list", "--select", "id,devicename"], { env })
    expect(code).toBe(2)
    expect(stderr).toContain('"devicename" is not a property of a device; did you mean deviceName?')
  })

  it("refuses a --top that is no whole number above 0", async () => {
    for (const top of ["0", "-1", "x", "1.5", "1e3"]) {
      const { code, stderr } = await wfa(["device", "list", "--top", top], { env })
      expect(code).toBe(2)
      expect(stderr.split("\n")[0]).toBe(
        `wfa: Invalid value for flag --top: ${JSON.stringify(top)}. Expected: a whole number from 1`
      )
    }
  })

  it("with --expect ends with 0 for so many devices, and with 10 for others", async () => {
    expect(await wfa(["device", "list", "--expect", "250", "-o", "jsonl"], { env })).toMatchObject({
      code: 0,
      stderr: ""
    })
    const { code, stderr, stdout } = await wfa(["device", "list", "--expect", "251"], { env })
    expect(code).toBe(10)
    expect(stderr).toContain("250 rows came, and there should be 251")
    expect(JSON.parse(stdout)).toHaveLength(250)
    const both = await wfa(["device", "list", "--expect", "3", "--top", "3"], { env })
    expect(both).toMatchObject({ code: 2, stdout: "" })
  })

  it("ends with 10 where the target counts more devices than it shows", async () => {
    await using target = await answering(({ searchParams }) =>
      searchParams.get("$count") === "true" ? { value: [{ id: "1" }], "@odata.count": 2 } : { value: [{ id: "1" }] }
    )
    const { code, stderr, stdout } = await wfa(["device", "list"], { env: { WFA_TARGET: target.url } })
    expect([code, JSON.parse(stdout)]).toEqual([10, [{ id: "1" }]])
    expect(stderr).toContain("What was printed may not be the whole list")
  })

  it("says once that a list is not proven where the target does not count, and nothing with --expect", async () => {
    for (const counts of [undefined, "refused"]) {
      await using target = await answering(({ searchParams }) => {
        if (counts === "refused" && searchParams.has("$count")) return undefined
        return { value: [{ id: "1" }, { id: "2" }] }
      })
      const env = { WFA_TARGET: target.url }
      for (const format of ["json", "csv", "table"]) {
        const { code, stderr } = await wfa(["device", "list", "-o", format], { env })
        expect(code).toBe(0)
        expect(stderr.match(/nothing proves that none is missing/g)).toHaveLength(1)
      }
      expect(await wfa(["device", "list", "--expect", "2"], { env })).toMatchObject({ code: 0, stderr: "" })
      expect(await wfa(["device", "list", "--expect", "3"], { env })).toMatchObject({ code: 10 })
      expect(await wfa(["device", "list", "--top", "1"], { env })).toMatchObject({ code: 0, stderr: "" })
    }
  })

  it.each(["table", "json", "jsonl", "csv", "md"])(
    "leaves stdout empty as %s where nothing arrived and it failed, and writes a document where there is no device",
    async (format) => {
      await using failing = await answering(() => undefined)
      const failed = await wfa(["device", "list", "-o", format], { env: { WFA_TARGET: failing.url } })
      expect(failed).toMatchObject({ code: 6, stdout: "" })
      await using empty = await answering(() => ({ value: [], "@odata.count": 0 }))
      const none = await wfa(["device", "list", "-o", format, "--select", "id"], { env: { WFA_TARGET: empty.url } })
      const documents = { table: "Id\n--\n", json: "[]\n", jsonl: "", csv: "id\r\n", md: "| Id |\n| --- |\n" }
      expect(none).toMatchObject({ code: 0, stdout: documents[format as "json"] })
    }
  )
})

describe("wfa device schema", () => {
  it("prints the JSON Schema of an update, with nothing configured and nothing sent", async () => {
    const { code, stdout } = await wfa(["device", "schema"])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual(jsonSchemaOf("DeviceUpdate"))
  })

  it("prints the properties in words on a terminal", async () => {
    const { stdout } = await wfa(["device", "schema"], { terminal: true })
    expect(stdout).toContain("a number from 0 to 100, -1 for unavailable, or null")
    for (const name of names) expect(stdout).toContain(name)
  })
})
