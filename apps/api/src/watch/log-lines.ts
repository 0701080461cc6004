import { pino } from "pino"
import type { Log } from "../http/log.ts"

const flushMillis = 250
const mostLines = 64

let millis = 0
let stamp = ""

/** The time as it stands in a line; made once for all lines of a millisecond. */
const timestamp = (): string => {
  const now = Date.now()
  if (now !== millis) {
    millis = now
    stamp = `,"time":"${new Date(now).toISOString()}"`
  }
  return stamp
}

/** Where log lines go: to stderr, many in one write. */
export interface LogLines {
  readonly write: (line: string) => void
  /** Writes what is waiting, before it returns. */
  readonly flush: () => void
}

/**
 * A write for each line would be a seventh of what a request costs. Not by pino's own `minLength`: with it, each line
 * costs as much as all that wait, whose length is counted anew.
 */
export const logLines = (): LogLines => {
  const stderr = pino.destination({ fd: 2, sync: false })
  let lines: Array<string> = []
  let timer: NodeJS.Timeout | undefined

  const pass = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (lines.length === 0) return
    stderr.write(lines.join(""))
    lines = []
  }

  return {
    write: (line) => {
      if (lines.push(line) >= mostLines) pass()
      else timer ??= setTimeout(pass, flushMillis).unref()
    },
    flush: () => {
      pass()
      stderr.flushSync()
    }
  }
}

/**
 * The log of a service as lines of JSON, those of pino: it writes what failed, which takes care. What is known of each
 * request is plain, and takes a third of the time without it.
 */
export const lineLog = (lines: LogLines, level: "info" | "error" | "off"): Log => {
  const careful = pino({ base: null, level: level === "off" ? "silent" : level, timestamp }, lines)
  return {
    info:
      level === "info"
        ? (facts, message) => {
            const inside = JSON.stringify(facts).slice("{".length, -"}".length)
            const told = inside === "" ? "" : `,${inside}`
            lines.write(`{"level":30${timestamp()}${told},"msg":${JSON.stringify(message)}}\n`)
          }
        : () => {},
    error: (facts, message) => careful.error(facts, message)
  }
}
