import type { Recipe } from "../recipe.ts"

/** Why a device can or cannot run Windows 11, for people and programs. */
export const command: Recipe = {
  name: "command",
  title: "a command",
  most: 2,
  files: {
    "apps/cli/src/commands/device/explain.ts": `import { type Blocker, readiness } from "@workanywhere/domain"
import { GraphClient } from "@workanywhere/graph-client"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Command from "effect/cli/Command"
import { targetClient } from "../../config.ts"
import { type Column, formatFor, write, writeError, writeRows } from "../../output.ts"
import { root } from "../root.ts"
import { deviceId } from "./get.ts"

const columns: ReadonlyArray<Column<Blocker>> = [
  { name: "check", label: "Failed", value: (blocker) => blocker.check },
  { name: "action", label: "What to do", value: (blocker) => blocker.action },
  { name: "minimum", label: "Minimum", value: (blocker) => blocker.minimum }
]

export const explain = Command.make("explain", { id: deviceId }, ({ id }) =>
  Effect.gen(function* () {
    const flags = yield* root
    const format = yield* formatFor(flags.output)
    const device = yield* GraphClient.use((client) => client.getDevice({ metricId: flags.metric, deviceId: id }))
    const found = readiness(device)
    if (format === "json") return yield* write(Stream.make(\`\${JSON.stringify(found, undefined, 2)}\\n\`))
    yield* writeRows(format, columns, Stream.fromIterable(found.blockers))
    yield* writeError(\`\${id}: \${found.verdict}\`)
  }).pipe(Effect.provide(targetClient))
).pipe(
  Command.withDescription(
    "Say whether a device can run Windows 11, and what stands in the way. Needs a Read.All permission of Intune devices."
  ),
  Command.withExamples([
    { command: "wfa device explain 83d5adfc-adfc-83d5-fcad-d583fcadd583", description: "What keeps a device back" }
  ])
)
`,
    "apps/cli/src/commands.ts": [
      {
        inPlaceOf: 'import { get } from "./commands/device/get.ts"\n',
        put: 'import { explain } from "./commands/device/explain.ts"\nimport { get } from "./commands/device/get.ts"\n'
      },
      { behind: "Command.withSubcommands([list, get, update, schema", put: ", explain" }
    ],
    "apps/cli/README.md": [
      {
        inPlaceOf: "| `wfa device schema` ",
        put: `| \`wfa device explain <id>\` | says what keeps a device from Windows 11 | \`DeviceManagementManagedDevices.Read.All\` |
| \`wfa device schema\` `
      }
    ],
    ".changeset/recipe.md": `---
"@workanywhere/cli": minor
---

\`wfa device explain\` says what keeps a device from Windows 11.
`,
    "apps/cli/test/explain.test.ts": `import { createLocalGraph } from "@workanywhere/api"
import { readiness } from "@workanywhere/domain"
import { expect, it } from "vitest"
import { wfa } from "./wfa.ts"

const device = { id: "a", upgradeEligibility: "notCapable", tpmCheckFailed: true } as const

it("explain says what keeps a device from Windows 11", async () => {
  await using graph = await createLocalGraph({ devices: [device] })
  const env = { WFA_TARGET: (await graph.url()) + "/beta" }
  const { code, stderr, stdout } = await wfa(["device", "explain", "a", "-o", "md"], { env })
  expect([code, stderr]).toEqual([0, "a: notCapable\\n"])
  expect(stdout).toMatch(/^\\| Failed \\| What to do \\| Minimum \\|\\n\\| --- .*\\n\\| tpmCheckFailed \\| .+ \\| TPM 2\\.0 \\|\\n$/)
  const asJson = await wfa(["device", "explain", "a", "-o", "json"], { env })
  expect(JSON.parse(asJson.stdout)).toEqual(readiness(device))
  expect((await wfa(["device", "explain", "none"], { env })).code).toBe(5)
})
`
  },
  scripts: [],
  tests: { "apps/cli": [] }
}
