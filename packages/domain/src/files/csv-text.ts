import Papa from "papaparse"
import { type TextPiece, type TextSource, piecesFrom, textOf } from "./text-source.ts"

/**
 * Texts that a spreadsheet would take for a formula (OWASP's list, with the full-width signs that Excel folds), the
 * empty text, which a bare cell could not tell from "nothing", and either of them behind apostrophes, so that
 * {@link unescaped} undoes exactly what {@link escaped} did.
 */
const needsEscape = /^'*(?:[=+\-@\t\r\n＝＋－＠]|$)/
const hasEscape = /^'+(?:[=+\-@\t\r\n＝＋－＠]|$)/

/**
 * The same signs where a cell would begin for a spreadsheet that splits at `;`, tab or `|`, as it does in most of Europe: it
 * knows no quotes but at the beginning of what it takes for a cell, and then ends a row inside of them, too.
 */
const innerSigns = /([;\t|\r\n])(?=["']*[=+\-@\t\r\n＝＋－＠])/g
const innerEscapes = /([;\t|\r\n])'(?=["']*[=+\-@\t\r\n＝＋－＠])/g

/** The text that a cell stands for: without the apostrophes that kept a spreadsheet from running it. */
export const unescaped = (cell: string): string =>
  (hasEscape.test(cell) ? cell.slice(1) : cell).replace(innerEscapes, "$1")

const innerDelimiter = /[;\t|]/

const unparsing = {
  escapeFormulae: needsEscape,
  quotes: (cell: unknown) => typeof cell === "string" && innerDelimiter.test(cell)
}

/**
 * A line of CSV (RFC 4180), with its line end `\r\n`. Null and undefined leave their cell empty; numbers and booleans
 * stand as they are; a text that a spreadsheet would run (`=…`, `+…`, `-…`, `@…`, …) and the empty text get an
 * apostrophe in front, which the readers of this entry take off again; so does what a spreadsheet would run that splits at
 * `;`, tab or `|`. An object is written as JSON.
 *
 * @example
 * csvLine(["PC-014", -1, null, "=1+1", "a;=1+1"]) // `PC-014,-1,,"'=1+1","a;'=1+1"\r\n`
 */
export const csvLine = (cells: ReadonlyArray<unknown>): string => {
  const row = cells.map((cell) => (typeof cell === "string" ? cell.replace(innerSigns, "$1'") : cell))
  return `${Papa.unparse([row], unparsing)}\r\n`
}

/** A row of a CSV text, or what kept its line from being read as one. Lines are counted as an editor does, from 1. */
export type CsvRow =
  | { readonly line: number; readonly cells: ReadonlyArray<string> }
  | { readonly line: number; readonly broken: "quotes" | "tooLong" | "notUtf8" }

/** A device has some 1,200 characters; without a bound one stray quote would hold the rest of the file in memory. */
const longestRowCodeUnits = 65_536

/** What lines of a file end with, a `\r` before a `\n` aside: `\r` alone is what Excel's "CSV (Macintosh)" has. */
type Newline = "\n" | "\r"

const countLines = (text: string, newline: Newline, from: number, to: number): number => {
  let count = 0
  for (let at = text.indexOf(newline, from); at !== -1 && at < to; at = text.indexOf(newline, at + 1)) count++
  return count
}

/** Papa Parse splits at `\n`: a `\r` before it is part of the line end, unless it stands inside the last cell's quotes. */
const withoutLineEnd = (cells: Array<string>, raw: string): Array<string> => {
  const last = cells.at(-1)
  if (last?.endsWith("\r") === true && raw.endsWith("\r\n") && !raw.endsWith('\r"\r\n')) {
    cells[cells.length - 1] = last.slice(0, -1)
  }
  return cells
}

/** A blank line, or one of nothing but delimiters and spaces, which spreadsheets leave behind below a table. */
const isBlank = (cells: ReadonlyArray<string>): boolean => cells.every((cell) => cell.trim() === "")

interface Splitter {
  readonly push: (text: string, valid: boolean) => void
  /** The rows that are complete by now; at the end of the text, all that are left. */
  readonly take: (atEnd: boolean) => ReadonlyArray<CsvRow>
}

/**
 * Cuts text into rows. A row whose quotes are broken or never closed costs its first line only: reading goes on in the
 * next line, which is where a person would look for the next row.
 */
const splitter = (delimiter: string, newline: Newline, firstLine: number): Splitter => {
  let text = ""
  let line = firstLine
  let invalidLines: Array<number> = []
  let skippingLongLine = false
  let lineEnded = false

  const advance = (to: number): void => {
    line += countLines(text, newline, 0, to)
    text = text.slice(to)
    invalidLines = invalidLines.filter((invalid) => invalid >= line)
  }

  const whatIsBroken = (): "quotes" | "tooLong" | "notUtf8" => {
    if (invalidLines[0] === line) return "notUtf8"
    const end = text.indexOf(newline)
    return (end === -1 ? text.length : end) > longestRowCodeUnits ? "tooLong" : "quotes"
  }

  /** Leaves out the first line; false when its end is not there yet. */
  const skipLine = (): boolean => {
    const end = text.indexOf(newline)
    skippingLongLine = end === -1
    if (skippingLongLine) text = ""
    else advance(end + 1)
    return !skippingLongLine
  }

  /** Adds the complete rows; true when a row was met that cannot be one. */
  const parse = (atEnd: boolean, rows: Array<CsvRow>): boolean => {
    let from = 0
    let rowLine = line
    let broken = false
    const parser = new Papa.Parser({
      delimiter,
      newline,
      step: ({ data, errors, meta }: Papa.ParseStepResult<ReadonlyArray<Array<string>>>) => {
        broken = errors.length > 0 || meta.cursor - from > longestRowCodeUnits
        if (broken) return parser.abort()
        const lines = countLines(text, newline, from, meta.cursor)
        const cells = withoutLineEnd(data[0] ?? [], text.slice(Math.max(from, meta.cursor - 4), meta.cursor))
        if (invalidLines.some((invalid) => invalid >= rowLine && invalid < rowLine + Math.max(lines, 1))) {
          rows.push({ line: rowLine, broken: "notUtf8" })
        } else if (!isBlank(cells)) rows.push({ line: rowLine, cells })
        from = meta.cursor
        rowLine += lines
      }
    })
    parser.parse(text, 0, !atEnd)
    advance(from)
    return broken
  }

  return {
    push: (piece, valid) => {
      if (!valid) invalidLines.push(line + countLines(text, newline, 0, text.length))
      text += piece
      lineEnded ||= piece.includes(newline)
    },
    take: (atEnd) => {
      const rows: Array<CsvRow> = []
      const mayHoldRow = lineEnded || atEnd || text.length > longestRowCodeUnits
      lineEnded = false
      if (!mayHoldRow || (skippingLongLine && !skipLine())) return rows
      for (;;) {
        const broken = parse(atEnd, rows)
        if (text === "" || (!broken && text.length <= longestRowCodeUnits)) return rows
        rows.push({ line, broken: whatIsBroken() })
        if (!skipLine()) return rows
      }
    }
  }
}

/** Lines above a header that are no rows: one tells a spreadsheet the delimiter, one is Windows PowerShell's type of its rows. */
const delimiterLine = /^"?sep=(.)"?[\s,;|]*$/i
const typeLine = /^"?#TYPE\b/i

/** What is known of a file once its header is there. */
interface Start {
  readonly delimiter: string
  readonly newline: Newline
  /** Where the header begins: its line, and how much text is before it. */
  readonly line: number
  readonly skipped: number
}

/** Where the first line of a text ends, outside of quotes; `undefined` when its end is not there yet. */
const lineEndIn = (
  text: string,
  from: number
): { readonly at: number; readonly end: "\n" | "\r\n" | "\r" } | undefined => {
  let isQuoted = false
  for (let at = from; at < text.length; at++) {
    const one = text[at]
    if (one === '"') isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (one === "\n") return { at, end: "\n" }
    else if (one === "\r") {
      // It may be cut from what follows it.
      if (at + 1 === text.length) return undefined
      return { at, end: text[at + 1] === "\n" ? "\r\n" : "\r" }
    }
  }
  return undefined
}

/** Finds the header; `undefined` while it is not all there, unless no more is to come. */
const startOf = (text: string, isAll: boolean, delimiterOf: (header: string) => string): Start | undefined => {
  let told: string | undefined
  let newline: Newline = "\n"
  let line = 1
  for (let skipped = 0; ; line++) {
    const found = lineEndIn(text, skipped)
    if (found === undefined && !isAll) return undefined
    if (found !== undefined) newline = found.end === "\r" ? "\r" : "\n"
    const header = text.slice(skipped, found?.at)
    told = delimiterLine.exec(header)?.[1] ?? told
    const isAbove = header.trim() === "" || delimiterLine.test(header) || typeLine.test(header)
    if (!isAbove || found === undefined) return { delimiter: told ?? delimiterOf(header), newline, line, skipped }
    skipped = found.at + found.end.length
  }
}

/**
 * Cuts the text of a CSV file into rows, as it arrives. Blank lines, and those of nothing but delimiters, are no rows. The
 * delimiter is what `delimiterOf` makes of the header, unless a line such as `sep=;` stands above it.
 *
 * @throws UnreadableSource for what is no text
 */
export async function* csvRows(source: TextSource, delimiterOf: (header: string) => string): AsyncGenerator<CsvRow> {
  let rows: Splitter | undefined
  let head: Array<TextPiece> = []
  const begin = (isAll: boolean): void => {
    const text = head.map((piece) => piece.text).join("")
    const start = startOf(text, isAll || text.length > longestRowCodeUnits, delimiterOf)
    if (start === undefined) return
    rows = splitter(start.delimiter, start.newline, start.line)
    for (const piece of piecesFrom(head, start.skipped)) rows.push(piece.text, piece.valid)
    head = []
  }
  for await (const piece of textOf(source)) {
    if (rows === undefined) {
      head.push(piece)
      begin(false)
    } else rows.push(piece.text, piece.valid)
    if (rows !== undefined) yield* rows.take(false)
  }
  if (rows === undefined) begin(true)
  if (rows !== undefined) yield* rows.take(true)
}
