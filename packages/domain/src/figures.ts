export type { FiguresOptions, FleetTally, ModelName, ScoreName } from "./figures-tally.ts"
export {
  type BlockedDevices,
  type DataQuality,
  type FleetFigures,
  type FleetFold,
  type ModelFigures,
  type NotCounted,
  type ScoreBin,
  type ScoreDistribution,
  fleetFigures,
  percentile
} from "./fleet-figures.ts"
export type { DevicesSummary, HardwareReadinessMetric, ModelPerformance } from "./graph-reports.ts"
export {
  type Budget,
  type Measure,
  type MeasurePrices,
  type ModelBudget,
  type UpgradeBudget,
  type UpgradePrices,
  upgradeBudget
} from "./upgrade-budget.ts"
