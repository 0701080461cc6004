import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type CsvColumns,
  type CsvReading,
  type DeviceRead,
  type Fault,
  type ReadItem,
  type TextSource,
  UnreadableSource,
  csvLine,
  deviceCsvWriter,
  readDeviceCsv
} from "../../src/csv.ts"
import { type Device, isNullable, properties, propertyNames } from "../../src/index.ts"
import { keyedDevice, wholeDevice } from "../arbitrary.ts"

const all = async (source: TextSource, options?: CsvReading): Promise<ReadonlyArray<CsvColumns | ReadItem>> => {
  const items: Array<CsvColumns | ReadItem> = []
  for await (const item of readDeviceCsv(source, options)) items.push(item)
  return items
}

const rowsOf = async (source: TextSource): Promise<ReadonlyArray<ReadItem>> =>
  (await all(source)).filter((item) => item.kind !== "columns")

const devicesOf = async (source: TextSource): Promise<ReadonlyArray<unknown>> =>
  (await rowsOf(source)).filter((item): item is DeviceRead => item.kind === "device").map(({ device }) => device)

const faultsOf = async (source: TextSource): Promise<ReadonlyArray<readonly [number, string]>> =>
  (await rowsOf(source)).filter((item): item is Fault => item.kind === "fault").map(({ line, code }) => [line, code])

const columnsOf = async (source: TextSource): Promise<CsvColumns> => {
  const [first] = await all(source)
  if (first?.kind !== "columns") throw new Error("expected the columns first")
  return first
}

const bytes = (...parts: ReadonlyArray<string | ReadonlyArray<number>>): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Uint8Array.from(part))))

const simple = [
  { id: "d1", deviceName: "PC-1" },
  { id: "d2", deviceName: null }
]

describe("the forms of a CSV file", () => {
  it.each([
    ["commas and \\n", "id,deviceName\nd1,PC-1\nd2,\n"],
    ["\\r\\n", "id,deviceName\r\nd1,PC-1\r\nd2,\r\n"],
    ["mixed line ends", "id,deviceName\r\nd1,PC-1\nd2,\r\n"],
    ["no end of the last line", "id,deviceName\nd1,PC-1\nd2,"],
    ["a byte order mark", "\uFEFFid,deviceName\nd1,PC-1\nd2,\n"],
    ["quotes everywhere", '"id","deviceName"\n"d1","PC-1"\n"d2",""\n'],
    ["quotes and \\r\\n", '"id","deviceName"\r\n"d1","PC-1"\r\n"d2",""\r\n'],
    ["semicolons", "id;deviceName\nd1;PC-1\nd2;\n"],
    ["tabs", "id\tdeviceName\nd1\tPC-1\nd2\t\n"],
    ["a line that tells the delimiter", "sep=|\r\nid|deviceName\r\nd1|PC-1\r\nd2|\r\n"],
    ["names in another case, with spaces", "ID, DEVICENAME\nd1,PC-1\nd2,\n"],
    ["blank lines", "\n\nid,deviceName\n\nd1,PC-1\r\n\r\nd2,\n\n"],
    ["empty cells behind the last column", "id,deviceName\nd1,PC-1,,\nd2,,,\n"],
    ["\\r alone, as Excel for Mac writes it", "id,deviceName\rd1,PC-1\rd2,\r"],
    ["\\r alone, with quotes, blank lines and no end", '\r\r"id";"deviceName"\r\r"d1";"PC-1"\rd2;'],
    ["\\r alone below a line that tells the delimiter", "sep=|\rid|deviceName\rd1|PC-1\rd2|\r"],
    ["the type that Windows PowerShell writes", '#TYPE System.Object\r\n"id","deviceName"\r\n"d1","PC-1"\r\n"d2",\r\n'],
    ["a type that went through a spreadsheet", '"#TYPE Selected.Object",,\nid,deviceName\nd1,PC-1\nd2,\n'],
    ["a type and a delimiter, in either order", "SEP=;\n#TYPE x\nid;deviceName\nd1;PC-1\nd2;\n"],
    ["a delimiter that went through a spreadsheet", '"sep=;",,\r\n\r\nid;deviceName\r\nd1;PC-1\r\nd2;\r\n'],
    ["rows of nothing but delimiters and spaces", "id,deviceName\n  ,  \nd1,PC-1\n ,\nd2,\n\t,\n"],
    ["rows of nothing but delimiters", 'id,deviceName\n,\nd1,PC-1\n,,,\n"",""\nd2,\n,\n,\n'],
    ["ids with spaces around", 'id,deviceName\n d1,PC-1\n"d2 ",\n']
  ])("reads %s", async (_, text) => {
    expect(await devicesOf(text)).toEqual(simple)
    expect(await faultsOf(text)).toEqual([])
  })

  it("reads the same however text and bytes are cut", async () => {
    const text = '\uFEFFid;deviceName;model\r\nd1;"two\r\nlines ""ü"" 𝔘";x\r\nd2;é;"a;b"\r\n'
    const expected = await all(text)
    expect(expected).toHaveLength(3)
    const data = Buffer.from(text)
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.nat(data.length), { maxLength: 12 }).map((cuts) => cuts.toSorted((a, b) => a - b)),
        async (asBytes, cuts) => {
          const whole = asBytes ? data : text
          const pieces = [0, ...cuts].map((cut, at) => whole.slice(cut, cuts[at]))
          expect(await all(pieces)).toEqual(expected)
        }
      )
    )
  })

  it("reads UTF-16 with its byte order mark, however it is cut", async () => {
    const text = "\uFEFFid\tdeviceName\r\nd1\tPC-1\r\nd2\t\r\n"
    for (const data of [Buffer.from(text, "utf16le"), Buffer.from(text, "utf16le").swap16()]) {
      for (const size of [1, 5, data.length]) {
        const chunks = Array.from({ length: Math.ceil(data.length / size) }, (_, at) =>
          data.subarray(at * size, (at + 1) * size)
        )
        expect(await devicesOf(chunks)).toEqual(simple)
      }
    }
  })

  it("keeps a \\r inside of quotes, whatever the lines end with, and counts lines by their ends", async () => {
    const quoted = '"id","device\rName"\na,1\n'
    expect(await devicesOf(quoted)).toEqual([{ id: "a" }])
    expect(await devicesOf('id,deviceName\n"a","x\ry"\nb,z\n')).toEqual([
      { id: "a", deviceName: "x\ry" },
      { id: "b", deviceName: "z" }
    ])
    const text = 'id,deviceName\ra,"x\r\ny"\r\rb\rc,"open\rd,1\r'
    expect(await faultsOf(text)).toEqual([
      [5, "cellCount"],
      [6, "quotes"]
    ])
    expect(await devicesOf(text)).toEqual([
      { id: "a", deviceName: "x\r\ny" },
      { id: "d", deviceName: "1" }
    ])
    for (const size of [1, 2, 3]) {
      const cut = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
        text.slice(at * size, (at + 1) * size)
      )
      expect(await all(cut)).toEqual(await all(text))
    }
  })

  it("refuses an id that is nothing but spaces", async () => {
    expect(await faultsOf("id,deviceName\n  ,PC-1\n")).toEqual([[2, "notADevice"]])
  })

  it("reads decimal commas where a spreadsheet wrote them", async () => {
    expect(await devicesOf("id;windowsScore\nd1;86,62\nd2;-1\n")).toEqual([
      { id: "d1", windowsScore: 86.62 },
      { id: "d2", windowsScore: -1 }
    ])
  })

  it("reads truth as true, false, 1 and 0, in any case", async () => {
    const text = "id,tenantAttached\na,TRUE\nb,True\nc,1\nd,false\ne,0\nf, true \n"
    expect((await devicesOf(text)).map((device) => (device as { tenantAttached: boolean }).tenantAttached)).toEqual([
      true,
      true,
      true,
      false,
      false,
      true
    ])
  })

  it("reads enums as names or numbers and keeps members it does not know", async () => {
    expect(await devicesOf("id,upgradeEligibility,healthStatus\na,3,meetingGoals\nb,addedLater,9\nc,,\n")).toEqual([
      { id: "a", upgradeEligibility: "capable", healthStatus: "meetingGoals" },
      { id: "b", upgradeEligibility: "addedLater", healthStatus: "9" },
      { id: "c" }
    ])
  })

  it("reads names of enums in any case, with spaces around", async () => {
    const text = "id,upgradeEligibility,healthStatus\na,NotCapable, MEETINGGOALS \nb,UPGRADED,insufficientdata\n"
    expect(await rowsOf(text)).toMatchObject([
      { device: { upgradeEligibility: "notCapable", healthStatus: "meetingGoals" } },
      { device: { upgradeEligibility: "upgraded", healthStatus: "insufficientData" } }
    ])
  })

  it("tells by line and column which values no update may send: other words, numbers not in use, scores out of range", async () => {
    const text = "DeviceId,UpgradeEligibility,HealthStatus,WindowsScore\na,3,0,-2\nb,maybe,9,100.5\nc,4,5,-1\n"
    const rows = await rowsOf(text)
    expect(
      rows.map((item) => [item.line, (item as DeviceRead).issues?.map(({ message }) => message.split(" ").slice(0, 4))])
    ).toEqual([
      [2, undefined],
      [
        3,
        [
          ["column", "2,", "upgradeEligibility:", '"maybe"'],
          ["column", "3,", "healthStatus:", '"9"'],
          ["column", "4,", "windowsScore:", "100.5"]
        ]
      ],
      [4, [["column", "3,", "healthStatus:", '"5"']]]
    ])
    expect(rows.every(({ kind }) => kind === "device")).toBe(true)
  })

  it("names the column of a value that is none", async () => {
    const [row] = await rowsOf("id,tenantAttached\nd1,perhaps\n")
    expect(row).toMatchObject({ kind: "fault", message: expect.stringMatching(/^column 2, tenantAttached: "perhaps"/) })
  })

  it("takes an empty cell as null or as nothing said, as asked", async () => {
    const read = await all("id,model\nd1,\n", { empty: "absent" })
    expect(read.at(-1)).toEqual({ kind: "device", line: 2, device: { id: "d1" } })
  })
})

describe("the header of a CSV file", () => {
  it("names the columns first, and says once which are left out and what was probably meant", async () => {
    const text = "id,autopilotRegisterd,model,Model,colour\nd1,true,M1,M2,red\nd2,true,M1,M2,red\n"
    const columns = await columnsOf(text)
    expect(columns).toMatchObject({ kind: "columns", line: 1, form: "graph", columns: ["id", "model"] })
    expect(columns.issues.map(({ path, suggestion }) => [path, suggestion])).toEqual([
      ["autopilotRegisterd", "autoPilotRegistered"],
      ["colour", undefined],
      ["model", undefined]
    ])
    expect(await devicesOf(text)).toEqual([
      { id: "d1", model: "M1" },
      { id: "d2", model: "M1" }
    ])
  })

  it.each([
    ["there is no column for the id", "deviceName,model\nPC-1,M1\n", "noIdColumn"],
    ["there is nothing at all", "", "noHeader"],
    ["there are only blank lines", "\r\n\n", "noHeader"],
    ["the header's quotes are broken", '"id,deviceName\nd1,PC-1\n', "noHeader"],
    ["the header is too long", "x".repeat(200_000), "noHeader"],
    ["the text is UTF-16 without a byte order mark", "id\nd1\n", "utf16"],
    ["it is a zip archive", "PK\u0003\u0004\u0014\0\0\0\u0008\0id", "binary"]
  ])("is refused when %s", async (_, text, reason) => {
    const source = reason === "utf16" ? [Buffer.from(text, "utf16le")] : text
    const refusal = await all(source).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(UnreadableSource)
    expect(refusal).toMatchObject({ reason })
  })
})

describe("rows that do not parse", () => {
  it("are told by line while the rest goes on", async () => {
    const text = [
      "id,deviceName,tenantAttached,windowsScore",
      "d1,PC-1,true,1",
      ",PC-2,true,1",
      'd3,"two',
      'lines",perhaps,high',
      "d4,PC-4,true",
      "d5,PC-5,true,1,surplus",
      "d6,PC-6,true,1e999",
      "d7,PC-7,true,7",
      ""
    ].join("\n")
    expect(await faultsOf(text)).toEqual([
      [3, "notADevice"],
      [4, "notADevice"],
      [6, "cellCount"],
      [7, "cellCount"],
      [8, "notADevice"]
    ])
    expect(await devicesOf(text)).toMatchObject([{ id: "d1" }, { id: "d7" }])
    const broken = (await rowsOf(text)).find(({ line }) => line === 4) as Fault
    expect(broken.issues.map(({ path, code, received }) => [path, code, received])).toEqual([
      ["tenantAttached", "wrongType", '"perhaps"'],
      ["windowsScore", "wrongType", '"high"']
    ])
    expect(broken.message).toContain("tenantAttached")
  })

  it("cost their first line only when a quote is never closed", async () => {
    const text = 'id,deviceName\nd1,"PC-1\nd2,PC-2\nd3,"PC" 3\nd4,"PC-4"\nd5,"PC-5\n'
    expect(await faultsOf(text)).toEqual([
      [2, "quotes"],
      [4, "quotes"],
      [6, "quotes"]
    ])
    expect(await devicesOf(text)).toMatchObject([{ id: "d2" }, { id: "d4" }])
  })

  it("do not fill the memory when a quote is never closed in a long file", async () => {
    const rows = Array.from({ length: 5_000 }, (_, at) => `d${at},${"x".repeat(50)}\n`)
    const text = `id,deviceName\nbad,"never closed\n${rows.join("")}`
    expect(await faultsOf(text)).toEqual([[2, "quotes"]])
    expect(await devicesOf(text)).toHaveLength(5_000)
  })

  it("are left out when they are too long, however they arrive", async () => {
    const long = "x".repeat(70_000)
    const text = `id,deviceName\nd1,${long}\nd2,"${long}"\nd3,${"x".repeat(60_000)}\n`
    const cut = Array.from({ length: 30 }, (_, at) => text.slice(at * 7_000, (at + 1) * 7_000))
    for (const source of [text, cut]) {
      expect(await faultsOf(source)).toEqual([
        [2, "tooLong"],
        [3, "tooLong"]
      ])
      expect(await devicesOf(source)).toMatchObject([{ id: "d3" }])
    }
  })

  it("are left out when their bytes are not UTF-8", async () => {
    const data = bytes("id,deviceName\nd1,Z", [0xfc], "rich\nd2,Zürich\nd3,", [0xc3], "\nd4,x\nd5,", [0xe2, 0x82])
    for (const size of [1, 2, 7, data.length]) {
      const chunks = Array.from({ length: Math.ceil(data.length / size) }, (_, at) =>
        data.subarray(at * size, (at + 1) * size)
      )
      expect(await faultsOf(chunks)).toEqual([
        [2, "notUtf8"],
        [4, "notUtf8"],
        [6, "notUtf8"]
      ])
      expect(await devicesOf(chunks)).toMatchObject([{ deviceName: "Zürich" }, { deviceName: "x" }])
    }
  })

  it("do not hide an error of the source itself", async () => {
    await expect(all(failing())).rejects.toThrow("the disk is gone")
  })
})

async function* failing(): AsyncGenerator<string> {
  yield "id\nd1\n"
  throw new RangeError("the disk is gone")
}

/** Lets the documented refusal pass; anything else thrown fails the test. */
const readable = async <Item>(items: Promise<ReadonlyArray<Item>>): Promise<ReadonlyArray<Item>> => {
  try {
    return await items
  } catch (error) {
    expect(error).toBeInstanceOf(UnreadableSource)
    return []
  }
}

/** A cell has no negative zero. */
const withoutNegativeZero = (device: Device): Device =>
  Object.fromEntries(Object.entries(device).map(([name, value]) => [name, Object.is(value, -0) ? 0 : value]))

/** Text that looks like a formula, like an escape, like a line end, or like nothing. */
const traps = fc
  .array(fc.constantFrom("'", "=", "+", "-", "@", "\t", "\r", "\n", '"', ",", ";", "|", "＝", "a", " ", "\uFEFF"), {
    maxLength: 6
  })
  .map((parts) => parts.join(""))

describe("reading what was written", () => {
  const writer = deviceCsvWriter(propertyNames)
  const written = (devices: ReadonlyArray<Device>): string => writer.header + devices.map(writer.row).join("")

  it("gives the same devices", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(wholeDevice, { maxLength: 3 }), async (devices) => {
        expect(await rowsOf(written(devices))).toMatchObject(devices.map(() => ({ kind: "device" })))
        expect(await devicesOf(written(devices))).toEqual(devices.map(withoutNegativeZero))
      })
    )
  })

  it("gives the same device whatever a text holds, in any place of the row", async () => {
    const narrow = deviceCsvWriter(["deviceName", "id", "model"])
    await fc.assert(
      fc.asyncProperty(traps, traps, fc.option(traps), async (deviceName, id, model) => {
        const device = { deviceName, id, model }
        expect(await devicesOf(narrow.header + narrow.row(device) + narrow.row(device))).toEqual([device, device])
      }),
      { numRuns: 2_000 }
    )
  })

  it("gives null for a property that was missing, and keeps the encoding of a score that is not there", async () => {
    await fc.assert(
      fc.asyncProperty(keyedDevice, async (device) => {
        const nulls = Object.fromEntries(properties.filter(isNullable).map(({ name }) => [name, null]))
        expect(await devicesOf(written([device]))).toEqual([withoutNegativeZero({ ...nulls, ...device })])
      })
    )
  })

  it("never starts a cell with what a spreadsheet would run", () => {
    fc.assert(
      fc.property(traps, (text) => {
        expect(csvLine([text]).replace(/^"/, "")).not.toMatch(/^[=+\-@\t＝＋－＠]/)
      })
    )
  })
})

describe("a CSV reader", () => {
  const header = fc.constantFrom("id,deviceName,windowsScore\n", "DeviceId;JoinType;HealthStatus\r\n", "id\n", "")
  const piece = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom('"', '""', ",", "\n", "\r", "\r\n", ";", "\t", "'", "=", "__proto__", "1e308")
    },
    { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 5 }) },
    { weight: 1, arbitrary: fc.constantFrom("\uD800", "\uDC00", "-0", "NaN", "constructor") }
  )

  it("throws nothing but that there is no header to read by, whatever it is given", async () => {
    await fc.assert(
      fc.asyncProperty(header, fc.array(piece, { maxLength: 40 }), async (head, pieces) => {
        const source = [head, ...pieces]
        const lineCount = source.join("").split(/\n|\r/).length
        const lines = (await readable(all(source))).map(({ line }) => line)
        expect(lines).toEqual([...new Set(lines)].toSorted((a, b) => a - b))
        expect(lines.at(-1) ?? 1).toBeLessThanOrEqual(lineCount)
      }),
      { numRuns: 1_000 }
    )
  })

  it("throws nothing else for bytes", async () => {
    await fc.assert(
      fc.asyncProperty(header, fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }), async (head, chunks) => {
        const items = await readable(all([Buffer.from(head), ...chunks]))
        expect(items.slice(1).every(({ kind }) => kind !== "columns")).toBe(true)
      })
    )
  })
})
