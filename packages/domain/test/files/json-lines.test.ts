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

  it("is refused as a whole only when it is UTF-16", async () => {
    await expect(read([Buffer.from('\uFEFF{"id":"d1"}', "utf16le")])).rejects.toThrow(UnreadableSource)
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
