import { applyUpdate, changes, propertyNames } from "@workanywhere/domain"
import { GraphClient, type WrittenDevice } from "@workanywhere/graph-client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { targetClient } from "../../config.ts"
import { changeColumns, deviceColumns, formatFor, jsonOf, write, writeError, writeRows } from "../../output.ts"
import { unknownOutcome } from "../../exit.ts"
import { updateBody } from "../../update-body.ts"
import { root } from "../root.ts"
import { deviceId } from "./get.ts"

export const update = Command.make(
  "update",
  {
    id: deviceId,
    set: Flag.String("set").pipe(
      Flag.withDescription("A property and its new value, null to clear it; may be repeated, and wins over --file"),
      Flag.withMetavar("name=value"),
      Flag.atLeast(0)
    ),
    file: Flag.String("file").pipe(
      Flag.withDescription("The body of the update as a JSON file; - reads standard input"),
      Flag.withMetavar("body.json"),
      Flag.optional
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Show what would change, old and new, and send nothing"),
      Flag.withDefault(false)
    )
  },
  ({ dryRun, file, id, set }) =>
    Effect.gen(function* () {
      const flags = yield* root
      const format = yield* formatFor(flags.output)
      const forPeople = format === "table" || format === "md"
      const body = yield* updateBody({ file: Option.getOrUndefined(file), set })
      const client = yield* GraphClient
      const key = { metricId: flags.metric, deviceId: id }
      // Programs get the device that the service answers with; what it was before is only read for those who see it.
      const before = dryRun || forPeople ? yield* client.getDevice(key) : undefined
      const sent = Effect.onInterrupt(client.updateDevice(key, body), () =>
        writeError(`wfa: interrupted. ${unknownOutcome}`)
      )
      const after: WrittenDevice = dryRun && before !== undefined ? applyUpdate(before, body) : yield* sent
      const changed = before === undefined ? [] : changes(before, after)

      if (dryRun && format === "json") {
        yield* write(`${JSON.stringify({ id, changes: changed }, undefined, 2)}\n`)
      } else if (dryRun || forPeople) {
        yield* writeRows(format, changeColumns, Stream.fromIterable(changed))
      } else if (format === "json") {
        yield* write(`${jsonOf(after, 2)}\n`)
      } else {
        yield* writeRows(format, deviceColumns(propertyNames), Stream.make(after))
      }

      const unchanged = before !== undefined && changed.length === 0
      if (after.notReadBack === true) {
        yield* writeError(`${id}: updated, but it could not be read back: what is shown is what was sent.`)
      } else if (dryRun) yield* writeError(unchanged ? "Dry run: nothing would change." : "Dry run: nothing was sent.")
      else if (forPeople) {
        yield* writeError(
          unchanged
            ? `${id}: sent; it already had these values.`
            : `${id}: ${changed.length === 1 ? "1 property" : `${changed.length} properties`} changed.`
        )
      }
    }).pipe(Effect.provide(targetClient))
).pipe(
  Command.withDescription(
    "Update one device and show what changed. Properties that are not named stay as they are. Needs DeviceManagementConfiguration.ReadWrite.All or DeviceManagementManagedDevices.ReadWrite.All."
  ),
  Command.withExamples([
    {
      command:
        "wfa device update 83d5adfc-adfc-83d5-fcad-d583fcadd583 --set ownership=Corporate --set windowsScore=100",
      description: "Set two properties"
    },
    {
      command: "wfa device update 83d5adfc-adfc-83d5-fcad-d583fcadd583 --file body.json --dry-run",
      description: "See what a body would change"
    }
  ])
)
