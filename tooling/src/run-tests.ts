// What `pnpm test` runs: every package's tests through turbo, then one closing line that counts them all.
import { spawnSync } from "node:child_process"
import { globSync, readFileSync, rmSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")
const reports = "{packages,apps}/*/.results/tests.json"
const reportFiles = () => [
  ...globSync(reports, { cwd: root }),
  ...globSync("tooling/.results/tests.json", { cwd: root })
]

// A report left over from an earlier run must not be counted; turbo puts those of cached runs back.
for (const report of reportFiles()) rmSync(join(root, report))

// Each package's vitest spreads over the cores by itself: more packages at once only slow each other down.
const packagesAtOnce = Math.max(1, Math.floor(availableParallelism() / 2))

const { status } = spawnSync("turbo", ["run", "test", `--concurrency=${packagesAtOnce}`, ...process.argv.slice(2)], {
  cwd: root,
  env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
  shell: process.platform === "win32",
  stdio: "inherit"
})

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numFailedTestSuites: number
}

let passed = 0
let failed = 0
for (const file of reportFiles()) {
  const report = JSON.parse(readFileSync(join(root, file), "utf8")) as Report
  passed += report.numPassedTests
  // A file that could not be loaded has no tests in it, and still failed.
  failed += Math.max(report.numFailedTests, report.numFailedTestSuites > 0 ? 1 : 0)
}
if (status !== 0 && failed === 0) failed = 1

process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : status || 1
