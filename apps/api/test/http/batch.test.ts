import { Hono } from "hono"
import { describe, expect, it } from "vitest"
import { type Dispatch, batchRoutes } from "../../src/http/batch.ts"
import type { Env } from "../../src/http/env.ts"
import {
  devicesPath,
  failureOf,
  jsonRequest,
  metricsPath,
  openedApp,
  standing,
  storeKinds,
  summaryPath
} from "../opened.ts"

type App = Awaited<ReturnType<typeof openedApp>>["app"]

interface ItemAnswer {
  readonly id: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

const devices = `${metricsPath}/allDevices/metricDevices`

const json = { "Content-Type": "application/json" }

const send = (app: App, body: unknown, headers: Record<string, string> = {}) => {
  const request = jsonRequest("POST", body)
  return app.request("/beta/$batch", { ...request, headers: { ...request.headers, ...headers } })
}

/** The answers of a batch that was taken, by their ids. */
const answersTo = async (app: App, requests: ReadonlyArray<object>, headers: Record<string, string> = {}) => {
  const response = await send(app, { requests }, headers)
  expect(response.status).toBe(200)
  const { responses, ...rest } = (await response.json()) as { readonly responses: ReadonlyArray<ItemAnswer> }
  expect(rest).toEqual({})
  expect(responses).toHaveLength(requests.length)
  return new Map(responses.map((answer) => [answer.id, answer]))
}

const update = (id: string, device: string, body: object, more: object = {}) => ({
  id,
  method: "PATCH",
  url: `${devices}/${device}`,
  headers: json,
  body,
  ...more
})

const large = (id: string, bytes: number) => update(id, id, { model: "x", "@odata.etag": "x".repeat(bytes) })

/** The route of batches alone; what is in a batch goes elsewhere. */
const batchApp = (dispatch: Dispatch, readsAtOnce?: number) =>
  new Hono<Env>()
    .use((c, next) => {
      c.set("requestId", "r")
      c.set("clientRequestId", "c")
      return next()
    })
    .route(
      "/beta",
      batchRoutes("beta", () => dispatch, readsAtOnce)
    )

const codeOf = (answer: ItemAnswer | undefined) =>
  (answer?.body as { readonly error?: { readonly code: string } } | undefined)?.error?.code

const messageOf = (answer: ItemAnswer | undefined) =>
  (answer?.body as { readonly error?: { readonly message: string } } | undefined)?.error?.message

const gets = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ id: String(at), method: "GET", url: `${devices}/a` }))

describe.each(storeKinds)("a batch, with the store in %s", (kind) => {
  it("does what each request asks for, and answers each as it would be answered alone", async () => {
    await using opened = await openedApp(kind, ["a", "b", "c"])
    const answers = await answersTo(opened.app, [
      update("1", "a", { model: "X" }),
      { id: "2", method: "GET", url: `${devices}/b?$select=id` },
      { id: "3", method: "DELETE", url: `${devices}/c` },
      { id: "4", method: "GET", url: `${devices}/none` },
      update("5", "b", { colour: "red" }),
      { id: "6", method: "POST", url: devices, headers: json, body: { id: "d" } }
    ])
    const statuses = [...answers.values()].map(({ id, status }) => [id, status])
    expect(Object.fromEntries(statuses)).toEqual({ 1: 200, 2: 200, 3: 204, 4: 404, 5: 400, 6: 201 })
    const alone = await opened.app.request(`${devicesPath}/a`)
    expect(answers.get("1")?.body).toEqual(await alone.json())
    expect(answers.get("2")?.body).toMatchObject({ id: "b" })
    expect(answers.get("3")).not.toHaveProperty("body")
    expect([codeOf(answers.get("4")), codeOf(answers.get("5"))]).toEqual(["ResourceNotFound", "ModelValidationFailure"])
    expect(answers.get("6")?.headers["Location"]).toMatch(/\('d'\)$/)
    expect(await opened.store.find(standing, "c")).toBeUndefined()
  })

  it("takes twenty updates, and every one is there afterwards", async () => {
    const ids = Array.from({ length: 20 }, (_, at) => `d${at}`)
    await using opened = await openedApp(kind, ids)
    const answers = await answersTo(
      opened.app,
      ids.map((id) => update(id, id, { model: id }))
    )
    expect([...answers.values()].map(({ status }) => status)).toEqual(ids.map(() => 200))
    for (const id of ids) expect(await opened.store.find(standing, id)).toMatchObject({ id, model: id })
  })

  it("sends a request after those that it depends on, in any order they are written", async () => {
    await using opened = await openedApp(kind, ["a"])
    const response = await send(opened.app, {
      requests: [
        update("last", "a", { model: "3" }, { dependsOn: ["Middle"] }),
        update("middle", "a", { model: "2" }, { dependsOn: ["first"] }),
        update("first", "a", { model: "1" })
      ]
    })
    const { responses } = (await response.json()) as { readonly responses: ReadonlyArray<ItemAnswer> }
    expect(responses.map(({ id, status }) => [id, status])).toEqual([
      ["first", 200],
      ["middle", 200],
      ["last", 200]
    ])
    expect(await opened.store.find(standing, "a")).toMatchObject({ model: "3" })
  })

  it("does not send a request when one that it depends on failed: 424, and so on down the line", async () => {
    await using opened = await openedApp(kind, ["a", "b"])
    const answers = await answersTo(opened.app, [
      update("1", "none", { model: "X" }),
      update("2", "a", { model: "X" }, { dependsOn: ["1"] }),
      update("3", "a", { deviceName: "X" }, { dependsOn: ["2", "4"] }),
      update("4", "b", { model: "X" })
    ])
    expect(["1", "2", "3", "4"].map((id) => answers.get(id)?.status)).toEqual([404, 424, 424, 200])
    expect(codeOf(answers.get("2"))).toBe("FailedDependency")
    expect(messageOf(answers.get("2"))).toContain("'1'")
    expect(await opened.store.find(standing, "a")).toMatchObject({ model: null, deviceName: null })
  })
})

describe("a batch", () => {
  it.for([`${devices}/a`, `${devices.slice(1)}/a`, `${devices.slice(1)}('a')?$select=id`, `${devices}(%27a%27)`])(
    "takes the address %s",
    async (url) => {
      await using opened = await openedApp("memory", ["a"])
      const answers = await answersTo(opened.app, [{ id: "1", method: "GET", url }])
      expect(answers.get("1")).toMatchObject({ status: 200, body: { id: "a" } })
    }
  )

  it("is about the version that it is sent to", async () => {
    await using opened = await openedApp("memory", ["a"])
    const request = jsonRequest("POST", { requests: [{ id: "1", method: "GET", url: devices }] })
    const { responses } = (await (await opened.app.request("/v1.0/$batch", request)).json()) as {
      readonly responses: ReadonlyArray<ItemAnswer>
    }
    expect(responses[0]?.body).toMatchObject({ "@odata.context": expect.stringContaining("localhost/v1.0/$metadata#") })
  })

  it("spells the headers of its answers as Graph does, since clients look them up so", async () => {
    await using opened = await openedApp("memory", ["a"], { etag: true })
    const answers = await answersTo(opened.app, [{ id: "1", method: "GET", url: `${devices}/a` }])
    expect(Object.keys(answers.get("1")?.headers ?? {}).toSorted()).toEqual([
      "Cache-Control",
      "Content-Type",
      "ETag",
      "OData-Version",
      "client-request-id",
      "request-id"
    ])
  })

  it("gives each request an id of its own, beside the caller's", async () => {
    await using opened = await openedApp("memory", ["a"])
    const own = { ...gets(1)[0], id: "own", headers: { "client-request-id": "its-own" } }
    const answers = await answersTo(opened.app, [...gets(2), own], { "client-request-id": "the-batch" })
    const ids = [...answers.values()].map(({ headers }) => headers["request-id"])
    expect(new Set(ids).size).toBe(3)
    const theirs = ["0", "1", "own"].map((id) => answers.get(id)?.headers["client-request-id"])
    expect(theirs).toEqual(["the-batch", "the-batch", "its-own"])
    // The line of the batch itself comes last.
    expect(new Set(opened.lines.slice(0, -1).map(({ requestId }) => requestId))).toEqual(new Set(ids))
    expect(opened.lines).toHaveLength(4)
  })

  it("lets the service know of which batch a request is an item", async () => {
    const seen: Array<Env["Bindings"]> = []
    const app = batchApp((_, bindings) => {
      seen.push(bindings)
      return new Response(null, { status: 204 })
    })
    await app.request("/beta/$batch", jsonRequest("POST", { requests: gets(2) }), { port: 7 })
    expect(seen).toEqual([
      { port: 7, batchItem: { id: "0", of: "r" } },
      { port: 7, batchItem: { id: "1", of: "r" } }
    ])
  })

  it("takes who is calling from the request that it came in, not from its items", async () => {
    const seen: Array<Request> = []
    const dispatch = (request: Request) => {
      seen.push(request)
      return new Response(null, { status: 204 })
    }
    const app = batchApp(dispatch)
    const item = { ...gets(1)[0], headers: { Authorization: "Bearer theirs", Host: "elsewhere", Accept: "text/plain" } }
    const ours = { authorization: "Bearer ours", host: "here", "x-wfa-profile": "observed", cookie: "a=b" }
    await answersTo(app, [item], ours)
    expect(seen.map(({ headers }) => Object.fromEntries(headers))).toEqual([
      { authorization: "Bearer ours", host: "here", "x-wfa-profile": "observed", accept: "text/plain" }
    ])
  })

  it("gives what is no JSON as text, or in base64", async () => {
    await using opened = await openedApp("memory", ["a", "b"])
    const answers = await answersTo(opened.app, [
      { id: "1", method: "GET", url: "/$metadata" },
      { id: "2", method: "GET", url: `${devices}/$count` }
    ])
    expect(answers.get("2")).toMatchObject({ headers: { "Content-Type": "text/plain" }, body: "2" })
    const text = Buffer.from(String(answers.get("1")?.body), "base64url").toString()
    expect(text).toBe(await (await opened.app.request("/beta/$metadata")).text())
  })

  it("takes a body in base64", async () => {
    await using opened = await openedApp("memory", ["a"])
    const body = Buffer.from("no JSON, nor said to be").toString("base64url")
    const item = { ...update("1", "a", {}), headers: { "content-type": "application/octet-stream" }, body }
    const answers = await answersTo(opened.app, [item])
    expect([answers.get("1")?.status, codeOf(answers.get("1"))]).toEqual([400, "BadRequest"])
  })

  it("takes null for no body", async () => {
    await using opened = await openedApp("memory", ["a"])
    const answers = await answersTo(opened.app, [
      { ...gets(1)[0], body: null },
      { ...update("patch", "a", {}), body: null }
    ])
    expect(answers.get("0")?.status).toBe(200)
    expect(messageOf(answers.get("patch"))).toContain("Empty Payload")
  })

  it("honours the headers of a request", async () => {
    await using opened = await openedApp("memory", ["a"])
    const answers = await answersTo(opened.app, [
      update("1", "a", { model: "X" }, { headers: { ...json, Prefer: "return=minimal" } }),
      update("2", "a", { model: "Y" }, { headers: { ...json, "If-Match": '"x"' } })
    ])
    expect(answers.get("1")).toMatchObject({ status: 204, headers: { "Preference-Applied": "return=minimal" } })
    expect(answers.get("2")?.status).toBe(412)
  })

  it("answers each request that the service does not serve by itself", async () => {
    await using opened = await openedApp("memory", ["a"])
    const answers = await answersTo(opened.app, [
      { id: "method", method: "PUT", url: `${devices}/a`, headers: json, body: {} },
      { id: "segment", method: "GET", url: "/devices" },
      { id: "version", method: "GET", url: "/beta/deviceManagement" },
      { id: "batch", method: "POST", url: "/$batch", headers: json, body: { requests: [] } },
      { id: "encoded", method: "POST", url: "/%24BATCH/", headers: json, body: { requests: [] } },
      { id: "no body", method: "PATCH", url: `${devices}/a`, headers: json },
      { id: "summary", method: "GET", url: `${summaryPath}()` }
    ])
    const statuses = ["method", "segment", "version", "batch", "encoded", "no body", "summary"]
    expect(statuses.map((id) => answers.get(id)?.status)).toEqual([405, 400, 400, 400, 400, 400, 200])
    expect(answers.get("method")?.headers["Allow"]).toBe("DELETE, GET, HEAD, PATCH")
    for (const id of ["batch", "encoded"]) expect(messageOf(answers.get(id))).toBe("A batch cannot be part of a batch.")
  })

  it.for(["../healthz", "/../v1.0/deviceManagement", "..\\healthz", "/%2e%2e/healthz", "./../../healthz"])(
    "does not lead out of its version: %s",
    async (url) => {
      await using opened = await openedApp("memory", [])
      const answers = await answersTo(opened.app, [{ id: "1", method: "GET", url }])
      expect(answers.get("1")?.status).toBe(400)
      expect(messageOf(answers.get("1"))).toContain("leads to another version or root")
    }
  )

  it("limits each body as if it came alone, and takes 4 MiB altogether", async () => {
    await using opened = await openedApp("memory", ["a", "b", "c", "d"])
    const mebibyte = 1_048_576
    const answers = await answersTo(opened.app, [
      large("a", mebibyte - 100),
      large("b", mebibyte),
      large("c", mebibyte - 100)
    ])
    expect(["a", "b", "c"].map((id) => answers.get(id)?.status)).toEqual([200, 413, 200])
    const tooLarge = await send(opened.app, { requests: ["a", "b", "c", "d"].map((id) => large(id, mebibyte)) })
    expect([tooLarge.status, (await failureOf(tooLarge)).code]).toEqual([413, "invalidRequest"])
  })

  const item = { id: "1", method: "GET", url: devices }

  const manyHeaders = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`h${at}`, "v"]))

  const malformed: ReadonlyArray<readonly [title: string, body: unknown, target: string | undefined]> = [
    ["is no JSON", "{", undefined],
    ["is no object", [], "the body"],
    ["has no requests", {}, "requests"],
    ["has requests that are no array", { requests: {} }, "requests"],
    ["is empty", { requests: [] }, "requests"],
    ["has more than twenty requests", { requests: gets(21) }, undefined],
    ["has a name twice in two cases", { requests: [item], Requests: [item] }, "Requests"],
    ["has an item with a name twice in two cases", { requests: [{ ...item, URL: "/x" }] }, "requests[0].URL"],
    [
      "has requests that are to be made together or not at all",
      { requests: [{ ...item, atomicityGroup: "g1" }] },
      "requests[0].atomicityGroup"
    ],
    ["has a request that is none", { requests: [item, 7] }, "requests[1]"],
    ["has a request without an id", { requests: [{ ...item, id: undefined }] }, "requests[0].id"],
    ["has an empty id", { requests: [{ ...item, id: "" }] }, "requests[0].id"],
    ["has an id that is neither text nor number", { requests: [{ ...item, id: [1] }] }, "requests[0].id"],
    [
      "has the same id twice but for the case",
      {
        requests: [
          { ...item, id: "a" },
          { ...item, id: "A" }
        ]
      },
      "requests[1].id"
    ],
    ["has a request without a method", { requests: [{ ...item, method: undefined }] }, "requests[0].method"],
    ["has an unknown method", { requests: [{ ...item, method: "TRACE" }] }, "requests[0].method"],
    ["has a request without an address", { requests: [{ ...item, url: "" }] }, "requests[0].url"],
    [
      "has an absolute address",
      { requests: [{ ...item, url: "https://graph.microsoft.com/beta/x" }] },
      "requests[0].url"
    ],
    ["has an address on another host", { requests: [{ ...item, url: "//elsewhere/x" }] }, "requests[0].url"],
    ["has headers that are no texts", { requests: [{ ...item, headers: { a: 1 } }] }, "requests[0].headers.a"],
    ["has what cannot be a header", { requests: [{ ...item, headers: { a: "x\r\ny: z" } }] }, "requests[0].headers"],
    ["has a name that cannot be a header", { requests: [{ ...item, headers: { "a b": "x" } }] }, "requests[0].headers"],
    ["has more than 64 headers", { requests: [{ ...item, headers: manyHeaders }] }, "requests[0].headers"],
    [
      "has headers of more than 16,384 characters",
      { requests: [{ ...item, headers: { a: "x".repeat(16_384) } }] },
      "requests[0].headers"
    ],
    ["has an id of more than 256 characters", { requests: [{ ...item, id: "x".repeat(257) }] }, "requests[0].id"],
    ["has a body without its type", { requests: [{ ...item, method: "PATCH", body: {} }] }, "requests[0].headers"],
    ["has a body on a GET", { requests: [{ ...item, headers: json, body: {} }] }, "requests[0].body"],
    ["depends on a number that no request has", { requests: [{ ...item, dependsOn: [2] }] }, "requests[0].dependsOn"],
    ["depends on a request that is not there", { requests: [{ ...item, dependsOn: ["2"] }] }, "requests[0].dependsOn"],
    ["depends on itself", { requests: [{ ...item, dependsOn: ["1"] }] }, "requests[0].dependsOn"],
    [
      "depends in a circle",
      {
        requests: [
          { ...item, dependsOn: ["2"] },
          { ...item, id: "2", dependsOn: ["1"] },
          { ...item, id: "3" }
        ]
      },
      "requests[0].dependsOn"
    ]
  ]

  it.for(malformed)("that %s is refused as a whole", async ([, body, target]) => {
    await using opened = await openedApp("memory", [])
    const response = await send(opened.app, body)
    const { code, message, details } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(details?.[0]?.target).toBe(target)
    expect(message).toContain(target ?? "")
    // Nothing of it was sent.
    expect(opened.lines).toHaveLength(1)
  })

  it.for([
    ["a name of the batch", '{"requests":[],"requests":[ITEM]}', "requests"],
    [
      "a name of an item",
      '{"requests":[{"id":"1","method":"GET","url":"/nothing","url":"ADDRESS"}]}',
      "requests[0].url"
    ],
    ["a body", '{"requests":[{"id":"1","method":"PATCH","url":"ADDRESS","body":{},"body":{}}]}', "requests[0].body"],
    [
      "a header",
      '{"requests":[{"id":"1","method":"GET","url":"ADDRESS","headers":{"Accept":"a","\\u0041ccept":"b"}}]}',
      "requests[0].headers.Accept"
    ]
  ] as const)("in which %s stands twice is refused as a whole, and named", async ([, text, target]) => {
    await using opened = await openedApp("memory", [])
    const body = text.replace("ADDRESS", devices).replace("ITEM", JSON.stringify(item))
    const response = await opened.app.request("/beta/$batch", { method: "POST", headers: json, body })
    const { code, details } = await failureOf(response)
    expect([response.status, code, details?.[0]?.target]).toEqual([400, "BadRequest", target])
    expect(opened.lines).toHaveLength(1)
  })

  it("answers an item in whose body a name stands twice as it would be answered alone, and the others as well", async () => {
    await using opened = await openedApp("memory", ["a", "b", "c"])
    const items = ["a", "b"].map((id) => JSON.stringify(update(id, id, { ownership: id })))
    const twice = '{"ownership":"x","model":{"a":[{"\\u0061":1}]},"\\u006fwnership":"y"}'
    const body = `{"Requests":[${items[0]},${JSON.stringify(update("c", "c", {})).replace('"body":{}', `"body":${twice}`)},${items[1]}]}`
    const response = await opened.app.request("/beta/$batch", { method: "POST", headers: json, body })
    const { responses } = (await response.json()) as { readonly responses: ReadonlyArray<ItemAnswer> }
    const answers = new Map(responses.map((answer) => [answer.id, answer]))
    expect(["a", "b", "c"].map((id) => answers.get(id)?.status)).toEqual([200, 200, 400])
    expect(answers.get("c")?.body).toMatchObject({
      error: { code: "ModelValidationFailure", details: [{ code: "repeatedName", target: "ownership" }] }
    })
    expect((await opened.store.page(standing, "b", 1)).devices[0]?.ownership).toBe(null)
  })

  it("takes what published clients write: numbers for ids, other cases, nulls, and names that nobody knows", async () => {
    await using opened = await openedApp("memory", ["a"])
    const body = {
      "@odata.context": "x",
      Requests: [
        {
          Id: 1,
          Method: "patch",
          URL: `${devices}/a`,
          Headers: { "content-type": "application/json", Prefer: null },
          Body: { Model: 1 }
        },
        {
          id: "2",
          method: "Patch",
          url: `${devices}/a`,
          headers: json,
          body: { model: "M" },
          dependsOn: null,
          atomicityGroup: null
        },
        {
          id: 3,
          method: "get",
          url: `${devices}/a`,
          headers: null,
          body: null,
          depends_on: [9],
          dependsOn: [2],
          $search: "x"
        },
        { id: 4.5, METHOD: "GET", Url: `${devices}/a`, headers: [], dependsOn: [] }
      ]
    }
    const response = await send(opened.app, body)
    const { responses } = (await response.json()) as { readonly responses: ReadonlyArray<ItemAnswer> }
    const byId = responses.toSorted((a, b) => (a.id < b.id ? -1 : 1))
    // Names inside a body are the resource's, which are spelled one way only.
    expect(byId.map(({ id, status }) => [id, status])).toEqual([
      ["1", 400],
      ["2", 200],
      ["3", 200],
      ["4.5", 200]
    ])
    expect(byId[2]?.body).toMatchObject({ model: "M" })
  })

  it("that is multipart is told that a batch is read as JSON", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request("/beta/$batch", {
      method: "POST",
      headers: { "content-type": "multipart/mixed; boundary=batch_1" },
      body: "--batch_1\r\nContent-Type: application/http\r\n\r\nGET x HTTP/1.1\r\n\r\n--batch_1--"
    })
    expect(response.status).toBe(400)
    expect((await failureOf(response)).message).toMatch(/read as JSON.*application\/json/)
  })

  it("names everything that is wrong with it, up to what can be read", async () => {
    await using opened = await openedApp("memory", [])
    const several = await failureOf(await send(opened.app, { requests: [{ id: "1" }, { method: "GET", url: "x" }] }))
    expect(several.details?.map(({ target }) => target)).toEqual([
      "requests[0].method",
      "requests[0].url",
      "requests[1].id"
    ])
    const headers = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`h${at}`, at]))
    const many = await failureOf(await send(opened.app, { requests: [{ ...item, headers }] }))
    expect(many.details).toHaveLength(20)
  })

  it("of more than 10,000 values is refused before it is parsed", async () => {
    await using opened = await openedApp("memory", [])
    const names = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, 0]))
    const response = await send(opened.app, { requests: [update("1", "a", names)] })
    expect([response.status, (await failureOf(response)).message]).toEqual([
      400,
      "The JSON of the body holds more than the 10000 values that are read."
    ])
  })

  it("answers an address longer than any that is accepted as it would be answered alone", async () => {
    await using opened = await openedApp("memory", ["a"])
    const answers = await answersTo(opened.app, [{ ...item, url: `${devices}?$filter=${"x".repeat(1_000_000)}` }])
    expect([answers.get("1")?.status, codeOf(answers.get("1"))]).toEqual([414, "uriTooLong"])
  })

  it("lets others have their turn between requests that take long", async () => {
    let turns = 0
    let counting = setImmediate(function turn() {
      turns++
      counting = setImmediate(turn)
    })
    const turnsBefore: Array<number> = []
    const app = batchApp(() => {
      turnsBefore.push(turns)
      const end = performance.now() + 15
      while (performance.now() < end);
      return new Response(null, { status: 204 })
    })
    await answersTo(app, gets(20))
    clearImmediate(counting)
    expect(new Set(turnsBefore).size).toBe(20)
  })

  it("reads no more at a time than it may, so that their pages are not all in memory at once", async () => {
    let atWork = 0
    let most = 0
    const app = batchApp(async () => {
      most = Math.max(most, ++atWork)
      await new Promise((resolve) => setTimeout(resolve, 1))
      atWork--
      return new Response(null, { status: 204 })
    }, 4)
    await answersTo(app, gets(20))
    expect(most).toBe(4)
  })

  it("answers 429 to reads whose answers would make it larger than 16 MiB, and tells of every write that was made", async () => {
    const sent: Array<string> = []
    const app = batchApp(({ method, url }) => {
      sent.push(`${method} ${url.slice(-1)}`)
      return Response.json("x".repeat(method === "GET" ? 7_000_000 : 3_000_000))
    })
    const answers = await answersTo(app, [
      { ...item, id: "a", url: "/a" },
      { ...item, id: "b", url: "/b" },
      { ...item, id: "c", url: "/c", dependsOn: ["b"] },
      { id: "d", method: "DELETE", url: "/d", dependsOn: ["b"] },
      { id: "e", method: "DELETE", url: "/e", dependsOn: ["d"] }
    ])
    const statuses = [...answers].map(([id, { status }]) => [id, status])
    expect(Object.fromEntries(statuses)).toEqual({ a: 200, b: 200, c: 429, d: 200, e: 429 })
    expect(answers.get("c")?.headers["Retry-After"]).toBe("1")
    expect(messageOf(answers.get("c"))).toContain("16777216 bytes")
    expect(sent).toEqual(["GET a", "GET b", "GET c", "DELETE d"])
  })

  it("takes no query options", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request("/beta/$batch?$top=1", jsonRequest("POST", { requests: gets(1) }))
    expect((await failureOf(response)).message).toContain("$top")
  })
})
