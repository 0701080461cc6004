export { type FleetOptions, type FleetProfile, syntheticFleet } from "./fleet/synthetic-fleet.ts"
