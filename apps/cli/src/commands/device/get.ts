import { GraphClient } from "@workanywhere/graph-client"
import { propertyNames } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import { targetClient } from "../../config.ts"
import { deviceColumns, formatFor, jsonOf, propertyColumns, write, writeRows } from "../../output.ts"
import { root } from "../root.ts"

export const deviceId = Argument.String("id").pipe(
  Argument.withDescription("Id of the device, as wfa device list shows it")
)

export const get = Command.make("get", { id: deviceId }, ({ id }) =>
  Effect.gen(function* () {
    const flags = yield* root
    const format = yield* formatFor(flags.output)
    const device = yield* GraphClient.use((client) => client.getDevice({ metricId: flags.metric, deviceId: id }))
    switch (format) {
      case "json":
        return yield* write(`${jsonOf(device, 2)}\n`)
      case "table":
      case "md":
        return yield* writeRows(format, propertyColumns(device), Stream.fromIterable(propertyNames))
      default:
        return yield* writeRows(format, deviceColumns(propertyNames), Stream.make(device))
    }
  }).pipe(Effect.provide(targetClient))
).pipe(
  Command.withDescription("Show one device with all its properties. Needs a Read.All permission of Intune devices."),
  Command.withExamples([
    { command: "wfa device get 83d5adfc-adfc-83d5-fcad-d583fcadd583", description: "Show a device" },
    { command: "wfa device get 83d5adfc-adfc-83d5-fcad-d583fcadd583 -o json", description: "The same as JSON" }
  ])
)
