import Papa from "papaparse"
import { type TextPiece, type TextSource, textOf } from "./text-source.ts"

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

const countLineFeeds = (text: string, from: number, to: number): number => {
  let count = 0
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) count++
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

const isBlank = (cells: ReadonlyArray<string>): boolean => cells.length === 1 && cells[0] === ""

interface Splitter {
  readonly push: (text: string, valid: boolean) => void
  /** The rows that are complete by now; at the end of the text, all that are left. */
  readonly take: (atEnd: boolean) => ReadonlyArray<CsvRow>
}

/**
 * Cuts text into rows. A row whose quotes are broken or never closed costs its first line only: reading goes on in the
 * next line, which is where a person would look for the next row.
 */
const splitter = (delimiter: string, headerLine: number): Splitter => {
  let text = ""
  let line = 1
  let invalidLines: Array<number> = []
  let skippingLongLine = false
  let lineEnded = false

  const advance = (to: number): void => {
    line += countLineFeeds(text, 0, to)
    text = text.slice(to)
    invalidLines = invalidLines.filter((invalid) => invalid >= line)
  }

  const whatIsBroken = (): "quotes" | "tooLong" | "notUtf8" => {
    if (invalidLines[0] === line) return "notUtf8"
    const end = text.indexOf("\n")
    return (end === -1 ? text.length : end) > longestRowCodeUnits ? "tooLong" : "quotes"
  }

  /** Leaves out the first line; false when its end is not there yet. */
  const skipLine = (): boolean => {
    const end = text.indexOf("\n")
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
      newline: "\n",
      step: ({ data, errors, meta }: Papa.ParseStepResult<ReadonlyArray<Array<string>>>) => {
        broken = errors.length > 0 || meta.cursor - from > longestRowCodeUnits
        if (broken) return parser.abort()
        const lines = countLineFeeds(text, from, meta.cursor)
        const cells = withoutLineEnd(data[0] ?? [], text.slice(Math.max(from, meta.cursor - 4), meta.cursor))
        if (invalidLines.some((invalid) => invalid >= rowLine && invalid < rowLine + Math.max(lines, 1))) {
          rows.push({ line: rowLine, broken: "notUtf8" })
        } else if (rowLine >= headerLine && !isBlank(cells)) rows.push({ line: rowLine, cells })
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
      if (!valid) invalidLines.push(line + countLineFeeds(text, 0, text.length))
      text += piece
      lineEnded ||= piece.includes("\n")
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

/** A first line by which some programs tell a spreadsheet the delimiter; it is no row. */
const delimiterLine = /^sep=(.)\r?\n/

/**
 * Cuts the text of a CSV file into rows, as it arrives. Blank lines are no rows. The delimiter is what `delimiterOf`
 * makes of the first line, unless a line such as `sep=;` stands above it.
 *
 * @throws UnreadableSource for UTF-16
 */
export async function* csvRows(source: TextSource, delimiterOf: (header: string) => string): AsyncGenerator<CsvRow> {
  const start = (head: string): Splitter => {
    const told = delimiterLine.exec(head)
    if (told !== null) return splitter(told[1] ?? ",", 2)
    const [header = ""] = head.trimStart().split("\n", 1)
    return splitter(delimiterOf(header), 1)
  }
  let rows: Splitter | undefined
  let head: Array<TextPiece> = []
  for await (const piece of textOf(source)) {
    head.push(piece)
    if (rows === undefined) {
      const text = head.map((piece) => piece.text).join("")
      if (!text.trimStart().includes("\n") && text.length <= longestRowCodeUnits) continue
      rows = start(text)
    }
    for (const { text, valid } of head) rows.push(text, valid)
    head = []
    yield* rows.take(false)
  }
  if (rows === undefined) {
    rows = start(head.map((piece) => piece.text).join(""))
    for (const { text, valid } of head) rows.push(text, valid)
  }
  yield* rows.take(true)
}
