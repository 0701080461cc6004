import Papa from "papaparse"

/**
 * Texts that a spreadsheet would take for a formula (OWASP's list, with the full-width signs that Excel folds), the
 * empty text, which a bare cell could not tell from "nothing", and either of them behind apostrophes, so that
 * {@link unescaped} undoes exactly what {@link escaped} did.
 */
const needsEscape = /^'*(?:[=+\-@\t\r\n＝＋－＠]|$)/
const hasEscape = /^'+(?:[=+\-@\t\r\n＝＋－＠]|$)/

/** The text that a cell stands for: without the apostrophe that kept a spreadsheet from running it. */
export const unescaped = (cell: string): string => (hasEscape.test(cell) ? cell.slice(1) : cell)

const unparsing = { escapeFormulae: needsEscape }

/**
 * A line of CSV (RFC 4180), with its line end `\r\n`. Null and undefined leave their cell empty; numbers and booleans
 * stand as they are; a text that a spreadsheet would run (`=…`, `+…`, `-…`, `@…`, …) and the empty text get an
 * apostrophe in front, which the readers of this entry take off again. An object is written as JSON.
 *
 * @example
 * csvLine(["PC-014", -1, null, "=1+1"]) // `PC-014,-1,,"'=1+1"\r\n`
 */
export const csvLine = (cells: ReadonlyArray<unknown>): string => `${Papa.unparse([[...cells]], unparsing)}\r\n`
