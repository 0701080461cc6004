export { type Dependencies, createApp } from "./app.ts"
export { type Log } from "./http/observation.ts"
export type { RequestBudgetSetting } from "./settings/behaviour.ts"
export type { Call } from "./rehearsal/calls.ts"
export type { Clock } from "./rehearsal/clock.ts"
export { type Settings } from "./settings/settings.ts"
export { defaultSettings, readSettings } from "./settings/config.ts"
export { type DeviceStore } from "./store/device-store.ts"
export { openDeviceStore } from "./store/open-device-store.ts"
export {
  type FaultScript,
  type FaultScriptInput,
  faultScriptSchema,
  parseFaultScript
} from "./rehearsal/fault-script.ts"
export { type LocalGraph, type LocalGraphOptions, createLocalGraph } from "./local-graph.ts"
export type { Profile, ReadOnlyPolicy } from "./settings/behaviour.ts"
export { type Rehearsal, type RehearsalOptions, createRehearsal } from "./rehearsal/rehearsal.ts"
export { type Service, startService } from "./service.ts"
export { StartError } from "./settings/settings.ts"
export {
  type Finding,
  type Judgement,
  type CallerVerdict,
  junitOf,
  callerVerdictOf
} from "./rehearsal/caller-verdict.ts"
