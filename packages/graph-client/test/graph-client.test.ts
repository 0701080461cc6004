import { describe, expect, it } from "@effect/vitest"
import { type DeviceUpdate, type PropertyName, deviceODataType } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { GraphClient, Incomplete, Invalid, type ListOptions } from "../src/index.ts"
import { type FakeAnswer, type FakeGraph, errorResponse, fakeGraph } from "../src/testing.ts"
import { clientOf, collectionPath, device, devicePath, key, metricsPath } from "./fixtures.ts"

const update = (graph: FakeGraph, body: DeviceUpdate, named = key) =>
  GraphClient.use((client) => client.updateDevice(named, body)).pipe(Effect.provide(clientOf(graph)))

const list = (graph: FakeGraph, options?: ListOptions, metricId = "allDevices") =>
  GraphClient.use((client) => Stream.runCollect(client.listDevices(metricId, options))).pipe(
    Effect.provide(clientOf(graph))
  )

/** A body as it may come from a program that no compiler has seen. */
const unchecked = (body: unknown) => body as DeviceUpdate

describe("updateDevice", () => {
  it.effect("sends the update to the device and gives the device as it is then", () =>
    Effect.gen(function* () {
      const after = { ...device, windowsScore: 7, upgradeEligibility: "newMember", "@odata.context": "…" }
      const graph = fakeGraph([Response.json(after)])
      const body = { "@odata.type": deviceODataType, windowsScore: 7, model: null } as const
      expect(yield* update(graph, body)).toEqual(after)
      expect(graph.requests).toMatchObject([{ method: "PATCH", url: { pathname: devicePath, search: "" }, body }])
    })
  )

  it.effect("an answer inside value is read too", () =>
    Effect.gen(function* () {
      expect(yield* update(fakeGraph([Response.json({ value: device })]), { model: "X" })).toEqual(device)
    })
  )

  it.effect("an update answered without a body is read back", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([new Response(null, { status: 204 }), Response.json(device)])
      expect(yield* update(graph, { model: "X" })).toEqual(device)
      expect(graph.requests.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
        `PATCH ${devicePath}`,
        `GET ${devicePath}`
      ])
    })
  )

  it.effect("one that was acknowledged was made, whether it can be read back or not, and says what is known", () =>
    Effect.gen(function* () {
      const acknowledgements = [
        () => new Response(null, { status: 204 }),
        ...[200, 201, 202].map((status) => () => new Response("", { status })),
        ...[{}, null, { "@odata.context": "x" }].map((body) => () => Response.json(body))
      ]
      const readings: ReadonlyArray<() => FakeAnswer> = [
        () => errorResponse(403, { code: "Forbidden", message: "No." }),
        () => errorResponse(404, {}),
        () => new Response("<html>", { status: 200 }),
        () => new Response("", { status: 200 })
      ]
      for (const acknowledged of acknowledgements) {
        for (const read of readings) {
          const graph = fakeGraph([acknowledged(), read()])
          const changes = { model: "X", healthStatus: "unknownFutureValue" } as const
          expect(yield* update(graph, changes)).toEqual({ id: key.deviceId, model: "X", notReadBack: true })
          expect(graph.requests.map(({ method }) => method)).toEqual(["PATCH", "GET"])
        }
        const shown = fakeGraph([acknowledged(), Response.json(device)])
        expect(yield* update(shown, { model: "X" })).toEqual(device)
      }
    })
  )

  it.effect("a page in place of an answer acknowledges nothing", () =>
    Effect.gen(function* () {
      for (const page of [new Response("<html>"), Response.json([]), Response.json({ value: [] })]) {
        const error = yield* Effect.flip(update(fakeGraph([page]), { model: "X" }))
        expect(error).toMatchObject({ reason: { _tag: "Unreadable" }, outcomeUnknown: true, attempts: 1 })
      }
    })
  )

  it.effect("a body that does not fit is Invalid, names everything at once, and is not sent", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([])
      const body = unchecked({ autopilotRegistered: true, windowsScore: 101, healthStatus: null })
      const error = yield* Effect.flip(update(graph, body, { metricId: "allDevices", deviceId: ".." }))
      expect(error).toMatchObject({
        method: "PATCH",
        attempts: 0,
        path: `${metricsPath}/{metricId}/metricDevices/{deviceId}`
      })
      const { issues } = error.reason as Invalid
      expect(issues.map(({ path, code }) => [path, code])).toEqual([
        ["deviceId", "malformedText"],
        ["autopilotRegistered", "unknownProperty"],
        ["windowsScore", "scoreOutOfRange"],
        ["healthStatus", "nullNotAllowed"]
      ])
      expect(error.message).toBe(issues.map((issue) => issue.message).join("; "))
      expect(graph.requests).toEqual([])
    })
  )

  it.effect.each([{}, null, [], { deviceName: undefined }, "{}"])("%j is Invalid", (body) =>
    Effect.gen(function* () {
      expect((yield* Effect.flip(update(fakeGraph([]), unchecked(body)))).reason).toBeInstanceOf(Invalid)
    })
  )
})

describe("keys", () => {
  it.effect.each(["", ".", "..", "\ud800", 7, null, {}])("%j is refused before sending", (bad) =>
    Effect.gen(function* () {
      const graph = fakeGraph([])
      const deviceId = bad as string
      const read = GraphClient.use((client) => client.getDevice({ metricId: deviceId, deviceId }))
      const error = yield* Effect.flip(read).pipe(Effect.provide(clientOf(graph)))
      expect((error.reason as Invalid).issues.map(({ path }) => path)).toEqual(["metricId", "deviceId"])
      expect((yield* Effect.flip(list(graph, {}, deviceId))).reason).toBeInstanceOf(Invalid)
      expect(graph.requests).toEqual([])
    })
  )

  it.effect(
    "any other key arrives as it is, in its own segment, and in parentheses only where it would be read as a name",
    () =>
      Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(
            fc.oneof(
              fc.string({ unit: "grapheme", minLength: 1 }),
              fc.constantFrom(
                "%2F",
                "a/b",
                "..%2f",
                "x('y')",
                "%2e%2e",
                "a b+c",
                "?$top=1",
                "#",
                "\\",
                "$batch",
                "$count",
                "$'(",
                "\0"
              )
            ),
            async (deviceId) => {
              fc.pre(deviceId.isWellFormed() && deviceId !== "." && deviceId !== "..")
              const graph = fakeGraph([Response.json(device)])
              await Effect.runPromise(update(graph, { model: "X" }, { metricId: deviceId, deviceId }))
              const pathname = graph.requests[0]?.url.pathname ?? ""
              const segments = pathname.split("/").map(decodeURIComponent)
              if (deviceId.startsWith("$")) {
                const quoted = `('${deviceId.replaceAll("'", "''")}')`
                expect(segments.slice(3)).toEqual([`${metricsName}${quoted}`, `metricDevices${quoted}`])
              } else {
                expect(pathname).not.toMatch(/[()']/)
                expect(segments.slice(4)).toEqual([deviceId, "metricDevices", deviceId])
              }
              expect(graph.requests[0]?.url.search).toBe("")
            }
          )
        )
      )
  )
})

const metricsName = "userExperienceAnalyticsWorkFromAnywhereMetrics"

const rows = (count: number, from = 0) => Array.from({ length: count }, (_, row) => ({ id: String(from + row) }))

const root = "https://graph.example"

/** A page of devices with the link to the next, when there is one. */
const page = (value: ReadonlyArray<unknown>, nextLink?: string) =>
  Response.json({ value, ...(nextLink === undefined ? {} : { "@odata.nextLink": nextLink }) })

describe("listDevices", () => {
  it.effect("follows each next link as it came until there is none, over empty pages too", () =>
    Effect.gen(function* () {
      const links = [
        `${root}${collectionPath}?$skiptoken=a%2Bb%20c`,
        `${root}${metricsPath}('allDevices')/metricDevices?%24skiptoken=d'e`,
        `${root}${metricsPath}(%27allDevices%27)/metricDevices?$skiptoken=f`
      ]
      const graph = fakeGraph([
        page(rows(2), links[0]),
        page([], links[1]),
        page(rows(1, 2), links[2]),
        page(rows(1, 3))
      ])
      expect(yield* list(graph)).toEqual(rows(4))
      expect(graph.requests.map(({ url }) => url.href)).toEqual([
        `${root}${collectionPath}`,
        ...links.map((link) => new URL(link).href)
      ])
    })
  )

  it.effect(
    "select and top become query options, but a top above the largest page does not, since it may be refused or cut",
    () =>
      Effect.gen(function* () {
        const graph = fakeGraph(() => page([]))
        yield* list(graph, { select: ["id", "deviceName", "id"], top: 5_000 })
        yield* list(graph, { select: [], top: 7 })
        expect(graph.requests.map(({ url }) => url.search)).toEqual(["?$select=id,deviceName", "?$top=7"])
      })
  )

  it.effect("top ends the list, and no page beyond it is fetched", () =>
    Effect.gen(function* () {
      const next = `${root}${collectionPath}?$skiptoken=`
      const graph = fakeGraph([page(rows(999), `${next}1`), page(rows(1, 999), `${next}2`)])
      expect(yield* list(graph, { top: 1000 })).toEqual(rows(1000))
      expect(graph.requests.length).toBe(2)
    })
  )

  it.effect("pages are fetched as rows are asked for", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([page(rows(2), `${root}${collectionPath}?$skiptoken=x`)])
      const first = GraphClient.use((client) => Stream.runHead(client.listDevices("allDevices")))
      yield* Effect.provide(first, clientOf(graph))
      expect(graph.requests.length).toBe(1)
    })
  )

  it.effect.each([
    `https://elsewhere.example${collectionPath}?$skiptoken=x`,
    `http://graph.example${collectionPath}?$skiptoken=x`,
    `https://graph.example:8443${collectionPath}?$skiptoken=x`,
    `https://graph.example@elsewhere.example${collectionPath}?$skiptoken=x`,
    `//elsewhere.example${collectionPath}`,
    `${root}/beta/me`,
    `${root}/v1.0${collectionPath.slice("/beta".length)}`,
    `${root}${metricsPath}/devicePerformance/metricDevices?$skiptoken=x`,
    `${root}${metricsPath}('devicePerformance')/metricDevices?$skiptoken=x`,
    `${root}${collectionPath}/../../../metricDevices`,
    `${root}${collectionPath}/%zz`,
    "https://"
  ])("the next link %s is not followed: the rows so far come, then Incomplete", (link) =>
    Effect.gen(function* () {
      const graph = fakeGraph([page(rows(3), link)])
      const delivered: Array<unknown> = []
      const devices = GraphClient.use((client) =>
        Stream.runForEach(client.listDevices("allDevices"), (row) => Effect.sync(() => delivered.push(row)))
      )
      const error = yield* Effect.flip(devices).pipe(Effect.provide(clientOf(graph)))
      expect(delivered).toEqual(rows(3))
      expect(error.reason).toEqual(new Incomplete({ why: "nextLinkElsewhere", devicesSeen: 3 }))
      expect(graph.requests.length).toBe(1)
    })
  )

  it.effect("a next link that leads back is Incomplete", () =>
    Effect.gen(function* () {
      const [a, b] = ["a", "b"].map((token) => `${root}${collectionPath}?$skiptoken=${token}`)
      const graph = fakeGraph([page(rows(1), a), page(rows(1, 1), b), page(rows(1, 2), a)])
      const error = yield* Effect.flip(list(graph))
      expect(error.reason).toEqual(new Incomplete({ why: "nextLinkRepeated", devicesSeen: 3 }))
      expect(error).toMatchObject({ status: 200, path: collectionPath })
    })
  )

  it.effect("a page that fails fails the list", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([page(rows(1), `${root}${collectionPath}?$skiptoken=x`), errorResponse(410, {})])
      expect(yield* Effect.flip(list(graph))).toMatchObject({ status: 410, reason: { _tag: "Rejected" } })
    })
  )

  it.effect.each([{ value: device }, { value: [], "@odata.nextLink": 7 }, device, null, 7])(
    "%j is Unreadable as a page",
    (body) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(list(fakeGraph([Response.json(body)])))
        expect(error.reason._tag).toBe("Unreadable")
      })
  )

  it.effect("wrong options are Invalid and not sent", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([])
      for (const top of [0, -1, 1.5, Number.NaN, Infinity]) {
        expect((yield* Effect.flip(list(graph, { top }))).reason).toMatchObject({ issues: [{ path: "top" }] })
      }
      const error = yield* Effect.flip(list(graph, { select: ["id", "devicename" as PropertyName] }))
      expect(error.reason).toMatchObject({ issues: [{ path: "devicename", suggestion: "deviceName" }] })
      expect(graph.requests).toEqual([])
    })
  )
})
