import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { expect, it } from "vitest"

const setup = JSON.stringify(new URL("./postgres.ts", import.meta.url))

const endingWith = (code: number) => {
  const program = `await import(${setup}); process.exitCode = ${code}`
  return promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program])
}

it("a run of tests over a server of its own ends with the code that says whether one failed", async () => {
  await expect(endingWith(0)).resolves.toMatchObject({ stderr: "" })
  await expect(endingWith(1)).rejects.toMatchObject({ code: 1 })
})
