import { GraphClient } from "@workanywhere/graph-client"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import { root } from "./commands/root.ts"
import { requestLog } from "./debug.ts"
import { ConfigurationError, UsageError } from "./failure.ts"
import { writeError } from "./output.ts"

const defaultTarget = "http://127.0.0.1:4010/beta"

const rootOf = (text: string): URL | undefined => {
  const url = URL.parse(text)
  return url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.pathname.length > 1 &&
    url.search === "" &&
    url.hash === ""
    ? url
    : undefined
}

const wrongTarget = (name: string) =>
  `${name} is not the address of a Graph root with its version, such as https://graph.microsoft.com/beta or ${defaultTarget}`

const target = Effect.fnUntraced(function* (flag: Option.Option<string>) {
  if (Option.isSome(flag)) return rootOf(flag.value) ?? (yield* new UsageError({ message: wrongTarget("--target") }))
  const text = yield* Config.String("WFA_TARGET").pipe(Config.withDefault(defaultTarget))
  return rootOf(text) ?? (yield* new ConfigurationError({ message: wrongTarget("WFA_TARGET") }))
})

const fail = (message: string) => Layer.effect(GraphClient, Effect.fail(new ConfigurationError({ message })))

/** The client for the target that flags and environment name; read only when a command that sends something runs. */
export const targetClient = Layer.unwrap(
  Effect.gen(function* () {
    const flags = yield* root
    const baseUrl = yield* target(flags.target)
    const token = yield* Config.option(Config.Redacted("WFA_TOKEN"))
    const stdio = yield* Stdio.Stdio
    const client = GraphClient.layer({
      baseUrl,
      ...(Option.isSome(token) ? { token: token.value } : {}),
      onRepeat: ({ error, waitMillis }) =>
        writeError(`${error.message}; trying again in ${(waitMillis / 1000).toFixed(1)} s`).pipe(
          Effect.provideService(Stdio.Stdio, stdio)
        )
    })
    return flags.debug ? Layer.provide(client, requestLog) : client
  })
).pipe(
  Layer.catchTag("InvalidOptions", (error) => fail(error.message)),
  Layer.catchTag("ConfigError", (error) => fail(error.message))
)
