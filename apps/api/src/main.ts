#!/usr/bin/env node
import { argv, env } from "node:process"
import { keepCompiled } from "./compile-cache.ts"

keepCompiled()
const { run } = await import("./run.ts")
await run(argv.slice(2), env)
