import { mergeConfig, type ViteUserConfig } from "vitest/config"

// Tests read neighbouring packages from source: without these conditions `exports` would point at `dist`.
const conditions = ["@workanywhere/source", "module", "node", "development|production"]

const shared: ViteUserConfig = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["@workanywhere/source"] } },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // For a test that hangs, not for one on a slow machine: no test asserts how long something takes.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // `.results` is what turbo restores on a cache hit, and what the closing line of `pnpm test` is counted from.
    reporters: ["default", ["json", { outputFile: ".results/tests.json" }]],
    onConsoleLog: (log) => {
      throw new Error(`a test wrote to the console: ${log}`)
    }
  }
}

/** The configuration every package's tests share, with what the package adds to it. */
export const testsOf = (own: ViteUserConfig = {}): ViteUserConfig => mergeConfig(shared, own)
