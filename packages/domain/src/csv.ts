import { csvLine } from "./csv-text.ts"
import type { Device } from "./device.ts"
import type { PropertyName } from "./property.ts"

export { csvLine }

/** Writes devices as CSV: the header once, then a line for each device. Every line ends in `\r\n`. */
export interface DeviceCsvWriter {
  readonly header: string
  readonly row: (device: Device) => string
}

/**
 * Writes devices with these properties as columns, named and spelled as Graph does; safe to open in a spreadsheet, see
 * {@link csvLine}. A missing property is written like null: an empty cell.
 */
export const deviceCsvWriter = (columns: ReadonlyArray<PropertyName>): DeviceCsvWriter => ({
  header: csvLine(columns),
  row: (device) => csvLine(columns.map((name) => device[name]))
})
