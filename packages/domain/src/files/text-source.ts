/** Where a reader takes its text from: a string, a stream of strings or bytes (UTF-8, or UTF-16 with its mark), cut anywhere. */
export type TextSource = string | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>

/** Why a source as a whole cannot be read; a fault in one row or line is no such reason. */
export type UnreadableReason = "utf16" | "binary" | "noHeader" | "noIdColumn"

/** What a reader throws when nothing of a source can be read. An error of the source itself passes through as it is. */
export class UnreadableSource extends Error {
  override readonly name = "UnreadableSource"
  readonly reason: UnreadableReason

  constructor(reason: UnreadableReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** A piece of text; one that is not `valid` lies within one line and holds bytes that are no characters. */
export interface TextPiece {
  readonly text: string
  readonly valid: boolean
}

/** A reader's work on a piece of text, and so what it holds in memory, is bounded by this. */
const longestPieceCodeUnits = 65_536

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder("utf-8", { ignoreBOM: true })

const decoded = (bytes: Uint8Array): string | undefined => {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

const lineFeed = 0x0a

/** How many of the bytes are whole characters: a character of up to four bytes may be cut at the end. */
const wholeCharacters = (bytes: Uint8Array): number => {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!
    if ((byte & 0b1100_0000) === 0b1000_0000) continue
    const length = byte >= 0b1111_0000 ? 4 : byte >= 0b1110_0000 ? 3 : byte >= 0b1100_0000 ? 2 : 1
    return length > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}

function* piecesOf(bytes: Uint8Array): Generator<TextPiece> {
  const text = decoded(bytes)
  if (text !== undefined) {
    yield { text, valid: true }
    return
  }
  // Line by line, so that one bad byte costs its line only.
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf(lineFeed, from) + 1 || bytes.length
    const line = bytes.subarray(from, end)
    const lineText = decoded(line)
    yield lineText === undefined ? { text: lenient.decode(line), valid: false } : { text: lineText, valid: true }
    from = end
  }
}

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  if (a.length === 0) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

/** A file's first bytes tell what it is, where it is one of these. */
const signatureBytes = 4

const zip = "PK\u0003\u0004"

const isZip = (): UnreadableSource =>
  new UnreadableSource(
    "binary",
    "this is a zip archive, as an .xlsx file and what an export job gives are, and not text; unpack it, or save it as CSV"
  )

/** So much of a beginning is looked at for bytes that no text has. */
const lookedAtBytes = 1_024

/** Why bytes that a file begins with are no text that can be read. */
const refusalOf = (bytes: Uint8Array): UnreadableSource | undefined => {
  const [first, second] = bytes
  if (String.fromCharCode(...bytes.subarray(0, zip.length)) === zip) return isZip()
  if (first === 0x1f && second === 0x8b) {
    return new UnreadableSource("binary", "this is compressed with gzip, and not text; unpack it first")
  }
  if (bytes.length > 1 && (first === 0) !== (second === 0)) {
    return new UnreadableSource(
      "utf16",
      "the text is UTF-16 without a byte order mark; save it as UTF-8 (in Excel: CSV UTF-8)"
    )
  }
  return bytes.subarray(0, lookedAtBytes).includes(0)
    ? new UnreadableSource("binary", "this holds bytes that no text has")
    : undefined
}

/** What Windows PowerShell redirects is UTF-16; with its byte order mark it can be told. */
const utf16Of = ([first, second]: Uint8Array): "utf-16le" | "utf-16be" | undefined => {
  if (first === 0xff && second === 0xfe) return "utf-16le"
  return first === 0xfe && second === 0xff ? "utf-16be" : undefined
}

/** By the line, where it holds what stands for half a character. */
function* piecesOfUtf16(text: string): Generator<TextPiece> {
  if (!text.includes("\uFFFD")) yield { text, valid: true }
  else for (const line of text.split(/(?<=\n)/)) yield { text: line, valid: !line.includes("\uFFFD") }
}

async function* decodedPieces(source: TextSource): AsyncGenerator<TextPiece> {
  // A copy: a source may fill the same buffer again.
  let carried = new Uint8Array()
  let isStarted = false
  let utf16: ((bytes: Uint8Array, atEnd: boolean) => string) | undefined
  function* taken(bytes: Uint8Array, atEnd: boolean): Generator<TextPiece> {
    if (!isStarted) {
      isStarted = true
      const label = utf16Of(bytes)
      const refusal = label === undefined ? refusalOf(bytes) : undefined
      if (refusal !== undefined) throw refusal
      if (label !== undefined) {
        const decoder = new TextDecoder(label)
        utf16 = (bytes, atEnd) => decoder.decode(bytes, { stream: !atEnd })
      }
    }
    if (utf16 !== undefined) {
      carried = new Uint8Array()
      yield* piecesOfUtf16(utf16(bytes, atEnd))
      return
    }
    const whole = atEnd ? bytes.length : wholeCharacters(bytes)
    carried = new Uint8Array(bytes.subarray(whole))
    yield* piecesOf(bytes.subarray(0, whole))
  }
  for await (const chunk of typeof source === "string" ? [source] : source) {
    if (typeof chunk === "string") {
      if (!isStarted && carried.length === 0 && chunk.startsWith(zip)) throw isZip()
      yield* taken(carried, true)
      yield { text: chunk, valid: true }
    } else {
      const bytes = joined(carried, chunk)
      if (isStarted || bytes.length >= signatureBytes) yield* taken(bytes, false)
      else carried = new Uint8Array(bytes)
    }
  }
  yield* taken(carried, true)
}

/** The source's text in pieces of bounded length, without its byte order mark. */
export async function* textOf(source: TextSource): AsyncGenerator<TextPiece> {
  let first = true
  for await (const { text, valid } of decodedPieces(source)) {
    if (text === "") continue
    let from = first && text.startsWith("\uFEFF") ? 1 : 0
    first = false
    for (; from < text.length; from += longestPieceCodeUnits) {
      yield { text: text.slice(from, from + longestPieceCodeUnits), valid }
    }
  }
}

/** Pieces of text without so much of their beginning. */
export const piecesFrom = (pieces: ReadonlyArray<TextPiece>, from: number): ReadonlyArray<TextPiece> => {
  let left = from
  return pieces.map(({ text, valid }) => {
    const piece = { text: text.slice(left), valid }
    left = Math.max(0, left - text.length)
    return piece
  })
}
