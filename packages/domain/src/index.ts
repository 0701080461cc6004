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
} from "./device/evolvable-enum.ts"
export {
  type Property,
  type PropertyGroup,
  type PropertyName,
  type PropertyValue,
  enumOf,
  isNullable,
  properties,
  property,
  propertyNames
} from "./device/property.ts"
export {
  type HealthThresholds,
  type ScoreEncoding,
  type ScoreReading,
  type SubScore,
  healthFromScore,
  isAvailable,
  isWritableScore,
  portalUnavailableScore,
  readScore,
  subScores,
  unavailableScore
} from "./device/score.ts"
export {
  type Issue,
  type IssueCode,
  expectedValue,
  printable,
  printableJson,
  unknownPropertyIssue,
  unwritableIssue,
  valueIssue
} from "./device/issue.ts"
export { nearMiss } from "./device/near-miss.ts"
export {
  type KindRule,
  type Limit,
  type PropertyKind,
  type Refusal,
  isShortEnough,
  isStorable,
  kindRules,
  longestText
} from "./device/property-kind.ts"
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
} from "./device/device.ts"
export { namesType, typeNamePattern } from "./device/type-name.ts"
export {
  type Blocker,
  type BlockerClass,
  type Contradiction,
  type Readiness,
  type ReadinessCheck,
  blocker,
  readiness,
  readinessChecks
} from "./windows/readiness.ts"
export { type DeviceRead, type Fault, type FaultCode, type ReadItem } from "./files/read-item.ts"
export {
  type JsonLimits,
  type JsonRead,
  type RepeatedName,
  placeIn,
  readJson,
  repeatedNameIssues
} from "./files/json-text.ts"
export { type TextSource, type UnreadableReason, UnreadableSource } from "./files/text-source.ts"
export {
  type JsonLinesReading,
  deviceFromGraph,
  deviceJsonLine,
  deviceToGraph,
  readDeviceDocument,
  readDeviceLineBatches,
  readDeviceLines
} from "./files/json-lines.ts"
export { type JoinedDevice, joinReports } from "./files/join-reports.ts"
export {
  type EntraJoin,
  type ManagementAgent,
  entraJoin,
  managementAgent,
  noEntraDeviceId
} from "./device/free-text.ts"
export { type Finding, type ScoreReason, type ScoreRule } from "./scores/rules.ts"
export {
  type ScoreModel,
  type ScoreModelOptions,
  type ScoreWeights,
  equalMean,
  overallScore,
  scoreModel
} from "./scores/model.ts"
export type { EditionClass } from "./windows/releases.ts"
export type { SupportQuestion } from "./windows/support.ts"
export { type ScoreEstimate, type ScoreEstimates, type ScoreName, estimateScores } from "./scores/estimate.ts"
export {
  type DifferenceExplanation,
  type ScoreComparison,
  type ScoreComparisons,
  compareScores
} from "./scores/compare.ts"
export { type Standing, type WhatIf, whatIf } from "./scores/what-if.ts"
export { type Page, pageOf } from "./graph/odata.ts"
export { type GraphErrorBody, type GraphErrorCode, type GraphErrorDetail, graphErrorStatus } from "./graph/error.ts"
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
} from "./graph/routes.ts"
