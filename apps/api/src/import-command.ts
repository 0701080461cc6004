import { createReadStream } from "node:fs"
import { addAbortSignal } from "node:stream"
import { parseArgs } from "node:util"
import { UnreadableSource, printable } from "@workanywhere/domain"
import { exitCode, fail } from "./exit.ts"
import { sharedTenant } from "./http/env.ts"
import { readSettings } from "./settings/config.ts"
import { storeName } from "./settings/settings.ts"
import { databaseTrouble } from "./store/database-trouble.ts"
import { type DeviceStore, type Existing, collectionOf } from "./store/device-store.ts"
import { type ImportFormat, type ImportProgress, NoMetric, importDevices } from "./store/import.ts"
import { openDeviceStore } from "./store/open-device-store.ts"

/** What `wfa-api --help` says about the command. */
export const importHelp = `Puts the devices of a file into the store that WFA_STORE names: JSON objects,
one in a line or in a list, or CSV with Graph's names or the portal's in its
heading. Lines that hold no device are reported and left out. "-" reads from
stdin.

  --format jsonl|csv        how the file is written; without it, what its name
                            ends in (.csv, .tsv), else jsonl, which takes a
                            whole JSON document as well
  --metric <id>             the metric whose devices they are (allDevices)
  --tenant <id>             whose they are (${sharedTenant})
  --existing replace|keep   what becomes of a device that is there already
                            (replace, as a whole)

It exits with 0 when all are in, 9 when some lines were left out, 2 for a wrong
argument, or a file that is no text or has no device, 3 for a wrong setting, 7
when the store fails on the way, and 130 when it was interrupted; what it
reported as done is in the store.`

class UsageError extends Error {}

const formatOf = (given: string | undefined, path: string): ImportFormat => {
  if (given === undefined) return /\.[ct]sv$/i.test(path) ? "csv" : "jsonl"
  if (given !== "jsonl" && given !== "csv") throw new UsageError("--format: expected jsonl or csv")
  return given
}

const existingOf = (given: string): Existing => {
  if (given !== "replace" && given !== "keep") throw new UsageError("--existing: expected replace or keep")
  return given
}

const parsed = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        format: { type: "string" },
        metric: { type: "string", default: "allDevices" },
        tenant: { type: "string", default: sharedTenant },
        existing: { type: "string", default: "replace" }
      }
    })
  } catch (error) {
    // Only the first of its sentences is about what was typed.
    throw new UsageError(error instanceof Error ? error.message.split(". ", 1)[0] : String(error))
  }
}

const orderOf = (args: ReadonlyArray<string>) => {
  const { values, positionals } = parsed(args)
  const [path, ...others] = positionals
  if (path === undefined || others.length > 0) throw new UsageError("import: expected one file")
  return {
    path,
    format: formatOf(values.format, path),
    metric: values.metric,
    tenant: values.tenant,
    existing: existingOf(values.existing)
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What is wrong with a file is wrong with many of its lines: whoever has read so many has seen what it is. */
const mostFaultsShown = 20

const noun = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`

/** Names a file that cannot be opened as a person would. */
const fileTrouble = (error: unknown, path: string): string | undefined => {
  if (!(error instanceof Error && "syscall" in error && "code" in error)) return undefined
  switch (error.code) {
    case "ENOENT":
      return `there is no file ${path}`
    case "EISDIR":
      return `${path} is a folder`
    case "EACCES":
    case "EPERM":
      return `${path} may not be read`
    default:
      return `${path} cannot be read (${error.message})`
  }
}

const reportEveryMs = 5_000
const reportEveryMsOnTerminal = 200

/** Writes how far the import is: a line now and then, or one line that changes on a terminal. */
const reporter = (terminal: boolean) => {
  const every = terminal ? reportEveryMsOnTerminal : reportEveryMs
  const started = performance.now()
  let reported = started
  return ({ line, devices }: ImportProgress): void => {
    const now = performance.now()
    if (now - reported < every) return
    reported = now
    const perSecond = Math.round((devices * 1_000) / (now - started))
    process.stderr.write(
      `${terminal ? "\r" : ""}line ${line}: ${devices} devices, ${perSecond} in a second${terminal ? "\u001b[K" : "\n"}`
    )
  }
}

const summaryOf = ({ line, devices, kept, faults }: ImportProgress): string =>
  [
    `${devices} ${devices === 1 ? "device" : "devices"} up to line ${line}`,
    ...(kept === 0 ? [] : [`${kept} of them were there already and are kept`]),
    ...(faults === 0 ? [] : [`${faults} ${faults === 1 ? "line" : "lines"} left out`])
  ].join(", ")

const importInto = async (store: DeviceStore, order: ReturnType<typeof orderOf>): Promise<void> => {
  const collection = collectionOf(order.tenant, order.metric)
  const noMetric = `there is no metric with the id '${printable(order.metric)}'`
  if (!(await store.metrics.has(order.tenant, order.metric))) return fail([noMetric], exitCode.usage)

  const interrupt = new AbortController()
  const { signal } = interrupt
  const stop = (): void => {
    if (signal.aborted) process.exit(exitCode.interrupted)
    interrupt.abort()
  }
  process.on("SIGINT", stop).on("SIGTERM", stop)

  const file = order.path === "-" ? "standard input" : printable(order.path)
  const terminal = process.stderr.isTTY
  const clear = terminal ? "\r\u001b[K" : ""
  const report = reporter(terminal)
  let reached: ImportProgress = { line: 0, devices: 0, kept: 0, faults: 0 }
  let faultsNotShown = 0
  let faultsShown = 0
  const showFault = (line: number, message: string): void => {
    if (faultsShown === mostFaultsShown) faultsNotShown++
    else {
      faultsShown++
      process.stderr.write(`${clear}line ${line}: ${printable(message)}\n`)
    }
  }
  const showHowMany = (): void => {
    if (faultsNotShown > 0) process.stderr.write(`${clear}and ${noun(faultsNotShown, "more line")} like these\n`)
  }
  const stopped = (why: string, code: number): void => {
    showHowMany()
    fail([`${clear}import: ${why} behind ${summaryOf(reached)}`], code)
  }
  try {
    await importDevices({
      ...order,
      store,
      collection,
      source: addAbortSignal(signal, order.path === "-" ? process.stdin : createReadStream(order.path)),
      signal,
      onFault: showFault,
      onProgress: (progress) => {
        reached = progress
        report(progress)
      }
    })
  } catch (error) {
    const reason = printable(reasonOf(error))
    const trouble = databaseTrouble(error)
    if (trouble === "damaged") return stopped(`the store is damaged (${reason}); stopped`, exitCode.configuration)
    if (trouble !== undefined) return stopped(`${reason}; stopped`, exitCode.tryLater)
    if (error instanceof NoMetric) return stopped(`${noMetric} any more; stopped`, exitCode.usage)
    const unreadable = error instanceof UnreadableSource ? `${file}: ${reason}` : undefined
    const ofTheFile = unreadable ?? fileTrouble(error, file)
    if (ofTheFile !== undefined && reached.line === 0) return fail([`import: ${ofTheFile}`], exitCode.usage)
    if (ofTheFile !== undefined) return stopped(`${ofTheFile}; stopped`, exitCode.usage)
    // The source ends with an error of its own when it is told to.
    const asTold = signal.aborted && error instanceof Error && error.name === "AbortError"
    if (!asTold) throw error
  }
  if (signal.aborted) return stopped("interrupted", exitCode.interrupted)
  showHowMany()
  if (reached.devices === 0 && reached.faults === 0) {
    return fail([`${clear}import: there is no device in ${file}`], exitCode.usage)
  }
  process.stderr.write(`${clear}imported ${summaryOf(reached)}\n`)
  process.exitCode = reached.faults === 0 ? exitCode.done : exitCode.someFailed
}

/** What `wfa-api import` does with its arguments and an environment. */
export const runImport = async (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>
): Promise<void> => {
  let order: ReturnType<typeof orderOf>
  try {
    order = orderOf(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return fail([error.message, "see wfa-api --help"], exitCode.usage)
  }
  const settings = readSettings(env)
  if (!settings.success) return fail(settings.problems, exitCode.configuration)
  const { store: setting } = settings.data
  if (setting === "memory") {
    return fail(
      ["WFA_STORE: memory ends with this command; set it to the store of the service"],
      exitCode.configuration
    )
  }
  let store: DeviceStore
  try {
    store = await openDeviceStore(setting, "bulk")
  } catch (error) {
    return fail([`cannot use the store ${storeName(setting)}: ${reasonOf(error)}`], exitCode.configuration)
  }
  try {
    await importInto(store, order)
  } finally {
    await store.close()
  }
}
