import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { createContext, runInContext } from "node:vm"
import { expect, test } from "vitest"
import { fakeGraph } from "../src/testing.ts"
import { device, key } from "./fixtures.ts"

const bundled = async (entry: string, contents: string) => {
  const { metafile, outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)), loader: "ts" },
    bundle: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "iife",
    globalName: entry,
    conditions: ["@workanywhere/source"],
    minify: true,
    logLevel: "silent"
  })
  return { inputs: Object.keys(metafile.inputs), text: outputFiles[0]?.text ?? "" }
}

test("the client runs where there is nothing of Node, and brings no library for signing in", async () => {
  const { inputs, text } = await bundled("client", `export * from "../src/promise.ts"`)
  expect(inputs.filter((path) => /@azure|msal|^node:/.test(path))).toEqual([])
  // What a browser has, and neither process nor Buffer nor require.
  const names =
    "URL URLSearchParams Headers Request Response ReadableStream TextDecoder TextEncoder crypto AbortController " +
    "AbortSignal setTimeout clearTimeout queueMicrotask performance atob btoa console"
  const web = Object.fromEntries(names.split(" ").map((name) => [name, Reflect.get(globalThis, name)]))
  const context = createContext({ ...web, fetch: fakeGraph([Response.json(device)]).fetch, key })
  const program = `client.createGraphClient({ cloud: "global", token: "t" }).getDevice(key).then(({ id }) => id)`
  expect(await runInContext(`${text};${program}`, context)).toBe(device.id)
})

test("an entry that uses one function brings only that", async () => {
  const { inputs } = await bundled("one", `export { permissions } from "../src/facts/permissions.ts"`)
  expect(inputs.filter((path) => path.includes("src/send/"))).toEqual([])
  const { text } = await bundled("one", `import { permissions } from "../src/index.ts"; globalThis.p = permissions`)
  const all = await bundled("all", `export * from "../src/index.ts"`)
  expect(text.length).toBeLessThan(all.text.length / 2)
})
