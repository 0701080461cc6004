import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { setImmediate } from "node:timers/promises"
import { type WholeDevice, deviceJsonLine, propertyNames, wholeDevice } from "@workanywhere/domain"
import { deviceCsvWriter } from "@workanywhere/domain/csv"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import { describe, expect, it } from "vitest"
import { type ImportProgress, importDevices } from "../../src/store/import.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import { devicesPath, openedApp, standing, storeKinds, temporaryFolder } from "../opened.ts"
import { ended, ran, started } from "../process.ts"

// Processes start in some of these, and the machine may be busy.
const options = { timeout: 60_000 }

const fleetOf = async (size: number) => {
  const devices: Array<WholeDevice> = []
  for await (const device of syntheticFleet({ size, seed: 1 })) devices.push(device)
  return devices.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

const csvOf = (devices: ReadonlyArray<WholeDevice>): string => {
  const { header, row } = deviceCsvWriter(propertyNames)
  return [header, ...devices.map(row)].join("")
}

const stored = async (store: Awaited<ReturnType<typeof openDeviceStore>>) =>
  (await store.page(standing, "", 100_000)).devices

const imported = async (
  opened: Awaited<ReturnType<typeof openedApp>>,
  order: Pick<Parameters<typeof importDevices>[0], "format" | "source"> & { readonly existing?: "keep" }
) => {
  const faults: Array<string> = []
  const progress: Array<ImportProgress> = []
  const end = await importDevices({
    store: opened.store,
    collection: standing,
    existing: "replace",
    onFault: (line, message) => faults.push(`${line} ${message}`),
    onProgress: (reached) => progress.push(reached),
    signal: new AbortController().signal,
    ...order
  })
  return { end, faults, progress }
}

/** A thousand lines, whose ids are their numbers. */
const numbered = (from: number): string =>
  Array.from({ length: 1_000 }, (_, index) => `{"id":"${String(from + index).padStart(6, "0")}"}\n`).join("")

async function* endless() {
  for (let from = 1; ; from += 1_000) yield numbered(from)
}

describe.each(storeKinds)("an import into a store in %s", (kind) => {
  it.for(["jsonl", "csv"] as const)("puts every device of a %s file, as it stands there", async (format) => {
    await using opened = await openedApp(kind, [])
    const devices = await fleetOf(300)
    const source = format === "csv" ? csvOf(devices) : devices.map(deviceJsonLine).join("")
    const { end, faults } = await imported(opened, { format, source })
    expect([end.devices, end.faults, faults]).toEqual([300, 0, []])
    expect(await stored(opened.store)).toEqual(devices)
  })

  it("leaves out lines that hold no device, and says which and why", async () => {
    await using opened = await openedApp(kind, [])
    const source = [
      '{"id":"a","deviceName":"A"}',
      "{",
      '{"deviceName":"no id"}',
      '{"id":""}',
      '{"id":"b","model":"\\u0000"}',
      '{"id":"c","model":"\\ud800"}',
      `{"id":"${"d".repeat(257)}"}`,
      '{"id":"e","windowsScore":"high"}',
      `{"id":"f","healthStatus":"${"x".repeat(65)}"}`,
      '{"id":"g","healthStatus":"addedLater","@odata.type":"x"}',
      `{"id":"h","model":"${"x".repeat(16_385)}"}`,
      '{"id":"i","windowsScore":100.5}',
      '{"id":"j","model":"a","\\u006dodel":"b"}',
      '{"id":"k","healthStatus":"needsAttention","@odata.type":"x"}',
      `{"id":"l","model":"${"x".repeat(16_385)}"}`
    ].join("\n")
    const { end, faults } = await imported(opened, { format: "jsonl", source })
    expect(end).toEqual({ line: 15, devices: 2, kept: 0, faults: 13 })
    expect(faults.map((fault) => fault.split(":")[0])).toEqual([
      "2 the line is not JSON",
      "3 id",
      "4 id",
      "5 model",
      "6 model",
      "7 id",
      "8 windowsScore",
      "9 healthStatus",
      "10 healthStatus",
      "11 model",
      "12 windowsScore",
      "13 model",
      "15 model"
    ])
    expect(faults.at(-1)).toBe("15 model: expected at most 16384 characters")
    expect(await stored(opened.store)).toEqual([
      wholeDevice({ id: "a", deviceName: "A" }),
      wholeDevice({ id: "k", healthStatus: "needsAttention" })
    ])
  })

  it("puts only what an update can send back, whatever the file holds", async () => {
    await using opened = await openedApp(kind, [])
    const rows = [
      "a,NOTCAPABLE,3,-2,100",
      "b,maybe,0,1,1",
      "c,3,9,1,1",
      "d,4,unknownfuturevalue,0,-1",
      "e,1,2,-3,1",
      "f,capable,meetinggoals,86.5,-2",
      ",,,,"
    ]
    const source = `id,upgradeEligibility,healthStatus,windowsScore,cloudIdentityScore\n${rows.join("\n")}`
    const { faults } = await imported(opened, { format: "csv", source })
    expect(faults.map((fault) => fault.split(":")[0])).toEqual([
      "3 column 2, upgradeEligibility",
      "4 column 3, healthStatus",
      "6 column 4, windowsScore"
    ])
    const devices = await stored(opened.store)
    expect(devices.map(({ id, windowsScore, cloudIdentityScore }) => [id, windowsScore, cloudIdentityScore])).toEqual([
      ["a", -1, 100],
      ["d", 0, -1],
      ["f", 86.5, -1]
    ])
    for (const { id } of devices) {
      const address = `${devicesPath}/${id}`
      const headers = { prefer: "include-unknown-enum-members" }
      const body = await (await opened.app.request(address, { headers })).text()
      const update = { method: "PATCH", headers: { "content-type": "application/json" }, body }
      expect((await opened.app.request(address, update)).status).toBe(200)
    }
    expect(await stored(opened.store)).toEqual(devices)
  })

  it("takes a page of Graph's as it was saved, annotations and all", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const source = await (await opened.app.request(`${devicesPath}?$top=1`)).text()
    const list = await (
      await opened.app.request(devicesPath, { headers: { accept: "application/json;odata.metadata=full" } })
    ).text()
    await using other = await openedApp(kind === "postgres" ? "memory" : kind, [])
    for (const [document, devices] of [
      [source, 1],
      [list, 2]
    ] as const) {
      const { end, faults } = await imported(other, { format: "jsonl", source: document })
      expect([end.devices, faults]).toEqual([devices, []])
    }
    expect(await stored(other.store)).toEqual(await stored(opened.store))
  })

  it("takes an empty cell for nothing known, also where a device has to have a value", async () => {
    await using opened = await openedApp(kind, [])
    const source = "id,healthStatus,upgradeEligibility,model\r\na,,,\r\n"
    const { faults } = await imported(opened, { format: "csv", source })
    expect(faults).toEqual([])
    expect(await stored(opened.store)).toEqual([wholeDevice({ id: "a" })])
  })

  it("names the columns that it leaves out, and takes the rest", async () => {
    await using opened = await openedApp(kind, [])
    const { end, faults } = await imported(opened, { format: "csv", source: "id,colour,model\r\na,red,X\r\nb\r\n" })
    expect([end.devices, end.faults]).toEqual([1, 1])
    expect(faults).toEqual([expect.stringMatching(/^1 colour/), "3 the row has 1 cells, the header has 3"])
    expect(await stored(opened.store)).toEqual([wholeDevice({ id: "a", model: "X" })])
  })

  it("replaces devices that are there, or keeps and counts them", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const source = '{"id":"a","model":"X"}\n{"id":"c","model":"X"}\n'
    const kept = await imported(opened, { format: "jsonl", source, existing: "keep" })
    expect(kept.end).toEqual({ line: 2, devices: 2, kept: 1, faults: 0 })
    expect((await stored(opened.store)).map(({ model }) => model)).toEqual([null, null, "X"])
    await imported(opened, { format: "jsonl", source })
    expect((await stored(opened.store)).map(({ model }) => model)).toEqual(["X", null, "X"])
  })

  it("ends between two transactions when it is interrupted, and knows how far it came", async () => {
    await using opened = await openedApp(kind, [])
    const interrupt = new AbortController()
    const end = await importDevices({
      store: opened.store,
      collection: standing,
      existing: "replace",
      format: "jsonl",
      source: endless(),
      onFault: () => {},
      onProgress: ({ devices }) => {
        if (devices >= 20_000) interrupt.abort()
      },
      signal: interrupt.signal
    })
    const ids = (await stored(opened.store)).map(({ id }) => Number(id))
    expect(end.devices).toBeGreaterThanOrEqual(20_000)
    expect([ids.length, ids.at(-1)]).toEqual([end.devices, end.line])
  }, 60_000)
})

describe("wfa-api import", () => {
  it("puts a file into the store of the service and ends with 0", options, async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, "devices.csv")
    const store = `sqlite:${join(folder.path, "devices.sqlite")}` as const
    const devices = await fleetOf(50)
    await writeFile(file, csvOf(devices))
    expect(await ran(["import", file], { WFA_STORE: store })).toEqual({
      code: 0,
      stdout: "",
      stderr: "imported 50 devices up to line 51\n"
    })
    const opened = await openDeviceStore(store)
    const found = await stored(opened)
    await opened.close()
    expect(found).toEqual(devices)
  })

  it(
    "ends with 9 when lines were left out, and shows nothing of them that could steer a terminal",
    options,
    async () => {
      await using folder = await temporaryFolder()
      const file = join(folder.path, "devices.jsonl")
      await writeFile(file, '{"id":"a"}\n{"id":"b","healthStatus":"\\u001b[2J","windowsScore":"\\u001b[2J"}\n')
      const { code, stderr } = await ran(["import", file, "--metric", "devicePerformance"], {
        WFA_STORE: `sqlite:${join(folder.path, "devices.sqlite")}`
      })
      expect(code).toBe(9)
      expect(stderr).toMatch(/^line 2: .*windowsScore.*\nimported 1 device up to line 2, 1 line left out\n$/)
      expect(stderr).not.toContain("\u001b")
    }
  )

  it("shows twenty lines that are left out, and counts the others", options, async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, "devices.jsonl")
    await writeFile(file, `{"id":"a"}\n${"{\n".repeat(1_000)}`)
    const { code, stderr } = await ran(["import", file], { WFA_STORE: `sqlite:${join(folder.path, "devices.sqlite")}` })
    const lines = stderr.trimEnd().split("\n")
    expect([code, lines.length, lines[19]]).toEqual([9, 22, "line 21: the line is not JSON"])
    expect(lines.slice(-2)).toEqual([
      "and 980 more lines like these",
      "imported 1 device up to line 1001, 1000 lines left out"
    ])
  })

  it.for([
    ["an empty file", "devices.jsonl", "", /there is no device in .*devices\.jsonl$/],
    ["a list of nothing", "devices.json", "[]\n", /there is no device in .*devices\.json$/],
    ["a table that is only a heading", "devices.csv", "id,model\r\n,\r\n", /there is no device in .*devices\.csv$/],
    [
      "a zip archive",
      "report.csv",
      Buffer.from("PK\u0003\u0004\0\u00ff", "latin1"),
      /report\.csv: this is a zip archive/
    ],
    ["a database", "devices.jsonl", "SQLite format 3\0x", /devices\.jsonl: this holds bytes that no text has$/],
    ["a folder", "", "", /is a folder$/],
    ["a file that is not there", "none.csv", undefined, /there is no file .*none\.csv$/]
  ] as const)(
    "never ends with 0 when nothing is imported, and says in one line why: %s",
    options,
    async ([, name, content, line]) => {
      await using folder = await temporaryFolder()
      const file = join(folder.path, name)
      if (name !== "" && content !== undefined) await writeFile(file, content)
      const { code, stderr } = await ran(["import", file], { WFA_STORE: `sqlite:${join(folder.path, "x.sqlite")}` })
      expect(stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(line)])
      expect([code, stderr.startsWith("wfa-api: import: ")]).toEqual([2, true])
    }
  )

  it("ends with 130 when it is interrupted, and what it says is done is in the store", options, async () => {
    await using folder = await temporaryFolder()
    const store = `sqlite:${join(folder.path, "devices.sqlite")}` as const
    const child = started("main.ts", ["import", "-"], { WFA_STORE: store })
    const stderr = text(child.stderr)
    const opened = await openDeviceStore(store)
    for (let from = 1; !(await opened.page(standing, "", 0)).more; from += 1_000) {
      if (!child.stdin.write(numbered(from))) await once(child.stdin, "drain")
      await setImmediate()
    }
    child.kill("SIGINT")
    expect(await ended(child)).toEqual({ code: 130, signal: null })
    const [, devices, line] =
      /^wfa-api: import: interrupted behind (\d+) devices up to line (\d+)\n$/.exec(await stderr) ?? []
    const ids = (await stored(opened)).map(({ id }) => Number(id))
    await opened.close()
    expect([ids.length, ids.at(-1)]).toEqual([Number(devices), Number(line)])
  })

  it.for([
    ["no file", ["import"], {}],
    ["two files", ["import", "a", "b"], {}],
    ["an unknown option", ["import", "a", "--formt", "csv"], {}],
    ["an unknown format", ["import", "a", "--format", "xml"], {}],
    ["an unknown choice", ["import", "a", "--existing", "merge"], {}],
    ["a file that is not there", ["import", "/nowhere/devices.jsonl"], { WFA_STORE: "sqlite:FOLDER/x.sqlite" }],
    [
      "a table without ids",
      ["import", import.meta.filename, "--format", "csv"],
      { WFA_STORE: "sqlite:FOLDER/x.sqlite" }
    ],
    ["a metric that is not there", ["import", "a", "--metric", "none"], { WFA_STORE: "sqlite:FOLDER/x.sqlite" }]
  ] as const)("ends with 2 for %s", options, async ([, args, env]) => {
    await using folder = await temporaryFolder()
    const settings = Object.entries(env).map(([name, value]) => [name, value.replace("FOLDER", folder.path)])
    const { code, stderr } = await ran(args, Object.fromEntries(settings) as Record<string, string>)
    expect(stderr).toMatch(/^wfa-api: .+\n(?:wfa-api: .+\n)?$/)
    expect(code).toBe(2)
  })

  it("ends with 3 for a store that would end with it", options, async () => {
    const { code, stderr } = await ran(["import", "devices.jsonl"], {})
    expect([code, stderr]).toEqual([
      3,
      "wfa-api: WFA_STORE: memory ends with this command; set it to the store of the service\n"
    ])
  })
})
