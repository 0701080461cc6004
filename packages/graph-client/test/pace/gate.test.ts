import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import { publishedBudget, timesAsFast } from "../../src/index.ts"
import { GraphError, Throttled } from "../../src/facts/graph-error.ts"
import { CurrentFlow, type Ended, type Gate, type Pass, type Ration, TooLate, gatesOf } from "../../src/pace/gate.ts"

const whole: Ration = { budget: publishedBudget, share: 1, longestWaitMillis: Infinity }
const unlimited: Ration = { ...whole, budget: undefined }

const identity = (changes: { readonly tenant?: string; readonly app?: string } = {}) => ({
  origin: "https://graph.example",
  tenant: "one",
  app: "one",
  ...changes
})

const writes = (ration = whole, who = identity()) => gatesOf(who, ration).at("write")
const forever = { cost: 1, withinMillis: Infinity }

/** Goes through and notes when. */
const through = (gate: Gate, times: Array<number>, terms = forever, lastsMillis = 0) =>
  gate.through(terms, () =>
    Effect.andThen(
      Effect.map(Clock.currentTimeMillis, (now) => void times.push(now)),
      lastsMillis === 0 ? Effect.void : Effect.sleep(lastsMillis)
    )
  )

/** Eight at a time, until all four hundred are through. */
const many = (gate: Gate, times: Array<number>) =>
  Effect.forkChild(Effect.forEach(Array(400).fill(0), () => through(gate, times), { concurrency: 8 }))

/** What a service says that asks everyone to wait. */
const askedToWait = (waitMillis: number): ReadonlyArray<Ended> => {
  const sent = { method: "PATCH", path: "/", template: "/", clientRequestId: "", attempts: 1, waitedMillis: 0 } as const
  const reason = new Throttled({ retryAfterSeconds: waitMillis / 1_000 })
  return [{ error: new GraphError({ ...sent, status: 429, message: "", reason }), waitMillis }]
}

const closing = (gate: Gate, millis: number) =>
  gate.through(forever, (pass: Pass) => Effect.sync(() => pass.answered(askedToWait(millis))))

const mostWithin = (times: ReadonlyArray<number>, windowMillis: number): number => {
  const sorted = times.toSorted((one, other) => one - other)
  let [most, first] = [0, 0]
  for (const [index, time] of sorted.entries()) {
    while ((sorted[first] ?? time) <= time - windowMillis) first += 1
    most = Math.max(most, index - first + 1)
  }
  return most
}

describe("the budget", () => {
  it("no window of the service holds more than the limit, wherever on its way a request is counted", async () => {
    const trip = fc.record({ there: fc.integer({ min: 0, max: 3_000 }), back: fc.integer({ min: 0, max: 3_000 }) })
    const trips = fc.array(trip, { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(trips, fc.constantFrom(1, 7, 20), async (all, cost) => {
        const counted: Array<number> = []
        const program = Effect.gen(function* () {
          const gate = yield* writes()
          const one = ({ back, there }: { readonly back: number; readonly there: number }) =>
            gate.through({ cost, withinMillis: Infinity }, () =>
              Effect.gen(function* () {
                yield* Effect.sleep(there)
                const now = yield* Clock.currentTimeMillis
                counted.push(...Array<number>(cost).fill(now))
                yield* Effect.sleep(back)
              })
            )
          const requests = Array.from(
            { length: Math.ceil(700 / cost) },
            (_, index) => all[index % all.length] ?? { there: 0, back: 0 }
          )
          const fiber = yield* Effect.forkChild(Effect.forEach(requests, one, { concurrency: 30 }))
          yield* TestClock.adjust("10 minutes")
          yield* Fiber.join(fiber)
        })
        await Effect.runPromise(program.pipe(Effect.provide(TestClock.layer()), Effect.scoped))
        expect(counted.length).toBeGreaterThanOrEqual(700)
        expect(mostWithin(counted, 20_000)).toBeLessThanOrEqual(200)
      }),
      { numRuns: 30 }
    )
  })

  it.effect("is used up: three thousand writes take no longer than three hundred seconds and one percent", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const gate = yield* writes()
      const fiber = yield* Effect.forkChild(
        Effect.forEach(Array(3_000).fill(0), () => through(gate, times, forever, 40), {
          concurrency: 16,
          discard: true
        })
      )
      yield* TestClock.adjust("303 seconds")
      expect(fiber.pollUnsafe()).toBeDefined()
      expect(mostWithin(times, 20_000)).toBe(200)
    })
  )

  it.effect("what is sent is spread evenly, but for a tenth of it after a pause", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const gate = yield* writes()
      yield* Effect.forkChild(
        Effect.forEach(Array(300).fill(0), () => through(gate, times), { concurrency: 16, discard: true })
      )
      yield* TestClock.adjust("60 seconds")
      expect(mostWithin(times, 1)).toBeLessThanOrEqual(21)
      expect(mostWithin(times, 1_000)).toBeLessThanOrEqual(31)
    })
  )

  it.effect("a batch counts as much as its items, and is not passed by what came after it", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const gate = yield* writes()
      for (let index = 0; index < 10; index++) {
        yield* Effect.forkChild(through(gate, times, { ...forever, cost: 20 }))
      }
      yield* Effect.forkChild(through(gate, times))
      yield* TestClock.adjust("1 minute")
      expect(times.slice(0, 4)).toEqual([0, 0, 2_000, 4_000])
      expect(times.at(-1)).toBe(Math.max(...times))
      expect(times.length).toBe(11)
    })
  )

  it.effect("a share of it is kept, and counts as part of the whole", () =>
    Effect.gen(function* () {
      const [half, all]: [Array<number>, Array<number>] = [[], []]
      const halfGate = yield* writes({ ...whole, budget: publishedBudget, share: 0.5 })
      const wholeGate = yield* writes()
      yield* many(halfGate, half)
      yield* many(wholeGate, all)
      yield* TestClock.adjust("10 minutes")
      expect(half.length + all.length).toBe(800)
      expect(mostWithin(half, 20_000)).toBeLessThanOrEqual(100)
      expect(mostWithin([...half, ...all], 20_000)).toBeLessThanOrEqual(200)
    })
  )

  it.effect("all apps of a tenant together keep to the tenant's", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      for (const app of ["one", "two", "three"]) {
        const gate = yield* writes(whole, identity({ app }))
        yield* Effect.forkChild(Effect.forEach(Array(300).fill(0), () => through(gate, times), { concurrency: 8 }))
      }
      yield* TestClock.adjust("10 minutes")
      expect(times.length).toBe(900)
      expect(mostWithin(times, 20_000)).toBe(400)
    })
  )

  it.effect("a service that runs faster is used faster", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const gate = yield* writes({ ...whole, budget: timesAsFast(publishedBudget, 10), share: 1 })
      yield* Effect.forkChild(Effect.forEach(Array(1_000).fill(0), () => through(gate, times), { concurrency: 8 }))
      yield* TestClock.adjust("10100 millis")
      expect(times.length).toBe(1_000)
      expect(mostWithin(times, 2_000)).toBe(200)
    })
  )
})

describe("the line", () => {
  it.effect("everybody is served in the order of arrival", () =>
    Effect.gen(function* () {
      const order: Array<number> = []
      const gate = yield* writes()
      yield* closing(gate, 1_000)
      for (let index = 0; index < 30; index++) {
        yield* Effect.forkChild(gate.through(forever, () => Effect.sync(() => order.push(index))))
        yield* Effect.yieldNow
      }
      yield* TestClock.adjust("1 minute")
      expect(order).toEqual(Array.from({ length: 30 }, (_, index) => index))
    })
  )

  it.effect("who leaves it frees the place at once", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const gate = yield* writes()
      yield* through(gate, [], { ...forever, cost: 20 })
      yield* through(gate, [], { ...forever, cost: 20 })
      const leaving = yield* Effect.forkChild(through(gate, times, { ...forever, cost: 20 }))
      const first = yield* Effect.forkChild(through(gate, times))
      yield* TestClock.adjust("1 second")
      expect(gate.pacing()).toMatchObject({ queued: 21 })
      yield* Fiber.interrupt(leaving)
      expect(gate.pacing()).toMatchObject({ queued: 1 })
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      expect(times).toEqual([2_000])
    })
  )

  it.effect("a request that is interrupted under way gives its place back", () =>
    Effect.gen(function* () {
      const gate = yield* writes()
      const fiber = yield* Effect.forkChild(gate.through(forever, () => Effect.never))
      yield* TestClock.adjust(1)
      expect(gate.pacing()).toMatchObject({ inFlight: 1 })
      yield* Fiber.interrupt(fiber)
      expect(gate.pacing()).toMatchObject({ inFlight: 0, queued: 0 })
    })
  )

  it.effect("who would be served too late is told so at once, with the time it would take", () =>
    Effect.gen(function* () {
      const gate = yield* writes()
      yield* closing(gate, 30_000)
      const error = yield* Effect.flip(through(gate, [], { cost: 1, withinMillis: 30_000 }))
      expect(error).toEqual(new TooLate({ waitMillis: 30_000 }))
      yield* Effect.forkChild(through(gate, [], { cost: 20, withinMillis: 30_001 }))
      yield* Effect.yieldNow
      const behind = yield* Effect.flip(through(gate, [], { cost: 1, withinMillis: 30_001 }))
      expect(behind.waitMillis).toBeGreaterThan(30_001)
    })
  )
})

const of = (name: string, mostWaiting = Infinity) => Effect.provideService(CurrentFlow, { name, mostWaiting })

interface Served {
  readonly flow: string
  readonly turn: number
  readonly cost: number
  readonly at: number
}

/** All wait while the gate is closed, and are noted as they go through when it opens again. */
const servedInOrder = (flows: ReadonlyArray<readonly [flow: string, costs: ReadonlyArray<number>]>) =>
  Effect.gen(function* () {
    const served: Array<Served> = []
    const gate = yield* writes()
    yield* closing(gate, 1_000)
    for (const [flow, costs] of flows) {
      for (const [turn, cost] of costs.entries()) {
        const noted = Effect.map(Clock.currentTimeMillis, (at) => void served.push({ flow, turn, cost, at }))
        yield* Effect.forkChild(of(flow)(gate.through({ cost, withinMillis: Infinity }, () => noted)))
        yield* Effect.yieldNow
      }
    }
    yield* TestClock.adjust("10 hours")
    return served
  })

describe("flows that share a gate", () => {
  it("are served alike by cost, each in its own order, and within the budget, however much each of them sends", async () => {
    const costs = fc.array(fc.constantFrom(1, 1, 1, 4, 20), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(fc.array(costs, { minLength: 2, maxLength: 6 }), async (all) => {
        const flows = all.map((each, index) => [`flow ${index}`, each] as const)
        const served = await Effect.runPromise(
          servedInOrder(flows).pipe(Effect.provide(TestClock.layer()), Effect.scoped)
        )
        const counted = served.flatMap(({ at, cost }) => Array<number>(cost).fill(at))
        expect(mostWithin(counted, 20_000)).toBeLessThanOrEqual(200)
        for (const [name, each] of flows) {
          const own = served.filter(({ flow }) => flow === name)
          expect(own.map(({ turn }) => turn)).toEqual(each.map((_, turn) => turn))
        }
        for (const [one, ofOne] of flows) {
          for (const [other, ofOther] of flows) {
            if (one >= other) continue
            const end = Math.min(
              served.findLastIndex(({ flow }) => flow === one),
              served.findLastIndex(({ flow }) => flow === other)
            )
            let [lead, least, most] = [0, 0, 0]
            for (const { cost, flow } of served.slice(0, end)) {
              lead += flow === one ? cost : flow === other ? -cost : 0
              least = Math.min(least, lead)
              most = Math.max(most, lead)
            }
            expect(most - least).toBeLessThanOrEqual(Math.max(...ofOne) + Math.max(...ofOther))
          }
        }
      }),
      { numRuns: 100 }
    )
  })

  it.effect("keep one that comes with a single request waiting for no more than one of each other's", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const gate = yield* writes()
      const note = (flow: string) => of(flow)(gate.through(forever, () => Effect.sync(() => order.push(flow))))
      yield* closing(gate, 1_000)
      for (const flow of ["a", "b", "c"]) {
        yield* Effect.forkChild(Effect.forEach(Array(100).fill(flow), note, { concurrency: "unbounded" }))
      }
      yield* TestClock.adjust("20 seconds")
      const before = order.length
      expect(before).toBeGreaterThan(10)
      yield* Effect.forkChild(note("single"))
      yield* TestClock.adjust("1 minute")
      expect(order.indexOf("single") - before).toBeLessThanOrEqual(3)
    })
  )

  it.effect("do not starve a large batch by many that come with one request each", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const gate = yield* writes()
      const note = (flow: string, cost = 1) =>
        of(flow)(gate.through({ ...forever, cost }, () => Effect.sync(() => order.push(flow))))
      yield* closing(gate, 1_000)
      yield* Effect.forkChild(note("batch", 20))
      yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 1_000 }, (_, index) => `single ${index}`),
          (flow) => note(flow),
          { concurrency: 4 }
        )
      )
      yield* TestClock.adjust("1 hour")
      expect(order.length).toBe(1_001)
      expect(order.indexOf("batch")).toBeLessThanOrEqual(20 * 4)
    })
  )

  it.effect("have a line of limited length each, and what comes on top of it fails at once", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const gate = yield* writes()
      yield* closing(gate, 5_000)
      const note = of("a", 3)(through(gate, times))
      yield* Effect.forkChild(Effect.all([note, note, note], { concurrency: 3 }))
      yield* TestClock.adjust(1)
      const error = yield* Effect.flip(note)
      expect(error.waitMillis).toBeGreaterThan(5_000)
      yield* Effect.forkChild(of("b", 3)(through(gate, times)))
      yield* TestClock.adjust("1 minute")
      expect(times.length).toBe(4)
    })
  )

  it.effect("are told when their time is up in the line", () =>
    Effect.gen(function* () {
      const gate = yield* writes()
      for (let index = 0; index < 3; index++) yield* Effect.forkChild(through(gate, [], { ...forever, cost: 20 }))
      const late = yield* Effect.forkChild(Effect.flip(through(gate, [], { cost: 20, withinMillis: 3_000 })))
      const early = yield* Effect.forkChild(of("other")(through(gate, [], { cost: 1, withinMillis: 3_000 })))
      yield* TestClock.adjust(3_000)
      yield* Fiber.join(early)
      expect(yield* Fiber.join(late)).toBeInstanceOf(TooLate)
      expect(gate.pacing()).toMatchObject({ queued: 0 })
    })
  )
})

describe("being asked to slow down", () => {
  it.effect("closes the gate for everyone until the longest wait is over, to the millisecond", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const gate = yield* writes()
      const asked = (millis: number) =>
        gate.through(forever, (pass) =>
          Effect.andThen(
            Effect.sleep(10),
            Effect.sync(() => pass.answered(askedToWait(millis)))
          )
        )
      yield* Effect.forkChild(Effect.forEach([10_000, 25_000, 5_000], asked, { concurrency: 3 }))
      yield* TestClock.adjust(10)
      yield* Effect.forkChild(through(gate, times))
      yield* TestClock.adjust(24_999)
      expect(times).toEqual([])
      yield* TestClock.adjust(1)
      expect(times).toEqual([25_010])
    })
  )

  it.effect("ends the wait of those whose time does not reach that far, and of no others", () =>
    Effect.gen(function* () {
      const gate = yield* writes()
      const passes: Array<Pass> = []
      const underWay = gate.through({ ...forever, cost: 40 }, (pass) => {
        passes.push(pass)
        return Effect.sleep("1 second")
      })
      yield* Effect.forkChild(underWay)
      const short = yield* Effect.forkChild(Effect.flip(through(gate, [], { cost: 1, withinMillis: 60_000 })))
      const long = yield* Effect.forkChild(through(gate, [], { cost: 1, withinMillis: 7_200_000 }))
      yield* TestClock.adjust("1 second")
      passes[0]?.answered(askedToWait(3_600_000))
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(short)).toEqual(new TooLate({ waitMillis: 3_600_000 }))
      expect(long.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust(3_600_000)
      yield* Fiber.join(long)
    })
  )

  it.effect("lowers the rate, which comes back gradually and then to the whole", () =>
    Effect.gen(function* () {
      const gate = yield* writes()
      expect(gate.pacing()).toMatchObject({ perSecond: 10, learnedShare: 1 })
      yield* closing(gate, 5_000)
      expect(gate.pacing()).toMatchObject({ perSecond: 0, closedForMillis: 5_000 })
      const rates: Array<number> = []
      for (let index = 0; index < 5; index++) {
        yield* TestClock.adjust("5 seconds")
        rates.push(gate.pacing().perSecond)
      }
      expect(rates[0]).toBeCloseTo(1.75)
      expect(rates).toEqual(rates.toSorted((one, other) => one - other))
      expect(rates[4]).toBeCloseTo(7)
      yield* TestClock.adjust("5 minutes")
      expect(gate.pacing()).toMatchObject({ perSecond: 10, learnedShare: 1 })
    })
  )

  it.effect("counts once for all that were under way together", () =>
    Effect.gen(function* () {
      const gate = yield* writes()
      const one = gate.through(forever, (pass) =>
        Effect.andThen(
          Effect.sleep(100),
          Effect.sync(() => pass.answered(askedToWait(1_000)))
        )
      )
      yield* Effect.forkChild(Effect.all([one, one, one], { concurrency: 3 }))
      yield* TestClock.adjust("1 second")
      expect(gate.pacing().learnedShare).toBeCloseTo(0.7)
    })
  )

  it.effect("again and again ends at a twentieth of the budget, never at nothing", () =>
    Effect.gen(function* () {
      const gate = yield* writes()
      for (let index = 0; index < 30; index++) yield* Effect.forkChild(closing(gate, 100))
      yield* TestClock.adjust("10 minutes")
      for (let index = 0; index < 30; index++) {
        yield* Effect.forkChild(closing(gate, 0))
        yield* TestClock.adjust("10 seconds")
      }
      expect(gate.pacing().learnedShare).toBeGreaterThanOrEqual(0.05)
    })
  )

  it.effect("leaves the other kind of request alone, and other tenants", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      yield* closing(yield* writes(), 60_000)
      yield* through(yield* gatesOf(identity(), whole).at("read"), times)
      yield* through(yield* writes(whole, identity({ tenant: "two" })), times)
      expect(times).toEqual([0, 0])
    })
  )

  it.effect("closes the gate without a budget too, and lets requests through faster and faster afterwards", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const gate = yield* writes(unlimited)
      yield* Effect.forEach(Array(500).fill(0), () => through(gate, times))
      expect(new Set(times)).toEqual(new Set([0]))
      yield* closing(gate, 2_000)
      times.length = 0
      yield* Effect.forkChild(Effect.forEach(Array(2_000).fill(0), () => through(gate, times), { concurrency: 100 }))
      yield* TestClock.adjust("12 seconds")
      expect(times[0]).toBe(2_000)
      expect(times.filter((time) => time < 3_000).length).toBeLessThan(25)
      expect(times.length).toBe(2_000)
    })
  )
})
