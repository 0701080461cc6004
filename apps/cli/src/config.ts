import { GraphClient, type InvalidOptions } from "@workanywhere/graph-client"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stdio from "effect/Stdio"
import * as http from "node:http"
import { root } from "./commands/root.ts"
import { requestLog } from "./debug.ts"
import { ConfigurationError, UsageError } from "./failure.ts"
import { writeError } from "./output.ts"

const defaultTarget = "http://127.0.0.1:4010/beta"

/** The client's words about its options, in those of a command line and its environment. */
const wrongSetting = ({ problems }: InvalidOptions, isTargetFlag: boolean): UsageError | ConfigurationError => {
  const message = problems
    .map((problem) =>
      problem
        .replace(/^baseUrl\b/, isTargetFlag ? "--target" : "WFA_TARGET")
        .replace(/^token\b/, "WFA_TOKEN")
        .replace("and its origin is not among insecureOrigins", "so that what is sent could be read on the way")
    )
    .join("; ")
  const isOfTarget = problems.some((problem) => problem.startsWith("baseUrl"))
  return isTargetFlag && isOfTarget ? new UsageError({ message }) : new ConfigurationError({ message })
}

const failing = <E>(error: E) => Layer.effect(GraphClient, Effect.fail(error))

/** Whether nothing listens on this machine, where waiting starts nothing. */
const isNotStarted = (systemCode: string | undefined, target: string): boolean =>
  systemCode === "ECONNREFUSED" && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(URL.parse(target)?.hostname ?? "")

const variable = (...names: ReadonlyArray<string>) =>
  Effect.map(
    Effect.forEach(names, (name) => Config.option(Config.String(name))),
    (values) => values.find((value) => Option.getOrElse(value, () => "") !== "")?.pipe(Option.getOrUndefined)
  )

/**
 * Sends requests through the proxy that the environment names, as long as the client is there. What is not https goes to
 * this machine only, and through no proxy.
 */
const throughProxy = Effect.gen(function* () {
  const proxy = yield* variable("https_proxy", "HTTPS_PROXY")
  if (proxy === undefined) return
  const noProxy = yield* variable("no_proxy", "NO_PROXY")
  if (!/^https?:$/.test(URL.parse(proxy)?.protocol ?? "")) {
    return yield* new ConfigurationError({
      message: "HTTPS_PROXY is not the address of a proxy, such as http://proxy.example:8080"
    })
  }
  // Node has it from 24.14; 24.0 and 22.21 have the variable only, which is read when they start.
  const setProxy: typeof http.setGlobalProxyFromEnv | undefined = http.setGlobalProxyFromEnv
  if (setProxy === undefined) {
    if ((yield* variable("NODE_USE_ENV_PROXY")) === "1") return
    return yield* writeError(
      `HTTPS_PROXY is not used: Node ${process.versions.node} needs NODE_USE_ENV_PROXY=1 beside it, Node 24.14 does not.`
    )
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => setProxy({ HTTPS_PROXY: proxy, ...(noProxy === undefined ? {} : { NO_PROXY: noProxy }) })),
    (restore) => Effect.sync(restore)
  )
})

/** The client for the target that flags and environment name; read only when a command that sends something runs. */
export const targetClient = Layer.unwrap(
  Effect.gen(function* () {
    const flags = yield* root
    const isTargetFlag = Option.isSome(flags.target)
    const baseUrl = isTargetFlag
      ? flags.target.value
      : yield* Config.String("WFA_TARGET").pipe(Config.withDefault(defaultTarget))
    const token = yield* Config.option(Config.Redacted("WFA_TOKEN"))
    yield* throughProxy
    const stdio = yield* Stdio.Stdio
    const client = GraphClient.layer({
      baseUrl,
      ...(Option.isSome(token) ? { token: token.value } : {}),
      onRepeat: ({ error, waitMillis }) =>
        isNotStarted(error.systemCode, baseUrl)
          ? Effect.succeed<false>(false)
          : writeError(`${error.message.replace(/\.$/, "")}; trying again in ${(waitMillis / 1000).toFixed(1)} s`).pipe(
              Effect.provideService(Stdio.Stdio, stdio)
            )
    }).pipe(Layer.catchTag("InvalidOptions", (error) => failing(wrongSetting(error, isTargetFlag))))
    return flags.debug ? Layer.provide(client, requestLog) : client
  })
).pipe(Layer.catchTag("ConfigError", (error) => failing(new ConfigurationError({ message: error.message }))))
