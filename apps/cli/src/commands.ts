import * as Command from "effect/cli/Command"
import { get } from "./commands/device/get.ts"
import { list } from "./commands/device/list.ts"
import { schema } from "./commands/device/schema.ts"
import { update } from "./commands/device/update.ts"
import { root } from "./commands/root.ts"

const device = Command.make("device").pipe(
  Command.withDescription("Read and update single devices."),
  Command.withSubcommands([list, get, update, schema])
)

/** The whole command tree. */
export const wfa = root.pipe(Command.withSubcommands([device]))
