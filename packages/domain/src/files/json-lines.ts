import { type Device, type KeyedDevice, type Parsed, parseDevice } from "../device/device.ts"
import { valueIssue } from "../device/issue.ts"
import { properties, propertyNames } from "../device/property.ts"
import { type DocumentStart, type JsonItem, JsonItems, documentStart } from "./json-items.ts"
import { readJson, repeatedNameIssues } from "./json-text.ts"
import { type ReadItem, fault, notADevice } from "./read-item.ts"
import { type TextPiece, type TextSource, piecesFrom, textOf } from "./text-source.ts"

/**
 * Reads a device from what `JSON.parse` made of Graph's answer. The device is the very object that was given, with
 * everything on it: members of enums that Graph added later, `@odata.*` annotations, whichever way it said "no score".
 */
export const deviceFromGraph = (json: unknown): Parsed<Device> => {
  const parsed = parseDevice(json)
  return parsed.success && parsed.data !== json ? { success: true, data: json as Device } : parsed
}

const known: ReadonlySet<string> = new Set(propertyNames)

/**
 * The JSON object that Graph would send for a device: its properties in the documented order, then whatever else is on
 * it, all as it was read.
 */
export const deviceToGraph = (device: Device): { readonly [name: string]: unknown } =>
  Object.fromEntries([
    ...propertyNames.filter((name) => device[name] !== undefined).map((name) => [name, device[name]]),
    ...Object.entries(device).filter(([name]) => !known.has(name))
  ])

/** A device as a line of JSONL, with its `\n`. */
export const deviceJsonLine = (device: Device): string => `${JSON.stringify(deviceToGraph(device))}\n`

const [idProperty] = properties

const readRow = (line: number, json: unknown): ReadItem => {
  const parsed = deviceFromGraph(json)
  if (!parsed.success) return notADevice(line, parsed.issues)
  return parsed.data.id === undefined
    ? notADevice(line, [valueIssue(idProperty, undefined)])
    : { kind: "device", line, device: parsed.data as KeyedDevice }
}

/** Several times what Graph hangs on a device. */
const deepest = 64

const readText = (line: number, text: string): ReadItem => {
  const read = readJson(text, { depth: deepest })
  switch (read.is) {
    case "json":
      return readRow(line, read.value)
    case "repeated":
      return notADevice(line, repeatedNameIssues(read.repeats))
    default:
      return fault(line, read.is === "notJson" ? "notJson" : "tooDeep")
  }
}

const unreadable = {
  unfinished: "the text ends before the JSON does; what else it held is not known",
  behind: "what stands behind the list is not read"
}

const readItem = ({ line, position, text, broken }: JsonItem): ReadItem => {
  if (broken === "unfinished" || broken === "behind") return fault(line, "notJson", unreadable[broken])
  const item = broken === undefined ? readText(line, text) : fault(line, broken)
  // Many documents are of a single line.
  return item.kind === "fault" ? { ...item, message: `item ${position}: ${item.message}` } : item
}

/** How JSONL is to be read. */
export interface JsonLinesReading {
  /** A line, or a device of a document, with more UTF-16 code units than this is left out as `tooLong`; 1,048,576. */
  readonly longestLineCodeUnits?: number
}

/**
 * Reads devices from JSONL as it arrives, each with its key: every line as a device or as what is wrong with it. A name that
 * stands twice in an object is wrong. Blank lines and a byte order mark are passed over. Where the text begins as a list, as a
 * page of Graph's, or as an object that goes over several lines, the devices in it are read instead. No more than one device,
 * and a piece of the text, is held in memory.
 *
 * @throws UnreadableSource when it is no text
 */
export async function* readDeviceLines(source: TextSource, options?: JsonLinesReading): AsyncGenerator<ReadItem> {
  for await (const items of readDeviceLineBatches(source, options)) yield* items
}

/** As {@link readDeviceLines}, by the piece of text: for millions of lines, waiting for each alone takes a tenth of the time. */
export async function* readDeviceLineBatches(
  source: TextSource,
  { longestLineCodeUnits = 1_048_576 }: JsonLinesReading = {}
): AsyncGenerator<ReadonlyArray<ReadItem>> {
  let reader: Reader | undefined
  let head: Array<TextPiece> = []
  const begin = (isAll: boolean): ReadonlyArray<ReadItem> => {
    const text = head.map((piece) => piece.text).join("")
    const start = documentStart(text, isAll)
    if (start === undefined) return []
    reader = start === "lines" ? linesReader(longestLineCodeUnits) : documentReader(start, text, longestLineCodeUnits)
    const { push } = reader
    const pieces = start === "lines" ? head : piecesFrom(head, start.from)
    head = []
    return pieces.flatMap(push)
  }
  for await (const piece of textOf(source)) {
    let items: ReadonlyArray<ReadItem>
    if (reader === undefined) {
      head.push(piece)
      items = begin(false)
    } else items = reader.push(piece)
    if (items.length > 0) yield items
  }
  const items = reader === undefined ? begin(true) : []
  if (items.length > 0) yield items
  const last = reader?.end() ?? []
  if (last.length > 0) yield last
}

/** What is done with the text of a source as it arrives. */
interface Reader {
  readonly push: (piece: TextPiece) => ReadonlyArray<ReadItem>
  readonly end: () => ReadonlyArray<ReadItem>
}

const documentReader = (start: DocumentStart, head: string, longest: number): Reader => {
  const items = new JsonItems(start, head, longest)
  return {
    push: (piece) => Array.from(items.push(piece), readItem),
    end: () => Array.from(items.end(), readItem)
  }
}

const linesReader = (longest: number): Reader => {
  let line = 1
  let text = ""
  let length = 0
  let lineIsValid = true
  const lineOf = (): ReadItem | undefined => {
    if (!lineIsValid) return fault(line, "notUtf8")
    if (length > longest) return fault(line, "tooLong")
    return text.trim() === "" ? undefined : readText(line, text)
  }
  return {
    push: (piece) => {
      const items: Array<ReadItem> = []
      for (let from = 0; from < piece.text.length;) {
        const lineFeed = piece.text.indexOf("\n", from)
        const end = lineFeed === -1 ? piece.text.length : lineFeed
        length += end - from
        if (length <= longest) text += piece.text.slice(from, end)
        lineIsValid &&= piece.valid
        from = end + 1
        if (lineFeed === -1) continue
        const item = lineOf()
        if (item !== undefined) items.push(item)
        line++
        text = ""
        length = 0
        lineIsValid = true
      }
      return items
    },
    end: () => {
      const item = lineOf()
      return item === undefined ? [] : [item]
    }
  }
}

const listOf = (json: unknown): ReadonlyArray<unknown> => {
  if (Array.isArray(json)) return json
  const value: unknown =
    typeof json === "object" && json !== null && Object.hasOwn(json, "value") ? Reflect.get(json, "value") : undefined
  return Array.isArray(value) ? value : [json]
}

/**
 * Reads the devices of a whole JSON document: a page of Graph's (`{"value": […]}`), an array, or a single device. The
 * line of an item is its position in the list, from 1.
 */
export function* readDeviceDocument(json: unknown): Generator<ReadItem> {
  for (const [at, row] of listOf(json).entries()) yield readRow(at + 1, row)
}
