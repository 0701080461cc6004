const write = ["DeviceManagementConfiguration.ReadWrite.All", "DeviceManagementManagedDevices.ReadWrite.All"] as const

const read = ["DeviceManagementConfiguration.Read.All", "DeviceManagementManagedDevices.Read.All", ...write] as const

const none: ReadonlyArray<string> = []

// Whole paths: the key of a device may be `$batch`.
const wantingNone = /^\/(?:beta|v1\.0)\/\$(?:batch|metadata)$/
const summary = /^\/(?:beta|v1\.0)\/deviceManagement\/userExperienceAnalyticsSummarizeWorkFromAnywhereDevices$/

/**
 * The permissions of which a caller needs one for a request, from the tables of Microsoft's pages (reference 2); with
 * none, any proven caller may send it. The path is spelled as the routes are.
 */
export const permissionsFor = (method: string, path: string): ReadonlyArray<string> => {
  // Each item of a batch is a request of its own, with needs of its own.
  if (wantingNone.test(path)) return none
  // Its page wants the right to write, although it only reads.
  if (summary.test(path)) return write
  return method === "GET" || method === "HEAD" ? read : write
}
