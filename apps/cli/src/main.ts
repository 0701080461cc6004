#!/usr/bin/env node
import { createRequire } from "node:module"

const { engines, version }: { readonly version: string; readonly engines: { readonly node: string } } = createRequire(
  import.meta.url
)("../package.json")

const isOlder = (having: string, needed: string): boolean => {
  const [major = 0, minor = 0] = having.split(".").map(Number)
  const [leastMajor = 0, leastMinor = 0] = needed.split(".").map(Number)
  return major < leastMajor || (major === leastMajor && minor < leastMinor)
}

const needed = engines.node.replace(">=", "")
const having = process.versions.node

// Nothing else is loaded before this is known: an older Node would stop in the middle of it, with a stack.
if (isOlder(having, needed)) {
  process.stderr.write(`wfa: Node ${needed} or later is needed, and this is Node ${having}\n`)
  process.exitCode = 3
} else {
  const { start } = await import("./start.ts")
  start(version)
}
