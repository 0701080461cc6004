import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, it } from "vitest"

const told = "a\u001b[2J\u009b31m\u202eb\u2028"

it("a line of the log says what it was told, and steers no terminal", async () => {
  const path = join(import.meta.dirname, "../../src/watch/log-lines.ts")
  const script = `import { logLines } from ${JSON.stringify(path)}
    const { log, flush } = logLines("info")
    log.info({ told: ${JSON.stringify(told)} }, "request")
    flush()`
  const args = ["--conditions=@workanywhere/source", "--input-type=module", "--eval", script]
  const { stderr } = await promisify(execFile)(process.execPath, args)
  expect(stderr).toMatch(/^[\x20-\x7e]*\n$/)
  expect(JSON.parse(stderr)).toMatchObject({ told, msg: "request" })
})
