import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import { wfa } from "./commands.ts"
import { exitCode, outcomeOf } from "./exit.ts"
import { write, writeError } from "./output.ts"

/** Help that was asked for is what the command gives, on stdout; what is wrong with a command line is told on stderr. */
const presenter = (stdio: Stdio.Stdio): CliOutput.Presenter => {
  const formatter = CliOutput.defaultFormatter()
  const show = (event: CliOutput.Presenter.Event) => {
    switch (event._tag) {
      case "Help":
        return Effect.ignore(write(`${formatter.formatHelpDoc(event.helpDoc)}\n`))
      case "Version":
        return Effect.ignore(write(`${formatter.formatVersion(event.name, event.version)}\n`))
      case "InvalidInvocation":
        return writeError(
          ...event.errors.flatMap((error) => `wfa: ${error.message}`.split("\n")),
          `Usage: ${event.helpDoc.usage}`,
          `Run ${event.commandPath.join(" ")} --help to see what it takes.`
        )
    }
  }
  return { present: (event) => Effect.provideService(show(event), Stdio.Stdio, stdio) }
}

/** `wfa help device list`, as other tools have it. */
const withHelp = ([first, ...rest]: ReadonlyArray<string>): ReadonlyArray<string> =>
  first === "help" ? [...rest, "--help"] : first === undefined ? [] : [first, ...rest]

const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]

/** Runs a command line and gives its exit code; whatever failed has been told on stderr by then. */
export const run = Effect.fnUntraced(
  function* (args: ReadonlyArray<string>, version: string) {
    const stdio = yield* Stdio.Stdio
    yield* Command.runWith(wfa, { version })(withHelp(args)).pipe(
      Effect.provideService(CliOutput.Presenter, presenter(stdio)),
      Effect.provideService(CliConfig.CliConfig, CliConfig.make({ builtIns }))
    )
    return exitCode.done
  },
  Effect.catch((failure) => {
    const { code, lines } = outcomeOf(failure)
    const [first, ...rest] = lines
    return Effect.as(first === undefined ? Effect.void : writeError(`wfa: ${first}`, ...rest), code)
  }),
  Effect.catchDefect((defect) =>
    Effect.as(
      writeError(`wfa: this is a bug in wfa: ${defect instanceof Error ? defect.message : String(defect)}`),
      exitCode.bug as number
    )
  )
)
