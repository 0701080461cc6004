import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { describe, expect, it } from "vitest"
import { GraphClient, type GraphClientOptions, GraphError } from "../../src/index.ts"
import { tokenFrom } from "../../src/promise.ts"
import { type FakeAnswer, errorResponse, fakeGraph } from "../../src/testing.ts"
import { baseUrl, device, key } from "../fixtures.ts"

type Client = GraphClient["Service"]

const read = (client: Client) => client.getDevice(key)
const update = (client: Client) => client.updateDevice(key, { windowsScore: 7 })
const create = (client: Client) => client.createDevice("allDevices", device)
const remove = (client: Client) => client.deleteDevice(key)

interface Case {
  readonly title: string
  readonly call: (client: Client) => Effect.Effect<unknown, unknown>
  readonly answers: () => ReadonlyArray<FakeAnswer>
  readonly options?: Partial<GraphClientOptions>
}

const answered = (status: number, headers: Readonly<Record<string, string>> = {}) =>
  errorResponse(status, { code: `code${status}`, message: `status ${status}` }, { "request-id": "r1", ...headers })
const atOnce = { "retry-after": "0" }
const fine = () => Response.json(device)
const nothing = () => new Response(null, { status: 204 })

const cases: ReadonlyArray<Case> = [
  { title: "a device", call: read, answers: () => [fine()] },
  { title: "an update", call: update, answers: () => [fine()] },
  { title: "an update without a body, which is read back", call: update, answers: () => [nothing(), fine()] },
  { title: "an update whose reading back is refused", call: update, answers: () => [nothing(), answered(403)] },
  { title: "a removal", call: remove, answers: () => [nothing()] },
  {
    title: "a removal that was lost, and is gone",
    call: remove,
    answers: () => [answered(504, atOnce), answered(404)]
  },
  { title: "a refusal", call: update, answers: () => [answered(400)] },
  { title: "a device that is not there", call: read, answers: () => [answered(404)] },
  { title: "a service that is away for a moment", call: read, answers: () => [answered(503, atOnce), fine()] },
  {
    title: "one that stays away",
    call: read,
    answers: () => [answered(503, atOnce), answered(503, atOnce)],
    options: { attempts: 2 }
  },
  {
    title: "a service that asks for time",
    call: update,
    answers: () => [answered(429, atOnce)],
    options: { attempts: 1 }
  },
  {
    title: "an answer that was lost, to an update",
    call: update,
    answers: () => ["connectionLost"],
    options: { attempts: 1 }
  },
  { title: "an answer that was lost, to a creation", call: create, answers: () => ["connectionLost"] },
  { title: "an answer in time that says it was too late, to a creation", call: create, answers: () => [answered(504)] },
  { title: "no body", call: read, answers: () => [new Response("")] },
  { title: "a page in place of JSON", call: update, answers: () => [new Response("<html>")] },
  { title: "JSON of another shape", call: read, answers: () => [Response.json({ id: 1 })] },
  {
    title: "a token that is refused",
    call: read,
    answers: () => [answered(401)],
    options: { token: Redacted.make("old") }
  },
  {
    title: "a token that is refused, and another one",
    call: read,
    answers: () => [fine(), answered(401), fine()],
    get options() {
      let count = 0
      return { token: tokenFrom(async () => `t${++count}`) }
    }
  }
]

/** Without what is different each time. */
const shown = (outcome: unknown) =>
  outcome instanceof GraphError
    ? Object.assign({}, outcome, { message: outcome.message, clientRequestId: "", waitedMillis: 0, date: "" })
    : outcome

/** What comes of calls, one after the other until the script is used up, and what went out. */
const outcomes = Effect.fnUntraced(function* ({ answers, call, options = {} }: Case) {
  const script = answers()
  const graph = fakeGraph(script)
  const tenant = crypto.randomUUID()
  const live = GraphClient.layerFetch({ baseUrl, attempts: 3, tenant, ...options }, graph.fetch)
  const all = Effect.gen(function* () {
    const client = yield* GraphClient
    const ended: Array<unknown> = []
    while (graph.requests.length < script.length) {
      ended.push(shown(yield* Effect.match(call(client), { onFailure: (e) => e, onSuccess: (a) => a })))
    }
    const gates = yield* Effect.all([Stream.runHead(client.pacing("read")), Stream.runHead(client.pacing("write"))])
    return {
      ended,
      gates: gates.flatMap(Option.toArray).map(({ inFlight, learnedShare }) => [inFlight, learnedShare < 1])
    }
  })
  return {
    ...(yield* Effect.provide(all, live)),
    sent: graph.requests.map(({ body, headers, method, url }) => [method, url.href, body, headers.get("authorization")])
  }
})

describe("a request that need not wait comes to the same as one that goes through all that waits:", () => {
  it.each(cases)("$title", async (one) => {
    const plain = await Effect.runPromise(outcomes(one))
    // By a clock of its own, everything goes through the parts that wait.
    const whole = await Effect.runPromise(Effect.provide(outcomes(one), TestClock.layer()))
    expect(plain).toEqual(whole)
  })
})

it("gives its place at the gate back, and ends its request, when it is interrupted", async () => {
  const graph = fakeGraph(["hang", fine()])
  let aborted = false
  const fetch: typeof globalThis.fetch = (input, init) => {
    init?.signal?.addEventListener("abort", () => (aborted = true))
    return graph.fetch(input, init)
  }
  await Effect.runPromise(
    Effect.gen(function* () {
      const client = yield* GraphClient
      const fiber = yield* Effect.forkChild(update(client))
      while (graph.requests.length === 0) yield* Effect.promise(() => new Promise(setImmediate))
      yield* Fiber.interrupt(fiber)
      expect(aborted).toBe(true)
      expect(yield* update(client)).toEqual(device)
    }).pipe(Effect.provide(GraphClient.layerFetch({ baseUrl, tenant: crypto.randomUUID() }, fetch)))
  )
})
