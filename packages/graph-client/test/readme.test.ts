import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { expect, test } from "vitest"

const network = new URL("./fake-graph-as-fetch.ts", import.meta.url)

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8")

/** What the README shows for a file: the program, and what it prints. */
const shownFor = (file: string) => {
  const [, program, output] = readme.split(`<!-- ${file} -->`)[1]?.match(/```ts\n(.*?)```.*?```text\n(.*?)```/s) ?? []
  return { program, output }
}

test.each([
  { file: "test/examples/effect.ts", url: new URL("./examples/effect.ts", import.meta.url) },
  { file: "test/examples/promise.ts", url: new URL("./examples/promise.ts", import.meta.url) },
  { file: "test/examples/thousands.ts", url: new URL("./examples/thousands.ts", import.meta.url) },
  { file: "test/examples/thousands-effect.ts", url: new URL("./examples/thousands-effect.ts", import.meta.url) },
  { file: "test/examples/lists.ts", url: new URL("./examples/lists.ts", import.meta.url) },
  { file: "test/examples/testing.ts", url: new URL("./examples/testing.ts", import.meta.url) }
])("the README shows $file as it is, and what it prints", async ({ file, url }) => {
  const { stderr, stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@workanywhere/source", "--import", network.href, fileURLToPath(url)],
    { env: { GRAPH_TOKEN: "example", REHEARSAL: "yes" } }
  )
  expect(stderr).toBe("")
  expect(shownFor(file)).toEqual({ program: await readFile(url, "utf8"), output: stdout })
})

test("every program in the README is one of these", () => {
  expect(readme.match(/```ts\n/g)?.length).toBe(readme.match(/<!-- test\/examples\/[\w-]+\.ts -->/g)?.length)
})
