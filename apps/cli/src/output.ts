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

/** Writes a text to stdout. */
export const write = (text: string): Effect.Effect<void, OutputClosed, Stdio.Stdio> =>
  text === ""
    ? Effect.void
    : Stdio.Stdio.use((stdio) =>
        Stream.run(Stream.make(text), stdio.stdout()).pipe(
          Effect.catchTag("PlatformError", () => Effect.fail(new OutputClosed()))
        )
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

/** How rows become a text. */
interface Rendering<Row> {
  /** The first of them, after what comes before all rows. */
  readonly begin: (first: ReadonlyArray<Row>) => string
  readonly more: (rows: ReadonlyArray<Row>) => string
  /** What comes after the last. */
  readonly end: string
  /** All there is where there is no row. */
  readonly none: string
}

/** Rows are printed as they arrive, so the first rows decide the widths; a longer cell later on pushes its line out. */
const table = <Row>(columns: ReadonlyArray<Column<Row>>): Rendering<Row> => {
  let widths: ReadonlyArray<number> = []
  const heading = columns.map((column) => column.label)
  const cellsOf = (row: Row) => columns.map((column) => cellOf(column.value(row)))
  const lines = (cells: ReadonlyArray<ReadonlyArray<string>>) => cells.map((row) => tableLine(row, widths)).join("")
  const begin = (first: ReadonlyArray<Row>): string => {
    const cells = first.map(cellsOf)
    widths = columns.map((_, column) => Math.max(...[heading, ...cells].map((row) => displayWidth(row[column] ?? ""))))
    return lines([heading, widths.map((width) => "-".repeat(width)), ...cells])
  }
  return { begin, more: (rows) => lines(rows.map(cellsOf)), end: "", none: begin([]) }
}

const markdownLine = (cells: ReadonlyArray<string>): string =>
  `| ${cells.map((cell) => cell.replace(/[\\|]/g, "\\$&")).join(" | ")} |\n`

/** A value as JSON that steers no terminal and means the same to a program. */
export const jsonOf = (value: unknown, indent?: number): string =>
  printableJson(JSON.stringify(value, undefined, indent))

const document = <Row>(): Rendering<Row> => {
  const items = (rows: ReadonlyArray<Row>) => rows.map((row) => jsonOf(row)).join(",\n")
  return { begin: (first) => `[\n${items(first)}`, more: (rows) => `,\n${items(rows)}`, end: "\n]\n", none: "[]\n" }
}

/** A line for each row, below one with the names of the columns. */
const linesBelow = <Row>(head: string, line: (row: Row) => string): Rendering<Row> => {
  const lines = (rows: ReadonlyArray<Row>) => rows.map(line).join("")
  return { begin: (first) => head + lines(first), more: lines, end: "", none: head }
}

const renderingOf = <Row>(format: Format, columns: ReadonlyArray<Column<Row>>, toTerminal: boolean): Rendering<Row> => {
  const values = (row: Row) => columns.map((column) => column.value(row))
  // A file has the texts as they are.
  const csvCell = (cell: Cell): Cell => (toTerminal && typeof cell === "string" ? printable(cell) : cell)
  switch (format) {
    case "table":
      return table(columns)
    case "json":
      return document()
    case "jsonl":
      return linesBelow("", (row) => `${jsonOf(row)}\n`)
    case "csv":
      return linesBelow(csvLine(columns.map((column) => column.name)), (row) => csvLine(values(row).map(csvCell)))
    case "md":
      return linesBelow(
        markdownLine(columns.map((column) => column.label)) + markdownLine(columns.map(() => "---")),
        (row) => markdownLine(values(row).map(cellOf))
      )
  }
}

/**
 * Prints rows in a format, each as it arrives, and gives their number. What is on stdout is one document, whatever ends the
 * rows; where they end in a failure before the first, there is nothing. `interrupted` is told how many there are.
 */
export const writeRows = <Row, E, R>(
  format: Format,
  columns: ReadonlyArray<Column<Row>>,
  rows: Stream.Stream<Row, E, R>,
  interrupted: (count: number) => Effect.Effect<void, never, Stdio.Stdio> = () => Effect.void
): Effect.Effect<number, E | OutputClosed, R | Stdio.Stdio> =>
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const { begin, end, more, none } = renderingOf(format, columns, yield* stdio.stdoutIsTerminal)
    let count = 0
    const print = (arrived: ReadonlyArray<Row>) =>
      Effect.uninterruptible(
        Effect.map(write(count === 0 ? begin(arrived) : more(arrived)), () => {
          count += arrived.length
        })
      )
    yield* Stream.runForEachArray(rows, print).pipe(
      Effect.onError(() => (count === 0 ? Effect.void : Effect.ignore(write(end)))),
      Effect.onInterrupt(() => interrupted(count))
    )
    yield* write(count === 0 ? none : end)
    return count
  })
