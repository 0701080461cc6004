// What callers send who mean no good, beside what they send like anybody else: made by fast-check, so that a test can make
// a failing run smaller, and a script can repeat one by its seed.
import { propertyNames } from "@workanywhere/domain"
import * as fc from "fast-check"
import { updateOf } from "./durability.ts"
import { devices } from "./victim.ts"

/** A text that may have a long part, which is only written out when it is sent. */
export type Text = ReadonlyArray<string | { readonly text: string; readonly times: number }>

/** A text as it is sent. */
export const written = (text: Text): string =>
  text.map((part) => (typeof part === "string" ? part : part.text.repeat(part.times))).join("")

/** A request of which nothing is to remain. */
export interface Request {
  readonly is: "request"
  readonly method: string
  /** Below the root. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Text
  /** That it is over a limit, which the answer names by this number. */
  readonly over?: { readonly status: number; readonly limit: number }
}

/** What is written on a connection, as it is. */
export interface Bytes {
  readonly is: "bytes"
  /** In Latin-1; `{token}` stands for the caller's own. */
  readonly bytes: Text
  /** Whether the caller then leaves, ends what it sends, or asks for one thing more and reads until it is answered. */
  readonly manner: "leaves" | "ends" | "asks"
}

/** A write of one of the caller's own devices: an update, or its creation when it is not there. */
export interface Write {
  readonly is: "write"
  readonly device: number
  readonly deletes: boolean
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}

/** Writes of several of its devices in one batch, beside items that mean no good. */
export interface Batch {
  readonly is: "batch"
  readonly writes: ReadonlyArray<Write>
  readonly others: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** Whether each item waits for the one before it. */
  readonly isChain: boolean
}

/** Looks at one of its devices. */
export interface Read {
  readonly is: "read"
  readonly device: number
}

/** One thing that a caller does. */
export type Step = Request | Bytes | Write | Batch | Read

/** How many devices each caller has. */
export const devicesOfCaller = 40

const json = { "content-type": "application/json" }

const oddTexts = [
  "",
  " ",
  "'",
  "''",
  "\\",
  "\0",
  "a\0b",
  "\n\r\t",
  "\u202Egpj.exe",
  "\uFEFF",
  "\u{1F600}",
  "İıſK",
  "ﬃ",
  "null",
  "../../x",
  "%00",
  "%",
  "'; drop table devices; --",
  "{{7*7}}",
  "__proto__",
  "constructor",
  "=1+1"
]

// Half of a surrogate pair is valid in JSON, and in nothing else.
const oddText = fc.oneof(
  fc.constantFrom(...oddTexts, "\uD800", "x\uDC00"),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.string({ unit: "grapheme", maxLength: 30 })
)

const length = (most: number) => fc.integer({ min: 1, max: most })

const percentEncoded = (text: string): string => encodeURIComponent(text.toWellFormed()).replaceAll("'", "%27")

const key = fc.oneof(
  oddText.map(percentEncoded),
  fc.constantFrom(
    "%ED%A0%80",
    "%C0%AF",
    "%zz",
    "%",
    ".",
    "..",
    "%2e%2e",
    "a%2Fb",
    "a/b/c",
    "('a')",
    "(",
    ")",
    "$count",
    "$ref"
  ),
  fc.constantFrom(257, 5_000).map((times) => "k".repeat(times))
)

const version = fc.constantFrom("/beta", "/v1.0")

const isolated = (path: string): string => path.replaceAll(/[^\x21-\x7e]/g, percentEncoded)

// What a filter is made of, and what it is not.

const property = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...propertyNames) },
  fc.constantFrom("colour", "ID", "model/x", "$it", "__proto__", "microsoft.graph.healthStatus'x'")
)

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

const literal = fc.oneof(
  { weight: 4, arbitrary: oddText.map(quoted) },
  length(7_000).map((times) => quoted("x".repeat(times))),
  fc.constantFrom(
    "null",
    "true",
    "1",
    "-0",
    "1e308",
    "1e999",
    "9".repeat(400),
    "0x10",
    "2026-01-01",
    "NaN",
    "INF",
    "''",
    "'"
  )
)

const folded = fc
  .tuple(property, fc.array(fc.constantFrom("tolower", "toupper"), { maxLength: 40 }))
  .map(([name, folds]) => folds.reduce<string>((inner, fold) => `${fold}(${inner})`, name))

const comparison = fc.oneof(
  fc
    .tuple(folded, fc.constantFrom("eq", "ne", "gt", "ge", "lt", "le", "has", "is"), fc.oneof(literal, folded))
    .map((parts) => parts.join(" ")),
  fc
    .tuple(fc.constantFrom("contains", "startswith", "endswith", "concat", "length", "matchesPattern"), folded, literal)
    .map(([name, of, part]) => `${name}(${of},${part})`),
  fc.tuple(folded, fc.array(literal, { maxLength: 120 })).map(([name, list]) => `${name} in (${list.join(",")})`)
)

const filter = fc.oneof(
  fc
    .tuple(
      fc.array(comparison, { minLength: 1, maxLength: 12 }),
      fc.array(fc.constantFrom(" and ", " or ", " and not ", " xor "), { minLength: 12, maxLength: 12 })
    )
    .map(([parts, joints]) => parts.reduce((left, right, at) => `(${left})${joints[at] ?? " and "}(${right})`)),
  fc.tuple(comparison, length(400)).map(([inner, deep]) => "(".repeat(deep) + inner + ")".repeat(deep)),
  fc.tuple(comparison, length(400)).map(([inner, deep]) => `${"not (".repeat(deep)}${inner}${")".repeat(deep)}`),
  // One character is missing or too many.
  fc
    .tuple(comparison, fc.nat(200), fc.constantFrom("", "'", "(", ",", "\0"))
    .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + 1))
)

const names = fc.array(property, { maxLength: 300 }).map((list) => list.join(","))

const number = fc.constantFrom(
  "0",
  "1",
  "5",
  "999",
  "1000",
  "-1",
  "1.5",
  "1e3",
  "99999999999999999999",
  "x",
  "",
  "0x10"
)

const option = fc.oneof(
  { weight: 6, arbitrary: filter.map((text) => ["$filter", text] as const) },
  { weight: 2, arbitrary: names.map((text) => ["$select", text] as const) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(property, fc.constantFrom("", " asc", " desc", " up")), { maxLength: 40 })
      .map((list) => ["$orderby", list.map((pair) => pair.join("")).join(",")] as const)
  },
  {
    weight: 2,
    arbitrary: fc
      .oneof(
        fc.base64String({ maxLength: 200 }),
        oddText,
        length(7_000).map((times) => "A".repeat(times))
      )
      .map((text) => ["$skiptoken", text] as const)
  },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("$top", "$skip"), number) },
  fc.tuple(
    fc.constantFrom("$count", "$expand", "$search", "$apply", "$format", "$compute", "top", "$TOP", "$$", "@p", ""),
    fc.oneof(fc.constantFrom("true", "json", "*"), oddText)
  )
)

const query = fc
  .array(option, { maxLength: 4 })
  .map((options) =>
    options.length === 0 ? "" : `?${options.map(([name, value]) => `${name}=${percentEncoded(value)}`).join("&")}`
  )

const path = fc
  .oneof(
    { weight: 5, arbitrary: fc.tuple(version, query).map(([root, options]) => `${root}${devices}${options}`) },
    {
      weight: 3,
      arbitrary: fc.tuple(version, key, query).map(([root, id, options]) => `${root}${devices}/${id}${options}`)
    },
    fc.tuple(version, filter).map(([root, text]) => `${root}${devices}/$count?$filter=${percentEncoded(text)}`),
    fc
      .tuple(
        version,
        fc.constantFrom(
          "",
          "/$metadata",
          "/deviceManagement",
          "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics",
          "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric",
          "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereModelPerformance",
          "/deviceManagement/userExperienceAnalyticsSummarizeWorkFromAnywhereDevices(summarizeBy='allRegressions')",
          "/$batch",
          "/users"
        ),
        query
      )
      .map((parts) => parts.join("")),
    key.map((text) => `/${text}`),
    fc.constantFrom(
      "/healthz",
      "/readyz",
      "/metrics",
      "/openapi.json",
      "//",
      "/beta/../v1.0",
      "/beta//deviceManagement"
    )
  )
  .map(isolated)

// Node's client sends no header that has other characters than these.
const headerText = fc
  .string({ unit: fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 40 })
  .map((text) => text.replaceAll("\u007F", ""))

const header = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(
      fc.constantFrom(
        "accept",
        "accept-encoding",
        "content-encoding",
        "consistencylevel",
        "client-request-id",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "prefer",
        "range",
        "origin",
        "odata-version",
        "odata-maxversion",
        "traceparent",
        "x-http-method-override",
        "x-forwarded-host",
        "cookie",
        "user-agent"
      ),
      fc.oneof(
        headerText,
        fc.constantFrom(
          "*",
          '"',
          'W/"',
          "gzip",
          "bytes=0-",
          "odata.metadata=full",
          "application/xml",
          "null",
          "9.9",
          ",,,",
          ";;"
        ),
        fc.constantFrom(
          "application/json;odata.metadata=full",
          "maxpagesize=0",
          "maxpagesize=1e9",
          "return=minimal",
          "DELETE"
        ),
        length(7_000).map((times) => "y".repeat(times)),
        length(3_000).map((times) => "a,".repeat(times))
      )
    )
  },
  fc.constantFrom(
    ["authorization", "Bearer"] as const,
    ["authorization", "Bearer x.y.z"] as const,
    ["authorization", "Basic eDp5"] as const,
    ["authorization", "Bearer eyJhbGciOiJub25lIn0.e30."] as const,
    ["authorization", `Bearer ${"x".repeat(9_000)}`] as const
  )
)

const headers = fc.array(header, { maxLength: 5 }).map((list) => Object.fromEntries(list))

/** Headers of a write, which may be made all the same. */
const harmless = fc.constantFrom<Readonly<Record<string, string>>>(
  {},
  {},
  { prefer: "return=minimal" },
  { prefer: "include-unknown-enum-members, return=representation" },
  { "client-request-id": "x".repeat(200) },
  { accept: "application/json;odata.metadata=none" }
)

// Bodies that are more than is read, or not what a device is.

const request = (method: string, to: string, body: Text, over?: Request["over"]): Request => ({
  is: "request",
  method,
  path: to,
  headers: json,
  body,
  ...(over === undefined ? {} : { over })
})

const device = `/beta${devices}/none`

const named = (count: number, value: unknown): object =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at.toString(36)}`, value]))

const batchOf = (requests: ReadonlyArray<object>): Text => [JSON.stringify({ requests })]

const overLimit: fc.Arbitrary<Request> = fc.oneof(
  fc
    .tuple(fc.constantFrom("[", '{"a":'), fc.integer({ min: 65, max: 100_000 }), fc.boolean())
    .map(([text, times, isDevice]) =>
      request(isDevice ? "PATCH" : "POST", isDevice ? device : "/beta/$batch", [{ text, times }], {
        status: 400,
        limit: 64
      })
    ),
  fc
    .integer({ min: 10_001, max: 100_000 })
    .map((times) =>
      request("PATCH", device, ['{"model":[', { text: "1,", times }, "1]}"], { status: 400, limit: 10_000 })
    ),
  fc
    .integer({ min: 201, max: 2_000 })
    .map((count) => request("PATCH", device, [JSON.stringify(named(count, 1))], { status: 400, limit: 200 })),
  fc
    .constantFrom(16_385, 100_000)
    .map((times) =>
      request("PATCH", device, ['{"model":"', { text: "x", times }, '"}'], { status: 400, limit: 16_384 })
    ),
  fc
    .integer({ min: 1_048_577, max: 1_200_000 })
    .map((times) => request("PATCH", device, [{ text: " ", times }], { status: 413, limit: 1_048_576 })),
  fc.constant(request("POST", "/beta/$batch", [{ text: " ", times: 4_194_305 }], { status: 413, limit: 4_194_304 })),
  fc.integer({ min: 8_193, max: 20_000 }).map((times): Request => ({
    is: "request",
    method: "GET",
    path: `${device}${"x".repeat(times)}`,
    headers: {},
    over: { status: 414, limit: 8_192 }
  })),
  fc
    .integer({ min: 21, max: 400 })
    .map((count) =>
      request(
        "POST",
        "/beta/$batch",
        batchOf(Array.from({ length: count }, (_, id) => ({ id: String(id), method: "GET", url: "/$metadata" }))),
        { status: 400, limit: 20 }
      )
    ),
  fc
    .integer({ min: 65, max: 400 })
    .map((count) =>
      request(
        "POST",
        "/beta/$batch",
        batchOf([{ id: "1", method: "GET", url: "/$metadata", headers: named(count, "v") }]),
        { status: 400, limit: 64 }
      )
    ),
  fc.constant(
    request(
      "POST",
      "/beta/$batch",
      batchOf([{ id: "1", method: "GET", url: "/$metadata", headers: { prefer: "x".repeat(16_384) } }]),
      { status: 400, limit: 16_384 }
    )
  ),
  fc.integer({ min: 257, max: 3_000 }).map((times) =>
    request("POST", "/beta/$batch", batchOf([{ id: "i".repeat(times), method: "GET", url: "/$metadata" }]), {
      status: 400,
      limit: 256
    })
  ),
  length(3_000).map((more): Request => ({
    is: "request",
    method: "GET",
    path: `/beta${devices}?$filter=${percentEncoded(`model eq '${"x".repeat(4_087 + more)}'`)}`,
    headers: {},
    over: { status: 400, limit: 4_096 }
  }))
)

/** Of the wrong type, of no type, and what is no JSON. */
const wrongBody: fc.Arbitrary<Text> = fc.oneof(
  fc
    .json({ maxDepth: 4 })
    .filter((text) => text.trim() !== "{}")
    .map((text) => [text]),
  fc
    .constantFrom(
      "",
      "null",
      "[]",
      '""',
      "1e999",
      "{",
      '{"model":}',
      "NaN",
      "\uFEFF{}",
      '{"id":null}',
      '{"__proto__":{"id":"x"}}'
    )
    .map((text) => [text]),
  fc.string({ unit: "binary", minLength: 1, maxLength: 60 }).map((text) => [text.toWellFormed(), "}"])
)

const wrong: fc.Arbitrary<Request> = fc
  .tuple(
    fc.constantFrom("PATCH", "POST", "PUT", "DELETE"),
    fc.constantFrom(device, `/beta${devices}`, "/beta/$batch", "/v1.0/$batch", "/beta/$metadata"),
    wrongBody,
    headers,
    fc.constantFrom(
      "application/json",
      "application/json; charset=utf-16",
      "text/plain",
      "multipart/mixed",
      "",
      "a/b/c;;;"
    )
  )
  .map(([method, to, body, more, type]) => ({
    ...request(method, to, body),
    headers: { ...more, ...(type === "" ? {} : { "content-type": type }) }
  }))

const asked: fc.Arbitrary<Request> = fc
  .tuple(fc.constantFrom("GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "PUT", "TRACE", "PROPFIND"), path, headers)
  .map(([method, to, more]) => ({ is: "request", method, path: to, headers: more }))

const oddValue = fc.oneof(
  oddText,
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, [], {}, -1, 100.5, 1e308, "unknownFutureValue", "meetingGoals"),
  length(16_384).map((times) => "é".repeat(times))
)

const value = fc
  .oneof(
    { weight: 6, arbitrary: fc.nat(1_000_000).map(updateOf) },
    { weight: 2, arbitrary: fc.record({ model: oddText, ownership: oddText }, { requiredKeys: [] }) },
    fc.dictionary(fc.oneof(fc.constantFrom(...propertyNames.filter((name) => name !== "id")), oddText), oddValue, {
      maxKeys: 6
    })
  )
  .filter((body) => !("id" in body))

const write: fc.Arbitrary<Write> = fc.record({
  is: fc.constant("write" as const),
  device: fc.nat(devicesOfCaller - 1),
  deletes: fc.integer({ min: 0, max: 5 }).map((draw) => draw === 0),
  body: value.map((body) => ({ ...body })),
  headers: harmless
})

const item = fc.oneof(
  fc.record({ id: fc.string({ maxLength: 20 }), method: fc.constantFrom("GET", "HEAD"), url: path }),
  fc.record({
    id: fc.constantFrom("x", "y"),
    method: fc.constantFrom("GET", "get", "TRACE", "POST", "PATCH"),
    url: fc.oneof(
      path,
      fc.constantFrom("", "http://127.0.0.1/", "//x", "/../v1.0", "$batch", "/$batch", "\\", "?", "#")
    ),
    headers: fc.oneof(
      headers,
      fc.constantFrom<object>({ "a b": "c" }, { host: "x" }, { a: "b\r\nc: d" }, { authorization: "x" })
    ),
    dependsOn: fc.constantFrom<ReadonlyArray<string>>([], ["x"], ["y"], ["z"], ["x", "y"])
  }),
  fc.dictionary(oddText, oddValue, { maxKeys: 4 })
)

const batch: fc.Arbitrary<Batch> = fc.record({
  is: fc.constant("batch" as const),
  writes: fc.uniqueArray(write, { selector: (one) => one.device, minLength: 1, maxLength: 20, size: "max" }),
  // Most batches have none: one item of no sense makes the whole of it one.
  others: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(item, { maxLength: 5 })),
  isChain: fc.boolean()
})

const head = (target: string, more = "", method = "GET") =>
  `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n${more}\r\n`

// Both are answered with addresses under the name that they came by.
const linked = head(`/beta${devices}?$top=1`)
const oneItem = '{"requests":[{"id":"1","method":"GET","url":"/$metadata"}]}'
const batched =
  head("/beta/$batch", `Content-Type: application/json\r\nContent-Length: ${oneItem.length}\r\n`, "POST") + oneItem

/** What is answered, and if only with a refusal. */
const wholeBytes: fc.Arbitrary<Text> = fc.oneof(
  fc
    .oneof(
      fc.array(fc.nat(400), { minLength: 2, maxLength: 5 }).map((numbers) => numbers.join(".")),
      fc.constantFrom("localhost:99999", "a b", "[::1", "[]", "", "x".repeat(300), "\xe4", "127.0.0.1:1:2", "@", "%00")
    )
    .chain((host) => fc.constantFrom(linked, batched).map((text): Text => [text.replace("localhost", host)])),
  fc.tuple(path, length(40)).map(([to, times]): Text => [{ text: head(to), times }]),
  fc
    .constantFrom(
      "GET / HTTP/0.9\r\n\r\n",
      "GET / HTTP/2.0\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
      "GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
      "CONNECT localhost:1 HTTP/1.1\r\nHost: a\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET beta HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: more\r\n\r\n"
    )
    .map((text): Text => [text]),
  // Lengths that contradict each other, chunks that are none.
  fc
    .constantFrom(
      "Content-Length: 5\r\nContent-Length: 6\r\n",
      "Content-Length: -1\r\n",
      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: gzip, chunked\r\n",
      "Transfer-Encoding: chunked, chunked\r\n",
      "Transfer-Encoding: chunked\r\n",
      "X: \0\r\n",
      ": y\r\n",
      " folded\r\n"
    )
    .map((more): Text => [
      head(device, `Content-Type: application/json\r\n${more}`, "PATCH"),
      "zzz\r\n{}\r\n0\r\n\r\n"
    ]),
  length(60_000).map((times): Text => ["GET / HTTP/1.1\r\nHost: localhost\r\nX: ", { text: "y", times }, "\r\n\r\n"]),
  length(5_000).map((times): Text => ["GET / HTTP/1.1\r\nHost: localhost\r\n", { text: "x: y\r\n", times }, "\r\n"])
)

const partOfBytes: fc.Arbitrary<Text> = fc.oneof(
  // Requests that end in the middle.
  fc.tuple(fc.nat(160), path).map(([end, to]): Text => [head(to, "Content-Length: 100\r\n", "PATCH").slice(0, end)]),
  fc
    .string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 80 })
    .map((text): Text => [text])
)

const bytes: fc.Arbitrary<Bytes> = fc.oneof(
  fc.record({
    is: fc.constant("bytes" as const),
    bytes: wholeBytes,
    manner: fc.constantFrom("asks", "asks", "leaves")
  }),
  fc.record({ is: fc.constant("bytes" as const), bytes: partOfBytes, manner: fc.constantFrom("ends", "leaves") })
)

const read: fc.Arbitrary<Read> = fc.record({ is: fc.constant("read" as const), device: fc.nat(devicesOfCaller - 1) })

/** What a caller sends who only means no good: nothing of it is to remain. */
export const attack: fc.Arbitrary<Request | Bytes> = fc.oneof(
  { weight: 5, arbitrary: asked },
  { weight: 2, arbitrary: wrong },
  { weight: 2, arbitrary: overLimit },
  { weight: 2, arbitrary: bytes }
)

/** What a caller does next: about a half of it as anybody else would, so that there is something to lose. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: write },
  { weight: 2, arbitrary: batch },
  { weight: 2, arbitrary: read },
  { weight: 10, arbitrary: attack }
)
