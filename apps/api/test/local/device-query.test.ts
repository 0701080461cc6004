import type { WholeDevice } from "@workanywhere/domain"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import type { DeviceStore } from "../../src/store/device-store.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import { type Key, condition, device, numbers, order, sorted, texts } from "../conditions.ts"
import { devicesPath, jsonRequest, openedApp, openedStore, standing, storeKinds, temporaryFolder } from "../opened.ts"

interface Answer {
  readonly "@odata.count"?: number
  readonly "@odata.nextLink"?: string
  readonly value: ReadonlyArray<{ readonly id: string }>
}

async function* yielded<A>(items: Iterable<A>): AsyncGenerator<A> {
  yield* items
}

const addressOf = (options: Readonly<Record<string, string | undefined>>): string =>
  `${devicesPath}?${Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value ?? "")}`)
    .join("&")}`

const orderText = (keys: ReadonlyArray<Key>): string | undefined =>
  keys.length === 0 ? undefined : keys.map(({ name, direction }) => name + direction).join(",")

const query = fc.record({
  filter: fc.option(condition),
  keys: order,
  size: fc.integer({ min: 1, max: 7 }),
  skip: fc.integer({ min: 0, max: 4 })
})

/** So that even a few devices take a scan several pieces, and several parts to leave out. */
const inSmallPieces = { firstPiece: 3, largestPiece: 4, mostInHand: 2 }

describe.each(storeKinds)("a list that is filtered, sorted and paged, with the store in %s", (kind) => {
  it("gives what a model in memory gives, and counts all of it on every page", { timeout: 60_000 }, async () => {
    const devices = fc.uniqueArray(device, { selector: ({ id }) => id, maxLength: 25 })
    const queries = fc.array(query, { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(devices, queries, async (rows, several) => {
        await using opened = await openedApp(kind, [], {}, inSmallPieces)
        await opened.store.fillEmpty(standing, yielded(rows))
        for (const { filter, keys, size, skip } of several) {
          const matches = sorted(rows, keys).filter((row) => filter === null || filter.holds(row) === true)
          const seen: Array<string> = []
          let next: string | undefined = addressOf({
            $filter: filter?.text,
            $orderby: orderText(keys),
            $top: String(size),
            $skip: skip === 0 ? undefined : String(skip),
            $count: "true"
          })
          while (next !== undefined) {
            const response = await opened.app.request(next)
            const page = (await response.json()) as Answer
            expect(page).toMatchObject({ "@odata.count": matches.length })
            expect(page.value.length).toBeLessThanOrEqual(size)
            seen.push(...page.value.map(({ id }) => id))
            next = page["@odata.nextLink"]
          }
          expect(seen).toEqual(matches.slice(skip).map(({ id }) => id))
        }
      }),
      { numRuns: kind === "memory" ? 100 : 20 }
    )
  })
})

/** What somebody else does between two pages of a walk. */
type Write =
  | { readonly does: "insert"; readonly device: WholeDevice }
  | { readonly does: "update"; readonly which: number; readonly model: string; readonly score: number }
  | { readonly does: "delete"; readonly which: number }

const write: fc.Arbitrary<Write> = fc.oneof(
  device.map((made): Write => ({ does: "insert", device: made })),
  fc.record({
    does: fc.constant("update" as const),
    which: fc.nat(99),
    model: fc.constantFrom(...texts),
    score: fc.constantFrom(...numbers)
  }),
  fc.nat(99).map((which): Write => ({ does: "delete", which }))
)

/** Does a write in a store of its own, and says which device it touched. */
const done = async (store: DeviceStore, rows: ReadonlyArray<WholeDevice>, task: Write): Promise<string | undefined> => {
  if (task.does === "insert") {
    await store.put(standing, [task.device], "keep")
    return undefined
  }
  const id = rows[task.which % rows.length]?.id ?? ""
  if (task.does === "delete") await store.remove(standing, id)
  else await store.update(standing, id, { model: task.model, windowsScore: task.score })
  return id
}

describe("a walk while others write", () => {
  it("meets every device that nobody touched exactly once, in any order", { timeout: 60_000 }, async () => {
    const devices = fc.uniqueArray(device, { selector: ({ id }) => id, minLength: 1, maxLength: 25 })
    await fc.assert(
      fc.asyncProperty(
        devices,
        order,
        fc.integer({ min: 1, max: 5 }),
        fc.array(write, { maxLength: 12 }),
        async (rows, keys, size, writes) => {
          await using folder = await temporaryFolder()
          const setting = `sqlite:${folder.path}/devices.sqlite` as const
          const store = await openedStore(setting, inSmallPieces)
          const others = await openDeviceStore(setting)
          await store.fillEmpty(standing, yielded(rows))
          const app = createApp({ store })
          const touched = new Set<string | undefined>()
          const seen: Array<string> = []
          const tasks = [...writes]
          let next: string | undefined = addressOf({ $orderby: orderText(keys), $top: String(size), $select: "id" })
          while (next !== undefined) {
            const page = (await (await app.request(next)).json()) as Answer
            seen.push(...page.value.map(({ id }) => id))
            next = page["@odata.nextLink"]
            for (const task of tasks.splice(0, 2)) touched.add(await done(others, rows, task))
          }
          await others.close()
          await store.close()
          const untouched = rows.filter(({ id }) => !touched.has(id))
          const ofThose = new Set(untouched.map(({ id }) => id))
          expect(seen.filter((id) => ofThose.has(id))).toEqual(sorted(untouched, keys).map(({ id }) => id))
        }
      ),
      { numRuns: 60 }
    )
  })

  it("does so over HTTP's routes while updates are in flight", async () => {
    const ids = Array.from({ length: 200 }, (_, index) => `d${String(index).padStart(3, "0")}`)
    await using opened = await openedApp("memory", ids)
    const moving = ids.filter((_, index) => index % 2 === 0)
    const seen: Array<string> = []
    let next: string | undefined = addressOf({ $orderby: "windowsScore desc,model", $top: "20", $select: "id" })
    for (let round = 0; next !== undefined; round++) {
      const updates = moving.map((id, index) =>
        opened.app.request(
          `${devicesPath}/${id}`,
          jsonRequest("PATCH", { windowsScore: (index * 7 + round * 13) % 101 })
        )
      )
      const [response] = await Promise.all([opened.app.request(next), ...updates])
      const page = (await response.json()) as Answer
      seen.push(...page.value.map(({ id }) => id))
      next = page["@odata.nextLink"]
    }
    const still = ids.filter((id) => !moving.includes(id))
    expect(seen.filter((id) => still.includes(id))).toEqual(still)
  })
})
