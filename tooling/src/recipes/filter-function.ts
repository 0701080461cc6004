import type { Recipe } from "../recipe.ts"

/** OData's `length`, the first function that makes a number of a text. */
export const filterFunction: Recipe = {
  name: "filter-function",
  title: "a function of `$filter`",
  most: 2,
  files: {
    "apps/api/src/graph/device-filter.ts": [
      {
        behind: '  toupper: { gives: "text", valueFor: (text) => text.toUpperCase() }',
        put: `,
  length: { gives: "number", valueFor: (text) => Array.from(text).length }`
      }
    ],
    "apps/api/src/store/device-query.ts": [
      {
        behind: "  toupper: (text) => sql`upper(${text})`",
        put: `,
  // A number of a caller need not be a whole one.
  length: (text) => sql\`cast(length(\${text}) as double precision)\``
      }
    ],
    "apps/api/README.md": [
      {
        behind:
          "| `$filter`    | `eq ne gt ge lt le in`, `and or not`, parentheses, `contains startswith endswith tolower toupper",
        put: " length"
      }
    ],
    ".changeset/recipe.md": `---
"@workanywhere/api": minor
---

\`$filter\` knows the function \`length\`.
`,
    "apps/api/test/store/length.test.ts": `import { expect, it } from "vitest"
import { devicesPath, jsonRequest, openedApp, storeKinds } from "../opened.ts"

it.for(storeKinds)("length counts the characters of a text in %s", async (kind) => {
  await using opened = await openedApp(kind, ["a"])
  for (const [id, deviceName] of Object.entries({ b: "", c: "abc", d: "größe", e: "🙂🙂🙂🙂" })) {
    await opened.app.request(devicesPath, jsonRequest("POST", { id, deviceName }))
  }
  const found = async (filter: string) => {
    const response = await opened.app.request(devicesPath + "?$select=id&$filter=" + encodeURIComponent(filter))
    const { value } = (await response.json()) as { readonly value: ReadonlyArray<{ readonly id: string }> }
    return value.map(({ id }) => id).join("")
  }
  expect(await found("length(deviceName) gt 3")).toBe("de")
  expect(await found("length(deviceName) gt 3.5 and length(tolower(deviceName)) le length('12345')")).toBe("de")
  expect(await found("length(deviceName) in (0, 4)")).toBe("be")
  expect(await found("not (length(deviceName) gt 3)")).toBe("abc")
  expect(await found("length(deviceName) eq null")).toBe("a")
  expect(await found("length(id) eq length(deviceName)")).toBe("")
})

it("is refused where no number is expected", async () => {
  await using opened = await openedApp("memory", [])
  for (const filter of ["length(deviceName)", "length(windowsScore) eq 1", "length(model) eq '3'", "length(model,'a') eq 1"]) {
    const { status } = await opened.app.request(devicesPath + "?$filter=" + encodeURIComponent(filter))
    expect([filter, status]).toEqual([filter, 400])
  }
})
`
  },
  scripts: ["docs:openapi"],
  tests: {
    "apps/api": [
      "test/store/length",
      "test/store/device-store",
      "test/graph/filter-syntax",
      "test/describe/openapi",
      "test/local/device-query",
      "test/readme"
    ]
  }
}
