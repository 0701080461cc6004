#!/usr/bin/env node
import { argv, env } from "node:process"
import { run } from "./run.ts"

await run(argv.slice(2), env)
