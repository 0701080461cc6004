import { enableCompileCache } from "node:module"
import envPaths from "env-paths"

/**
 * Keeps what Node made of every module (types stripped, compiled) in the user's cache folder, where the next start finds
 * it: it then takes half the time. Where that folder cannot be written to, or `NODE_DISABLE_COMPILE_CACHE` is set,
 * nothing is kept and nothing is said; `NODE_COMPILE_CACHE` names another folder. Only what is imported afterwards counts.
 */
export const keepCompiled = (): void => {
  // A folder of this user's alone: Node's own choice is in one that all users share, and what is kept there is run.
  enableCompileCache(envPaths("workanywhere", { suffix: "" }).cache)
}
