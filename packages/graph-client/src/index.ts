export { type Cloud, type GraphVersion, clouds } from "./facts/clouds.ts"
export { type AccessToken, type TokenNeed, type TokenSource, TokenUnavailable } from "./send/credentials.ts"
export { type Filter, filter } from "./list/filter.ts"
export { type Operation, type TokenPermissions, operationPermissions, permissions } from "./facts/permissions.ts"
export { type SupportBundle, supportBundle } from "./facts/support-bundle.ts"
export { type DeviceKey, GraphClient, type ModelListOptions, type SelectOptions } from "./graph-client.ts"
export type { ListOptions, Order } from "./list/list-options.ts"
export type { Checkpoint, ListPage, Row } from "./list/pages.ts"
export type { DevicesSummary, HardwareReadiness, Metric, MetricBody, ModelPerformance } from "./facts/reports.ts"
export { type GraphClientOptions, InvalidOptions, type Repeat } from "./send/options.ts"
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
} from "./facts/graph-error.ts"
export type { Answered, BatchOptions, BatchOutcome, BatchRequest, SingleRequest } from "./many/batch.ts"
export {
  type Allowance,
  type Allowances,
  type Budget,
  type Lane,
  publishedBudget,
  timesAsFast
} from "./facts/budget.ts"
export type { DeviceChange, DeviceOutcome } from "./many/device-outcome.ts"
export { CurrentFlow, type Flow, type Pacing } from "./pace/gate.ts"
export type { UpdateDevices, UpdateDevicesOptions } from "./many/update-devices.ts"
