import { testsOf } from "@workanywhere/tooling/vitest"

export default testsOf()
