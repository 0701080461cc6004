import type { Recipe } from "../recipe.ts"

/** The bytes of a text in UTF-8, a number that both databases count; OData has no such function. */
export const filterFunction: Recipe = {
  name: "filter-function",
  title: "a function of `$filter`",
  most: 2,
  files: {
    "apps/api/src/graph/device-filter.ts": [
      {
        behind: '  length: { gives: "number", valueFor: (text) => charactersOf(text).length }',
        put: `,
  octetlength: { gives: "number", valueFor: (text) => Buffer.byteLength(text) }`
      }
    ],
    "apps/api/src/store/device-query.ts": [
      {
        behind: "  length: (text) => wholeNumber(sql`length(${text})`)",
        put: `,
  octetlength: (text) => wholeNumber(sql\`octet_length(\${text})\`)`
      }
    ],
    "apps/api/README.md": [
      {
        behind:
          "| `$filter`    | `eq ne gt ge lt le in`, `and or not`, parentheses, `contains startswith endswith indexof tolower toupper trim length",
        put: " octetlength"
      }
    ],
    ".changeset/recipe.md": `---
"@workanywhere/api": minor
---

\`$filter\` knows the function \`octetlength\`.
`,
    "apps/api/test/store/octet-length.test.ts": `import { expect, it } from "vitest"
import { devicesPath, jsonRequest, openedApp, storeKinds } from "../opened.ts"

it.for(storeKinds)("octetlength counts the bytes of a text in %s", async (kind) => {
  await using opened = await openedApp(kind, ["a"])
  for (const [id, deviceName] of Object.entries({ b: "", c: "abc", d: "größe", e: "🙂🙂🙂🙂" })) {
    await opened.app.request(devicesPath, jsonRequest("POST", { id, deviceName }))
  }
  const found = async (filter: string) => {
    const response = await opened.app.request(devicesPath + "?$select=id&$filter=" + encodeURIComponent(filter))
    const { value } = (await response.json()) as { readonly value: ReadonlyArray<{ readonly id: string }> }
    return value.map(({ id }) => id).join("")
  }
  expect(await found("octetlength(deviceName) gt 3")).toBe("de")
  expect(await found("octetlength(deviceName) gt 3.5 and octetlength(tolower(deviceName)) le octetlength('1234567890123456')")).toBe("de")
  expect(await found("octetlength(deviceName) in (0, 16)")).toBe("be")
  expect(await found("not (octetlength(deviceName) gt 3)")).toBe("abc")
  expect(await found("octetlength(deviceName) eq null")).toBe("a")
  expect(await found("octetlength(id) eq octetlength(deviceName)")).toBe("")
})

it("is refused where no number is expected", async () => {
  await using opened = await openedApp("memory", [])
  for (const filter of ["octetlength(deviceName)", "octetlength(windowsScore) eq 1", "octetlength(model) eq '3'", "octetlength(model,'a') eq 1"]) {
    const { status } = await opened.app.request(devicesPath + "?$filter=" + encodeURIComponent(filter))
    expect([filter, status]).toEqual([filter, 400])
  }
})
`
  },
  scripts: ["docs:openapi"],
  tests: {
    "apps/api": [
      "test/store/octet-length",
      "test/store/device-store",
      "test/graph/filter-syntax",
      "test/describe/openapi",
      "test/local/device-query",
      "test/readme"
    ]
  }
}
