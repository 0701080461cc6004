import type { Device, KeyedDevice } from "../device/device.ts"
import { type Issue, unknownPropertyIssue } from "../device/issue.ts"
import type { PropertyName } from "../device/property.ts"
import {
  type CsvForm,
  type EmptyCell,
  type Headings,
  type PortalReport,
  delimiterOf,
  keyCell,
  portalColumn,
  portalProperties,
  portalValue,
  readCells,
  readHeadings
} from "./csv-headings.ts"
import { csvLine, csvRows, unescaped } from "./csv-text.ts"
import { type ReadItem, fault, notADevice } from "./read-item.ts"
import { type TextSource, UnreadableSource } from "./text-source.ts"

/** Writes devices as CSV: the header once, then a line for each device. Every line ends in `\r\n`. */
export interface DeviceCsvWriter {
  readonly header: string
  readonly row: (device: Device) => string
}

const cellOf = (name: PropertyName, value: unknown): unknown =>
  name === "id" && typeof value === "string" ? keyCell(value) : value

/**
 * Writes devices with these properties as columns, named and spelled as Graph does; safe to open in a spreadsheet, see
 * {@link csvLine}. A missing property is written like null: an empty cell.
 */
export const deviceCsvWriter = (columns: ReadonlyArray<PropertyName>): DeviceCsvWriter => ({
  header: csvLine(columns),
  row: (device) => csvLine(columns.map((name) => cellOf(name, device[name])))
})

/**
 * Writes devices as a report of Intune's portal does: its column names (Microsoft: "Intune reports and properties
 * available using Graph API"), enums as numbers. Unlike the portal it escapes what a spreadsheet would run.
 */
export const portalCsvWriter = (report: PortalReport): DeviceCsvWriter => {
  const columns = portalProperties[report]
  return {
    header: csvLine(columns.map(portalColumn)),
    row: (device) => csvLine(columns.map((name) => cellOf(name, portalValue(device, name))))
  }
}

/** What the header of a CSV file says; the first thing that {@link readDeviceCsv} yields. */
export interface CsvColumns {
  readonly kind: "columns"
  readonly line: number
  readonly form: CsvForm
  /** The properties that the file has columns for, in its order. */
  readonly columns: ReadonlyArray<PropertyName>
  /** Columns that are left out: their name is no property's, or stands there a second time. */
  readonly issues: ReadonlyArray<Issue>
}

/** How a CSV file is to be read. */
export interface CsvReading {
  /**
   * What an empty cell means. Left out, it is null for Graph's names, where every column is a property of the record,
   * and absent for the portal's reports, which print nothing for what is not known.
   */
  readonly empty?: EmptyCell
}

const repeatedColumnIssue = (name: PropertyName): Issue => ({
  path: name,
  code: "unknownProperty",
  message: `${name}: a second column of this name is left out`,
  expected: "one column",
  received: "more than one"
})

const readHeader = (line: number, cells: ReadonlyArray<string>): CsvColumns & { readonly read: Headings } => {
  const read = readHeadings(cells.map(unescaped))
  const columns = read.columns.filter((name) => name !== undefined)
  if (!columns.includes("id")) {
    throw new UnreadableSource(
      "noIdColumn",
      `line ${line}: the header has no column for the device's id; expected "id", or "DeviceId" as in the portal's reports`
    )
  }
  const issues = [...read.unknown.map(unknownPropertyIssue), ...read.repeated.map(repeatedColumnIssue)]
  return { kind: "columns", line, form: read.form, columns, issues, read }
}

/**
 * Reads devices from CSV as it arrives: Graph's names or the portal's in the header, comma, semicolon or tab (found
 * from the header, or told by a line `sep=;`), line ends `\n`, `\r\n` or `\r`, quoted line breaks, with or without a byte
 * order mark. First come the columns, then every row as a device or as what is wrong with it. Truth is `true`, `false`,
 * `1` or `0` in any case; enums are names in any case or Graph's numbers; names of enum members that this package does not
 * know are kept, and said to be unknown in the `issues` of the row, as scores out of range are. Ids are without spaces
 * around, unless {@link deviceCsvWriter} wrote them so. Rows of nothing but delimiters are passed over, and so is the line
 * `#TYPE` of Windows PowerShell. What {@link deviceCsvWriter} wrote is read back as it was, except that a missing property comes back as
 * null. Memory is bounded, whatever the file holds.
 *
 * @throws UnreadableSource when there is no header, it has no column for the id, or it is no text
 */
export async function* readDeviceCsv(
  source: TextSource,
  { empty }: CsvReading = {}
): AsyncGenerator<CsvColumns | ReadItem> {
  let headings: Headings | undefined
  let emptyCell: EmptyCell = "absent"
  for await (const row of csvRows(source, delimiterOf)) {
    if (headings === undefined) {
      if ("broken" in row) break
      const { read, ...columns } = readHeader(row.line, row.cells)
      headings = read
      emptyCell = empty ?? (columns.form === "graph" ? "null" : "absent")
      yield columns
    } else if ("broken" in row) yield fault(row.line, row.broken)
    else yield readRow(headings.columns, row, emptyCell)
  }
  if (headings === undefined) {
    throw new UnreadableSource("noHeader", "line 1: expected a header with the names of the columns")
  }
}

const readRow = (
  columns: Headings["columns"],
  { line, cells }: { readonly line: number; readonly cells: ReadonlyArray<string> },
  empty: EmptyCell
): ReadItem => {
  const surplus = cells.slice(columns.length)
  if (cells.length < columns.length || surplus.some((cell) => cell !== "")) {
    return fault(line, "cellCount", `the row has ${cells.length} cells, the header has ${columns.length}`)
  }
  const { device, issues, unwritable } = readCells(columns, cells, empty)
  if (issues.length > 0) return notADevice(line, issues)
  const read = { kind: "device", line, device: device as KeyedDevice } as const
  return unwritable.length === 0 ? read : { ...read, issues: unwritable }
}
