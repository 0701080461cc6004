import { type Body, expectedValue, jsonSchemaOf, properties } from "@workanywhere/domain"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { type Column, formatFor, write, writeRows } from "../../output.ts"
import { root } from "../root.ts"

type Row = (typeof properties)[number]

const columns: ReadonlyArray<Column<Row>> = [
  { name: "property", label: "Property", value: (row) => row.name },
  { name: "takes", label: "Takes", value: (row) => (row.name === "id" ? "cannot be changed" : expectedValue(row)) },
  { name: "meaning", label: "Meaning", value: (row) => row.meaning }
]

const bodies: ReadonlyArray<readonly [string, Body]> = [
  ["update", "DeviceUpdate"],
  ["create", "NewDevice"],
  ["device", "Device"]
]

export const schema = Command.make(
  "schema",
  {
    body: Flag.ChoiceWithValue("body", bodies).pipe(
      Flag.withDescription("Which JSON Schema: of what an update or a create may send, or of a device as it is read"),
      Flag.withDefault<Body>("DeviceUpdate")
    )
  },
  ({ body }) =>
    Effect.gen(function* () {
      const flags = yield* root
      const format = yield* formatFor(flags.output)
      if (format === "json") return yield* write(`${JSON.stringify(jsonSchemaOf(body), undefined, 2)}\n`)
      if (format === "jsonl") return yield* write(`${JSON.stringify(jsonSchemaOf(body))}\n`)
      return yield* writeRows(format, columns, Stream.fromIterable(properties))
    })
).pipe(
  Command.withDescription(
    "Show the properties of a device and what each takes; with -o json as JSON Schema. Sends nothing."
  ),
  Command.withExamples([
    { command: "wfa device schema -o table", description: "The properties in words" },
    {
      command: "wfa device schema -o json > device-update.schema.json",
      description: "JSON Schema of the body of an update"
    }
  ])
)
