import { describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { type Limiter, fixedWindow, slidingWindow, tokenBucket } from "../../bench/limiters.ts"
import { type Simulated, simulated } from "./simulation.ts"

const result = (options: Simulated) => Effect.runPromise(simulated(options))

interface Service {
  readonly limiter: () => Limiter
  readonly perSecond: number
  readonly burst: number
}

const buckets: fc.Arbitrary<Service> = fc
  .record({ perSecond: fc.integer({ min: 20, max: 200 }), seconds: fc.double({ min: 0.5, max: 3, noNaN: true }) })
  .map(({ perSecond, seconds }) => {
    const burst = Math.ceil(perSecond * seconds)
    return { limiter: () => tokenBucket(() => perSecond, burst), perSecond, burst }
  })

const windows: fc.Arbitrary<Service> = fc
  .record({
    perSecond: fc.integer({ min: 20, max: 200 }),
    windowMillis: fc.integer({ min: 500, max: 5_000 }),
    make: fc.constantFrom(fixedWindow, slidingWindow)
  })
  .map(({ make, perSecond, windowMillis }) => {
    const limit = Math.ceil((perSecond * windowMillis) / 1_000)
    return { limiter: () => make(limit, windowMillis), perSecond, burst: limit }
  })

const manners = {
  seed: fc.integer(),
  batch: fc.constantFrom(1, 20),
  latencyMillis: fc.integer({ min: 2, max: 200 }),
  unavailable: fc.constantFrom(0, 0.01),
  flows: fc.constantFrom(1, 3)
}

interface Drawn {
  readonly service: Service
  readonly seed: number
  readonly batch: number
  readonly latencyMillis: number
  readonly unavailable: number
  readonly flows: number
}

const run = ({ service, ...rest }: Drawn, seconds: number) =>
  result({ ...rest, limiter: service.limiter(), items: service.burst + Math.ceil(service.perSecond * seconds) })

const runs = { numRuns: Number(process.env["PACE_RUNS"] ?? 10) }

describe("a service that does not tell its limit", () => {
  it("has everything sent in no more than twice its own time, where a bucket holds half a second or more", async () => {
    await fc.assert(
      fc.asyncProperty(fc.record({ service: buckets, ...manners }), async (drawn) => {
        const { isDone, seconds } = await run(drawn, 8)
        expect(isDone).toBe(true)
        expect(seconds).toBeLessThan(8 * 2 + 6)
      }),
      runs
    )
  })

  it("has everything sent in no more than twice its own time, whatever window it counts in", async () => {
    await fc.assert(
      fc.asyncProperty(fc.record({ service: windows, ...manners }), async (drawn) => {
        const { isDone, seconds } = await run(drawn, 8)
        expect(isDone).toBe(true)
        expect(seconds).toBeLessThan(8 * 2 + 6)
      }),
      runs
    )
  })

  it("is sent nothing in the time for which it asked everybody to wait", async () => {
    await fc.assert(
      fc.asyncProperty(fc.record({ service: fc.oneof(buckets, windows), ...manners }), async (drawn) => {
        expect((await run(drawn, 6)).sentWhileClosed).toBe(0)
      }),
      runs
    )
  })

  it("lets no flow starve: none gets more than three requests ahead of another", async () => {
    await fc.assert(
      fc.asyncProperty(fc.record({ service: fc.oneof(buckets, windows), ...manners }), async (drawn) => {
        expect((await run({ ...drawn, flows: 3 }, 6)).mostAhead).toBeLessThanOrEqual(3 * drawn.batch)
      }),
      runs
    )
  })
})
