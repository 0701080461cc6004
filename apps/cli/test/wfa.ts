import * as NodeServices from "@effect/platform-node/NodeServices"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { join } from "node:path"
import { run } from "../src/cli.ts"
import { wfa as tree } from "../src/commands.ts"

/** The body of the request on Microsoft's page, as a file. */
export const documentedBody = join(import.meta.dirname, "../../../docs/examples/update.json")

interface Branch {
  readonly name: string
  readonly description: string | undefined
  readonly examples: ReadonlyArray<{ readonly command: string }>
  readonly subcommands: ReadonlyArray<{ readonly commands: ReadonlyArray<Branch> }>
}

const commandsBelow = (
  command: Branch,
  words: ReadonlyArray<string> = []
): ReadonlyArray<readonly [string, Branch]> => [
  [["wfa", ...words].join(" "), command],
  ...command.subcommands.flatMap(({ commands }) => commands).flatMap((one) => commandsBelow(one, [...words, one.name]))
]

/** Every command of the tree: the words that lead to it, and what it says of itself. */
export const commands = commandsBelow(tree)

/** What a command left behind. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

interface Surroundings {
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
  readonly terminal?: boolean
}

/** Runs a whole command in process: real files and HTTP, captured standard streams, and only the given environment. */
export const wfa = (
  args: ReadonlyArray<string>,
  { env = {}, stdin = "", terminal = false }: Surroundings = {}
): Promise<Outcome> => {
  const written = { stdout: "", stderr: "" }
  const into = (stream: keyof typeof written) => () =>
    Sink.forEach((chunk: string | Uint8Array) =>
      Effect.sync(() => {
        written[stream] += typeof chunk === "string" ? chunk : new TextDecoder().decode(chunk)
      })
    )
  const stdio = Stdio.layerTest({
    stdin: Stream.make(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin),
    stdout: into("stdout"),
    stderr: into("stderr"),
    stdoutIsTerminal: Effect.succeed(terminal)
  })
  return run(args, "1.2.3").pipe(
    Effect.map((code) => ({ code, ...written })),
    Effect.provide(Layer.mergeAll(NodeServices.layer, FetchHttpClient.layer).pipe(Layer.merge(stdio))),
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env)),
    Effect.runPromise
  )
}
