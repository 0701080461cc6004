import {
  type DeviceUpdate,
  type KeyedDevice,
  type PropertyName,
  applyUpdate,
  changes,
  propertyNames
} from "@workanywhere/domain"
import type { GraphError } from "../facts/graph-error.ts"

/** A change to one device, as it comes to `updateDevices`; other fields are kept, and come back with the outcome. */
export interface DeviceChange {
  readonly metricId: string
  readonly deviceId: string
  readonly update: DeviceUpdate
}

/** What can become of a change. */
export type Outcome =
  | {
      /** The service took the change over. */
      readonly kind: "updated"
      /** The device as it is then, where the service showed it. */
      readonly device?: KeyedDevice
      /** The service acknowledged the change and did not show the device, which was not read back either. */
      readonly notReadBack?: true
      /** Properties that have another value than asked for all the same. */
      readonly differing: ReadonlyArray<PropertyName>
    }
  | {
      /** The device is as it was: it had these values before, or the service ignored all that is `differing`. */
      readonly kind: "unchanged"
      readonly device: KeyedDevice
      readonly differing: ReadonlyArray<PropertyName>
    }
  /** The change is wrong or not allowed, and would be refused again. */
  | { readonly kind: "refused"; readonly error: GraphError }
  /** The change was not made, after as many attempts as allowed or for want of time. */
  | { readonly kind: "failed"; readonly error: GraphError }
  /** It was sent, an answer did not come, and reading the device did not tell either. */
  | { readonly kind: "unknown"; readonly error: GraphError }

/** What became of one change. */
export type DeviceOutcome<C extends DeviceChange = DeviceChange> = Outcome & {
  readonly change: C
  /** How often it was sent. */
  readonly attempts: number
}

/** The properties, by value, in which a device is not as an update wants it. */
export const differing = (device: KeyedDevice, update: DeviceUpdate): ReadonlyArray<PropertyName> =>
  changes(device, applyUpdate(device, update)).map(({ property }) => property)

/** What an acknowledged update came to, by the device that the answer shows. */
export const acknowledged = (update: DeviceUpdate, device: KeyedDevice | undefined): Outcome => {
  if (device === undefined) return { kind: "updated", differing: [], notReadBack: true }
  // An answer may leave properties out: only what it shows can differ.
  const isShown = (name: PropertyName) => device[name] !== undefined
  const others = differing(device, update).filter(isShown)
  const asked = propertyNames.filter((name) => name !== "id" && update[name] !== undefined && isShown(name))
  return {
    kind: others.length > 0 && others.length === asked.length ? "unchanged" : "updated",
    device,
    differing: others
  }
}
