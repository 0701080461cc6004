export { type Dependencies, type Log, createApp } from "./app.ts"
export type { BudgetSetting } from "./rehearsal/request-budget.ts"
export type { Call } from "./rehearsal/calls.ts"
export type { Clock } from "./rehearsal/clock.ts"
export { type Settings, defaultSettings, readSettings } from "./settings/config.ts"
export { type DeviceStore, openDeviceStore } from "./store/device-store.ts"
export {
  type FaultScript,
  type FaultScriptInput,
  faultScriptSchema,
  parseFaultScript
} from "./rehearsal/fault-script.ts"
export { type LocalGraph, type LocalGraphOptions, createLocalGraph } from "./local-graph.ts"
export type { Profile, ReadOnlyPolicy } from "./rehearsal/profile.ts"
export { type Rehearsal, type RehearsalOptions, createRehearsal } from "./rehearsal/rehearsal.ts"
export { type Service, StartError, startService } from "./service.ts"
export { type Finding, type Judgement, type Verdict, junitOf, verdictOf } from "./rehearsal/caller-verdict.ts"
