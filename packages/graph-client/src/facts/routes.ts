import type { Issue } from "@workanywhere/domain"

const metrics = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics"

/** Every address of the resource below a root, with names in place of keys (reference 2). */
export const routes = {
  metrics,
  metric: `${metrics}/{metricId}`,
  devices: `${metrics}/{metricId}/metricDevices`,
  device: `${metrics}/{metricId}/metricDevices/{deviceId}`,
  hardwareReadiness: "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric",
  modelPerformance: "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereModelPerformance",
  devicesSummary: "/deviceManagement/userExperienceAnalyticsSummarizeWorkFromAnywhereDevices"
} as const

/** What stands in a route's braces. */
export type Keys = Readonly<Record<string, string>>

/** Stricter than `encodeURIComponent`: a quote or bracket would be read as OData's key syntax and name another route. */
const encoded = (key: string): string => {
  // Nearly every key is like that.
  if (/^[\w.~-]+$/.test(key)) return key
  return encodeURIComponent(key).replaceAll(/[!'()*]/g, (sign) => `%${sign.codePointAt(0)?.toString(16).toUpperCase()}`)
}

/** The path that a route has with these keys; each key stays within its segment. */
export const pathTo = (template: string, keys: Keys): string => {
  let path = template
  for (const name of Object.keys(keys)) path = path.replace(`{${name}}`, () => encoded(keys[name] ?? ""))
  return path
}

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
