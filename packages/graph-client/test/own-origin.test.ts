import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as fc from "fast-check"
import { describe } from "vitest"
import { GraphClient } from "../src/index.ts"
import { settingsOf } from "../src/send/options.ts"
import { fakeGraph } from "../src/testing.ts"
import { clientOf, collectionPath } from "./fixtures.ts"

const own = "https://graph.example"

/** What `URL` takes away, or takes for something else, and some that it does not. */
const stray = fc.constantFrom("", " ", "\t", "\n", "\r", "\0", "\u001F", "\u00A0", "\u200B", "\uFEFF", "\\", "/", "x")

/** The text with something in the middle of it. */
const strewn = (text: string): fc.Arbitrary<string> =>
  fc.tuple(fc.nat({ max: text.length }), stray).map(([at, what]) => text.slice(0, at) + what + text.slice(at))

const hostile = fc
  .tuple(
    stray,
    fc.constantFrom("http:", "https:", "HTTPS:", "file:", "javascript:", "data:", "").chain(strewn),
    fc.constantFrom("//", "/", "\\\\", "/\\", "///", ""),
    fc
      .constantFrom("graph.example", "elsewhere.example", "graph.example@elsewhere.example", "graph.example:8080", "")
      .chain(strewn),
    fc.constantFrom(collectionPath, `/${collectionPath}`, "//elsewhere.example/", "?$skiptoken=a", ""),
    stray
  )
  .map((parts) => parts.join(""))

/** A list whose first page goes on at the link. */
const listedFrom = (link: string) =>
  Effect.gen(function* () {
    const graph = fakeGraph((_, index) =>
      Response.json({ value: [{ id: String(index) }], ...(index === 0 ? { "@odata.nextLink": link } : {}) })
    )
    const layer = clientOf(graph, { token: Redacted.make("secret") })
    const client = yield* Effect.provide(GraphClient, layer)
    const pages = yield* Effect.result(Stream.runCollect(client.listDevicePages("allDevices")))
    return { pages, asked: graph.requests.map(({ url }) => url) }
  })

describe("the origin of the root", () => {
  it("is the only one that is asked, with a token or without, however a next link is spelled", async () => {
    let followed = 0
    await fc.assert(
      fc.asyncProperty(hostile, async (link) => {
        const { asked, pages } = await Effect.runPromise(listedFrom(link))
        followed += asked.length - 1
        for (const { origin, pathname } of asked) expect([origin, pathname]).toEqual([own, collectionPath])
        const checkpoints = pages._tag === "Success" ? pages.success.flatMap(({ checkpoint = [] }) => checkpoint) : []
        for (const { nextLink } of checkpoints) {
          expect(nextLink.startsWith(`${own}${collectionPath}`)).toBe(true)
          expect(new URL(nextLink).href).toBe(nextLink)
        }
      }),
      { numRuns: 1_000, examples: [[`\t${own}${collectionPath}?$skiptoken=a`]] }
    )
    expect(followed).toBeGreaterThan(0)
  })

  it.effect.each([
    ` ${own}${collectionPath}?$skiptoken=a`,
    `ht\ttps://graph.example${collectionPath}?$skiptoken=a`,
    `https:\\\\graph.example${collectionPath}?$skiptoken=a`,
    "?$skiptoken=a"
  ])("is where %j leads, and the checkpoint says so plainly", (link) =>
    Effect.gen(function* () {
      const { asked, pages } = yield* listedFrom(link)
      expect(asked).toHaveLength(2)
      expect(pages).toMatchObject({
        success: [{ checkpoint: { nextLink: `${own}${collectionPath}?$skiptoken=a` } }, {}]
      })
    })
  )

  it("is https, on this machine, or named by the caller, however the root is spelled", () => {
    let taken = 0
    fc.assert(
      fc.property(
        fc.oneof(
          hostile,
          hostile.map((text) => `${text}/beta`)
        ),
        (baseUrl) => {
          const settings = settingsOf({ baseUrl, insecureOrigins: ["http://graph.example"] })
          if ("problems" in settings) return
          taken += 1
          const { origin } = settings
          expect(new URL(origin).origin).toBe(origin)
          expect(origin.startsWith("https://") || origin === "http://graph.example").toBe(true)
          expect(new URL(`${origin}${settings.root}/x`).origin).toBe(origin)
        }
      ),
      { numRuns: 2_000 }
    )
    expect(taken).toBeGreaterThan(0)
  })
})
