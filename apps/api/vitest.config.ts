import { testsOf } from "@workanywhere/tooling/vitest"

export default testsOf({
  test: {
    globalSetup: "test/postgres.ts",
    // A thread that a store starts reads neighbouring packages from source as well.
    execArgv: ["--conditions=@workanywhere/source"]
  }
})
