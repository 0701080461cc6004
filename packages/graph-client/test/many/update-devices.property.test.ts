import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import { type DeviceChange, GraphClient, publishedBudget } from "../../src/index.ts"
import { errorResponse } from "../../src/testing.ts"
import { type EnvelopeFault, type ItemFault, batchService } from "../batch-service.ts"
import { advance, clientOf } from "../fixtures.ts"

const itemFault: fc.Arbitrary<ItemFault | undefined> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  fc.constant("missing" as const),
  fc.record({ status: fc.constant(429), retryAfter: fc.constantFrom("1", "7", "40") }),
  fc.constantFrom({ status: 429 }, { status: 503 }, { status: 424 }, { status: 400 }, { status: 404 }),
  fc.constantFrom({ status: 504 }, { status: 504, isMade: true }, { status: 500, isMade: true }, { status: 502 })
)

/** Answers are made anew each time, because a body can be read once only. */
const envelopeFault: fc.Arbitrary<(() => EnvelopeFault) | undefined> = fc.oneof(
  { weight: 8, arbitrary: fc.constant(undefined) },
  fc.constantFrom(
    () => ({ answer: errorResponse(429, {}, { "retry-after": "9" }), retryAfter: 9 }),
    () => ({ answer: errorResponse(429, {}) }),
    () => ({ answer: errorResponse(503, {}) }),
    () => ({ answer: errorResponse(413, {}) }),
    () => ({ answer: errorResponse(400, {}) }),
    () => ({ answer: errorResponse(424, {}) })
  ),
  fc.boolean().chain((isMade) =>
    fc.constantFrom(
      () => ({ isMade, answer: errorResponse(504, {}) }),
      () => ({ isMade, answer: errorResponse(500, {}) }),
      () => ({ isMade, answer: "connectionLost" as const }),
      () => ({ isMade, answer: "hang" as const }),
      () => ({ isMade, answer: new Response('{"responses":[{"id":"1","sta') }),
      () => ({ isMade, answer: new Response("<html>", { status: 200 }) })
    )
  )
)

const script = fc.record({
  count: fc.integer({ min: 1, max: 45 }),
  devices: fc.integer({ min: 3, max: 60 }),
  items: fc.array(itemFault, { minLength: 1, maxLength: 40 }),
  envelopes: fc.array(envelopeFault, { minLength: 1, maxLength: 12 }),
  reads: fc.array(fc.constantFrom(200, 200, 404, 503, 400), { minLength: 1, maxLength: 5 }),
  mode: fc.constantFrom("auto" as const, "batch" as const, "single" as const),
  skipEqual: fc.boolean()
})

const changeAt = (index: number, devices: number): DeviceChange => ({
  metricId: "allDevices",
  deviceId: `device-${index % devices}`,
  update: { model: `model ${index}` }
})

type Run = typeof script extends fc.Arbitrary<infer One> ? One : never

const play = Effect.fnUntraced(function* ({ count, devices, envelopes, items, mode, reads, skipEqual }: Run) {
  const clock = yield* Clock.Clock
  let [item, read] = [0, 0]
  const service = batchService(
    {
      item: () => items[item++ % items.length],
      envelope: (index) => envelopes[index]?.(),
      read: () => {
        const status = reads[read++ % reads.length] ?? 200
        return status === 200 ? undefined : errorResponse(status, {})
      }
    },
    () => clock.currentTimeMillisUnsafe()
  )
  const changes = Array.from({ length: count }, (_, index) => changeAt(index, devices))
  const program = GraphClient.use((client) =>
    Stream.runCollect(client.updateDevices(Stream.fromIterable(changes), { mode, skipEqual }))
  ).pipe(Effect.provide(clientOf(service.graph, { budget: publishedBudget })))
  const running = yield* Effect.forkChild(program)
  // At the worst, 45 changes are each refused five times with a wait of 40 seconds, one after the other.
  for (let turn = 0; turn < 6_000 && running.pollUnsafe() === undefined; turn++) yield* advance("2 seconds")
  const exit = running.pollUnsafe()
  if (exit === undefined) throw new Error("it does not end")
  return { service, changes, outcomes: yield* exit }
})

it("whatever fails: one outcome for each change, the right one, in order, and nothing sent while asked to wait", async () => {
  await fc.assert(
    fc.asyncProperty(script, async (run) => {
      const { changes, outcomes, service } = await Effect.runPromise(
        play(run).pipe(Effect.provide(TestClock.layer()), Effect.scoped)
      )
      expect(outcomes.length).toBe(changes.length)
      expect(new Set(outcomes.map(({ change }) => change))).toEqual(new Set(changes))
      const acknowledged = JSON.stringify([...service.acknowledged.values()])
      const made = JSON.stringify(service.made)
      for (const { change, kind } of outcomes) {
        const text = JSON.stringify(change.update)
        const [isAcknowledged, isMade] = [acknowledged.includes(text), made.includes(text)]
        expect({ text, kind, isAcknowledged, isMade }).toSatisfy(
          () => (kind === "updated" || !isAcknowledged) && (kind !== "updated" || isMade)
        )
      }
      for (const bodies of service.received.values()) {
        const numbers = bodies.map((body) => Number((body as { model: string }).model.split(" ")[1]))
        expect(numbers).toEqual(numbers.toSorted((one, other) => one - other))
      }
      expect(service.tooEarly).toEqual([])
      for (const { body, method } of service.graph.requests) {
        const items = method === "POST" ? (body as { readonly requests: ReadonlyArray<{ url: string }> }).requests : []
        expect(new Set(items.map(({ url }) => url)).size).toBe(items.length)
      }
    }),
    { numRuns: 40 }
  )
})
