export { type Dependencies, type Log, createApp } from "./app.ts"
export { type Settings, defaultSettings, readSettings } from "./config.ts"
export { type DeviceStore, openDeviceStore } from "./device-store.ts"
export { type Service, StartError, startService } from "./service.ts"
