import { deviceODataType, propertyNames, wholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import {
  devicesPath,
  documentedId,
  documentedUpdate,
  failureOf,
  jsonRequest,
  metricsPath,
  openedApp,
  standing,
  storeKinds
} from "../opened.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

const devicePath = `${devicesPath}/${documentedId}`

describe.each(storeKinds)("an update, with the store in %s", (kind) => {
  it("with the body of Microsoft's page gives 200 and every property, and is there afterwards", async () => {
    await using opened = await openedApp(kind, [documentedId])
    const body = await documentedUpdate()
    const response = await opened.app.request(devicePath, jsonRequest("PATCH", body))
    const answer = (await response.json()) as Record<string, unknown>
    expect(response.status).toBe(200)
    expect(answer).toEqual({
      ...wholeDevice({ id: documentedId }),
      ...(JSON.parse(body) as object),
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
    ["very deep nesting", json, bytes("[".repeat(100_000)), "nested deeper than the 64 levels"],
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
