import { type Device, type KeyedDevice, type Parsed, parseDevice } from "../device/device.ts"
import { valueIssue } from "../device/issue.ts"
import { properties, propertyNames } from "../device/property.ts"
import { type ReadItem, fault, notADevice } from "./read-item.ts"
import { type TextSource, textOf } from "./text-source.ts"

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

const readJson = (line: number, json: unknown): ReadItem => {
  const parsed = deviceFromGraph(json)
  if (!parsed.success) return notADevice(line, parsed.issues)
  return parsed.data.id === undefined
    ? notADevice(line, [valueIssue(idProperty, undefined)])
    : { kind: "device", line, device: parsed.data as KeyedDevice }
}

const readLine = (line: number, text: string): ReadItem | undefined => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return text.trim() === "" ? undefined : fault(line, "notJson")
  }
  return readJson(line, json)
}

/** How JSONL is to be read. */
export interface JsonLinesReading {
  /** A line with more UTF-16 code units than this is left out as `tooLong`; 1,048,576. */
  readonly longestLineCodeUnits?: number
}

/**
 * Reads devices from JSONL as it arrives, each with its key: every line as a device or as what is wrong with it. Blank
 * lines and a byte order mark are passed over. No more than one line, and a piece of the text, is held in memory.
 *
 * @throws UnreadableSource when the text is UTF-16
 */
export async function* readDeviceLines(source: TextSource, options?: JsonLinesReading): AsyncGenerator<ReadItem> {
  for await (const items of readDeviceLineBatches(source, options)) yield* items
}

/** As {@link readDeviceLines}, by the piece of text: for millions of lines, waiting for each alone takes a tenth of the time. */
export async function* readDeviceLineBatches(
  source: TextSource,
  { longestLineCodeUnits = 1_048_576 }: JsonLinesReading = {}
): AsyncGenerator<ReadonlyArray<ReadItem>> {
  let line = 1
  let text = ""
  let length = 0
  let lineIsValid = true
  const lineOf = (): ReadItem | undefined => {
    if (!lineIsValid) return fault(line, "notUtf8")
    if (length > longestLineCodeUnits) return fault(line, "tooLong")
    return readLine(line, text)
  }
  for await (const piece of textOf(source)) {
    const items: Array<ReadItem> = []
    for (let from = 0; from < piece.text.length;) {
      const lineFeed = piece.text.indexOf("\n", from)
      const end = lineFeed === -1 ? piece.text.length : lineFeed
      length += end - from
      if (length <= longestLineCodeUnits) text += piece.text.slice(from, end)
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
    if (items.length > 0) yield items
  }
  const item = lineOf()
  if (item !== undefined) yield [item]
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
  for (const [at, row] of listOf(json).entries()) yield readJson(at + 1, row)
}
