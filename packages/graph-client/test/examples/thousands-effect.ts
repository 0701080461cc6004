import { type DeviceOutcome, GraphClient } from "@workanywhere/graph-client"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"

const changes = (count: number) =>
  Stream.map(Stream.range(0, count - 1), (number) => ({
    metricId: "allDevices",
    deviceId: `device-${number}`,
    update: { ownership: "Corporate" }
  }))

const count = 10_000
const counts = { updated: 0, unchanged: 0, refused: 0, failed: 0, unknown: 0 }
const again: Array<DeviceOutcome> = []
let done = 0

const note = (outcome: DeviceOutcome) => {
  counts[outcome.kind] += 1
  if (outcome.kind === "failed" || outcome.kind === "unknown") again.push(outcome)
  done += 1
  if (outcome.kind === "refused") return Console.log(`${outcome.change.deviceId}: ${outcome.error.reason._tag}`)
  return done % 2_500 === 0 ? Console.log(`${done} of ${count}`) : Effect.void
}

const program = Effect.gen(function* () {
  const graph = yield* GraphClient
  yield* Stream.runForEach(graph.updateDevices(changes(count)), note)
  const late = graph.updateDevices(Stream.fromIterable(again.map(({ change }) => change)))
  yield* Stream.runForEach(late, ({ kind }) => Effect.sync(() => (counts[kind] += 1)))
  yield* Console.log(counts, `${again.length} tried again`)
})

const client = GraphClient.layerFetch({
  baseUrl: "https://graph.microsoft.com/beta",
  token: Redacted.make(process.env["GRAPH_TOKEN"] ?? ""),
  // Half of the published limits, which leaves the other half to others; a rehearsal need not wait for half an hour.
  budget: process.env["REHEARSAL"] === "yes" ? "unlimited" : 0.5
})

await Effect.runPromise(Effect.provide(program, client))
