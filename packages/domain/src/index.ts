export {
  type EvolvableEnum,
  type HealthState,
  type UpgradeEligibility,
  healthState,
  knownMember,
  memberNumber,
  memberWithNumber,
  unknownFutureValue,
  upgradeEligibility,
  writableMembers
} from "./evolvable-enum.ts"
export {
  type Property,
  type PropertyGroup,
  type PropertyKind,
  type PropertyName,
  type PropertyValue,
  enumOf,
  isNullable,
  properties,
  property,
  propertyNames
} from "./property.ts"
export {
  type HealthThresholds,
  type ScoreEncoding,
  type ScoreReading,
  type SubScore,
  healthFromScore,
  isAvailable,
  isWritableScore,
  readScore,
  subScores,
  unavailableScore
} from "./score.ts"
export { type Issue, type IssueCode, expectedValue, unknownPropertyIssue, valueIssue } from "./issue.ts"
export { nearMiss } from "./near-miss.ts"
export { printable } from "./printable.ts"
export { isStorable } from "./fits-at-once.ts"
export {
  type Body,
  type Change,
  Device,
  DeviceUpdate,
  KeyedDevice,
  NewDevice,
  type Parsed,
  type WholeDevice,
  applyUpdate,
  changes,
  deviceODataType,
  jsonSchemaOf,
  parseDevice,
  parseDeviceUpdate,
  parseNewDevice,
  wholeDevice
} from "./device.ts"
export {
  type Blocker,
  type BlockerClass,
  type Contradiction,
  type Readiness,
  type ReadinessCheck,
  blocker,
  readiness,
  readinessChecks
} from "./readiness.ts"
export { type DeviceRead, type Fault, type FaultCode, type ReadItem } from "./read-item.ts"
export { type TextSource, type UnreadableReason, UnreadableSource } from "./text-source.ts"
export {
  type JsonLinesReading,
  deviceFromGraph,
  deviceJsonLine,
  deviceToGraph,
  readDeviceDocument,
  readDeviceLineBatches,
  readDeviceLines
} from "./json-lines.ts"
export { type JoinedDevice, joinReports } from "./join-reports.ts"
export { type EntraJoin, type ManagementAgent, entraJoin, managementAgent, noEntraDeviceId } from "./free-text.ts"
export { type Finding, type ScoreReason, type ScoreRule } from "./score-rules.ts"
export {
  type ScoreModel,
  type ScoreModelOptions,
  type ScoreWeights,
  equalMean,
  overallScore,
  scoreModel
} from "./score-model.ts"
export type { EditionClass, SupportQuestion } from "./lifecycle.ts"
export { type ScoreEstimate, type ScoreEstimates, type ScoreName, estimateScores } from "./score-estimate.ts"
export {
  type DifferenceExplanation,
  type ScoreComparison,
  type ScoreComparisons,
  compareScores
} from "./compare-scores.ts"
export { type Standing, type WhatIf, whatIf } from "./what-if.ts"
export { type Page, pageOf } from "./odata.ts"
export {
  type GraphRouteName,
  type GraphVersion,
  type MethodOf,
  type OperationId,
  type Permission,
  type Route,
  type RouteMethod,
  type RouteName,
  type RouteOperation,
  inParentheses,
  isOnlyLocal,
  methodsOf,
  pathOf,
  permissionsFor,
  routeNames,
  routes,
  standingMetrics
} from "./routes.ts"
export { type GraphErrorBody, type GraphErrorCode, type GraphErrorDetail, graphErrorStatus } from "./graph-error.ts"
