import { testsOf } from "@workanywhere/tooling/vitest"

export default testsOf({ test: { globalSetup: "test/postgres.ts" } })
