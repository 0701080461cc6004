export { type Cloud, type GraphVersion, clouds } from "./clouds.ts"
export { type AccessToken, type TokenNeed, type TokenSource, TokenUnavailable } from "./credentials.ts"
export { type Filter, filter } from "./filter.ts"
export { type Operation, type TokenPermissions, operationPermissions, permissions } from "./permissions.ts"
export { type SupportBundle, supportBundle } from "./support-bundle.ts"
export { type DeviceKey, GraphClient, type ModelListOptions, type SelectOptions } from "./graph-client.ts"
export type { ListOptions, Order } from "./list-options.ts"
export type { Checkpoint, ListPage, Row } from "./pages.ts"
export type { DevicesSummary, HardwareReadiness, Metric, MetricBody, ModelPerformance } from "./reports.ts"
export { type GraphClientOptions, InvalidOptions, type Repeat } from "./options.ts"
export {
  Forbidden,
  GraphError,
  type GraphErrorReason,
  Incomplete,
  Invalid,
  NotFound,
  Rejected,
  RouteUnsupported,
  TenantNotReady,
  Throttled,
  Unauthorized,
  Unavailable,
  Unreadable,
  type WhyIncomplete
} from "./graph-error.ts"
export type { Answered, BatchOptions, BatchOutcome, BatchRequest, SingleRequest } from "./batch.ts"
export { type Allowance, type Allowances, type Budget, type Lane, publishedBudget, timesAsFast } from "./budget.ts"
export type { DeviceChange, DeviceOutcome } from "./device-outcome.ts"
export { CurrentFlow, type Flow, type Pacing } from "./gate.ts"
export type { UpdateDevices, UpdateDevicesOptions } from "./update-devices.ts"
