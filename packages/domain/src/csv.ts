export {
  type CsvColumns,
  type CsvReading,
  type DeviceCsvWriter,
  deviceCsvWriter,
  portalCsvWriter,
  readDeviceCsv
} from "./files/csv.ts"
export type { CsvForm, EmptyCell, PortalReport } from "./files/csv-headings.ts"
export { csvLine } from "./files/csv-text.ts"
export type { DeviceRead, Fault, ReadItem } from "./files/read-item.ts"
export { type TextSource, UnreadableSource } from "./files/text-source.ts"
