import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join, resolve } from "node:path"
import { text } from "node:stream/consumers"

/** Where Node keeps what it compiled: not in the cache of whoever runs the tests. */
const compiled = join(import.meta.dirname, "../node_modules/.cache/compiled")

/** What the service is started with by `pnpm start` and by the image: half the memory, as said in its README. */
export const smallHeap = "--max-semi-space-size=16"

const alive = new Set<ChildProcess>()

// Nothing that was started is left behind when whoever started it is stopped in the middle.
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL")
})

/**
 * Starts a script of this package from source (or, by its whole path, of another checkout), as a supervisor would, with these variables and no others of ours;
 * `detached` from the terminal, whose Ctrl-C then does not reach it; `by` a command that runs the one that follows it.
 */
export const started = (
  script: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  { detached = false, by = [] }: { readonly detached?: boolean; readonly by?: ReadonlyArray<string> } = {}
) => {
  const path = resolve(import.meta.dirname, "../src", script)
  const [command, ...rest] = [...by, process.execPath, smallHeap, "--conditions=@workanywhere/source", path, ...args]
  const child = spawn(command ?? "", rest, {
    env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: compiled, ...env },
    detached,
    stdio: ["pipe", "pipe", "pipe"]
  })
  alive.add(child)
  child.once("exit", () => alive.delete(child))
  return child
}

/** How a process ended. */
export const ended = async (child: ChildProcess) => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
  return { code: child.exitCode, signal: child.signalCode }
}

/** Runs a script that ends by itself. */
export const ran = async (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const child = started("main.ts", args, env)
  const [stdout, stderr, { code }] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)])
  return { stdout, stderr, code }
}

/** A service in a process of its own, on a free port; killed with its scope if it still runs. */
export const running = async (
  env: Readonly<Record<string, string>>,
  script = "main.ts",
  by: ReadonlyArray<string> = []
) => {
  const child = started(script, [], { WFA_PORT: "0", ...env }, { by })
  let stdout = ""
  child.stdout.on("data", (chunk) => (stdout += chunk))
  const stderr = text(child.stderr)
  await Promise.race([once(child.stdout, "data"), ended(child)])
  const url = /^listening on (https?:\S+)\n$/.exec(stdout)?.[1]
  if (url === undefined) throw new Error(`the service did not start: ${stdout}${await stderr}`)
  return {
    child,
    url,
    stdout: () => stdout,
    stderr,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL")
      await ended(child)
    }
  }
}
