/** Where a reader takes its text from: a string, a stream of strings or bytes (UTF-8), cut anywhere. */
export type TextSource = string | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>

/** Why a source as a whole cannot be read; a fault in one row or line is no such reason. */
export type UnreadableReason = "utf16" | "noHeader" | "noIdColumn"

/** What a reader throws when nothing of a source can be read. An error of the source itself passes through as it is. */
export class UnreadableSource extends Error {
  override readonly name = "UnreadableSource"
  readonly reason: UnreadableReason

  constructor(reason: UnreadableReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** A piece of text; one that is not `valid` lies within one line and holds bytes that are not UTF-8. */
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

const isUtf16 = ([first, second]: Uint8Array): boolean =>
  (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)

async function* decodedPieces(source: TextSource): AsyncGenerator<TextPiece> {
  // A copy: a source may fill the same buffer again.
  let carried = new Uint8Array()
  let first = true
  for await (const chunk of typeof source === "string" ? [source] : source) {
    if (typeof chunk === "string") {
      yield* piecesOf(carried)
      carried = new Uint8Array()
      yield { text: chunk, valid: true }
    } else {
      const bytes = joined(carried, chunk)
      if (first && bytes.length < 2) {
        carried = new Uint8Array(bytes)
        continue
      }
      if (first && isUtf16(bytes)) {
        throw new UnreadableSource("utf16", "the text is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8)")
      }
      const whole = wholeCharacters(bytes)
      yield* piecesOf(bytes.subarray(0, whole))
      carried = new Uint8Array(bytes.subarray(whole))
    }
    first = false
  }
  yield* piecesOf(carried)
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
