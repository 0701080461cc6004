import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { run } from "./cli.ts"
import { exitCode } from "./exit.ts"

/** Runs the command line of this process, and ends it with the exit code. */
export const start = (version: string): void =>
  NodeRuntime.runMain(
    run(process.argv.slice(2), version).pipe(Effect.provide(Layer.merge(NodeServices.layer, FetchHttpClient.layer))),
    {
      disableErrorReporting: true,
      teardown: (exit, onExit) =>
        onExit(
          Exit.isSuccess(exit) && typeof exit.value === "number"
            ? exit.value
            : Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
              ? exitCode.interrupted
              : exitCode.bug
        )
    }
  )
