import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { type DeviceChange, GraphClient, type GraphClientOptions, type UpdateDevicesOptions } from "../src/index.ts"
import { type FakeGraph } from "../src/testing.ts"
import { batchService } from "./batch-service.ts"
import { advance, clientOf } from "./fixtures.ts"

const changesOf = (count: number): ReadonlyArray<DeviceChange> =>
  Array.from({ length: count }, (_, index) => ({
    metricId: "allDevices",
    deviceId: `device-${index}`,
    update: { windowsScore: index % 100, ownership: "Corporate" }
  }))

const run = (
  graph: FakeGraph,
  changes: ReadonlyArray<DeviceChange>,
  options: UpdateDevicesOptions = {},
  client: Partial<GraphClientOptions> = {}
) =>
  GraphClient.use((it) => Stream.runCollect(it.updateDevices(Stream.fromIterable(changes), options))).pipe(
    Effect.provide(clientOf(graph, client))
  )

const finished = Effect.fnUntraced(function* <A, E>(fiber: Fiber.Fiber<A, E>) {
  for (let turn = 0; turn < 400 && fiber.pollUnsafe() === undefined; turn++) yield* advance("5 seconds")
  return yield* Fiber.join(fiber)
})

describe("updateDevices", () => {
  it.effect("gives one outcome for each device, in batches of twenty", () =>
    Effect.gen(function* () {
      const service = batchService()
      const outcomes = yield* finished(yield* Effect.forkChild(run(service.graph, changesOf(45), { mode: "batch" })))
      expect(outcomes.map(({ kind }) => kind)).toEqual(Array(45).fill("updated"))
      expect(service.batchSizes).toEqual([20, 20, 5])
    })
  )
})
