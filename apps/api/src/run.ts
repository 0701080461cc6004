import { constants } from "node:os"
import { parseArgs } from "node:util"
import { exitCode, fail } from "./exit.ts"
import { type Service, startService } from "./service.ts"
import { readSettings } from "./settings/config.ts"
import { packageVersion } from "./settings/package-version.ts"
import { StartError } from "./settings/settings.ts"
import { settingsTable } from "./settings/variables.ts"
import { logLines } from "./watch/log-lines.ts"

const help = (
  importHelp: string
): string => `wfa-api: a local Microsoft Graph for work-from-anywhere devices, or a gateway
to another one

  wfa-api                 start the service
  wfa-api import <file>   put the devices of a file into the store
  wfa-api --help          print this
  wfa-api --version       print the version

Settings are read from the environment:

${settingsTable()}

Traces are sent when OTEL_EXPORTER_OTLP_ENDPOINT says where to, by
OpenTelemetry's standard variables.

It prints one line on stdout when it accepts connections; which file the devices
are in, how to trust a certificate that it made, and the log are on stderr.
SIGTERM and SIGINT end it.

wfa-api import <file>

${importHelp}
`

const optionsOf = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({ args: [...args], options: { help: { type: "boolean" }, version: { type: "boolean" } } }).values
  } catch (error) {
    // Only the first of its sentences is about what was typed.
    return error instanceof Error ? (error.message.split(". ", 1)[0] ?? "") : String(error)
  }
}

const serve = async (env: Readonly<Record<string, string | undefined>>): Promise<void> => {
  const settings = readSettings(env)
  if (!settings.success) return fail(settings.problems, exitCode.configuration)

  const { log, flush } = logLines(settings.data.log)
  process.on("exit", flush)

  let service: Service
  try {
    service = await startService(settings.data, { log })
  } catch (error) {
    if (error instanceof StartError) return fail([error.message], exitCode.configuration)
    throw error
  }

  let stopping = false
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (stopping) process.exit(128 + constants.signals[signal])
    stopping = true
    await service.close()
    process.exit(exitCode.done)
  }
  process.on("SIGTERM", (signal) => void stop(signal))
  process.on("SIGINT", (signal) => void stop(signal))
  if (settings.data.log !== "off") process.stderr.write(service.notices.map((line) => `wfa-api: ${line}\n`).join(""))
  process.stdout.write(`listening on ${service.url}\n`)
}

// Imported when needed, with the libraries that read its files: a start has no use for them.
const importCommand = () => import("./import-command.ts")

/** What the `wfa-api` command does with its arguments and an environment. */
export const run = async (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>
): Promise<void> => {
  const [command, ...rest] = args
  if (command === "import") {
    const { importHelp, runImport } = await importCommand()
    if (!rest.includes("--help")) return runImport(rest, env)
    process.stdout.write(`wfa-api import <file>\n\n${importHelp}\n`)
    return
  }
  const options = optionsOf(args)
  if (typeof options === "string") return fail([options, "see wfa-api --help"], exitCode.usage)
  if (options.help === true) process.stdout.write(help((await importCommand()).importHelp))
  else if (options.version === true) process.stdout.write(`${packageVersion()}\n`)
  else await serve(env)
}
