import { printableJson } from "@workanywhere/domain"
import { pino } from "pino"
import type { Log } from "../http/observation.ts"
import type { Settings } from "../settings/settings.ts"

const flushMillis = 250
const mostLines = 64

/** The log of a service, and the way to have written what it was told. */
export interface LogLines {
  readonly log: Log
  /** Writes what is waiting, before it returns. */
  readonly flush: () => void
}

/**
 * Lines of JSON on stderr, many in one write, which makes 1.1 × as many requests (bench/http.ts, GET). Not by pino's own
 * `minLength`: with it, each line costs as much as all that wait, whose length is counted anew.
 */
export const logLines = (level: Settings["log"]): LogLines => {
  const stderr = pino.destination({ fd: 2, sync: false })
  let lines: Array<string> = []
  let timer: NodeJS.Timeout | undefined

  const pass = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (lines.length === 0) return
    // Somebody reads them in a terminal.
    stderr.write(printableJson(lines.join("")))
    lines = []
  }

  const write = (line: string): void => {
    if (lines.push(line) >= mostLines) pass()
    else timer ??= setTimeout(pass, flushMillis).unref()
  }

  const log = pino(
    { base: null, level: level === "off" ? "silent" : level, timestamp: pino.stdTimeFunctions.isoTime },
    { write }
  )
  return {
    log,
    flush: () => {
      pass()
      stderr.flushSync()
    }
  }
}
