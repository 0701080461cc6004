#!/usr/bin/env node
import { argv, env, exit, stderr, versions } from "node:process"
import { exitCode } from "./exit.ts"

/** What the service is written for; `engines` in package.json says the same. */
const [leastMajor, leastMinor] = [22, 19]

const [major = 0, minor = 0] = versions.node.split(".").map(Number)
if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
  stderr.write(`wfa-api: needs Node ${leastMajor}.${leastMinor} or later, and this is Node ${versions.node}\n`)
  exit(exitCode.configuration)
}

// Imported behind that: an older Node does not find what they import, and would say so in words of its own.
const { keepCompiled } = await import("./compile-cache.ts")
keepCompiled()
const { run } = await import("./run.ts")
await run(argv.slice(2), env)
