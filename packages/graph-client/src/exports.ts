// What both entries export: whatever one does not have to know Effect for.
export type { Answered, BatchOptions, BatchOutcome, BatchRequest, SingleRequest } from "./many/batch.ts"
export {
  type Allowance,
  type Allowances,
  type Budget,
  type Lane,
  publishedBudget,
  timesAsFast
} from "./facts/budget.ts"
export { type Cloud, clouds } from "./facts/clouds.ts"
export type { GraphVersion } from "@workanywhere/domain"
export { type AccessToken, type TokenNeed, type TokenSource, TokenUnavailable } from "./send/credentials.ts"
export type { DeviceChange, DeviceOutcome } from "./many/device-outcome.ts"
export { type Filter, filter } from "./list/filter.ts"
export type { Flow, Pacing } from "./pace/gate.ts"
export type { DeviceKey, ModelListOptions, SelectOptions, WrittenDevice } from "./graph-client.ts"
export * from "./facts/graph-error.ts"
export type { ListOptions, Order, PageOptions } from "./list/list-options.ts"
export { InvalidOptions, type Repeat } from "./send/options.ts"
export type { Checkpoint, ListPage, Row } from "./list/pages.ts"
export { type Operation, type TokenPermissions, operationPermissions, permissions } from "./facts/permissions.ts"
export type { DevicesSummary, HardwareReadiness, Metric, MetricBody, ModelPerformance } from "./facts/reports.ts"
export { type SupportBundle, supportBundle } from "./facts/support-bundle.ts"
