export type { FiguresOptions } from "./figures/count-device.ts"
export type { ScoreName } from "./figures/layout.ts"
export type { FleetTally, ModelName } from "./figures/tally.ts"
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
} from "./figures/fleet-figures.ts"
export type { DevicesSummary, HardwareReadinessMetric, ModelPerformance } from "./figures/graph-reports.ts"
export {
  type Budget,
  type Measure,
  type MeasurePrices,
  type ModelBudget,
  type UpgradeBudget,
  type UpgradePrices,
  upgradeBudget
} from "./figures/upgrade-budget.ts"
