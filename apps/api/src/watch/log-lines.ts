import { printableJson } from "@workanywhere/domain"
import { pino } from "pino"
import type { Log } from "../http/observation.ts"
import type { Settings } from "../settings/settings.ts"

/** The log of a service, and the way to have written what it was told. */
export interface LogLines {
  readonly log: Log
  /** Writes what is waiting, before it returns. */
  readonly flush: () => void
}

/** Lines of JSON on stderr. */
export const logLines = (level: Settings["log"]): LogLines => {
  const stderr = pino.destination({ fd: 2, sync: false })
  const log = pino(
    {
      base: null,
      level: level === "off" ? "silent" : level,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Somebody reads them in a terminal.
      hooks: { streamWrite: printableJson }
    },
    stderr
  )
  return { log, flush: () => stderr.flushSync() }
}
