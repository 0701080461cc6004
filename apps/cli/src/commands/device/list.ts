import { type PropertyName, nearMiss, property, propertyNames } from "@workanywhere/domain"
import { GraphClient } from "@workanywhere/graph-client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
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

/** Most that callers ask Graph for (docs/fidelity.md, F13): a service may count all devices again for each page. */
const rowsOfPage = 999

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

const devicesOf = (count: number): string => (count === 1 ? "1 device" : `${count} devices`)

const wholeNumber = (name: string, least: number): Flag.Flag<number> =>
  Flag.String(name).pipe(
    Flag.filterMap(
      (text) => {
        const number = Number(text)
        return /^\d+$/.test(text) && Number.isSafeInteger(number) && number >= least
          ? Option.some(number)
          : Option.none()
      },
      () => `a whole number from ${least}`
    )
  )

export const list = Command.make(
  "list",
  {
    select: Flag.String("select").pipe(
      Flag.withDescription("Properties to fetch and show, separated by commas"),
      Flag.withMetavar("a,b"),
      Flag.optional
    ),
    top: wholeNumber("top", 1).pipe(
      Flag.withDescription("Stop after this many devices"),
      Flag.withMetavar("n"),
      Flag.optional
    ),
    expect: wholeNumber("expect", 0).pipe(
      Flag.withDescription("Fail unless there are exactly this many devices; without it the target is asked how many"),
      Flag.withMetavar("n"),
      Flag.optional
    )
  },
  ({ expect, select, top }) =>
    Effect.gen(function* () {
      const flags = yield* root
      if (Option.isSome(expect) && Option.isSome(top)) {
        return yield* new UsageError({
          message: "--expect is about the whole list, which --top cuts short; leave one out"
        })
      }
      const format = yield* formatFor(flags.output)
      const forPeople = format === "table" || format === "md"
      const names = Option.isSome(select) ? yield* selected(select.value) : forPeople ? shownByDefault : undefined
      let isProven: boolean | undefined
      const pages = yield* GraphClient.useSync((client) =>
        client.listDevicePages(flags.metric, {
          refuseUnreadable: true,
          pageSize: rowsOfPage,
          ...(names === undefined ? {} : { select: names }),
          ...(Option.isSome(top) ? { top: top.value } : {}),
          ...(Option.isSome(expect) ? { expectedCount: expect.value } : { count: "whereServed" })
        })
      )
      const devices = Stream.flatMap(pages, (page) => {
        isProven = page.isProven
        return Stream.fromIterable(page.rows.flatMap((row) => (row.kind === "row" ? [row.value] : [])))
      })
      const count = yield* writeRows(format, deviceColumns(names ?? propertyNames), devices, (printed) =>
        writeError(`wfa: interrupted after ${devicesOf(printed)}`)
      )
      if (forPeople) yield* writeError(devicesOf(count))
      if (isProven === false) {
        yield* writeError(
          "The target does not say how many devices there are, so nothing proves that none is missing; --expect <n> compares with a number that you know."
        )
      }
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
    { command: "wfa device list -o jsonl > devices.jsonl", description: "Everything, one device a line" },
    { command: "wfa device list --expect 250", description: "Fails when there are not exactly 250 devices" }
  ])
)
