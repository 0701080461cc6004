import type { Result, Router } from "hono/router"
import { RegExpRouter } from "hono/router/reg-exp-router"
import { TrieRouter } from "hono/router/trie-router"

const isCount = (path: string): boolean => path.endsWith("/$count")

/**
 * Finds routes. Hono's quickest router takes five times less than its others, but no name beside a key, which `$count` is;
 * and Hono would leave all routes to another for that. Here only that name is.
 */
export const quickRouter = <T>(): Router<T> => {
  const quick = new RegExpRouter<T>()
  const whole = new TrieRouter<T>()
  return {
    name: "quick",
    add: (method: string, path: string, handler: T): void => {
      whole.add(method, path, handler)
      if (!isCount(path)) quick.add(method, path, handler)
    },
    match: (method: string, path: string): Result<T> => (isCount(path) ? whole : quick).match(method, path)
  }
}
