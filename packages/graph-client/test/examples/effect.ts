import { GraphClient } from "@workanywhere/graph-client"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"

const program = Effect.gen(function* () {
  const graph = yield* GraphClient

  const key = { metricId: "allDevices", deviceId: "83d5adfc-adfc-83d5-fcad-d583fcadd583" }
  const device = yield* graph.updateDevice(key, { ownership: "Corporate", windowsScore: 75 })
  yield* Console.log(`${device.deviceName} is ${device.ownership}, with a Windows score of ${device.windowsScore}`)

  const devices = graph.listDevices("allDevices", { select: ["deviceName", "upgradeEligibility"] })
  yield* Stream.runForEach(devices, (row) => Console.log(`${row.deviceName}: ${row.upgradeEligibility}`))
}).pipe(
  Effect.catchReason("GraphError", "NotFound", () => Console.log("there is no such device")),
  Effect.catchReason("GraphError", "Throttled", ({ retryAfterSeconds }) => Console.log(`wait ${retryAfterSeconds} s`))
)

const client = GraphClient.layer({
  baseUrl: "https://graph.microsoft.com/beta",
  token: Redacted.make(process.env["GRAPH_TOKEN"] ?? "")
})

await Effect.runPromise(Effect.provide(program, Layer.provide(client, FetchHttpClient.layer)))
