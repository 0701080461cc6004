import {
  type KeyedDevice,
  type WholeDevice,
  isShortEnough,
  isStorable,
  longestText,
  portalUnavailableScore,
  properties,
  readDeviceLineBatches,
  unavailableScore,
  unwritableIssue,
  wholeDevice
} from "@workanywhere/domain"
import { type CsvColumns, type ReadItem, type TextSource, readDeviceCsv } from "@workanywhere/domain/csv"
import type { Collection, DeviceStore, Existing } from "./device-store.ts"

/** How a file of devices is written: as JSON, an object in each line or a whole document, or as a table with a heading. */
export type ImportFormat = "jsonl" | "csv"

/** How far an import has come. */
export interface ImportProgress {
  /** The last line that is done with: its device is durable, or was left out and reported. */
  readonly line: number
  /** Devices that are durable now. */
  readonly devices: number
  /** How many of them were there already and stay as they were. */
  readonly kept: number
  /** Lines that were left out. */
  readonly faults: number
}

/** What to import, where to, and whom to tell. */
export interface ImportOrder {
  readonly store: DeviceStore
  readonly collection: Collection
  readonly existing: Existing
  readonly format: ImportFormat
  readonly source: TextSource
  /** Told of a line, or a column of it, that is left out and why. */
  readonly onFault: (line: number, message: string) => void
  /** Told after each transaction. */
  readonly onProgress: (progress: ImportProgress) => void
  /** Ends the import between two transactions. */
  readonly signal: AbortSignal
}

/** Four times as quick as a thousand, because keys are random and so share pages; others who write wait for 0.2 s. */
const devicesInTransaction = 10_000

/** As long as one that is created over HTTP can be. */
const longestIdCharacters = 256

/** What an update could not send back has no place in a store: what was read can always be written again. */
const limited = properties.filter(({ kind }) => kind !== "string" && kind !== "boolean")

const scores = properties.flatMap(({ name, kind }) => (kind === "score" ? [name] : []))

/** The portal's files say in two ways that there is no score, of which Graph takes one. */
const asGraphSaysIt = (device: WholeDevice): WholeDevice => {
  const unavailable = scores.filter((name) => device[name] === portalUnavailableScore)
  return unavailable.length === 0
    ? device
    : { ...device, ...Object.fromEntries(unavailable.map((name) => [name, unavailableScore])) }
}

/** Filling up from it takes half as long as `wholeDevice`; what else a line has is not looked at. */
const nothingKnown = wholeDevice({ id: "" })

const unstorable = (device: KeyedDevice): string | undefined => {
  if (device.id === "" || device.id.length > longestIdCharacters) {
    return `id: expected a text of 1 to ${longestIdCharacters} characters`
  }
  for (const row of limited) {
    const value = device[row.name]
    if (value === undefined || value === null) continue
    const issue = unwritableIssue(row, value)
    if (issue !== undefined) return issue.message
  }
  for (const name in device) {
    const value: unknown = Reflect.get(device, name)
    if (typeof value !== "string") continue
    if (!isShortEnough(value)) return `${name}: expected at most ${longestText} characters`
    if (!isStorable(value)) return `${name}: a NUL or half a surrogate pair cannot be stored`
  }
  return undefined
}

async function* csvBatches(source: TextSource): AsyncGenerator<ReadonlyArray<CsvColumns | ReadItem>> {
  let items: Array<CsvColumns | ReadItem> = []
  for await (const item of readDeviceCsv(source)) {
    if (items.push(item) < devicesInTransaction) continue
    yield items
    items = []
  }
  if (items.length > 0) yield items
}

/** The metric was not there, or is not any more. */
export class NoMetric extends Error {
  override readonly name = "NoMetric"
}

/**
 * Reads devices as they arrive and puts them into a collection, many in a transaction, so that memory is bounded and
 * what was reported as done stays done. Properties that a line does not have are null.
 *
 * @throws NoMetric
 * @throws UnreadableSource when nothing of the source can be read; errors of the source and of the store as they are
 */
export const importDevices = async ({
  store,
  collection,
  existing,
  format,
  source,
  onFault,
  onProgress,
  signal
}: ImportOrder): Promise<ImportProgress> => {
  let done: ImportProgress = { line: 0, devices: 0, kept: 0, faults: 0 }
  let { line, faults } = done
  let devices: Array<WholeDevice> = []

  const leaveOut = (message: string): void => {
    faults++
    onFault(line, message)
  }
  const take = (item: CsvColumns | ReadItem): void => {
    line = item.line
    if (item.kind === "columns") for (const { message } of item.issues) onFault(line, message)
    else if (item.kind === "fault") leaveOut(item.message)
    else {
      const problem = item.issues?.map(({ message }) => message).join("; ") ?? unstorable(item.device)
      if (problem === undefined) devices.push(asGraphSaysIt({ ...nothingKnown, ...item.device }))
      else leaveOut(problem)
    }
  }
  const put = async (): Promise<void> => {
    const put = devices.length === 0 ? 0 : await store.put(collection, devices, existing)
    if (put === "noMetric") throw new NoMetric()
    const kept = existing === "keep" ? devices.length - put : 0
    done = { line, devices: done.devices + devices.length, kept: done.kept + kept, faults }
    devices = []
    onProgress(done)
  }

  for await (const items of format === "csv" ? csvBatches(source) : readDeviceLineBatches(source)) {
    for (const item of items) take(item)
    if (devices.length >= devicesInTransaction) await put()
    if (signal.aborted) return done
  }
  await put()
  return done
}
