import { defineConfig } from "oxlint"
import { roomOverrides } from "./tooling/rooms.ts"

export default defineConfig({
  plugins: ["typescript", "unicorn", "import", "promise", "vitest"],
  categories: { correctness: "error", suspicious: "error", perf: "error" },
  rules: {
    "import/no-cycle": ["error", { ignoreTypes: false }],
    "import/no-unassigned-import": "off",
    "typescript/consistent-type-imports": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-floating-promises": "error",
    "typescript/no-unsafe-type-assertion": "off",
    "typescript/consistent-return": "off",
    "promise/valid-params": "off",
    "unicorn/require-post-message-target-origin": "off",
    "vitest/no-standalone-expect": [
      "error",
      { additionalTestBlockFunctions: ["it.effect", "it.effect.each", "it.live", "it.live.each"] }
    ],
    "no-await-in-loop": "off",
    "no-underscore-dangle": "off",
    "no-shadow": "off"
  },
  overrides: roomOverrides,
  ignorePatterns: ["**/dist/**"]
})
