import type { KeyedDevice } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import type * as Duration from "effect/Duration"
import { GraphClient, type GraphClientOptions } from "../src/index.ts"
import type { FakeGraph } from "../src/testing.ts"

/** A device as the live service showed one (docs/fidelity.md, source P1). */
export const device: KeyedDevice = {
  id: "0f5c2d1e-1111-4222-8333-944455556666",
  deviceId: null,
  deviceName: "PC-014",
  manufacturer: "Contoso",
  upgradeEligibility: "upgraded",
  workFromAnywhereScore: null,
  healthStatus: "unknown"
}

export const key = { metricId: "allDevices", deviceId: device.id }

export const metricsPath = "/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics"
export const collectionPath = `${metricsPath}/allDevices/metricDevices`
export const devicePath = `${collectionPath}/${device.id}`

export const baseUrl = "https://graph.example/beta"

const tenants = new WeakMap<FakeGraph, string>()

/** A tenant for each fake, because clients of one tenant share a gate, which one fake would close for another. */
const tenantOf = (graph: FakeGraph): string => {
  const tenant = tenants.get(graph) ?? crypto.randomUUID()
  tenants.set(graph, tenant)
  return tenant
}

/** The client over a fake Graph. */
export const clientOf = (graph: FakeGraph, options: Partial<GraphClientOptions> = {}) =>
  GraphClient.layer({ baseUrl, tenant: tenantOf(graph), ...options }).pipe(Layer.provide(graph.layer), Layer.orDie)

/** TestClock moves time, but does not wait for promises such as those of `fetch`: this does. */
export const settled = Effect.promise(async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
})

/** Moves time, with everything before and after it settled. */
export const advance = (duration: Duration.Input) =>
  settled.pipe(Effect.andThen(TestClock.adjust(duration)), Effect.andThen(settled))
