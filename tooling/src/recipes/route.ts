import type { Recipe } from "../recipe.ts"

/** A device's readiness as the domain reads it, which Graph does not have. */
export const route: Recipe = {
  name: "route",
  title: "a route",
  most: 3,
  files: {
    "packages/domain/src/graph/routes.ts": [
      {
        behind: `      DELETE: operation("deleteDevice", write)
    }
  },
`,
        put: `  deviceReadiness: {
    path: \`\${metrics}/{metricId}/metricDevices/{deviceId}/readiness\`,
    operations: { GET: operation("getDeviceReadiness", read) },
    isOnlyLocal: true
  },
`
      }
    ],
    "apps/api/src/local/devices.ts": [
      { behind: "  parseDeviceUpdate,\n", put: "  readiness,\n" },
      {
        behind: `    .all(patternOf("device"), otherMethods("device"))
`,
        put: `
    .get(patternOf("deviceReadiness"), async (c) => {
      const { metricId, deviceId } = c.req.param()
      const collection = await collectionFor(c, store, metricId)
      queryOptions(c.req.url, [])
      const device = await store.find(collection, deviceId)
      if (device === undefined) throw noDevice(metricId, deviceId)
      return reply(c, 200, readiness(device))
    })
    .all(patternOf("deviceReadiness"), otherMethods("deviceReadiness"))
`
      }
    ],
    "apps/api/src/describe/graph.ts": [
      {
        behind: `        answers: deleted,
        errors: [404, 412, 507]
      }
    },
`,
        put: `    deviceReadiness: {
      GET: {
        ...ofDevice,
        summary: "Whether a device can run Windows 11, and what stands in the way",
        description: "Of this service alone; Graph has no such route.",
        parameters: [metric, parameterRef("deviceId")],
        answers: {
          "200": { description: "What was found.", content: json({ type: "object", additionalProperties: true }) }
        },
        errors: [404]
      }
    },
`
      }
    ],
    "docs/fidelity.md": [
      {
        behind: "## Lists and single devices\n",
        put: `
| id   | behaviour                                                                                | evidence | profile | test                                                                             |
| ---- | ---------------------------------------------------------------------------------------- | -------- | ------- | -------------------------------------------------------------------------------- |
| F999 | A device's readiness for Windows 11 (\`getDeviceReadiness\`), which a gateway does not have | ours     | both    | local/device-readiness.test.ts: of a device is what the domain says of its record |

And what Graph has as well:
`
      }
    ],
    "apps/api/test/describe/openapi.test.ts": [
      {
        behind: '    await expectDescribed("PATCH", device, json({ model: "Y" }, { prefer: "return=minimal" }))\n',
        put: '    await expectDescribed("GET", `${device}/readiness`)\n'
      }
    ],
    ".changeset/recipe.md": `---
"@workanywhere/api": minor
---

\`GET …/metricDevices/{deviceId}/readiness\` says what keeps a device from Windows 11.
`,
    "apps/api/test/local/device-readiness.test.ts": `import { readiness } from "@workanywhere/domain"
import { describe, expect, it } from "vitest"
import { createLocalGraph } from "../../src/local-graph.ts"
import { openedGateway } from "../gateways.ts"
import { devicesPath, failureOf } from "../opened.ts"

const device = { id: "a", tpmCheckFailed: true }

describe("the readiness", () => {
  it("of a device is what the domain says of its record", async () => {
    await using graph = await createLocalGraph({ devices: [device] })
    const answer = await graph.fetch(devicesPath + "('a')/readiness")
    expect([answer.status, await answer.json()]).toEqual([200, readiness(device)])
    expect((await graph.fetch(devicesPath + "/none/readiness")).status).toBe(404)
    expect((await graph.fetch(devicesPath + "/a/readiness", { method: "DELETE" })).headers.get("allow")).toBe("GET, HEAD")
  })

  it("is not served and not described by a gateway", async () => {
    await using graph = await createLocalGraph({ devices: [device] })
    await using gateway = await openedGateway(await graph.url())
    const answer = await fetch(gateway.url + devicesPath + "/a/readiness")
    expect(answer.status).toBe(400)
    expect((await failureOf(answer)).message).toContain("No OData route is served")
    const described = await (await fetch(gateway.url + "/openapi.json")).text()
    expect(described).not.toContain("getDeviceReadiness")
  })
})
`
  },
  scripts: ["docs:openapi", "docs:api"],
  tests: {
    "packages/domain": ["test/graph/"],
    "packages/graph-client": ["test/facts/permissions"],
    "apps/api": [
      "test/routes",
      "test/fidelity",
      "test/describe/openapi",
      "test/local/device-readiness",
      "test/graph/path",
      "test/gateway/routes"
    ]
  }
}
