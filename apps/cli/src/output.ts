import { type Change, type Device, type PropertyName, printable, printableJson, property } from "@workanywhere/domain"
import { csvLine } from "@workanywhere/domain/csv"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { displayWidth } from "effect/cli/CliOutput"
import { OutputClosed } from "./failure.ts"

/** The ways a result can be printed. */
export const formats = ["table", "json", "jsonl", "csv", "md"] as const

/** One of {@link formats}. */
export type Format = (typeof formats)[number]

/** The format that was asked for, or what suits where the output goes. */
export const formatFor = (asked: Option.Option<Format>): Effect.Effect<Format, never, Stdio.Stdio> =>
  Option.isSome(asked)
    ? Effect.succeed(asked.value)
    : Stdio.Stdio.use((stdio) => Effect.map(stdio.stdoutIsTerminal, (terminal) => (terminal ? "table" : "json")))

/** Writes data to stdout, piece by piece as it comes. */
export const write = <E, R>(
  text: Stream.Stream<string, E, R>
): Effect.Effect<void, E | OutputClosed, R | Stdio.Stdio> =>
  Stdio.Stdio.use((stdio) =>
    Stream.run(text, stdio.stdout()).pipe(Effect.catchTag("PlatformError", () => Effect.fail(new OutputClosed())))
  )

const longestLine = 2_000

/** Whatever looks like a token, whoever repeats it: what follows `Bearer`, and three parts of which the first is a JOSE header. */
const tokens = /\bbearer\s+[\w.~+/=-]{16,}|\beyJ[\w-]+\.[\w-]*\.[\w-]*/gi

/** Below this it is none, and its letters stand in other words. */
const shortestToken = 4

/** A line as a person may see it, wherever its parts come from: it steers no terminal, is no longer than fits, and shows no token. */
const lineFor = (token: string | undefined, line: string): string => {
  const known = token === undefined || token.length < shortestToken ? line : line.replaceAll(token, "***")
  const hidden = known.replace(tokens, "***")
  return printable(hidden.length > longestLine ? `${hidden.slice(0, longestLine).toWellFormed()}…` : hidden)
}

/** Writes lines for a person to stderr; stdout carries data only. */
export const writeError = (...lines: ReadonlyArray<string>): Effect.Effect<void, never, Stdio.Stdio> =>
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const token = yield* Effect.orElseSucceed(Config.option(Config.Redacted("WFA_TOKEN")), Option.none)
    const known = Option.isSome(token) ? Redacted.value(token.value) : undefined
    const text = lines.map((line) => `${lineFor(known, line)}\n`).join("")
    yield* Effect.ignore(Stream.run(Stream.make(text), stdio.stderr()))
  })

/** What a cell can hold; null and undefined are nothing. */
type Cell = string | number | boolean | null | undefined

/** A column of a table: its heading for people, its name for programs, and what a row has in it. */
export interface Column<Row> {
  readonly name: string
  readonly label: string
  readonly value: (row: Row) => Cell
}

/** Columns for properties of a device. */
export const deviceColumns = (names: ReadonlyArray<PropertyName>): ReadonlyArray<Column<Device>> =>
  names.map((name) => ({ name, label: property(name)?.label ?? name, value: (device) => device[name] }))

/** Columns for one device set upright: a line for each property. */
export const propertyColumns = (device: Device): ReadonlyArray<Column<PropertyName>> => [
  { name: "property", label: "Property", value: (name) => name },
  { name: "value", label: "Value", value: (name) => device[name] },
  { name: "meaning", label: "Meaning", value: (name) => property(name)?.meaning }
]

/** Columns for what an update changes: the property, its old and its new value. */
export const changeColumns: ReadonlyArray<Column<Change>> = [
  { name: "property", label: "Property", value: (change) => change.property },
  { name: "from", label: "Old", value: (change) => change.from },
  { name: "to", label: "New", value: (change) => change.to }
]

const cellOf = (value: Cell): string => (value === null || value === undefined ? "-" : printable(String(value)))

const pad = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - displayWidth(text)))

const tableLine = (cells: ReadonlyArray<string>, widths: ReadonlyArray<number>): string =>
  `${cells
    .map((cell, column) => pad(cell, widths[column] ?? 0))
    .join("  ")
    .trimEnd()}\n`

/** Rows are printed as they arrive, so the first rows decide the widths; a longer cell later on pushes its line out. */
const table = <Row, E, R>(
  columns: ReadonlyArray<Column<Row>>,
  rows: Stream.Stream<Row, E, R>
): Stream.Stream<string, E, R> => {
  let widths: ReadonlyArray<number> | undefined
  const heading = columns.map((column) => column.label)
  const lines = (cells: ReadonlyArray<ReadonlyArray<string>>): string => {
    const first = widths === undefined
    widths ??= columns.map((_, column) =>
      Math.max(...[heading, ...cells].map((row) => displayWidth(row[column] ?? "")))
    )
    const fixed = widths
    const head = first ? [heading, fixed.map((width) => "-".repeat(width))] : []
    return [...head, ...cells].map((row) => tableLine(row, fixed)).join("")
  }
  return rows.pipe(
    Stream.map((row) => columns.map((column) => cellOf(column.value(row)))),
    Stream.chunks,
    Stream.map(lines),
    Stream.orElseIfEmpty(() => Stream.sync(() => lines([])))
  )
}

const markdownLine = (cells: ReadonlyArray<string>): string =>
  `| ${cells.map((cell) => cell.replace(/[\\|]/g, "\\$&")).join(" | ")} |\n`

/** A value as JSON that steers no terminal and means the same to a program. */
export const jsonOf = (value: unknown, indent?: number): string =>
  printableJson(JSON.stringify(value, undefined, indent))

const document = <Row, E, R>(rows: Stream.Stream<Row, E, R>): Stream.Stream<string, E, R> => {
  let before = "[\n"
  const items = Stream.map(rows, (row) => {
    const text = `${before}${jsonOf(row)}`
    before = ",\n"
    return text
  })
  const end = Stream.sync(() => (before === ",\n" ? "\n]\n" : "[]\n"))
  // The closing bracket comes even when the rows fail half-way: stdout is always one valid document.
  const closed = Stream.catch(items, (error) => Stream.concat(end, Stream.fail(error)))
  return Stream.concat(closed, end)
}

const rendered = <Row, E, R>(
  format: Format,
  columns: ReadonlyArray<Column<Row>>,
  rows: Stream.Stream<Row, E, R>,
  toTerminal: boolean
): Stream.Stream<string, E, R> => {
  const values = (row: Row) => columns.map((column) => column.value(row))
  // A file has the texts as they are.
  const csvCell = (cell: Cell): Cell => (toTerminal && typeof cell === "string" ? printable(cell) : cell)
  switch (format) {
    case "table":
      return table(columns, rows)
    case "json":
      return document(rows)
    case "jsonl":
      return Stream.map(rows, (row) => `${jsonOf(row)}\n`)
    case "csv":
      return Stream.concat(
        Stream.make(csvLine(columns.map((column) => column.name))),
        Stream.map(rows, (row) => csvLine(values(row).map(csvCell)))
      )
    case "md":
      return Stream.concat(
        Stream.make(markdownLine(columns.map((column) => column.label)) + markdownLine(columns.map(() => "---"))),
        Stream.map(rows, (row) => markdownLine(values(row).map(cellOf)))
      )
  }
}

/** Prints rows in a format, each as it arrives, and gives their number. */
export const writeRows = <Row, E, R>(
  format: Format,
  columns: ReadonlyArray<Column<Row>>,
  rows: Stream.Stream<Row, E, R>
): Effect.Effect<number, E | OutputClosed, R | Stdio.Stdio> =>
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const toTerminal = yield* stdio.stdoutIsTerminal
    let count = 0
    const counted = Stream.map(rows, (row) => {
      count++
      return row
    })
    yield* write(rendered(format, columns, counted, toTerminal))
    return count
  })
