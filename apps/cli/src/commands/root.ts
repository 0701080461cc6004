import { standingMetrics } from "@workanywhere/domain"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { formats } from "../output.ts"

/** `wfa` with the flags that every command shares; commands read them with `yield* root`. */
export const root = Command.make("wfa").pipe(
  Command.withSharedFlags({
    target: Flag.String("target").pipe(
      Flag.withDescription("Microsoft Graph root with its version; without it WFA_TARGET, or the local service"),
      Flag.withMetavar("url"),
      Flag.optional
    ),
    metric: Flag.String("metric").pipe(
      Flag.withDescription("Id of the metric that holds the devices"),
      Flag.withMetavar("id"),
      Flag.withDefault<string>(standingMetrics[0])
    ),
    output: Flag.Literals("output", formats).pipe(
      Flag.withDescription("How to print the result; without it a table on a terminal and JSON otherwise"),
      Flag.withAlias("o"),
      Flag.optional
    ),
    debug: Flag.Boolean("debug").pipe(
      Flag.withDescription("Show each request and answer on stderr, the token masked"),
      Flag.withDefault(false)
    )
  }),
  Command.withDescription(
    "Work-from-anywhere devices in Microsoft Graph and Intune. Without a tenant, start the local service first (wfa-api)."
  )
)
