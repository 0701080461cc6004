import type { Recipe } from "../recipe.ts"

/** That somebody else has the id, or changed the device at the same time: the caller has to look before it goes on. */
export const reason: Recipe = {
  name: "reason",
  title: "a reason of a failure",
  most: 3,
  files: {
    "packages/graph-client/src/facts/graph-error.ts": [
      {
        behind: 'export class NotFound extends Data.TaggedClass("NotFound")<{}> {}\n',
        put: `
/** What is there stands against it (409): the id is taken, or another write came in between. */
export class Conflict extends Data.TaggedClass("Conflict")<{}> {}
`
      },
      { behind: "  | NotFound\n", put: "  | Conflict\n" },
      {
        behind: "      return new NotFound()\n",
        put: "    case 409:\n      return new Conflict()\n"
      }
    ],
    "apps/cli/src/exit.ts": [
      { behind: "  NotFound: exitCode.notFound,\n", put: "  Conflict: exitCode.refused,\n" },
      {
        behind: '  NotFound: "List what is there: wfa device list",\n',
        put: '  Conflict: "See what is there: wfa device get",\n'
      }
    ],
    "apps/api/src/gateway/failure.ts": [{ behind: '    case "NotFound":\n', put: '    case "Conflict":\n' }],
    "docs/errors.md": [
      {
        inPlaceOf: "| `RouteUnsupported` |",
        put: `| \`Conflict\` | 409 | read what is there before you go on | facts/graph-error.test.ts: status $status is $tag |
| \`RouteUnsupported\` |`
      }
    ],
    "packages/graph-client/README.md": [
      {
        inPlaceOf: "| `RouteUnsupported` |",
        put: `| \`Conflict\` | 409: the id is taken, or another write came in between | |
| \`RouteUnsupported\` |`
      }
    ],
    "packages/graph-client/test/facts/graph-error.test.ts": [
      { behind: '    { status: 404, tag: "NotFound" },\n', put: '    { status: 409, tag: "Conflict" },\n' }
    ],
    ".changeset/recipe.md": `---
"@workanywhere/graph-client": minor
---

A 409 has a reason of its own, \`Conflict\`.
`,
    "apps/api/test/gateway/conflict.test.ts": `import { createGraphClient } from "@workanywhere/graph-client/promise"
import { expect, it } from "vitest"
import { createLocalGraph } from "../../src/local-graph.ts"
import { openedGateway } from "../gateways.ts"

it("an id that is taken is a Conflict to our client, through a gateway as well", async () => {
  await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
  await using gateway = await openedGateway(await graph.url())
  for (const url of [await graph.url(), gateway.url]) {
    const client = createGraphClient({ baseUrl: url + "/beta" })
    await expect(client.createDevice("allDevices", { id: "a" })).rejects.toMatchObject({
      status: 409,
      code: "nameAlreadyExists",
      reason: { _tag: "Conflict" }
    })
    await client.close()
  }
})
`,
    "apps/cli/test/conflict.test.ts": `import { Conflict, GraphError } from "@workanywhere/graph-client"
import { expect, it } from "vitest"
import { exitCode, outcomeOf } from "../src/exit.ts"

it("a conflict is refused, with advice of its own", () => {
  const request = { method: "PATCH", path: "/x", template: "/x", clientRequestId: "c", attempts: 1, waitedMillis: 0 } as const
  const { code, lines } = outcomeOf(new GraphError({ ...request, status: 409, message: "Taken.", reason: new Conflict() }))
  expect(code).toBe(exitCode.refused)
  expect(lines.join()).toContain("See what is there: wfa device get")
})
`
  },
  scripts: ["docs:api"],
  tests: {
    "packages/graph-client": ["test/facts", "test/errors-page", "test/operations", "test/outcome-unknown"],
    "apps/api": ["test/gateway/conflict", "test/gateway/routes", "test/graph-client"],
    "apps/cli": []
  }
}
