import { randomBytes } from "node:crypto"
import { type ZlibOptions, brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import { deviceODataType, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { countArriving } from "../../src/http/body.ts"
import { devicesPath, failureOf, jsonRequest, metricsPath, openedApp, standing } from "../opened.ts"

type Opened = Awaited<ReturnType<typeof openedApp>>

const sent = (
  opened: Opened,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  path = `${devicesPath}/a`
) =>
  opened.app.request(path, {
    method: path === devicesPath || path.includes("$batch") || path.endsWith("Metrics") ? "POST" : "PATCH",
    headers: { "content-type": "application/json", ...headers },
    body: Uint8Array.from(Buffer.from(body))
  })

const modelOf = async (opened: Opened) => (await opened.store.find(standing, "a"))?.model

describe("a body in which a name stands twice", () => {
  it.for([
    ["twice", '{"ownership":"a","ownership":"b"}', "ownership"],
    ["twice with the same value", '{"model":"a","ownership":1,"model":"a"}', "model"],
    ["twice, once as an escape", '{"ownership":"a","\\u006fwnership":"b"}', "ownership"],
    ["three times", '{"model":"a","model":"b","model":"c"}', "model"],
    ["beside null", '{"ownership":null,"ownership":"b"}', "ownership"],
    ["beside a value that would not fit", '{"windowsScore":500,"windowsScore":5}', "windowsScore"],
    ["in an annotation", '{"model":"a","model@my.note":{"x":1,"x":2}}', "model@my.note.x"],
    ["as an annotation", '{"model":"a","@odata.type":"x","@odata.type":"y"}', "@odata.type"],
    ["as a name that every object has", '{"model":"a","__proto__":1,"__proto__":2}', "__proto__"],
    ["in a list", '{"model":[{"a":1},{"a":1,"b":2,"a":3}]}', "model[1].a"]
  ] as const)("%s is refused, and the name is named", async ([, body, target]) => {
    await using opened = await openedApp("memory", ["a"])
    for (const path of [`${devicesPath}/a`, devicesPath]) {
      const response = await sent(opened, body, {}, path)
      const { code, details, message } = await failureOf(response)
      expect([response.status, code, details?.[0]]).toMatchObject([
        400,
        "ModelValidationFailure",
        { code: "repeatedName", target }
      ])
      expect(message).toContain(target)
    }
    expect((await opened.store.page(standing, "", 9)).devices).toEqual([wholeDevice({ id: "a" })])
  })

  it("is refused for a key, of a device and of a metric", async () => {
    await using opened = await openedApp("memory", [])
    const body = '{"id":"first","id":"second"}'
    for (const path of [devicesPath, `/beta${metricsPath}`]) {
      expect((await failureOf(await sent(opened, body, {}, path))).details?.[0]?.target).toBe("id")
    }
  })

  it("may have names twice in different objects, or in different cases", async () => {
    await using opened = await openedApp("memory", ["a"])
    const body = '{"model":"b","@a.b":{"model":1},"@c.d":[{"model":2},{"model":3}],"@C.d":{"model":":,{\\"a\\":1"}}'
    expect((await sent(opened, body)).status).toBe(200)
    expect(await modelOf(opened)).toBe("b")
  })
})

describe("a compressed body", () => {
  const text = JSON.stringify({ model: "Packed" })
  const inTwoParts = Buffer.concat([gzipSync(text.slice(0, 5)), gzipSync(text.slice(5))])

  it.for([
    ["gzip", gzipSync(text)],
    ["GZIP", gzipSync(text)],
    ["x-gzip", gzipSync(text)],
    ["gzip", inTwoParts],
    ["deflate", deflateSync(text)],
    ["deflate", deflateRawSync(text)],
    ["br", brotliCompressSync(text)],
    ["identity", Buffer.from(text)],
    ["", Buffer.from(text)]
  ] as const)("is read when its Content-Encoding is %s", async ([coding, body]) => {
    await using opened = await openedApp("memory", ["a"])
    expect((await sent(opened, body, { "content-encoding": coding })).status).toBe(200)
    expect(await modelOf(opened)).toBe("Packed")
  })

  it.for(["zstd", "compress", "gzip, gzip", "nonsense"])(
    "of %s is 415, and says what would be read",
    async (coding) => {
      await using opened = await openedApp("memory", ["a"])
      const response = await sent(opened, text, { "content-encoding": coding })
      const { code, message } = await failureOf(response)
      expect([response.status, code]).toEqual([415, "notSupported"])
      expect(message).toContain(`'${coding}'`)
      expect(response.headers.get("accept-encoding")).toBe("gzip, deflate, br")
      expect(await modelOf(opened)).toBe(null)
    }
  )

  it.for([
    ["gzip that is plain", "gzip", Buffer.from(text)],
    ["br that is plain", "br", Buffer.from(text)],
    ["deflate that is plain", "deflate", Buffer.from(text)],
    ["gzip that is cut", "gzip", gzipSync(text).subarray(0, -5)],
    ["gzip with something behind it", "gzip", Buffer.concat([gzipSync(text), Buffer.from("more")])],
    ["gzip of nothing", "gzip", Buffer.alloc(0)]
  ] as const)("that is %s is refused, and never read as plain", async ([, coding, body]) => {
    await using opened = await openedApp("memory", ["a"])
    const response = await sent(opened, body, { "content-encoding": coding })
    expect([response.status, (await failureOf(response)).code]).toEqual([400, "BadRequest"])
    expect(await modelOf(opened)).toBe(null)
  })

  const packed: ReadonlyArray<readonly [coding: string, pack: (bytes: Buffer, options?: ZlibOptions) => Buffer]> = [
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", (bytes) => brotliCompressSync(bytes)]
  ]

  it.for(packed)("of %s has the limits of a plain one, counted when it is inflated", async ([coding, pack]) => {
    await using opened = await openedApp("memory", ["a"])
    // Hexadecimal digits shrink to half of their size.
    const large = JSON.stringify({ "@my.note": randomBytes(600_000).toString("hex") })
    const response = await sent(opened, pack(Buffer.from(large)), { "content-encoding": coding })
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([413, "invalidRequest"])
    expect(message).toContain("1048576 bytes")
    const fitting = JSON.stringify({ model: "M", "@my.note": randomBytes(500_000).toString("hex") })
    expect((await sent(opened, pack(Buffer.from(fitting)), { "content-encoding": coding })).status).toBe(200)
  })

  it.for(packed)("of %s inflates to a hundred times its size at most, or to 64 KiB", async ([coding, pack]) => {
    await using opened = await openedApp("memory", ["a"])
    const spaces = (count: number) => pack(Buffer.from(`{"model":"M"${" ".repeat(count)}}`))
    const response = await sent(opened, spaces(1_000_000), { "content-encoding": coding })
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([413, "invalidRequest"])
    expect(message).toContain("100 times its size")
    expect((await sent(opened, spaces(60_000), { "content-encoding": coding })).status).toBe(200)
  })

  it("that is none is refused as what it is", async () => {
    await using opened = await openedApp("memory", ["a"])
    const response = await sent(opened, '{"model":"x"}', { "content-encoding": "gzip" })
    expect(response.status).toBe(400)
    expect((await failureOf(response)).message).toContain("not compressed as its Content-Encoding header says")
  })

  it("may be a batch", async () => {
    await using opened = await openedApp("memory", ["a"])
    const body = gzipSync(
      JSON.stringify({ requests: [{ id: "1", method: "GET", url: `${metricsPath}/allDevices/metricDevices/a` }] })
    )
    const response = await sent(opened, body, { "content-encoding": "gzip" }, "/beta/$batch")
    expect(await response.json()).toMatchObject({ responses: [{ id: "1", status: 200 }] })
  })
})

describe("a byte order mark", () => {
  it("before JSON is read over, also in a compressed body", async () => {
    await using opened = await openedApp("memory", ["a"])
    const text = Buffer.from('\uFEFF{"model":"Marked"}')
    expect((await sent(opened, text)).status).toBe(200)
    expect((await sent(opened, gzipSync(text), { "content-encoding": "gzip" })).status).toBe(200)
    expect(await modelOf(opened)).toBe("Marked")
    const nothing = await sent(opened, "\uFEFF")
    expect((await failureOf(nothing)).message).toContain("Empty Payload")
    expect((await sent(opened, '\uFEFF\uFEFF{"model":"x"}')).status).toBe(400)
  })
})

const alias = "graph.userExperienceAnalyticsWorkFromAnywhereDevice"

const typeNames = [
  deviceODataType,
  deviceODataType.slice(1),
  alias,
  `#${alias}`,
  `https://graph.microsoft.com/beta/$metadata#microsoft.${alias}`,
  `http://127.0.0.1:4010/v1.0/$metadata#${alias}`,
  `$metadata#${alias}`
]

const otherTypes = [
  "#microsoft.graph.managedDevice",
  "graph.managedDevice",
  `${alias}s`,
  `x.${alias}`,
  "userExperienceAnalyticsWorkFromAnywhereDevice",
  `Collection(${alias})`,
  "https://graph.microsoft.com/beta/$metadata#microsoft.graph.managedDevice",
  `javascript:x#${alias}`,
  "",
  7,
  null
]

describe("annotations in a body", () => {
  const annotations = {
    "@odata.etag": "x",
    "@odata.context": "x",
    "@my.note": 1,
    "@Org.OData.Core.V1.Permissions": { a: [] },
    "@etag": null,
    "model@odata.type": "#String",
    "model@OData.Community.Display.V1.FormattedValue": "M",
    "nothing@odata.bind": "x",
    "@": 1
  }

  it("are ignored, whoever defined them, for a device and for a metric", async () => {
    await using opened = await openedApp("memory", ["a"])
    expect((await sent(opened, JSON.stringify({ ...annotations, model: "M" }))).status).toBe(200)
    expect(await opened.store.find(standing, "a")).toEqual({ ...wholeDevice({ id: "a" }), model: "M" })
    const created = await opened.app.request(devicesPath, jsonRequest("POST", { ...annotations, id: "b" }))
    expect(created.status).toBe(201)
    expect(Object.keys((await created.json()) as object).filter((name) => Object.hasOwn(annotations, name))).toEqual([
      "@odata.context"
    ])
    const metric = await opened.app.request(`/beta${metricsPath}`, jsonRequest("POST", { ...annotations, id: "m" }))
    expect(metric.status).toBe(201)
  })

  it("are no property to change, and make no property of a name that is none", async () => {
    await using opened = await openedApp("memory", ["a"])
    const alone = await sent(opened, JSON.stringify(annotations))
    expect((await failureOf(alone)).details?.[0]?.code).toBe("emptyUpdate")
    const stray = await sent(opened, JSON.stringify({ ...annotations, model: "M", "odata.etag": 1, colour: 2 }))
    expect((await failureOf(stray)).details?.map(({ target }) => target)).toEqual(["odata.etag", "colour"])
  })

  it.for(["@odata.type", "@type"])(
    "may name the type as %s with its namespace or alias, as a fragment or a URI",
    async (name) => {
      await using opened = await openedApp("memory", ["a"])
      for (const type of typeNames) {
        expect([type, (await sent(opened, JSON.stringify({ [name]: type, model: type.slice(-9) }))).status]).toEqual([
          type,
          200
        ])
        const metric = type.replace("AnywhereDevice", "AnywhereMetric")
        const address = `/beta${metricsPath}/allDevices`
        expect([type, (await sent(opened, JSON.stringify({ [name]: metric }), {}, address)).status]).toEqual([
          type,
          200
        ])
      }
      for (const type of otherTypes) {
        const refused = await sent(opened, JSON.stringify({ [name]: type, model: "X" }))
        expect([type, (await failureOf(refused)).details?.[0]]).toMatchObject([
          type,
          { code: "wrongODataType", target: name }
        ])
      }
      expect(await modelOf(opened)).not.toBe("X")
    }
  )
})

describe("bodies that arrive at the same time", () => {
  it("are taken up to what all tenants have together, and again when others have ended", () => {
    const arrival = countArriving({ tenant: 60, all: 100 })
    const [first, second, third] = [arrival("a"), arrival("b"), arrival("c")]
    expect([first.takes(60), second.takes(40), third.takes(1)]).toEqual([true, true, false])
    third.end()
    first.end()
    expect([second.takes(20), arrival("c").takes(40), arrival("d").takes(1)]).toEqual([true, true, false])
  })

  it("are taken of one tenant up to its share, and nothing of one that was refused is kept", () => {
    const arrival = countArriving({ tenant: 60, all: 100 })
    const first = arrival("a")
    const second = arrival("a")
    expect([first.takes(50), second.takes(20)]).toEqual([true, false])
    second.end()
    expect(second.takes(1)).toBe(false)
    expect(first.takes(10)).toBe(true)
    first.end()
    expect(arrival("a").takes(60)).toBe(true)
  })
})
