import { execFileSync } from "node:child_process"
import { appendFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { copyOfTree, root } from "../src/tree-copy.ts"

let copy: string

/** The cache key that turbo gives each package's tests; equal keys are a cache hit. */
const testKeys = (): ReadonlyMap<string, string> => {
  const dry = execFileSync(join(root, "node_modules/.bin/turbo"), ["run", "test", "--dry=json"], {
    cwd: copy,
    encoding: "utf8",
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
    stdio: ["ignore", "pipe", "ignore"]
  })
  const { tasks } = JSON.parse(dry) as {
    readonly tasks: ReadonlyArray<{ readonly taskId: string; readonly hash: string }>
  }
  return new Map(
    tasks
      .filter(({ taskId }) => taskId.endsWith("#test"))
      .map(({ hash, taskId }) => [taskId.replace("#test", ""), hash])
  )
}

const rerunAfterChanging = (file: string): ReadonlyArray<string> => {
  const before = testKeys()
  appendFileSync(join(copy, file), "\n// changed\n")
  const after = testKeys()
  return [...after]
    .filter(([name, hash]) => before.get(name) !== hash)
    .map(([name]) => name.replace("@workanywhere/", ""))
    .toSorted()
}

describe("turbo's cache of test runs", () => {
  beforeAll(() => {
    copy = copyOfTree()
    execFileSync("git", ["init", "-q"], { cwd: copy })
  })
  afterAll(() => rmSync(copy, { recursive: true, force: true }))

  it("re-runs everything that depends on the domain when the domain changes", { timeout: 60_000 }, () => {
    expect(rerunAfterChanging("packages/domain/src/device/score.ts")).toEqual(["api", "cli", "domain", "graph-client"])
  })

  it("re-runs the client and the apps, but not the domain, when the client changes", { timeout: 60_000 }, () => {
    expect(rerunAfterChanging("packages/graph-client/src/index.ts")).toEqual(["api", "cli", "graph-client"])
  })

  it("re-runs everything when the shared test configuration changes", { timeout: 60_000 }, () => {
    expect(rerunAfterChanging("tooling/vitest.ts")).toEqual(["api", "cli", "domain", "graph-client", "tooling"])
  })
})
