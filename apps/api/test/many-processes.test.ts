import type { Page, WholeDevice } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { devicesPath, jsonRequest, storeRoom } from "./opened.ts"
import { running } from "./process.ts"

// Several processes work for a while in each of these, and the machine may be busy.
const options = { timeout: 120_000 }

/** One writer for each of these: it counts in the property, and nobody else writes it. */
const counters = ["serialNumber", "manufacturer", "model"] as const

type Counts = readonly [number, number, number]

const countsOf = (device: WholeDevice): Counts =>
  counters.map((name) => Number(device[name]?.replace(/^n/, "") ?? 0)) as unknown as Counts

const total = (counts: Counts): number => counts[0] + counts[1] + counts[2]

const atLeast = (a: Counts, b: Counts): boolean => a.every((count, index) => count >= (b[index] ?? 0))

const bodyOf = async <A>(response: Response): Promise<A> => {
  expect(response.status).toBe(200)
  return (await response.json()) as A
}

const walked = async (url: string): Promise<ReadonlyArray<WholeDevice>> => {
  const devices: Array<WholeDevice> = []
  for (let next: string | undefined = url; next !== undefined;) {
    const page: Page<WholeDevice> = await bodyOf(await fetch(next))
    devices.push(...page.value)
    next = page["@odata.nextLink"]
  }
  return devices
}

/** What was seen of one device: the counts in the answers to updates, and those of reads with what was known before. */
interface Seen {
  readonly written: Array<Counts>
  readonly read: Array<{ readonly counts: Counts; readonly known: Counts }>
}

const synthetic = { WFA_FLEET: "40" }
const rounds = 12

/**
 * Every property of a device is written with each update, so an update that did not see another would undo it. All
 * counts of a device together then tell the one order in which its updates took place.
 */
const mixedLoad = async (urls: ReadonlyArray<string>) => {
  const [first = ""] = urls
  const before = await walked(`${first}${devicesPath}`)
  const ids = before.map(({ id }) => id)
  const seen = new Map<string, Seen>(ids.map((id) => [id, { written: [], read: [] }]))
  const zero = new Map(before.map((device) => [device.id, device]))
  const acknowledged = new Map<string, [number, number, number]>(ids.map((id) => [id, [0, 0, 0]]))
  const known = (id: string): Counts => [...(acknowledged.get(id) ?? [0, 0, 0])] as unknown as Counts

  // The synthetic devices have texts there.
  for (const id of ids) {
    const cleared = Object.fromEntries(counters.map((name) => [name, null]))
    await bodyOf(await fetch(`${first}${devicesPath}/${id}`, jsonRequest("PATCH", cleared)))
  }

  const load = { writing: true }
  const writers = counters.flatMap((name, writer) =>
    ids.map(async (id) => {
      for (let round = 1; round <= rounds; round++) {
        // Each update through another process than the one before.
        const url = urls[(writer + round) % urls.length] ?? first
        const response = await fetch(`${url}${devicesPath}/${id}`, jsonRequest("PATCH", { [name]: `n${round}` }))
        const counts = countsOf(await bodyOf<WholeDevice>(response))
        expect(counts[writer]).toBe(round)
        seen.get(id)?.written.push(counts)
        const acknowledgedOf = acknowledged.get(id)
        if (acknowledgedOf !== undefined) acknowledgedOf[writer] = round
      }
    })
  )
  const readers = urls.map(async (url, index) => {
    for (let turn = index; load.writing; turn++) {
      const id = ids[turn % ids.length] ?? ""
      const knownBefore = known(id)
      const device: WholeDevice = await bodyOf(await fetch(`${url}${devicesPath}/${id}`))
      seen.get(id)?.read.push({ counts: countsOf(device), known: knownBefore })
    }
  })
  const walkers = urls.map(async (url) => {
    do {
      const knownBefore = new Map(ids.map((id) => [id, known(id)]))
      const devices = await walked(`${url}${devicesPath}?$top=7`)
      expect(devices.map(({ id }) => id)).toEqual(ids)
      for (const device of devices) {
        seen.get(device.id)?.read.push({ counts: countsOf(device), known: knownBefore.get(device.id) ?? [0, 0, 0] })
      }
    } while (load.writing)
  })
  await Promise.all(writers)
  load.writing = false
  await Promise.all([...readers, ...walkers])
  return { seen, zero }
}

describe("several services over one store", () => {
  it.for(["postgres", "file"] as const)(
    "apply the updates of a device one after the other: in %s",
    options,
    async (kind) => {
      await using room = await storeRoom(kind)
      const env = { ...synthetic, WFA_STORE: room.store }
      // All at once: they also make the tables and the fleet together.
      const services = await Promise.all([running(env), running(env), running(env)])
      try {
        const urls = services.map(({ url }) => url)
        const { seen, zero } = await mixedLoad(urls)
        for (const { written, read } of seen.values()) {
          // One after the other: each update added one to one count of the state that the one before it had left.
          const states = written.toSorted((a, b) => total(a) - total(b))
          expect(states.map(total)).toEqual(states.map((_, index) => index + 1))
          for (const [index, state] of states.entries())
            expect(atLeast(state, states[index - 1] ?? [0, 0, 0])).toBe(true)
          const texts = new Set(["0,0,0", ...states.map(String)])
          for (const { counts, known } of read) {
            expect(texts).toContain(String(counts))
            expect(atLeast(counts, known)).toBe(true)
          }
        }
        for (const url of urls) {
          for (const device of await walked(`${url}${devicesPath}`)) {
            const counted = Object.fromEntries(counters.map((name) => [name, `n${rounds}`]))
            expect(device).toEqual({ ...zero.get(device.id), ...counted })
          }
        }
      } finally {
        for (const service of services) await service[Symbol.asyncDispose]()
      }
    }
  )
})
