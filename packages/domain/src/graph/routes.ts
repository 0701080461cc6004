/** The roots that everything is served under. */
export type GraphVersion = "beta" | "v1.0"

/** How a request is made; HEAD is answered wherever GET is, and stands in no table. */
export type RouteMethod = "GET" | "POST" | "PATCH" | "DELETE"

/** One of Intune's permissions, as a scope of a person's token or a role of a program's own. */
export type Permission = `DeviceManagement${"Configuration" | "ManagedDevices"}.${"Read" | "ReadWrite"}.All`

/** The permissions of which a caller needs one; with none, any caller who is known may come. */
type Needed = Readonly<Record<GraphVersion, ReadonlyArray<Permission>>>

/** What can be asked for at one address with one method. */
export interface RouteOperation {
  /** What clients and descriptions call it. */
  readonly id: string
  readonly permissions: Needed
}

/** An address, and what it serves. */
export interface Route {
  /** Below a version, with names in braces in place of keys. */
  readonly path: `/${string}`
  readonly operations: { readonly [Method in RouteMethod]?: RouteOperation }
  /** Whether it is a function without parameters, which may be called in several spellings. */
  readonly isFunction?: true
  /** Whether the local service alone has it: it is no part of Graph, so no client asks Graph for it. */
  readonly isOnlyLocal?: true
}

const inBoth = (permissions: ReadonlyArray<Permission>): Needed => ({ beta: permissions, "v1.0": permissions })

const managedDevices: ReadonlyArray<Permission> = [
  "DeviceManagementManagedDevices.Read.All",
  "DeviceManagementManagedDevices.ReadWrite.All"
]

// "List userExperienceAnalyticsWorkFromAnywhereMetrics": the page of v1.0 names the permissions for managed devices only.
const read: Needed = {
  beta: ["DeviceManagementConfiguration.Read.All", "DeviceManagementConfiguration.ReadWrite.All", ...managedDevices],
  "v1.0": managedDevices
}

const write = inBoth(["DeviceManagementConfiguration.ReadWrite.All", "DeviceManagementManagedDevices.ReadWrite.All"])

const nothing = inBoth([])

const operation = <Id extends string>(id: Id, permissions: Needed) => ({ id, permissions })

const metrics = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics"

/**
 * Every address of the resource and of what belongs to it, with its methods and the permissions that Microsoft's page for
 * each operation names. The only place where they are written down: the service's paths, methods, permissions and
 * description, the client's addresses and what it says of tokens are derived from it.
 */
export const routes = {
  serviceDocument: { path: "/", operations: { GET: operation("getServiceDocument", read) } },
  metadata: { path: "/$metadata", operations: { GET: operation("getMetadata", nothing) } },
  // Each item of a batch is a request of its own, with needs of its own.
  batch: { path: "/$batch", operations: { POST: operation("sendBatch", nothing) } },
  deviceManagement: { path: "/deviceManagement", operations: { GET: operation("getDeviceManagement", read) } },
  metrics: {
    path: metrics,
    operations: { GET: operation("listMetrics", read), POST: operation("createMetric", write) }
  },
  metricsCount: { path: `${metrics}/$count`, operations: { GET: operation("countMetrics", read) } },
  metric: {
    path: `${metrics}/{metricId}`,
    operations: {
      GET: operation("getMetric", read),
      PATCH: operation("updateMetric", inBoth(["DeviceManagementManagedDevices.ReadWrite.All"])),
      DELETE: operation("deleteMetric", write)
    }
  },
  devices: {
    path: `${metrics}/{metricId}/metricDevices`,
    operations: { GET: operation("listDevices", read), POST: operation("createDevice", write) }
  },
  count: { path: `${metrics}/{metricId}/metricDevices/$count`, operations: { GET: operation("countDevices", read) } },
  device: {
    path: `${metrics}/{metricId}/metricDevices/{deviceId}`,
    operations: {
      GET: operation("getDevice", read),
      PATCH: operation("updateDevice", write),
      DELETE: operation("deleteDevice", write)
    }
  },
  readiness: {
    path: "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereHardwareReadinessMetric",
    operations: { GET: operation("getHardwareReadiness", inBoth(managedDevices)) }
  },
  models: {
    path: "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereModelPerformance",
    operations: { GET: operation("listModelPerformance", read) }
  },
  modelsCount: {
    path: "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereModelPerformance/$count",
    operations: { GET: operation("countModelPerformance", read) }
  },
  model: {
    path: "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereModelPerformance/{modelId}",
    operations: { GET: operation("getModelPerformance", read) }
  },
  summary: {
    path: "/deviceManagement/userExperienceAnalyticsSummarizeWorkFromAnywhereDevices",
    // It only reads, but its page asks for the right to write.
    operations: { GET: operation("summarizeDevices", write) },
    isFunction: true
  }
} as const satisfies Readonly<Record<string, Route>>

/** Name of a route. */
export type RouteName = keyof typeof routes

/** Name of a route that is a part of Graph, and not of the local service alone. */
export type GraphRouteName = {
  [Name in RouteName]: (typeof routes)[Name] extends { readonly isOnlyLocal: true } ? never : Name
}[RouteName]

/** The methods of a route. */
export type MethodOf<Name extends RouteName> = keyof (typeof routes)[Name]["operations"] & RouteMethod

/** What any operation of the table is called. */
export type OperationId = {
  [Name in RouteName]: {
    [Method in MethodOf<Name>]: (typeof routes)[Name]["operations"][Method] extends {
      readonly id: infer Id extends string
    }
      ? Id
      : never
  }[MethodOf<Name>]
}[RouteName]

/** Every name, in the order of the table. */
export const routeNames = Object.keys(routes) as ReadonlyArray<RouteName>

const rowOf = (name: RouteName): Route => routes[name]

/** Whether the local service alone has a route, which then is no part of Graph. */
export const isOnlyLocal = (name: RouteName): boolean => rowOf(name).isOnlyLocal === true

/** The methods that a route serves, HEAD included, in the order of an `Allow` header. */
export const methodsOf = (name: RouteName): ReadonlyArray<string> => {
  const methods = Object.keys(rowOf(name).operations)
  return (methods.includes("GET") ? [...methods, "HEAD"] : methods).toSorted()
}

/**
 * The permissions of which a caller needs one for a request; with none, any caller who is known may send it. A method
 * that the route does not serve needs what its last one does, so that only who may write is told so.
 */
export const permissionsFor = (name: RouteName, method: string, version: GraphVersion): ReadonlyArray<Permission> => {
  const operations = rowOf(name).operations
  const asked = Object.entries(operations).find(([served]) => served === (method === "HEAD" ? "GET" : method))
  return (asked?.[1] ?? Object.values(operations).at(-1))?.permissions[version] ?? []
}

/** A key as it stands in parentheses behind the name of its collection; a quote inside is doubled. */
export const inParentheses = (key: string): string => `('${encodeURIComponent(key.replaceAll("'", "''"))}')`

/**
 * A key behind the name of its collection. Stricter than `encodeURIComponent`, because quotes and parentheses would be
 * read as another way to write a key; which it takes where the key would be read as a name of OData's, such as `$count`, or
 * of a type.
 */
const segmentOf = (key: string): string => {
  // Nearly every key is like that.
  if (/^[\w~-]+$/.test(key)) return `/${key}`
  if (/^(?:\$|(?:microsoft\.)?graph\.)/i.test(key)) return inParentheses(key)
  const encoded = encodeURIComponent(key).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.codePointAt(0)?.toString(16).toUpperCase()}`
  )
  return `/${encoded}`
}

/** The path of a route with these keys in place of their names, each within its segment; below a version. */
export const pathOf = (name: RouteName, keys: Readonly<Record<string, string>> = {}): string =>
  routes[name].path.replaceAll(/\/\{(\w+)\}/g, (_, key: string) => segmentOf(keys[key] ?? ""))

/** The ids of the two metrics that every tenant has; nothing public shows a caller of another one. */
export const standingMetrics = ["allDevices", "devicePerformance"] as const
