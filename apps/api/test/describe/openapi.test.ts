import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Validator } from "@seriousme/openapi-schema-validator"
import { propertyNames, routeNames, wholeDevice } from "@workanywhere/domain"
import { sql } from "kysely"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { openApiDocument, standardDocument } from "../../src/describe/openapi.ts"
import { documentedAnswer, documentedRequest } from "../../src/describe/schemas.ts"
import { templateOf } from "../../src/http/observation.ts"
import { createLocalGraph } from "../../src/local-graph.ts"
import { type FaultScriptInput, parseFaultScript } from "../../src/rehearsal/fault-script.ts"
import { createRehearsal } from "../../src/rehearsal/rehearsal.ts"
import { type Tables, migrate } from "../../src/store/migrations.ts"
import { openDatabase } from "../../src/store/open-database.ts"
import { deviceStoreOn } from "../../src/store/open-device-store.ts"
import { comparison, isGraphs, operationsOf, refsIn } from "../described.ts"
import { openedGateway } from "../gateways.ts"
import {
  blankDevices,
  devicesPath,
  documentedId,
  documentedUpdate,
  jsonRequest,
  metricsPath,
  modelsPath,
  readinessPath,
  standing,
  summaryPath,
  temporaryFolder
} from "../opened.ts"
import { bearer, openedEntra, readOnly, signed, signingKey, userClaims } from "../tokens.ts"

const local = { isAuthenticated: false, hasControls: true, hasEtags: false, hasExposition: true }
const localWithEtags = { ...local, hasEtags: true }
const gateway = { isAuthenticated: false, hasControls: false, isGateway: true, hasEtags: false, hasExposition: false }
const entra = { isAuthenticated: true, hasControls: false, hasEtags: false, hasExposition: false }

const key = await signingKey("key")

const exposition = { visibleTo: "loopback", text: async () => "" } as const

/** A service with everything that is there for callers on the same machine. */
const openedLocal = async (script: FaultScriptInput = {}) => {
  const database = await openDatabase<Tables>("memory")
  await migrate(database)
  const store = await deviceStoreOn(database)
  await store.fillEmpty(standing, blankDevices([documentedId, "b", "c"]))
  const faults = parseFaultScript(script)
  if (!faults.success) throw new Error("the script does not fit")
  const rehearsal = createRehearsal({ hasControls: true, faults: faults.data })
  const app = createApp({ store, rehearsal, etag: true, exposition, restore: async () => {} })
  return { app, database, [Symbol.asyncDispose]: () => store.close() }
}

describe("the OpenAPI document", () => {
  it.for([local, localWithEtags, entra, gateway])(
    "is valid OpenAPI 3.1, and refers to nothing that is not there: %o",
    async (described) => {
      const document = openApiDocument(described)
      const validator = new Validator()
      const { valid, errors } = await validator.validate(structuredClone(document))
      expect({ valid, errors }).toEqual({ valid: true })
      expect(validator.version).toBe("3.1")
      const lost = refsIn(document).filter(
        (ref) =>
          ref
            .slice(2)
            .split("/")
            .reduce<unknown>((place, step) => Reflect.get(Object(place), step), document) === undefined
      )
      expect(lost).toEqual([])
    }
  )

  it("would be found invalid if it were", async () => {
    const document = structuredClone(openApiDocument(local)) as Record<string, unknown>
    const { valid } = await new Validator().validate({ ...document, paths: { "/x": { get: { summary: 1 } } } })
    expect(valid).toBe(false)
  })

  it("has names for operations that are each used once", () => {
    const names = operationsOf(openApiDocument(local)).map(({ operationId }) => operationId)
    expect(new Set(names).size).toBe(names.length)
  })

  it("is the one that is kept in docs, but for its addresses; if not, run pnpm docs:openapi", async () => {
    const kept = await readFile(join(import.meta.dirname, "../../../../docs/openapi.json"), "utf8")
    expect(JSON.parse(kept)).toEqual(structuredClone(standardDocument()))
    await using opened = await openedLocal()
    const served: unknown = await (await opened.app.request("/openapi.json")).json()
    const addressed = JSON.stringify(openApiDocument({ ...localWithEtags, root: "" }))
    expect(served).toEqual(JSON.parse(addressed))
  })
})

/** What an app serves, as methods and templates of paths. */
const served = (app: ReturnType<typeof createApp>): ReadonlyArray<string> => [
  ...new Set(
    app.routes
      .filter(({ method, path }) => method !== "ALL" && !path.endsWith("*"))
      .map(({ method, path }) => `${method} ${templateOf(path)}`)
  )
]

/** With the entry, for which the document has no place: its `/` is that of Graph's versions. */
const described = (document: ReturnType<typeof openApiDocument>): ReadonlyArray<string> =>
  operationsOf(document)
    .flatMap(({ method, path }) =>
      isGraphs(document, path)
        ? ["/beta", "/v1.0"].map((version) => `${method} ${version}${path === "/" ? "" : path}`)
        : [`${method} ${path}`]
    )
    .concat("GET /")

describe("its paths", () => {
  it("are the routes of a local service, each with its methods, and no others", async () => {
    await using opened = await openedLocal()
    expect(described(openApiDocument(local)).toSorted()).toEqual(served(opened.app).toSorted())
  })

  it("are the routes of a service with tokens and without metrics, and no others", async () => {
    await using opened = await openedEntra([key.jwk])
    expect(described(openApiDocument(entra)).toSorted()).toEqual(served(opened.app).toSorted())
  })

  it("are the routes of a gateway, and no others; errors of its upstream may have any status", async () => {
    await using graph = await createLocalGraph()
    await using opened = await openedGateway(await graph.url())
    const document = openApiDocument(gateway)
    expect(described(document).toSorted()).toEqual(served(opened.app).toSorted())
    expect(await (await opened.app.request("/openapi.json")).json()).toEqual(JSON.parse(JSON.stringify(document)))

    const { differences, faultsOf } = comparison(document)
    graph.faults({ rules: [{ when: { nth: 1 }, effect: { kind: "expireNextLink" } }] })
    const answers = [
      ["GET", devicesPath, {}],
      ["GET", `${devicesPath}?$skiptoken=x`, {}],
      ["GET", `${devicesPath}/nobody`, {}],
      ["PATCH", `${devicesPath}/nobody`, jsonRequest("PATCH", { model: "X" })]
    ] as const
    for (const [method, url, init] of answers) {
      const response = await opened.app.request(url, init)
      expect(await differences(method, url, response.clone()), `${method} ${url}`).toEqual([])
      const body: unknown = await response.json()
      expect(response.ok ? [] : faultsOf("#/components/schemas/UpstreamError", body)).toEqual([])
    }
  })

  it("name the methods that Allow names when another one is sent, and GET answers HEAD as well", async () => {
    await using opened = await openedLocal()
    const document = openApiDocument(local)
    const paths = new Set(
      operationsOf(document)
        .map(({ path }) => path)
        .filter((path) => isGraphs(document, path))
    )
    expect(paths.size).toBe(routeNames.length)
    for (const path of paths) {
      const methods = operationsOf(document)
        .filter((one) => one.path === path)
        .map(({ method }) => method)
      const url = `/beta${path.replace("{metricId}", "mine").replaceAll(/\{\w+\}/g, "x")}`
      const refused = await opened.app.request(url, { method: "OPTIONS" })
      expect([path, refused.status]).toEqual([path, 405])
      const head = methods.includes("GET") ? ["HEAD"] : []
      expect([path, ...(refused.headers.get("allow")?.split(", ") ?? [])]).toEqual([
        path,
        ...[...methods, ...head].toSorted()
      ])
    }
  })

  it("want one of the permissions that the service wants", async () => {
    await using opened = await openedEntra([key.jwk], ["a"])
    const document = openApiDocument(entra)
    const permissions = [
      "DeviceManagementConfiguration.Read.All",
      readOnly,
      "DeviceManagementConfiguration.ReadWrite.All",
      "DeviceManagementManagedDevices.ReadWrite.All"
    ]
    const tokens = new Map<string, string>()
    for (const permission of ["nothing", ...permissions]) {
      tokens.set(permission, await signed({ ...userClaims(), scp: permission }, key))
    }
    for (const { method, path, pointer } of operationsOf(document)) {
      const { security } = pointer
        .slice(2)
        .split("/")
        .map((step) => decodeURIComponent(step).replaceAll("~1", "/"))
        .reduce<unknown>((place, step) => Reflect.get(Object(place), step), document) as {
        readonly security: ReadonlyArray<{ readonly entra?: ReadonlyArray<string> }>
      }
      const url = `${isGraphs(document, path) ? "/beta" : ""}${path.replace("{file}", "start.js").replaceAll(/\{\w+\}/g, "x")}`
      const bare = await opened.app.request(url, { method })
      expect(bare.status === 401, `${method} ${path}`).toBe(security.length > 0)
      for (const [permission, token] of tokens) {
        const { status } = await opened.app.request(url, { method, headers: bearer(token) })
        const isEnough =
          security.length === 0 ||
          security.some(({ entra: named = [] }) => named.length === 0 || named.includes(permission))
        expect(status !== 403, `${method} ${path} with ${permission}`).toBe(isEnough)
      }
    }
  })
})

const json = (body: unknown, headers: Readonly<Record<string, string>> = {}) => {
  const request = jsonRequest("", body)
  return { body: request.body, headers: { ...request.headers, ...headers } }
}

describe("its schemas", () => {
  const local$ = comparison(openApiDocument(localWithEtags))
  const entra$ = comparison(openApiDocument(entra))
  const statuses = new Set<number>()

  let opened: Awaited<ReturnType<typeof openedLocal>>
  beforeAll(async () => {
    opened = await openedLocal()
  })
  afterAll(() => opened[Symbol.asyncDispose]())

  const expectDescribed = async (method: string, url: string, init: RequestInit = {}, app = opened.app) => {
    const response = await app.request(url, { ...init, method })
    expect(await local$.differences(method, url, response.clone()), `${method} ${url}`).toEqual([])
    statuses.add(response.status)
    return response
  }

  it("fit the request and the answer on Microsoft's page, which the document has as examples", async () => {
    const page: unknown = JSON.parse(await documentedUpdate())
    expect(documentedRequest).toEqual(page)
    expect(local$.faultsOf("#/components/schemas/DeviceUpdate", page)).toEqual([])
    expect(local$.faultsOf("#/components/schemas/DeviceEntity", documentedAnswer("http://localhost"))).toEqual([])
    expect(
      local$.faultsOf("#/components/schemas/DeviceUpdate", { ...(page as object), windowsScore: 101 })
    ).not.toEqual([])
    const response = await expectDescribed("PATCH", `${devicesPath}/${documentedId}`, json(page))
    const {
      "@odata.context": _context,
      "@odata.etag": _etag,
      ...answer
    } = (await response.json()) as Record<string, unknown>
    const { "@odata.context": _other, ...documented } = documentedAnswer("")
    expect([response.status, answer]).toEqual([200, { ...wholeDevice({ id: documentedId }), ...documented }])
  })

  it("fit every operation's answers, with every status of success that it is said to have", async () => {
    const metrics = `/v1.0${metricsPath}`
    const device = `${devicesPath}/${documentedId}`
    const models = `/beta${modelsPath}`
    await expectDescribed("GET", "/beta")
    await expectDescribed("GET", "/beta/$metadata")
    await expectDescribed("GET", "/beta/deviceManagement")
    await expectDescribed("GET", `${metrics}?$top=1&$select=id`, { headers: { prefer: "odata.maxpagesize=1" } })
    await expectDescribed("POST", metrics, json({ id: "mine" }))
    await expectDescribed("POST", metrics, json({ id: "other" }, { prefer: "return=minimal" }))
    await expectDescribed("GET", `${metrics}/mine`)
    await expectDescribed("PATCH", `${metrics}/mine`, json({ id: "mine" }))
    await expectDescribed("PATCH", `${metrics}/mine`, json({}, { prefer: "return=minimal" }))
    await expectDescribed("DELETE", `${metrics}/mine`)
    for (const level of ["none", "minimal", "full"]) {
      const headers = { accept: `application/json;odata.metadata=${level};IEEE754Compatible=true` }
      await expectDescribed("GET", `${devicesPath}?$count=true&$top=1&$orderby=deviceName`, { headers })
      await expectDescribed("GET", device, { headers })
    }
    await expectDescribed("GET", `${devicesPath}?$select=id,${propertyNames[3]}&$filter=id eq 'b'`, {
      headers: { prefer: "include-unknown-enum-members" }
    })
    await expectDescribed("POST", devicesPath, json({ id: "new", windowsScore: -1 }))
    await expectDescribed("POST", devicesPath, json({ id: "newer" }, { prefer: "return=minimal" }))
    await expectDescribed("GET", `${devicesPath}/$count`)
    const { headers } = await expectDescribed("GET", `${devicesPath}/b`)
    await expectDescribed("GET", `${devicesPath}/b`, { headers: { "if-none-match": headers.get("etag") ?? "" } })
    await expectDescribed("PATCH", device, json({ model: "X" }))
    await expectDescribed("PATCH", device, json({ model: "Y" }, { prefer: "return=minimal" }))
    await expectDescribed("DELETE", `${devicesPath}/new`)
    await expectDescribed("GET", `/beta${readinessPath}`)
    await expectDescribed("GET", `/beta${readinessPath}?$select=ramCheckFailedPercentage`)
    await expectDescribed("GET", `/beta${summaryPath}`)
    const page = (await (await opened.app.request(`${models}?$top=1`)).json()) as {
      readonly value: ReadonlyArray<{ readonly id: string }>
    }
    await expectDescribed(
      "GET",
      `${models}?$top=1&$count=true&$orderby=model&$filter=modelDeviceCount ge 1&$format=json`
    )
    await expectDescribed("GET", `${models}/$count`)
    await expectDescribed("GET", `${metrics}/$count`)
    await expectDescribed("GET", `${models}/${page.value[0]?.id}`)
    await expectDescribed(
      "POST",
      "/beta/$batch",
      json({
        requests: [
          { id: "1", method: "GET", url: `${metricsPath}/allDevices` },
          { id: "2", method: "DELETE", url: `${metricsPath}/other` }
        ]
      })
    )
    for (const path of ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"]) await expectDescribed("GET", path)
    for (const file of ["start.js", "swagger-ui.css", "LICENSE"]) await expectDescribed("GET", `/docs/${file}`)
    await expectDescribed("POST", "/_local/seed", json({ size: 3 }))
    await expectDescribed("PUT", "/_local/faults", json({ rules: [{ when: { nth: 9 }, effect: { kind: "timeout" } }] }))
    await expectDescribed("GET", "/_local/faults")
    await expectDescribed("GET", "/_local/faults/schema")
    await opened.app.request(devicesPath)
    await expectDescribed("GET", "/_local/calls")
    await expectDescribed("GET", "/_local/verdict")
    await expectDescribed("GET", "/_local/verdict?format=junit")
    await expectDescribed("POST", "/_local/reset")

    const successes = operationsOf(openApiDocument(localWithEtags)).flatMap(({ operationId, path, method }) => {
      const paths = openApiDocument(localWithEtags)["paths"] as Record<string, Record<string, { responses: object }>>
      const { responses } = paths[path]?.[method.toLowerCase()] ?? { responses: {} }
      return Object.keys(responses)
        .filter((status) => Number(status) < 400)
        .map((status) => `${operationId} ${status}`)
    })
    expect(successes.filter((one) => !local$.seen.has(one))).toEqual([])
  })

  it("fit the errors of every status, and each has its codes", async () => {
    const device = `${devicesPath}/b`
    await opened.app.request("/_local/seed", jsonRequest("POST", { size: 3 }))
    await opened.app.request(devicesPath, jsonRequest("POST", { id: "b" }))
    await expectDescribed("GET", `${devicesPath}?$expand=x`)
    await expectDescribed("PATCH", device, json({ windowsScore: "x", nothing: 1 }))
    await expectDescribed("GET", `${devicesPath}/nothing`)
    await expectDescribed("DELETE", `/beta${metricsPath}/allDevices`)
    await expectDescribed("POST", devicesPath, json({ id: "b" }))
    await expectDescribed("PATCH", device, json({ model: "X" }, { "if-match": '"other"' }))
    await expectDescribed("PATCH", device, json({ model: "x".repeat(1_048_576) }))
    await expectDescribed("PATCH", device, json({ model: "X" }, { "content-encoding": "zstd" }))
    await expectDescribed("PATCH", device, json('{"model":"X","model":"Y"}'))
    await expectDescribed("GET", `${devicesPath}?x=${"x".repeat(8_192)}`)
    await expectDescribed("GET", `${devicesPath}/$count`, { headers: { accept: "application/json" } })
    await expectDescribed("PATCH", device, json({ model: "X" }, { "x-wfa-profile": "observed" }))
    await expectDescribed("PATCH", device, json({ model: "X" }, { "x-wfa-read-only": "reject" }))
    await expectDescribed("GET", "/_local/calls", { headers: { "sec-fetch-site": "cross-site" } })
    await expectDescribed("POST", "/_local/seed", json({ size: -1 }))

    const next = (await (await opened.app.request(`${devicesPath}?$top=1`)).json()) as Record<string, string>
    for (const effect of [
      { kind: "throttle", retryAfterSeconds: 1 },
      { kind: "throttleAs500" },
      { kind: "unavailable", retryAfterSeconds: 1 },
      { kind: "timeout" },
      { kind: "expireNextLink" }
    ] as const) {
      await opened.app.request("/_local/faults", jsonRequest("PUT", { rules: [{ effect }] }))
      await expectDescribed("GET", next["@odata.nextLink"] ?? "")
    }
    await opened.app.request("/_local/faults", jsonRequest("PUT", {}))

    const depending = { id: "2", method: "GET", url: "/deviceManagement", dependsOn: ["1"] }
    const requests = [{ id: "1", method: "GET", url: `${metricsPath}/nothing` }, depending]
    const batch = await opened.app.request("/beta/$batch", jsonRequest("POST", { requests }))
    const { responses } = (await batch.json()) as {
      responses: ReadonlyArray<{ readonly status: number; readonly body: unknown }>
    }
    for (const { status, body } of responses) {
      expect(local$.faultsOf(`#/components/schemas/Error${status}`, body)).toEqual([])
      statuses.add(status)
    }

    await using folder = await temporaryFolder()
    const database = await openDatabase<Tables>(`sqlite:${join(folder.path, "devices.sqlite")}`)
    await migrate(database)
    await using full = { store: await deviceStoreOn(database), [Symbol.asyncDispose]: () => database.close() }
    await sql.raw("pragma max_page_count = 1").execute(database.kysely)
    const fullApp = createApp({ store: full.store })
    const long = "x".repeat(16_384)
    const large = { id: "x", deviceName: long, model: long, serialNumber: long, manufacturer: long }
    await expectDescribed("POST", devicesPath, json(large), fullApp)
    await using tokens = await openedEntra([key.jwk], ["a"])
    const refused = [await signed({ ...userClaims(), scp: "nothing" }, key), "nothing"]
    for (const token of refused) {
      const response = await tokens.app.request(devicesPath, { headers: bearer(token) })
      statuses.add(response.status)
      expect(await entra$.differences("GET", devicesPath, response)).toEqual([])
    }

    const { responses: known } = openApiDocument(local)["components"] as { readonly responses: object }
    const missing = Object.keys(known).filter((name) => !statuses.has(Number(name.replace("Error", ""))))
    expect(missing).toEqual([])
  })

  const differ = async (body: unknown, status = 200) =>
    local$.differences(
      "GET",
      `${devicesPath}/x`,
      new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } })
    )

  it("would be found wrong by an answer that has more or other than they say", async () => {
    expect(await differ({ id: "x", nothing: 1 })).toContainEqual(expect.stringContaining("unevaluated"))
    expect(await differ({ id: 1 })).toContainEqual(expect.stringContaining("must be string"))
    expect(await differ({ id: "x" })).toContainEqual(expect.stringContaining("no header request-id"))
    expect(await differ({ error: { code: "BadRequest" } }, 404)).toContainEqual(
      expect.stringContaining("allowed values")
    )
    expect(await differ({}, 418)).toContainEqual(expect.stringContaining("may not answer 418"))
  })
})
