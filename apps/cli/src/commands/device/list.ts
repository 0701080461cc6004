import { type PropertyName, nearMiss, property, propertyNames } from "@workanywhere/domain"
import { GraphClient } from "@workanywhere/graph-client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { targetClient } from "../../config.ts"
import { UsageError } from "../../failure.ts"
import { deviceColumns, formatFor, writeError, writeRows } from "../../output.ts"
import { root } from "../root.ts"

/** What fits a terminal and tells devices apart; every property is one `--select` away. */
const shownByDefault: ReadonlyArray<PropertyName> = [
  "id",
  "deviceName",
  "model",
  "osVersion",
  "upgradeEligibility",
  "workFromAnywhereScore",
  "healthStatus"
]

const isPropertyName = (name: string): name is PropertyName => property(name) !== undefined

const selected = (text: string): Effect.Effect<ReadonlyArray<PropertyName>, UsageError> => {
  const names = [...new Set(text.split(",").map((name) => name.trim()))]
  const wrong = names.filter((name) => !isPropertyName(name))
  if (wrong.length === 0) return Effect.succeed(names.filter(isPropertyName))
  const problems = wrong.map((name) => {
    const meant = nearMiss(name, propertyNames)
    return `"${name}" is not a property of a device${meant === undefined ? "" : `; did you mean ${meant}?`}`
  })
  return Effect.fail(
    new UsageError({ message: "--select names properties that do not exist; see wfa device schema", problems })
  )
}

export const list = Command.make(
  "list",
  {
    select: Flag.String("select").pipe(
      Flag.withDescription("Properties to fetch and show, separated by commas"),
      Flag.withMetavar("a,b"),
      Flag.optional
    ),
    top: Flag.Int("top").pipe(
      Flag.withDescription("Stop after this many devices"),
      Flag.withMetavar("n"),
      Flag.filter(
        (top) => top > 0,
        (top) => `--top takes a whole number from 1, got ${top}`
      ),
      Flag.optional
    )
  },
  ({ select, top }) =>
    Effect.gen(function* () {
      const flags = yield* root
      const format = yield* formatFor(flags.output)
      const forPeople = format === "table" || format === "md"
      const names = Option.isSome(select) ? yield* selected(select.value) : forPeople ? shownByDefault : undefined
      const devices = yield* GraphClient.useSync((client) =>
        client.listDevices(flags.metric, {
          ...(names === undefined ? {} : { select: names }),
          ...(Option.isSome(top) ? { top: top.value } : {})
        })
      )
      const count = yield* writeRows(format, deviceColumns(names ?? propertyNames), devices)
      if (forPeople) yield* writeError(count === 1 ? "1 device" : `${count} devices`)
    }).pipe(Effect.provide(targetClient))
).pipe(
  Command.withDescription("List the devices of a metric. Needs a Read.All permission of Intune devices."),
  Command.withAlias("ls"),
  Command.withExamples([
    { command: "wfa device list --top 10", description: "The first ten devices" },
    {
      command: "wfa device list --select deviceName,upgradeEligibility -o csv",
      description: "Two columns for a spreadsheet"
    },
    { command: "wfa device list -o jsonl > devices.jsonl", description: "Everything, one device a line" }
  ])
)
