import { gzipSync } from "node:zlib"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type Device,
  type JsonLinesReading,
  type KeyedDevice,
  type ReadItem,
  type TextSource,
  UnreadableSource,
  deviceFromGraph,
  deviceJsonLine,
  deviceToGraph,
  propertyNames,
  readDeviceDocument,
  readDeviceLines
} from "../../src/index.ts"
import { device, keyedDevice, roughBody } from "../arbitrary.ts"

const read = async (source: TextSource, options?: JsonLinesReading): Promise<ReadonlyArray<ReadItem>> => {
  const items: Array<ReadItem> = []
  for await (const item of readDeviceLines(source, options)) items.push(item)
  return items
}

const inShort = (items: ReadonlyArray<ReadItem>): ReadonlyArray<readonly [number, string]> =>
  items.map((item) => [item.line, item.kind === "device" ? item.device.id : item.code])

/** JSON has no other way to say it, so this is what "the same by value" is about. */
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** A device's line of a certain length. */
const long = (length: number, id: string): string => {
  const bare = JSON.stringify({ id, model: "" })
  return JSON.stringify({ id, model: "x".repeat(length - bare.length) })
}

/** A device's line that is nested one level deeper than that. */
const nested = (levels: number): string => `{"id":"d1","deep":${"[".repeat(levels)}${"]".repeat(levels)}}`

/** A device with whatever else Graph may hang on it. */
const annotated: fc.Arbitrary<Device> = fc
  .tuple(
    device,
    fc.dictionary(
      fc.constantFrom("@odata.type", "@odata.etag", "deviceName@odata.type", "addedLater", "__proto__", "constructor"),
      fc.jsonValue({ maxDepth: 3 })
    )
  )
  .map(([known, other]) => JSON.parse(JSON.stringify({ ...other, ...known })) as Device)

describe("Graph's JSON of a device", () => {
  it("is the same by value after reading and writing", () => {
    fc.assert(
      fc.property(annotated, (json) => {
        const before = JSON.stringify(json)
        const parsed = deviceFromGraph(json)
        if (!parsed.success) throw new Error(parsed.issues.map(({ message }) => message).join())
        const after = JSON.stringify(deviceToGraph(parsed.data))
        expect(JSON.parse(after)).toEqual(JSON.parse(before))
        expect(Object.keys(JSON.parse(after) as object).toSorted()).toEqual(
          Object.keys(JSON.parse(before) as object).toSorted()
        )
      })
    )
  })

  it("keeps a member added later, annotations, and each way to say that there is no score", () => {
    const json = {
      "@odata.etag": 'W/"1"',
      healthStatus: "addedLater",
      cloudIdentityScore: -2,
      windowsScore: -1,
      workFromAnywhereScore: null,
      id: "d1"
    }
    const parsed = deviceFromGraph(json)
    expect(parsed).toEqual({ success: true, data: json })
    expect(deviceToGraph(json as unknown as Device)).toEqual(json)
  })

  it("is written in the documented order, what is not a property behind", () => {
    const names = Object.keys(deviceToGraph({ "@odata.etag": "x", model: "M", id: "d1" } as Device))
    expect(names).toEqual(["id", "model", "@odata.etag"])
    const whole = Object.fromEntries(propertyNames.toReversed().map((name) => [name, null])) as unknown as Device
    expect(Object.keys(deviceToGraph(whole))).toEqual(propertyNames)
  })

  it("is refused with the property named when a value does not fit", () => {
    expect(deviceFromGraph({ id: "d1", tenantAttached: "yes" })).toMatchObject({
      success: false,
      issues: [{ path: "tenantAttached", code: "wrongType" }]
    })
  })
})

describe("JSONL", () => {
  it("gives back the devices that were written", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(keyedDevice, { maxLength: 4 }), async (devices) => {
        const items = await read(devices.map(deviceJsonLine))
        expect(items).toEqual(devices.map((one, at) => ({ kind: "device", line: at + 1, device: throughJson(one) })))
      })
    )
  })

  it("is read the same however text and bytes are cut", async () => {
    const text = '\uFEFF{"id":"d1","model":"ü𝔘"}\r\n\r\n{"id":"d2"}\n  \n{]\n{"id":"d3"}'
    const expected = await read(text)
    expect(inShort(expected)).toEqual([
      [1, "d1"],
      [3, "d2"],
      [5, "notJson"],
      [6, "d3"]
    ])
    const data = Buffer.from(text)
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.nat(data.length), { maxLength: 12 }).map((cuts) => cuts.toSorted((a, b) => a - b)),
        async (asBytes, cuts) => {
          const whole = asBytes ? data : text
          expect(await read([0, ...cuts].map((cut, at) => whole.slice(cut, cuts[at])))).toEqual(expected)
        }
      )
    )
  })

  it("tells what cannot be read by its line, and goes on", async () => {
    const lines = [
      '{"id":"d1"}',
      "NaN",
      '{"id":"d3","windowsScore":NaN}',
      '{"deviceName":"no id"}',
      '{"id":5,"windowsScore":"7"}',
      '{"id":"d6","windowsScore":1e309}',
      "[]",
      "null",
      '{"id":"d9","windowsScore":1e308}',
      ""
    ]
    const items = await read(lines.join("\n"))
    expect(inShort(items)).toEqual([
      [1, "d1"],
      [2, "notJson"],
      [3, "notJson"],
      [4, "notADevice"],
      [5, "notADevice"],
      [6, "notADevice"],
      [7, "notADevice"],
      [8, "notADevice"],
      [9, "d9"]
    ])
    const both = items[4]
    if (both?.kind !== "fault") throw new Error("expected a fault")
    expect(both.issues.map(({ path }) => path)).toEqual(["id", "windowsScore"])
    expect(items[3]).toMatchObject({ message: expect.stringContaining("id: ") })
  })

  it("does not quote a line that is not JSON", async () => {
    const [item] = await read('{"deviceName":"secret"')
    expect(JSON.stringify(item)).not.toContain("secret")
  })

  it("leaves a line out that is too long, however it arrives", async () => {
    const text = `${long(200, "d1")}\n${long(201, "d2")}\n${long(5_000, "d3")}\n{"id":"d4"}\n${long(201, "d5")}`
    const cut = Array.from({ length: text.length }, (_, at) => text.slice(at, at + 1))
    for (const source of [text, cut]) {
      expect(inShort(await read(source, { longestLineCodeUnits: 200 }))).toEqual([
        [1, "d1"],
        [2, "tooLong"],
        [3, "tooLong"],
        [4, "d4"],
        [5, "tooLong"]
      ])
    }
  })

  it("leaves a line out whose bytes are not UTF-8", async () => {
    const data = Buffer.concat([
      Buffer.from('{"id":"d1"}\n{"id":"d2","model":"Z'),
      Buffer.from([0xfc]),
      Buffer.from('rich"}\n{"id":"d3","model":"Zürich"}\n{"id":"'),
      Buffer.from([0xf0, 0x9d])
    ])
    for (const size of [1, 3, data.length]) {
      const chunks = Array.from({ length: Math.ceil(data.length / size) }, (_, at) =>
        data.subarray(at * size, (at + 1) * size)
      )
      expect(inShort(await read(chunks))).toEqual([
        [1, "d1"],
        [2, "notUtf8"],
        [3, "d3"],
        [4, "notUtf8"]
      ])
    }
  })

  it("is read right from a source that fills the same buffer again", async () => {
    const data = Buffer.from('{"id":"d1","model":"Zürich"}\n')
    const buffer = Buffer.alloc(1)
    function* bytes(): Generator<Uint8Array> {
      for (const byte of data) {
        buffer[0] = byte
        yield buffer
      }
    }
    expect(await read(bytes())).toMatchObject([{ device: { id: "d1", model: "Zürich" } }])
  })

  it("is refused as a whole only when it is UTF-16 without a byte order mark, or no text", async () => {
    for (const order of ["utf-16le", "utf-16be"]) {
      const bytes = Buffer.from('{"id":"d1"}', "utf16le")
      await expect(read([order === "utf-16le" ? bytes : bytes.swap16()])).rejects.toMatchObject({ reason: "utf16" })
    }
    const [zip, gzip] = [Buffer.from("PK\u0003\u0004\u0014\0"), gzipSync('{"id":"d1"}')]
    const png = Buffer.from("\u0089PNG\r\n\u001a\n\0\0\0\rIHDR", "latin1")
    const bytewise = [zip, gzip].map((bytes) => [...bytes].map((byte) => Uint8Array.of(byte)))
    for (const source of [[zip], [gzip], ...bytewise, [Buffer.from("SQLite format 3\0")], [png]]) {
      const refusal = await read(source).catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(UnreadableSource)
      expect(refusal).toMatchObject({ reason: "binary" })
    }
  })

  it("is read when it is UTF-16 with its mark, as Windows PowerShell redirects it, however it is cut", async () => {
    const text = '\uFEFF{"id":"d1","model":"Zürich 𝔘"}\r\n{"id":"d2"}\r\n{"id":"HALF"}\n'
    const little = Buffer.from(text, "utf16le")
    // Half of a surrogate pair in place of the "H".
    little.writeUInt16LE(0xd835, little.indexOf(Buffer.from("HALF", "utf16le")))
    const big = Buffer.from(little).swap16()
    for (const data of [little, big]) {
      for (const size of [1, 3, data.length]) {
        const chunks = Array.from({ length: Math.ceil(data.length / size) }, (_, at) =>
          data.subarray(at * size, (at + 1) * size)
        )
        const items = await read(chunks)
        expect(inShort(items)).toEqual([
          [1, "d1"],
          [2, "d2"],
          [3, "notUtf8"]
        ])
        expect(items[0]).toMatchObject({ device: { model: "Zürich 𝔘" } })
      }
    }
  })

  it("refuses a line in which a name stands twice, and names it, also inside of what is not a property", async () => {
    const items = await read(
      '{"id":"d1","model":"a","model":"a"}\n{"id":"d2","x":{"y":[{"a":1,"\\u0061":2}]}}\n{"id":"d3","x":{"a":1},"y":{"a":1}}\n'
    )
    expect(inShort(items)).toEqual([
      [1, "notADevice"],
      [2, "notADevice"],
      [3, "d3"]
    ])
    expect(items.slice(0, 2)).toMatchObject([
      { issues: [{ path: "model", code: "repeatedName" }] },
      { issues: [{ path: "x.y[0].a", code: "repeatedName" }] }
    ])
  })

  it("refuses a line that is nested too deeply to be looked at", async () => {
    expect(inShort(await read(`${nested(63)}\n${nested(64)}\n`))).toEqual([
      [1, "d1"],
      [2, "tooDeep"]
    ])
  })

  it("never makes the reader throw, whatever it holds", async () => {
    const line = fc.oneof(
      roughBody.map((body) => JSON.stringify(body)),
      fc.json(),
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        '{"__proto__":{"id":"x"}}',
        '{"id":"\\uD800","__proto__":1}',
        '{"constructor":{"prototype":{}},"id":"d1"}',
        `{"id":"d1","deep":${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
        "[".repeat(100_000),
        '{"id":"d1","windowsScore":-0}',
        "\uD800"
      )
    )
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
        const text = lines.join("\n")
        for (const item of await read(text)) {
          expect(item.line).toBeLessThanOrEqual(text.split("\n").length)
          expect(typeof (item.kind === "device" ? item.device.id : item.message)).toBe("string")
        }
      })
    )
    expect(({} as { id?: string }).id).toBeUndefined()
  })
})

const bytewise = (text: string): ReadonlyArray<Uint8Array> =>
  Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte))

describe("a whole JSON document where JSONL was expected", () => {
  const page = { "@odata.context": 'x"[', "@odata.count": 2, value: [{ id: "d1" }, { id: "d2", model: "],{" }] }

  it.each([
    ["a list", JSON.stringify(page.value)],
    ["a list over several lines", JSON.stringify(page.value, undefined, 2)],
    ["a list with a device in each line", `[\n${page.value.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`],
    ["a page of Graph's", JSON.stringify(page)],
    ["a page over several lines", JSON.stringify(page, undefined, "\t")],
    ["a page with what follows its rows", JSON.stringify({ ...page, "@odata.nextLink": "y}", more: { a: [] } })],
    ["objects over several lines", page.value.map((row) => JSON.stringify(row, undefined, 2)).join("\r\n")],
    ["a list with a byte order mark and blank lines", `\uFEFF\r\n\r\n ${JSON.stringify(page.value)}\r\n`]
  ])("is read as %s", async (_, text) => {
    const expected = await read(text)
    expect(expected.map((item) => item.kind === "device" && item.device)).toEqual(page.value)
    expect(await read(bytewise(text))).toEqual(expected)
  })

  it.each([["[]"], [" [ ] "], ['{"value":[]}'], ["\n\n"]])("that is empty holds nothing: %j", async (text) => {
    expect(await read(text)).toEqual([])
  })

  it("tells what cannot be read by line and position, and goes on", async () => {
    const text = '[\n {"id":"d1"},\n {"id":7},\n {,\n "x": 1}, 5, ,\n {"id":"a","id":"b"}, {"id":"d7"}]'
    const items = await read(text)
    expect(inShort(items)).toEqual([
      [2, "d1"],
      [3, "notADevice"],
      [4, "notJson"],
      [5, "notADevice"],
      [5, "notJson"],
      [6, "notADevice"],
      [6, "d7"]
    ])
    expect(items[5]).toMatchObject({ message: expect.stringMatching(/^item 6: id: /) })
  })

  it.each([
    ["within a device", '[{"id":"d1"},\n{"id":"d2"'],
    ["within its list", '[{"id":"d1"},\n'],
    ["before its list does", '[{"id":"d1"}\n'],
    ["within the last of several objects", '{\n"id":"d1"}\n{\n"id":']
  ])("that ends %s is not taken for a whole one", async (_, text) => {
    const items = await read(text)
    expect(items.filter(({ kind }) => kind === "fault")).toMatchObject([{ code: "notJson" }])
  })

  it("has nothing behind it that would be passed over in silence", async () => {
    const page = '{"value":[{"id":"d1"}],"@odata.nextLink":"x"}'
    for (const text of [`${page}\n${page}`, '[{"id":"d1"}]\n{"id":"d2"}', '[{"id":"d1"}] [{"id":"d2"}]']) {
      expect(inShort(await read(text)).map(([, what]) => what)).toEqual(["d1", "notJson"])
    }
  })

  it("leaves a device out that is too long, or whose bytes are not UTF-8, and holds no more than one", async () => {
    const text = JSON.stringify([{ id: "d1" }, { id: "d2", model: "x".repeat(300) }, { id: "d3" }])
    const options = { longestLineCodeUnits: 200 }
    for (const source of [text, bytewise(text)]) {
      expect(inShort(await read(source, options))).toEqual([
        [1, "d1"],
        [1, "tooLong"],
        [1, "d3"]
      ])
    }
    const broken = Buffer.from('[{"id":"d1"},{"id":"d?"},{"id":"d3"}]')
    broken[broken.indexOf("?")] = 0xfc
    for (const source of [[broken], [...broken].map((byte) => Uint8Array.of(byte))]) {
      expect(inShort(await read(source)).map(([, what]) => what)).toEqual(["d1", "notUtf8", "d3"])
    }
  })

  it("gives what JSON.parse gives, however the text is cut and spaced", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(annotated, { maxLength: 4 }),
        fc.nat(3),
        fc.array(fc.nat(2_000), { maxLength: 6 }).map((cuts) => cuts.toSorted((a, b) => a - b)),
        async (devices, spaces, cuts) => {
          const rows = devices.map((one, at) => ({ ...one, id: String(at) }))
          const text = JSON.stringify(rows, undefined, spaces)
          const items = await read([0, ...cuts].map((cut, at) => text.slice(cut, cuts[at])))
          expect(items.map((item) => item.kind === "device" && item.device)).toEqual(JSON.parse(text))
        }
      )
    )
  })

  it("never makes the reader throw, whatever it holds", async () => {
    const piece = fc.constantFrom(
      "[",
      "]",
      "{",
      "}",
      ",",
      '"',
      "\\",
      "\n",
      " ",
      '"value":[',
      '{"id":"a"}',
      "\uFFFD",
      "1"
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("[", '{"value":[', '{\n"'),
        fc.array(piece, { maxLength: 20 }),
        async (head, pieces) => {
          const text = [head, ...pieces].join("")
          const items = await read(text)
          expect(await read(bytewise(text))).toEqual(items)
          const lines = items.map(({ line }) => line)
          expect(lines).toEqual(lines.toSorted((a, b) => a - b))
          expect(lines.at(-1) ?? 1).toBeLessThanOrEqual(text.split("\n").length)
        }
      ),
      { numRuns: 1_000 }
    )
  })
})

describe("a JSON document", () => {
  const rows = [{ id: "d1" }, { id: 7 }, { id: "d3" }]

  it.each([
    ["a page of Graph's", { "@odata.context": "x", value: rows }],
    ["an array", rows]
  ])("is read as %s, an item for each of its rows", (_, json) => {
    expect(inShort([...readDeviceDocument(json)])).toEqual([
      [1, "d1"],
      [2, "notADevice"],
      [3, "d3"]
    ])
  })

  it("is read as a single device", () => {
    const single: KeyedDevice = { id: "d1" }
    expect([...readDeviceDocument(single)]).toEqual([{ kind: "device", line: 1, device: single }])
  })

  it("never makes the reader throw", () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record({ value: fc.jsonValue() }), fc.anything()), (json) => {
        for (const item of readDeviceDocument(json)) expect(item.line).toBeGreaterThan(0)
      })
    )
  })
})
