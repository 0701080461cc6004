import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { argv, env } from "node:process"
import envPaths from "env-paths"
import { keepCompiled } from "./compile-cache.ts"

const folder = envPaths("workanywhere", { suffix: "" }).data

// Worth looking at as soon as it runs, and still there tomorrow; a gateway has nothing of its own.
const standard =
  "WFA_UPSTREAM" in env ? {} : { WFA_STORE: `sqlite:${join(folder, "devices.sqlite")}`, WFA_FLEET: "1000" }

if (!("WFA_STORE" in env)) mkdirSync(folder, { recursive: true, mode: 0o700 })

keepCompiled()
const { run } = await import("./run.ts")
await run(argv.slice(2), { ...standard, ...env })
