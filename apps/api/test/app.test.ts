import { type Page, type WholeDevice, deviceODataType, propertyNames, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import {
  devicesPath,
  documentedId,
  documentedUpdate,
  jsonRequest,
  metricsPath,
  openedApp,
  standing,
  storeKinds
} from "./opened.ts"

interface Failure {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly details?: ReadonlyArray<{ readonly code: string; readonly message: string; readonly target?: string }>
    readonly innerError: Readonly<Record<string, string>>
  }
}

const failureOf = async (response: Response) => ((await response.json()) as Failure).error

const bytes = (text: string) => new TextEncoder().encode(text)

const devicePath = `${devicesPath}/${documentedId}`

const contentType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

describe.each(storeKinds)("an update, with the store in %s", (kind) => {
  it("with the body of Microsoft's page gives 200 and all 35 properties, and is there afterwards", async () => {
    await using opened = await openedApp(kind, [documentedId])
    const body = await documentedUpdate()
    const response = await opened.app.request(devicePath, jsonRequest("PATCH", body))
    const answer = (await response.json()) as Record<string, unknown>
    expect(response.status).toBe(200)
    expect(answer).toEqual({
      ...(JSON.parse(body) as object),
      id: documentedId,
      "@odata.context": `http://localhost/beta/$metadata#${metricsPath.slice(1)}('allDevices')/metricDevices/$entity`
    })
    expect(Object.keys(answer)).toEqual(["@odata.context", "@odata.type", ...propertyNames])
    const read = await opened.app.request(devicePath)
    expect(await read.json()).toEqual(answer)
  })

  it("changes what it names, clears what it nulls, and leaves the rest", async () => {
    await using opened = await openedApp(kind, [documentedId])
    await opened.app.request(devicePath, jsonRequest("PATCH", await documentedUpdate()))
    const before = (await (await opened.app.request(devicePath)).json()) as object
    const update = { windowsScore: 55.5, model: null, upgradeEligibility: "unknownFutureValue", id: "another" }
    const response = await opened.app.request(devicePath, jsonRequest("PATCH", update))
    expect(await response.json()).toEqual({ ...before, windowsScore: 55.5, model: null })
  })

  const refusals: ReadonlyArray<readonly [title: string, body: unknown, targets: ReadonlyArray<string>]> = [
    ["an unknown property", { windowsScore: 5, colour: "red" }, ["colour"]],
    ["a property in another case, even beside the right one", { windowsScore: 5, WindowsScore: 6 }, ["WindowsScore"]],
    ["a value of the wrong type", { tenantAttached: "yes", model: 3 }, ["tenantAttached", "model"]],
    [
      "null where none may be",
      { healthStatus: null, upgradeEligibility: null },
      ["healthStatus", "upgradeEligibility"]
    ],
    ["an unknown enum member", { upgradeEligibility: "maybe" }, ["upgradeEligibility"]],
    ["a score of 101", { windowsScore: 101 }, ["windowsScore"]],
    ["a number as text", { windowsScore: "7" }, ["windowsScore"]],
    ["a number that JSON makes infinite", '{"windowsScore":1e999}', ["windowsScore"]],
    ["an object or array for a value", { model: { a: 1 }, serialNumber: ["x"] }, ["model", "serialNumber"]],
    ["half a surrogate pair", '{"model":"\\ud800"}', ["model"]],
    ["another type", { "@odata.type": "#microsoft.graph.managedDevice", model: "X" }, ["@odata.type"]],
    [
      "names that every object inherits",
      '{"__proto__":{"model":"X"},"constructor":1,"toString":2}',
      ["__proto__", "constructor", "toString"]
    ]
  ]

  it.for(refusals)(
    "with %s is refused, naming every bad property at once, and writes nothing",
    async ([, body, targets]) => {
      await using opened = await openedApp(kind, [documentedId])
      const response = await opened.app.request(devicePath, jsonRequest("PATCH", body))
      const { code, message, details = [], innerError } = await failureOf(response)
      expect([response.status, code]).toEqual([400, "ModelValidationFailure"])
      expect(new Set(details.map(({ target }) => target))).toEqual(new Set(targets))
      expect(details).toHaveLength(targets.length)
      for (const { target, message } of details) expect(message).toContain(target)
      expect(message).not.toContain("\n")
      expect(Object.entries(innerError)[0]).toEqual(["message", message])
      expect({ ...(await opened.store.find(standing, documentedId)) }).toEqual(wholeDevice({ id: documentedId }))
    }
  )

  it("that is empty, or names only the key, is refused", async () => {
    await using opened = await openedApp(kind, [documentedId])
    for (const body of [{}, { id: documentedId }, { "@odata.type": deviceODataType }]) {
      const response = await opened.app.request(devicePath, jsonRequest("PATCH", body))
      expect([response.status, (await failureOf(response)).code]).toEqual([400, "ModelValidationFailure"])
    }
  })

  const json = "application/json"
  const unreadable: ReadonlyArray<
    readonly [title: string, contentType: string | undefined, body: Uint8Array<ArrayBuffer>, words: string]
  > = [
    ["malformed JSON", json, bytes('{"model":'), "valid JSON"],
    ["an array", json, bytes('[{"model":"X"}]'), "an array"],
    ["a long array", json, bytes(`[${"1,".repeat(300)}1]`), "an array"],
    ["a bare text", json, bytes('"model"'), "Expected an object"],
    ["null", json, bytes("null"), "Expected an object"],
    ["nothing", json, bytes(""), "Empty Payload"],
    ["bytes that are not UTF-8", json, new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), "valid JSON"],
    ["very deep nesting", json, bytes("[".repeat(100_000)), "valid JSON"],
    ["a content type that is not JSON", "text/plain", bytes('{"model":"X"}'), "Content-Type"],
    ["another charset", `${json}; charset=utf-16`, bytes('{"model":"X"}'), "Content-Type"],
    ["no content type", undefined, bytes('{"model":"X"}'), "Content-Type"]
  ]

  it.for(unreadable)("with %s is a bad request, and writes nothing", async ([, contentType, body, words]) => {
    await using opened = await openedApp(kind, [documentedId])
    const headers: Record<string, string> = contentType === undefined ? {} : { "content-type": contentType }
    const response = await opened.app.request(devicePath, { method: "PATCH", headers, body })
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(message).toContain(words)
    expect((await opened.store.find(standing, documentedId))?.model).toBeNull()
  })

  it.for([
    "application/json; charset=utf-8",
    'Application/JSON;charset="UTF-8"',
    "application/json;odata.metadata=minimal"
  ])("may call its content type %s", async (contentType) => {
    await using opened = await openedApp(kind, [documentedId])
    const response = await opened.app.request(devicePath, {
      ...jsonRequest("PATCH", { model: "X" }),
      headers: { "content-type": contentType }
    })
    expect(response.status).toBe(200)
  })

  it("of an unknown device or metric is not found, whatever else is in the store", async () => {
    await using opened = await openedApp(kind, ["a"])
    for (const [path, named] of [
      [`${devicesPath}/b`, "'b'"],
      [`/beta${metricsPath}/others/metricDevices/a`, "'others'"]
    ] as const) {
      const response = await opened.app.request(path, jsonRequest("PATCH", { model: "X" }))
      const { code, message } = await failureOf(response)
      expect([response.status, code]).toEqual([404, "ResourceNotFound"])
      expect(message).toContain(named)
    }
  })

  it("is seen under both standing metrics and both versions", async () => {
    await using opened = await openedApp(kind, ["a"])
    await opened.app.request(`${devicesPath}/a`, jsonRequest("PATCH", { model: "X", windowsScore: 3 }))
    for (const version of ["beta", "v1.0"]) {
      for (const metric of ["allDevices", "devicePerformance"]) {
        const response = await opened.app.request(`/${version}${metricsPath}('${metric}')/metricDevices('a')`)
        expect(await response.json()).toMatchObject({ model: "X", windowsScore: 3 })
      }
    }
  })
})

describe("an update", () => {
  it("of more than 1 MiB of undeclared length is too large", async () => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(devicePath, jsonRequest("PATCH", { model: "x".repeat(1_048_577) }))
    expect([response.status, (await failureOf(response)).code]).toEqual([413, "invalidRequest"])
  })

  it("with very many stray names is refused without looking at each", async () => {
    await using opened = await openedApp("memory", [documentedId])
    const body = Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`stray${index}`, 1]))
    const { code, details } = await failureOf(await opened.app.request(devicePath, jsonRequest("PATCH", body)))
    expect(code).toBe("ModelValidationFailure")
    expect(details).toBeUndefined()
  })

  it("refuses OData options, which it would otherwise seem to honour", async () => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(`${devicePath}?$select=id`, jsonRequest("PATCH", { model: "X" }))
    expect((await failureOf(response)).message).toContain("$select")
    expect((await opened.store.find(standing, documentedId))?.model).toBeNull()
  })
})

const ids = Array.from({ length: 250 }, (_, index) => `d${String(index).padStart(3, "0")}`)

type App = Awaited<ReturnType<typeof openedApp>>["app"]

const pageAt = async (app: App, path: string, headers: Record<string, string> = {}) => {
  const response = await app.request(path, { headers })
  expect(response.status).toBe(200)
  return (await response.json()) as Page<Partial<WholeDevice>>
}

/** The ids on each page, following the links. */
const walked = async (app: App, path: string, headers: Record<string, string> = {}) => {
  const pages: Array<ReadonlyArray<string | undefined>> = []
  for (let next: string | undefined = path; next !== undefined;) {
    const page: Page<Partial<WholeDevice>> = await pageAt(app, next, headers)
    pages.push(page.value.map(({ id }) => id))
    next = page["@odata.nextLink"]
  }
  return pages
}

describe.each(storeKinds)("the list, with the store in %s", (kind) => {
  it("walks through all devices once, a hundred at a time", async () => {
    await using opened = await openedApp(kind, ids)
    const pages = await walked(opened.app, devicesPath)
    expect(pages.map((page) => page.length)).toEqual([100, 100, 50])
    expect(pages.flat()).toEqual(ids)
  })

  it("loses and repeats nothing while others write", async () => {
    await using opened = await openedApp(kind, ids)
    const first = await pageAt(opened.app, `${devicesPath}?$top=125`)
    await opened.app.request(`${devicesPath}/d000`, jsonRequest("PATCH", { model: "X" }))
    await opened.app.request(`${devicesPath}/d200`, jsonRequest("PATCH", { model: "X" }))
    const second = await pageAt(opened.app, first["@odata.nextLink"] ?? "")
    expect([...first.value, ...second.value].map(({ id }) => id)).toEqual(ids)
  })
})

describe("the list", () => {
  it("gives whole devices with their context, and no type annotation", async () => {
    await using opened = await openedApp("memory", ["a"])
    expect(await pageAt(opened.app, devicesPath)).toEqual({
      "@odata.context": `http://localhost/beta/$metadata#${metricsPath.slice(1)}('allDevices')/metricDevices`,
      value: [wholeDevice({ id: "a" })]
    })
  })

  it("of nothing is an empty page", async () => {
    await using opened = await openedApp("memory", [])
    expect((await pageAt(opened.app, devicesPath)).value).toEqual([])
  })

  it("gives the selected properties, each once, and says so in its context and its links", async () => {
    await using opened = await openedApp("memory", ["a", "b"])
    const page = await pageAt(opened.app, `${devicesPath}?$Select=id, deviceName,id&TOP=1&dtFilter=all&=`)
    expect(page["@odata.context"]).toMatch(/metricDevices\(id,deviceName\)$/)
    expect(page.value).toEqual([{ id: "a", deviceName: null }])
    const next = await pageAt(opened.app, page["@odata.nextLink"] ?? "")
    expect(next.value).toEqual([{ id: "b", deviceName: null }])
    expect(next["@odata.nextLink"]).toBeUndefined()
    expect(page["@odata.nextLink"]).toMatch(/\?\$Select=id,%20deviceName,id&TOP=1&dtFilter=all&=&\$skiptoken=[\w-]+$/)
  })

  it("selects everything with a star", async () => {
    await using opened = await openedApp("memory", ["a"])
    const page = await pageAt(opened.app, `${devicesPath}?$select=*,id`)
    expect(page["@odata.context"]).toMatch(/metricDevices$/)
    expect(Object.keys(page.value[0] ?? {})).toEqual(propertyNames)
  })

  it("takes $top as the size of a page, up to 999, and the caller's preference when that is smaller", async () => {
    const many = Array.from({ length: 1000 }, (_, index) => String(index))
    await using opened = await openedApp("memory", many)
    const sizes = async (query: string, headers: Record<string, string> = {}) =>
      (await walked(opened.app, `${devicesPath}${query}`, headers)).map((page) => page.length)
    expect(await sizes("?$top=999")).toEqual([999, 1])
    expect(await sizes("?$top=100000")).toEqual([999, 1])
    expect(await sizes("?$top=0")).toEqual([0])
    expect(await sizes("", { prefer: "odata.maxpagesize=600" })).toEqual([600, 400])
    expect(await sizes("", { prefer: "include-unknown-enum-members, maxpagesize=500" })).toEqual([500, 500])
    expect(await sizes("?$top=700", { prefer: "odata.maxpagesize=800" })).toEqual([700, 300])
    expect(await sizes("", { prefer: "odata.maxpagesize=0" })).toEqual(Array.from({ length: 10 }, () => 100))
  })

  it("says which page size it applied", async () => {
    await using opened = await openedApp("memory", [])
    const applied = async (prefer: string) =>
      (await opened.app.request(devicesPath, { headers: { prefer } })).headers.get("preference-applied")
    expect(await applied("odata.maxpagesize=20")).toBe("odata.maxpagesize=20")
    expect(await applied("odata.maxpagesize=5000")).toBe("odata.maxpagesize=999")
    expect(await applied("respond-async")).toBeNull()
  })

  it.for([
    ["?$filter=id eq 'a'", "$filter"],
    ["?filter=id", "$filter"],
    ["?$orderBy=id", "$orderby"],
    ["?$count=true", "$count"],
    ["?$expand=x", "$expand"],
    ["?$search=x", "$search"],
    ["?$skip=1", "$skip"],
    ["?$colour=red", "$colour"],
    ["?%24filter=x", "$filter"],
    ["?$top=-1", "$top"],
    ["?$top=ten", "$top"],
    ["?$top=", "$top"],
    ["?$top=1&top=2", "$top"],
    ["?$select=deviceNam", "'deviceNam'"],
    ["?$select=DeviceName", "'deviceName'"],
    ["?$select=", "''"],
    ["?$select=id,,deviceName", "''"],
    ["?$skiptoken=x", "$skiptoken"],
    ["?$skiptoken=", "$skiptoken"],
    ["?$skiptoken=a", "$skiptoken"],
    ["?$skiptoken=aZDE%3D", "$skiptoken"]
  ])("refuses %s, naming %s", async ([query = "", named = ""]) => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`${devicesPath}${query}`)
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(message).toContain(named)
  })

  it("of an unknown metric is not found", async () => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`/beta${metricsPath}/alldevices/metricDevices`)
    expect([response.status, (await failureOf(response)).code]).toEqual([404, "ResourceNotFound"])
  })
})

describe("a single device", () => {
  it("can be narrowed with $select, and with nothing else", async () => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`${devicesPath}/a?$select=model,id`)
    expect(await response.json()).toEqual({
      "@odata.context": `http://localhost/beta/$metadata#${metricsPath.slice(1)}('allDevices')/metricDevices(model,id)/$entity`,
      "@odata.type": deviceODataType,
      model: null,
      id: "a"
    })
    const refused = await opened.app.request(`${devicesPath}/a?$top=1`)
    expect((await failureOf(refused)).message).toContain("$top")
  })

  it("is found by a key with quotes, slashes, spaces and letters of any script", async () => {
    const odd = "d'1/2 (ä,=)%2F"
    await using opened = await openedApp("memory", [odd])
    const encoded = encodeURIComponent(odd)
    for (const path of [`${devicesPath}/${encoded}`, `${devicesPath}('${encoded.replaceAll("'", "''")}')`]) {
      expect(await (await opened.app.request(path)).json()).toMatchObject({ id: odd })
    }
  })
})

describe("HEAD", () => {
  it("gives what GET gives, without a body", async () => {
    await using opened = await openedApp("memory", ["a"])
    const response = await opened.app.request(`${devicesPath}/a`, { method: "HEAD" })
    expect([response.status, await response.text()]).toEqual([200, ""])
    expect(response.headers.get("content-type")).toBe(contentType)
  })
})

describe("every answer", () => {
  it("has Graph's headers", async () => {
    await using opened = await openedApp("memory", ["a"])
    for (const path of [devicesPath, `${devicesPath}/a`, `${devicesPath}/b`, "/beta/nothing", "/healthz"]) {
      const { headers } = await opened.app.request(path)
      expect(headers.get("content-type")).toBe(contentType)
      expect(headers.get("odata-version")).toBe("4.0")
      expect(headers.get("cache-control")).toBe("no-cache")
      expect(headers.get("request-id")).toMatch(/^[0-9a-f-]{36}$/)
      expect(headers.get("client-request-id")).toBe(headers.get("request-id"))
    }
  })

  it.for(["0d9bf7c8-7b2c-4ca2-8d0a-0a3f0a8f1f6e", "job_7.step-2", "x".repeat(64)])(
    "echoes the client-request-id %s",
    async (id) => {
      await using opened = await openedApp("memory", [])
      const { headers } = await opened.app.request(devicesPath, { headers: { "client-request-id": id } })
      expect(headers.get("client-request-id")).toBe(id)
    }
  )

  it.for(["", "x".repeat(65), "a b", "<script>", "a;b"])("does not echo the client-request-id %j", async (id) => {
    await using opened = await openedApp("memory", [])
    const { headers } = await opened.app.request(devicesPath, { headers: { "client-request-id": id } })
    expect(headers.get("client-request-id")).toBe(headers.get("request-id"))
  })
})

describe("a failure", () => {
  it("has Graph's envelope with the ids of the answer and a date without a zone", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request(`${devicesPath}/a`, { headers: { "client-request-id": "mine" } })
    const { innerError } = await failureOf(response)
    expect(innerError).toEqual({
      date: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
      "request-id": response.headers.get("request-id"),
      "client-request-id": "mine"
    })
  })

  it("of an unknown segment names it", async () => {
    await using opened = await openedApp("memory", [])
    const response = await opened.app.request("/beta/deviceManagement/userExperience")
    const { code, message } = await failureOf(response)
    expect([response.status, code]).toEqual([400, "BadRequest"])
    expect(message).toBe("Resource not found for the segment 'userExperience'.")
  })

  it.for([`/beta${metricsPath}`, `/beta${metricsPath}/allDevices`, "/v1.0"])(
    "of %s, which is known and not served, says so",
    async (path) => {
      await using opened = await openedApp("memory", [])
      const response = await opened.app.request(path)
      const { code, message } = await failureOf(response)
      expect([response.status, code]).toEqual([400, "BadRequest"])
      expect(message).toContain("No OData route")
    }
  )

  it.for([
    ["POST", devicesPath, "GET, HEAD"],
    ["DELETE", devicesPath, "GET, HEAD"],
    ["DELETE", devicePath, "GET, HEAD, PATCH"],
    ["PUT", devicePath, "GET, HEAD, PATCH"],
    ["OPTIONS", devicePath, "GET, HEAD, PATCH"]
  ])("of %s on %s is 405 with the methods that are served", async ([method = "", path = "", allow]) => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(path, { method })
    expect([response.status, (await failureOf(response)).code]).toEqual([405, "Request_BadRequest"])
    expect(response.headers.get("allow")).toBe(allow)
  })

  it("of ours is 500 in general words; the cause is in the log under the same request-id", async () => {
    await using opened = await openedApp("memory", [documentedId])
    await opened.store.close()
    const response = await opened.app.request(devicePath, jsonRequest("PATCH", { model: "X" }))
    const text = await response.clone().text()
    const requestId = response.headers.get("request-id")
    expect([response.status, (await failureOf(response)).code]).toEqual([500, "generalException"])
    expect(text).toContain(requestId)
    expect(text).not.toMatch(/destroyed|\.ts|at /)
    expect(opened.lines).toContainEqual(
      expect.objectContaining({
        level: "error",
        requestId,
        err: expect.objectContaining({ message: expect.stringContaining("destroyed") })
      })
    )
  })
})

describe("the probes", () => {
  it("say that the process is up and that the store answers", async () => {
    await using opened = await openedApp("file", [])
    expect((await opened.app.request("/healthz")).status).toBe(200)
    expect((await opened.app.request("/readyz")).status).toBe(200)
  })

  it("tell a store that does not answer from a process that is up", async () => {
    await using opened = await openedApp("file", [])
    await opened.store.close()
    const ready = await opened.app.request("/readyz")
    expect([ready.status, (await failureOf(ready)).code]).toEqual([503, "serviceNotAvailable"])
    expect((await opened.app.request("/healthz")).status).toBe(200)
  })
})

describe("the log", () => {
  it("has one line for each request, with ids, and without its query, headers or body", async () => {
    await using opened = await openedApp("memory", [documentedId])
    const response = await opened.app.request(`${devicePath}?dtFilter=canary1`, {
      ...jsonRequest("PATCH", { model: "canary2" }),
      headers: { "content-type": "application/json", authorization: "Bearer canary3", "client-request-id": "mine" }
    })
    expect(opened.lines).toEqual([
      {
        level: "info",
        message: "request",
        method: "PATCH",
        path: devicePath,
        status: 200,
        durationMs: expect.any(Number),
        requestId: response.headers.get("request-id"),
        clientRequestId: "mine"
      }
    ])
  })

  it("has a line for a request that was refused, too", async () => {
    await using opened = await openedApp("memory", [])
    await opened.app.request("/beta/nothing")
    expect(opened.lines.map(({ level, status }) => [level, status])).toEqual([["info", 400]])
  })
})
