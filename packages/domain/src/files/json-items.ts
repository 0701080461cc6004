import type { TextPiece } from "./text-source.ts"

/** A value of a JSON document, as text; `text` is what could be held of it. */
export interface JsonItem {
  /** Where it begins, as an editor counts lines. */
  readonly line: number
  /** Its position in the list, from 1. */
  readonly position: number
  readonly text: string
  /** Why it cannot be read: `unfinished` where the text ends within it or its list, `behind` what follows the list. */
  readonly broken?: "tooLong" | "notUtf8" | "unfinished" | "behind"
}

/** How the values of a document stand: between the commas of a list, which a page is around, or one object after the other. */
type Arrangement = "list" | "page" | "objects"

/** What is known of a document when its beginning is: how its values stand, and where they begin. */
export interface DocumentStart {
  readonly arrangement: Arrangement
  readonly from: number
}

/** As much of a beginning is looked at. */
const longestHead = 4_096

/** A page of Graph's: annotations, and then the list of its rows. */
const pageStart = /^\s*\{\s*(?:"@[^"\\]*"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[\w.+-]+)\s*,\s*)*"value"\s*:\s*\[/

/** An object that a person or `ConvertTo-Json` wrote over several lines. */
const objectOverLines = /^\s*\{[^\S\n]*\n\s*"/

/**
 * What kind of JSON a text begins as: `"lines"` of JSONL, or a document whose values are a list, a page of Graph's, or objects
 * that go over several lines each. `undefined` while too little of it is there to tell.
 */
export const documentStart = (head: string, isAll: boolean): DocumentStart | "lines" | undefined => {
  const begin = head.search(/\S/)
  if (begin === -1) return isAll ? "lines" : undefined
  if (head[begin] === "[") return { arrangement: "list", from: begin + 1 }
  if (head[begin] !== "{") return "lines"
  const page = pageStart.exec(head)
  if (page !== null) return { arrangement: "page", from: page[0].length }
  const lineEnd = head.indexOf("\n", begin)
  // A whole device, as every line of JSONL is.
  if (lineEnd !== -1 && head.slice(begin, lineEnd).trimEnd().endsWith("}")) return "lines"
  if (!isAll && head.length - begin < longestHead) return undefined
  return objectOverLines.test(head) ? { arrangement: "objects", from: begin } : "lines"
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const closingBracket = 0x5d
const lineFeed = 0x0a
const space = 0x20

/**
 * Cuts a document into its values as it arrives; no more than one is held. Written here, because the readers of JSON as a
 * stream that npm has hand out values: in these a name that stood twice stands once, and nobody knows their lines any more.
 */
export class JsonItems {
  readonly #isList: boolean
  readonly #longest: number
  #line: number
  #position = 0
  #isInText = false
  #isEscaped = false
  /** How deep the text is inside of a value, or, behind the list, inside of what is around it. */
  #depth = 0
  #listEnded = false
  #readBehind = false
  readonly #depthAround: number
  /** The value that is under way; its line is 0 before it begins. */
  #text = ""
  #length = 0
  #startLine = 0
  #mayBeInvalid = false

  constructor({ arrangement, from }: DocumentStart, head: string, longest: number) {
    this.#isList = arrangement !== "objects"
    this.#depthAround = arrangement === "page" ? 1 : 0
    this.#line = head.slice(0, from).split("\n").length
    this.#longest = longest
  }

  #keep(text: string): void {
    this.#length += text.length
    if (this.#length <= this.#longest) this.#text += text
  }

  #begin(isValid: boolean): void {
    this.#startLine = this.#line
    this.#mayBeInvalid = !isValid
  }

  #item(broken?: JsonItem["broken"]): JsonItem {
    this.#position++
    const isInvalid = this.#mayBeInvalid && this.#text.includes("\uFFFD")
    const why = isInvalid ? "notUtf8" : this.#length > this.#longest ? "tooLong" : broken
    const item = { line: this.#startLine || this.#line, position: this.#position, text: this.#text }
    this.#text = ""
    this.#length = 0
    this.#startLine = 0
    return why === undefined ? item : { ...item, broken: why }
  }

  /** Whether a character goes on with a text in quotes, or ends it. */
  #isOfText(code: number): boolean {
    if (!this.#isInText) return false
    if (this.#isEscaped) this.#isEscaped = false
    else if (code === backslash) this.#isEscaped = true
    else if (code === quote) this.#isInText = false
    return true
  }

  /** Goes by the quotes and brackets; true when one closed. */
  #nest(code: number): boolean {
    if (code === quote) this.#isInText = true
    // "{" and "[", then "}" and "]": of each two, one has a bit more than the other, which stands for 32.
    else if ((code | 0x20) === 0x7b) this.#depth++
    else if ((code | 0x20) === 0x7d) {
      this.#depth = Math.max(0, this.#depth - 1)
      return true
    }
    return false
  }

  /** The values that end in the next piece of the text. */
  *push({ text, valid }: TextPiece): Generator<JsonItem> {
    let from = 0
    if (!valid) this.#mayBeInvalid = true
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === lineFeed) this.#line++
      if (this.#isOfText(code)) continue
      if (code <= space) {
        if (this.#startLine === 0) from = at + 1
      } else if (this.#listEnded) {
        if (this.#depth === 0 && !this.#readBehind) {
          this.#readBehind = true
          this.#begin(true)
          yield this.#item("behind")
        }
        this.#nest(code)
      } else if (this.#isList && this.#depth === 0 && (code === comma || code === closingBracket)) {
        this.#keep(text.slice(from, at))
        // An empty list has no value, and a comma stands between two.
        if (code === comma || this.#startLine !== 0 || this.#position > 0) yield this.#item()
        from = at + 1
        if (code === closingBracket) {
          this.#listEnded = true
          this.#depth = this.#depthAround
        }
      } else {
        if (this.#startLine === 0) {
          this.#begin(valid)
          from = at
        }
        const isClosed = this.#nest(code)
        if (!this.#isList && isClosed && this.#depth === 0) {
          this.#keep(text.slice(from, at + 1))
          yield this.#item()
          from = at + 1
        }
      }
    }
    if (this.#startLine !== 0) this.#keep(text.slice(from))
  }

  /** The value that the text ends within, if it does: of a list that has no end it is not known what else it held. */
  *end(): Generator<JsonItem> {
    if (this.#startLine !== 0 || (this.#isList && !this.#listEnded)) yield this.#item("unfinished")
  }
}
