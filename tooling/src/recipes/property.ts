import type { Recipe } from "../recipe.ts"

/** That a graphics check failed, as Microsoft may have it one day: the last of the checks. */
export const property: Recipe = {
  name: "property",
  title: "a property",
  most: 3,
  files: {
    "packages/domain/src/device/property.ts": [
      {
        behind: `    meaning: "True when the installed Windows is too old to upgrade from."
  },
`,
        put: `  {
    name: "graphicsCheckFailed",
    kind: "boolean",
    group: "readiness",
    label: "Graphics check failed",
    meaning: "True when the graphics card does not support DirectX 12."
  },
`
      }
    ],
    "packages/domain/src/windows/readiness.ts": [
      {
        behind: `    minimum: "Windows 10 version 2004 with the security update of 14 September 2021"
  }`,
        put: `,
  graphicsCheckFailed: {
    class: "part",
    action: "Fit a newer graphics card.",
    minimum: "DirectX 12 with a WDDM 2.0 driver"
  }`
      }
    ],
    "apps/api/src/store/migrations.ts": [
      {
        behind: "  createIndexes,\n  keepJson",
        put: `,
  addProperty("graphicsCheckFailed", "boolean", "workFromAnywhereScore")`
      }
    ],
    "packages/domain/test/device/device.test-d.ts": [
      { inPlaceOf: "type Ahead = never", put: 'type Ahead = "graphicsCheckFailed"' }
    ],
    ".changeset/recipe.md": `---
"@workanywhere/domain": minor
"@workanywhere/api": minor
---

A device has \`graphicsCheckFailed\`, a tenth check for Windows 11.
`,
    "packages/domain/test/windows/graphics-check.test.ts": `import { expect, it } from "vitest"
import { readiness } from "../../src/index.ts"

it("a failed graphics check is a blocker, and one that is not known is unknown", () => {
  expect(readiness({ id: "a", graphicsCheckFailed: true }).blockers).toMatchObject([{ check: "graphicsCheckFailed" }])
  expect(readiness({ id: "a" }).unknown).toContain("graphicsCheckFailed")
})
`,
    "apps/api/test/store/graphics-check.test.ts": `import { wholeDevice } from "@workanywhere/domain"
import { expect, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { type Tables, migrate, migrations } from "../../src/store/migrations.ts"
import { openDatabase } from "../../src/store/open-database.ts"
import { deviceStoreOn } from "../../src/store/open-device-store.ts"
import { devicesPath, jsonRequest, standing, storeRoom } from "../opened.ts"

it.for(["file", "postgres"] as const)("a store in %s from before has the check, finds by it and updates it", async (kind) => {
  await using room = await storeRoom(kind)
  const database = await openDatabase<Tables>(room.store)
  await migrate(database, migrations.slice(0, -1))
  const { graphicsCheckFailed: _, ...before } = wholeDevice({ id: "a", model: "Y" })
  await database.transact((transaction) =>
    transaction
      .insertInto("devices")
      // As that version wrote it, which did not have the column.
      .values({ ...standing, ...before, json: JSON.stringify(before), hasUnknownMember: false } as never)
      .execute()
  )
  await migrate(database)
  const store = await deviceStoreOn(database)
  await using app = { ...createApp({ store }), [Symbol.asyncDispose]: () => store.close() }
  const found = async (filter: string) => {
    const response = await app.request(devicesPath + "?$select=id,graphicsCheckFailed&$filter=" + filter)
    return ((await response.json()) as { readonly value: unknown }).value
  }
  expect(await found("graphicsCheckFailed eq null")).toEqual([{ id: "a", graphicsCheckFailed: null }])
  const updated = await app.request(devicesPath + "/a", jsonRequest("PATCH", { graphicsCheckFailed: true }))
  expect(updated.status).toBe(200)
  expect(await updated.json()).toMatchObject({ id: "a", model: "Y", graphicsCheckFailed: true, osCheckFailed: null })
  expect(await found("graphicsCheckFailed")).toEqual([{ id: "a", graphicsCheckFailed: true }])
  expect(await found("not graphicsCheckFailed")).toEqual([])
})
`
  },
  scripts: ["docs:openapi", "docs:api"],
  // One more property goes through everything that lists, keeps, describes or prints a device.
  tests: {
    "packages/domain": [],
    "apps/api": ["test/store", "test/graph/", "test/describe/", "test/local/", "test/contract"],
    "apps/cli": []
  }
}
