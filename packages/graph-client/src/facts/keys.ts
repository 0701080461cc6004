import type { Issue } from "@workanywhere/domain"

/** The keys that stand in an address in place of their names. */
export type Keys = Readonly<Record<string, string>>

const longestKey = 2_048

const wrongKey = (path: string, key: unknown): ReadonlyArray<Issue> => {
  const isText = typeof key === "string"
  if (isText && key.isWellFormed() && key.length <= longestKey && !["", ".", ".."].includes(key)) return []
  const received = !isText ? typeof key : key.length > longestKey ? `${key.length} characters` : JSON.stringify(key)
  const expected = `a key of 1 to ${longestKey} characters that is not . or ..`
  const message = `${path}: ${received} cannot be a key; expected ${expected}`
  return [{ path, code: "malformedText", message, expected, received }]
}

/** What is wrong with the keys of a route; a caller may be JavaScript, so types are looked at too. */
export const keyIssues = (keys: Keys): ReadonlyArray<Issue> =>
  Object.keys(keys).flatMap((name) => wrongKey(name, keys[name]))
