import { testsOf } from "./vitest.ts"

export default testsOf()
