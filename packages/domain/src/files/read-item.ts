import type { KeyedDevice } from "../device/device.ts"
import type { Issue } from "../device/issue.ts"

/**
 * What kept a row or line from being read: `notADevice` (its values do not fit, see `issues`), `notJson`, `quotes`
 * (never closed, or followed by more text), `cellCount`, `tooLong`, `tooDeep`, `notUtf8` (or, in a text that is UTF-16, not that).
 */
export type FaultCode = "notADevice" | "notJson" | "quotes" | "cellCount" | "tooLong" | "tooDeep" | "notUtf8"

/** A row or line that was left out. Reading goes on behind it. */
export interface Fault {
  readonly kind: "fault"
  /** As an editor counts lines, from 1; for a JSON document the position in its list, from 1. */
  readonly line: number
  readonly code: FaultCode
  /** One sentence for a person; holds at most a shortened value of what was read. */
  readonly message: string
  /** What is wrong with each property; empty unless the code is `notADevice`. */
  readonly issues: ReadonlyArray<Issue>
}

/** A device that was read, and where it stood. */
export interface DeviceRead {
  readonly kind: "device"
  readonly line: number
  readonly device: KeyedDevice
  /** Values of a CSV file that were read but may not be sent: members that nobody knows, scores out of range. */
  readonly issues?: ReadonlyArray<Issue>
}

/** What the readers of devices yield. */
export type ReadItem = DeviceRead | Fault

const words: Record<Exclude<FaultCode, "notADevice">, string> = {
  notJson: "the line is not JSON",
  quotes: "a quote is never closed, or more text follows the closing one",
  cellCount: "the row has not as many cells as the header",
  tooLong: "the line is too long to be a device",
  tooDeep: "the JSON is nested too deeply to be a device",
  notUtf8: "the line holds bytes that are not UTF-8"
}

/** Says that a row or line as a whole cannot be read. */
export const fault = (line: number, code: Exclude<FaultCode, "notADevice">, message = words[code]): Fault => ({
  kind: "fault",
  line,
  code,
  message,
  issues: []
})

/** Says which values of a row or line do not fit a device. */
export const notADevice = (line: number, issues: ReadonlyArray<Issue>): Fault => ({
  kind: "fault",
  line,
  code: "notADevice",
  message: issues.map(({ message }) => message).join("; "),
  issues
})
