import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { expectTypeOf } from "vitest"
import {
  type Checkpoint,
  GraphClient,
  Incomplete,
  type ListOptions,
  type ListPage,
  type PageOptions,
  filter
} from "../../src/index.ts"
import { type FakeGraph, errorResponse, fakeGraph } from "../../src/testing.ts"
import { clientOf, collectionPath } from "../fixtures.ts"

const rows = (count: number, from = 0) => Array.from({ length: count }, (_, row) => ({ id: String(from + row) }))

const linkTo = (token: string | number) => `https://graph.example${collectionPath}?$skiptoken=${token}`

const page = (value: ReadonlyArray<unknown>, next?: string | number, count?: number) =>
  Response.json({
    value,
    ...(count === undefined ? {} : { "@odata.count": count }),
    ...(next === undefined ? {} : { "@odata.nextLink": linkTo(next) })
  })

/** Everything that a list delivers, and how it ends. */
const listed = (graph: FakeGraph, options?: ListOptions) =>
  Effect.gen(function* () {
    const delivered: Array<unknown> = []
    const client = yield* GraphClient
    const all = Stream.runForEach(client.listDevices("allDevices", options), (row) =>
      Effect.sync(() => delivered.push(row))
    )
    return { end: yield* Effect.result(all), delivered }
  }).pipe(Effect.provide(clientOf(graph)))

/** The same by pages. */
const paged = (graph: FakeGraph, options?: PageOptions) =>
  Effect.gen(function* () {
    const delivered: Array<ListPage<unknown>> = []
    const client = yield* GraphClient
    const all = Stream.runForEach(client.listDevicePages("allDevices", options), (found) =>
      Effect.sync(() => delivered.push(found))
    )
    return { end: yield* Effect.result(all), delivered }
  }).pipe(Effect.provide(clientOf(graph)))

const searches = (graph: FakeGraph) => graph.requests.map(({ url }) => decodeURIComponent(url.search))

describe("options", () => {
  it.effect("all become the query, escaped, and a size of page a preference on every page", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([page(rows(1), "x"), page(rows(1, 1))])
      yield* listed(graph, {
        select: ["deviceName"],
        orderBy: ["osVersion desc", "deviceName"],
        filter: filter.eq("model", "O'Brien & Söhne + 50%"),
        pageSize: 50
      })
      expect(graph.requests[0]?.url.search).toBe(
        "?$select=id,deviceName&$orderby=osVersion%20desc,deviceName" +
          "&$filter=model%20eq%20%27O%27%27Brien%20%26%20S%C3%B6hne%20%2B%2050%25%27"
      )
      expect(graph.requests.map(({ headers }) => headers.get("prefer"))).toEqual([
        "include-unknown-enum-members, odata.maxpagesize=50",
        "include-unknown-enum-members, odata.maxpagesize=50"
      ])
    })
  )

  it.effect("a filter may be OData's own text", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([page([])])
      yield* listed(graph, { filter: "windowsScore lt 50" })
      expect(searches(graph)).toEqual(["?$filter=windowsScore lt 50"])
    })
  )

  it.effect.each<{ options: ListOptions; path: string }>([
    { options: { filter: " " }, path: "filter" },
    { options: { filter: "\ud800" }, path: "filter" },
    { options: { filter: filter.and() }, path: "filter" },
    { options: { filter: filter.eq("modle" as "model", "X") }, path: "modle" },
    { options: { filter: 7 as unknown as string }, path: "filter" },
    { options: { filter: null as unknown as string }, path: "filter" },
    { options: { orderBy: ["model up" as "model asc"] }, path: "orderBy" },
    { options: { orderBy: [7 as unknown as "model asc"] }, path: "7" },
    { options: { orderBy: ["modle desc" as "model desc"] }, path: "modle" },
    { options: { pageSize: 0 }, path: "pageSize" },
    { options: { expectedCount: -1 }, path: "expectedCount" },
    { options: { resumeFrom: { nextLink: "https://elsewhere.example/", rowsSeen: 1 } }, path: "resumeFrom" }
  ])("$options is Invalid and not sent", ({ options, path }) =>
    Effect.gen(function* () {
      const graph = fakeGraph([])
      const { end } = yield* listed(graph, options)
      expect(end).toMatchObject({ failure: { reason: { _tag: "Invalid", issues: [{ path }] } } })
      expect(graph.requests).toEqual([])
    })
  )

  it.effect("selected properties narrow the type of the rows, and the key that proves the list is not delivered", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([page([{ id: "1", model: "X" }])])
      const client = yield* Effect.provide(GraphClient, clientOf(graph))
      const found = yield* Stream.runCollect(client.listDevices("allDevices", { select: ["model"] }))
      expectTypeOf(found).toEqualTypeOf<Array<{ readonly model?: string | null }>>()
      expect(found).toEqual([{ model: "X" }])
    })
  )
})

describe("a list that is not whole", () => {
  it.effect("a page that comes again under another address ends it, and its rows are not delivered twice", () =>
    Effect.gen(function* () {
      const graph = fakeGraph((_, index) => page(rows(2, (index % 2) * 2), index))
      const { delivered, end } = yield* listed(graph)
      expect(delivered).toEqual(rows(4))
      expect(end).toMatchObject({ failure: { reason: new Incomplete({ why: "pageRepeated", devicesSeen: 4 }) } })
      expect(graph.requests.length).toBe(3)
    })
  )

  it.effect("empty pages are followed, but not without end", () =>
    Effect.gen(function* () {
      const { end } = yield* listed(fakeGraph((_, index) => (index < 99 ? page([], index) : page(rows(1)))))
      expect(end._tag).toBe("Success")
      const endless = fakeGraph((_, index) => page([], index))
      expect((yield* listed(endless)).end).toMatchObject({ failure: { reason: { why: "pagesEmpty", devicesSeen: 0 } } })
      expect(endless.requests.length).toBe(100)
    })
  )

  it.effect.each([
    { what: "fewer rows than the service counts", count: 3, options: {} },
    { what: "more rows than the service counts", count: 1, options: {} },
    { what: "a count beside an empty list, as one sibling was seen to answer", count: 2, value: [], options: {} },
    { what: "no row where 0 were not asked for but expected", count: 0, options: { expectedCount: 3 } },
    { what: "rows where 0 were counted on demand", count: 0, options: { count: true } }
  ])("$what: Incomplete", ({ count, options, value = rows(2) }) =>
    Effect.gen(function* () {
      const { delivered, end } = yield* listed(fakeGraph([page(value, undefined, count)]), options)
      expect(delivered).toEqual(value)
      expect(end).toMatchObject({ failure: { reason: { why: "countDiffers", devicesSeen: value.length } } })
    })
  )

  it.effect.each<{ what: string; counts: ReadonlyArray<number | undefined>; options: ListOptions }>([
    { what: "the count fits", counts: [2, undefined], options: { count: true } },
    { what: "the count changes while others write, from above", counts: [3, 2], options: { count: true } },
    { what: "the count changes while others write, from below", counts: [1, 3], options: { count: true } },
    { what: "0 comes beside rows unasked", counts: [0, 0], options: {} },
    { what: "the expected number comes, whatever the service counts", counts: [9, 9], options: { expectedCount: 2 } },
    { what: "it was wanted shorter than the count", counts: [900, 900], options: { count: true, top: 2 } }
  ])("a list is whole where $what", ({ counts, options }) =>
    Effect.gen(function* () {
      const graph = fakeGraph([page(rows(1), "x", counts[0]), page(rows(1, 1), undefined, counts[1])])
      const { delivered, end } = yield* listed(graph, options)
      expect(end._tag).toBe("Success")
      expect(delivered).toEqual(rows(2))
    })
  )

  it.effect("duplicates are counted when asked, and do not stand in for rows that are missing", () =>
    Effect.gen(function* () {
      const pages = [page(rows(3), "x", 4), page(rows(1, 2))]
      const again = fakeGraph(pages.map((answer) => answer.clone()))
      const { delivered, end } = yield* paged(fakeGraph(pages), { countDuplicates: true })
      expect(delivered.map(({ duplicates }) => duplicates)).toEqual([0, 1])
      const reason = new Incomplete({ why: "countDiffers", devicesSeen: 4, devicesExpected: 4, duplicates: 1 })
      expect(end).toMatchObject({ failure: { reason } })
      expect((yield* paged(again)).delivered.map((found) => "duplicates" in found)).toEqual([false, false])
    })
  )
})

describe("a count where it is served", () => {
  const options = { count: "whereServed" } as const

  it.effect("is asked for and compared, and the last page says that the list is proven", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([page(rows(2), "x", 3), page(rows(1, 2), undefined, 3)])
      const { delivered, end } = yield* paged(graph, options)
      expect(end._tag).toBe("Success")
      expect(searches(graph)[0]).toBe("?$count=true")
      expect(delivered.map(({ isProven }) => isProven)).toEqual([undefined, true])
      for (const short of [page(rows(2), undefined, 3), page([...rows(2), ...rows(1)], undefined, 3)]) {
        expect((yield* paged(fakeGraph([short]), options)).end).toMatchObject({
          failure: { reason: { why: "countDiffers", devicesExpected: 3 } }
        })
      }
    })
  )

  it.effect.each([400, 500, 501])("is left out of what is asked of a service that answers it with %i", (status) =>
    Effect.gen(function* () {
      const graph = fakeGraph([errorResponse(status, { code: "Odd" }), page(rows(2), "x"), page(rows(1, 2))])
      const { delivered, end } = yield* paged(graph, { ...options, select: ["model"] })
      expect(end._tag).toBe("Success")
      expect(searches(graph).slice(0, 2)).toEqual(["?$select=id,model&$count=true", "?$select=id,model"])
      expect(delivered.map(({ isProven }) => isProven)).toEqual([undefined, false])
    })
  )

  it.effect("does not hide what else is wrong with the request, or with the service", () =>
    Effect.gen(function* () {
      const refused = fakeGraph(() => errorResponse(400, { code: "BadRequest", message: "No such filter." }))
      expect((yield* paged(refused, options)).end).toMatchObject({ failure: { message: "No such filter." } })
      const forbidden = fakeGraph(() => errorResponse(403, {}))
      expect((yield* paged(forbidden, options)).end).toMatchObject({ failure: { reason: { _tag: "Forbidden" } } })
      expect(forbidden.requests.length).toBe(1)
    })
  )

  it.effect("proves the rows of a service that gives them only to who does not count", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([page([], undefined, 2), page(rows(2))])
      expect((yield* paged(graph, options)).delivered.map(({ isProven }) => isProven)).toEqual([true])
      const missing = fakeGraph([page([], undefined, 2), page(rows(1))])
      expect((yield* paged(missing, options)).end).toMatchObject({ failure: { reason: { why: "countDiffers" } } })
    })
  )

  it.effect("is no proof where it is not given, or given as 0 beside rows, nor of a list that was cut short", () =>
    Effect.gen(function* () {
      for (const count of [undefined, 0]) {
        const { delivered, end } = yield* paged(fakeGraph([page(rows(2), undefined, count)]), options)
        expect([end._tag, delivered[0]?.isProven]).toEqual(["Success", false])
      }
      const { delivered } = yield* paged(fakeGraph([page(rows(2), "x", 9)]), { ...options, top: 2 })
      expect(delivered[0]).not.toHaveProperty("isProven")
      const known = yield* paged(fakeGraph([page(rows(2))]), { expectedCount: 2 })
      expect(known.delivered[0]?.isProven).toBe(true)
    })
  )
})

it.effect.each([null, ""])("a next link of %j is the end", (link) =>
  Effect.gen(function* () {
    const graph = fakeGraph([page(rows(1), "x"), Response.json({ value: rows(1, 1), "@odata.nextLink": link })])
    const { delivered, end } = yield* listed(graph)
    expect(end._tag).toBe("Success")
    expect(delivered).toEqual(rows(2))
  })
)

it.effect("a list goes on behind what passes on its way", () =>
  Effect.gen(function* () {
    const later = { "retry-after": "0" }
    const trouble = [408, 502, 503, 504, 509, 520].map((status) => errorResponse(status, {}, later))
    const called = errorResponse(500, { code: "UnknownError" }, later)
    for (const answer of [...trouble, called]) {
      const { delivered, end } = yield* listed(fakeGraph([page(rows(1), "x"), answer, page(rows(1, 1))]))
      expect(end._tag).toBe("Success")
      expect(delivered).toEqual(rows(2))
    }
  })
)

it.effect("rows that cannot be read fail a list by pages too, where they are not wanted", () =>
  Effect.gen(function* () {
    const graph = fakeGraph([page([...rows(1), { id: 7 }])])
    const { delivered, end } = yield* paged(graph, { refuseUnreadable: true })
    expect(delivered).toHaveLength(1)
    expect(end).toMatchObject({ failure: { reason: { why: "rowsUnreadable", unreadable: 1 } } })
  })
)

it.effect.each<{ options: ListOptions; counted: boolean }>([
  { options: { count: true }, counted: true },
  { options: { expectedCount: 4 }, counted: true },
  { options: { count: true, countDuplicates: false }, counted: false },
  { options: {}, counted: false }
])("with $options a repeated row is told from a new one: $counted", ({ counted, options }) =>
  Effect.gen(function* () {
    const { delivered, end } = yield* paged(fakeGraph([page(rows(3), "x", 4), page(rows(1, 2))]), options)
    expect(delivered.at(-1)?.duplicates).toBe(counted ? 1 : undefined)
    expect(end).toMatchObject(counted ? { failure: { reason: { why: "countDiffers" } } } : { _tag: "Success" })
    const whole = yield* paged(fakeGraph([page(rows(3), "x", 4), page(rows(2, 2))]), options)
    expect(whole.end._tag).toBe(counted ? "Success" : "Failure")
  })
)

describe("rows that cannot be read", () => {
  const odd = [{ id: "odd", windowsScore: "7" }, 7, null]

  it.effect("do not stop the list: the others come, and then Incomplete tells how many there were", () =>
    Effect.gen(function* () {
      const graph = fakeGraph([page([...rows(1), ...odd], "x"), page(rows(1, 1))])
      const { delivered, end } = yield* listed(graph)
      expect(delivered).toEqual(rows(2))
      const reason = new Incomplete({ why: "rowsUnreadable", devicesSeen: 5, unreadable: 3 })
      expect(end).toMatchObject({ failure: { message: "the list has rows that could not be read", reason } })
    })
  )

  it.effect("are shown by pages with their JSON, and the list is whole", () =>
    Effect.gen(function* () {
      const { delivered, end } = yield* paged(fakeGraph([page([...rows(1), ...odd])]))
      expect(end._tag).toBe("Success")
      expect(delivered[0]?.rows).toMatchObject([
        { kind: "row", value: { id: "0" } },
        ...odd.map((json) => ({ kind: "unreadable", json }))
      ])
      expect(delivered[0]?.rows[1]).toMatchObject({ message: expect.stringMatching(/^windowsScore: /) })
    })
  )
})

describe("checkpoints", () => {
  it.effect("a list that broke off goes on where its last page ended, and is proven from there", () =>
    Effect.gen(function* () {
      const broken = yield* paged(fakeGraph([page(rows(2), "a", 5), page(rows(2, 2), "b"), errorResponse(410, {})]))
      expect(broken.end).toMatchObject({ failure: { status: 410 } })
      const kept = JSON.stringify(broken.delivered.at(-1)?.checkpoint)
      expect(JSON.parse(kept)).toEqual({ nextLink: linkTo("b"), rowsSeen: 4 })

      const resumeFrom = JSON.parse(kept) as Checkpoint
      const graph = fakeGraph([page(rows(1, 4))])
      const { delivered, end } = yield* paged(graph, { resumeFrom, expectedCount: 5 })
      expect(end._tag).toBe("Success")
      expect(searches(graph)).toEqual(["?$skiptoken=b"])
      expect(delivered).toMatchObject([{ rowsSeen: 5, rows: [{ value: { id: "4" } }] }])
      expect(delivered[0]).not.toHaveProperty("checkpoint")

      const short = yield* paged(fakeGraph([page([])]), { resumeFrom, expectedCount: 5 })
      expect(short.end).toMatchObject({ failure: { reason: { why: "countDiffers", devicesSeen: 4 } } })
    })
  )

  it.effect("a next link that is not followed is no checkpoint", () =>
    Effect.gen(function* () {
      const elsewhere = Response.json({ value: rows(1), "@odata.nextLink": "https://elsewhere.example/beta" })
      const { delivered, end } = yield* paged(fakeGraph([elsewhere]))
      expect(delivered[0]).not.toHaveProperty("checkpoint")
      expect(end).toMatchObject({ failure: { reason: { why: "nextLinkElsewhere" } } })
    })
  )
})
