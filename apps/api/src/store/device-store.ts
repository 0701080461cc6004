import { type DeviceUpdate, type WholeDevice, standingMetrics } from "@workanywhere/domain"
import type { Filter } from "../graph/device-filter.ts"
import type { Order, Position } from "../graph/device-order.ts"
import { isStanding } from "../graph/metric.ts"
import type { MetricStore } from "./metric-store.ts"
import type { DeviceRow } from "./migrations.ts"

/** Some devices that belong together: those of one metric of one tenant. */
export interface Collection {
  readonly tenant: string
  readonly metric: string
}

/** The devices that both standing metrics show. */
export const standingCollection = (tenant: string): Collection => ({ tenant, metric: standingMetrics[0] })

/** The devices that a metric shows, if there is such a metric. */
export const collectionOf = (tenant: string, metricId: string): Collection =>
  isStanding(metricId) ? standingCollection(tenant) : { tenant, metric: metricId }

/** Part of a collection, in some order. */
export interface DevicePage {
  readonly devices: ReadonlyArray<WholeDevice>
  readonly last: WholeDevice | undefined
  /**
   * The JSON of the devices, with commas between them: without a look inside, which takes longer than to find them.
   * `undefined` where one has an enum member that not everyone is shown.
   */
  readonly json: string | undefined
  /** Whether there are devices behind the last one. */
  readonly more: boolean
}

/** What is read of a device. */
export type JsonRow = Pick<DeviceRow, "json" | "hasUnknownMember">

/** Which devices of a collection are asked for, and in which order. */
export interface DeviceQuery {
  readonly filter?: Filter | undefined
  readonly order: Order
  /** Only those behind this place in the order. */
  readonly after?: Position | undefined
  /** How many to leave out first; they cost as much as if they were read. */
  readonly skip: number
}

/** What became of a write: the device, nothing found, or a device that was left alone because it is not as expected. */
export type Written = WrittenDevice | undefined | "changed"

/** A device that was written. */
export interface WrittenDevice {
  readonly device: WholeDevice
  /** Its JSON; `undefined` where it has an enum member that not everyone is shown, and where nothing is left of it. */
  readonly json: string | undefined
}

/** Whether a device is what a caller expects it to be. */
export type Expectation = (device: WholeDevice) => boolean

/** What becomes of a device whose id is put again. */
export type Existing = "replace" | "keep"

/** The devices, wherever they are kept. A promise of a write resolves when it is durable. */
export interface DeviceStore {
  readonly find: (collection: Collection, id: string) => Promise<WholeDevice | undefined>
  /** The JSON of a device; `undefined` also where it has an enum member that not everyone is shown. */
  readonly findJson: (collection: Collection, id: string) => Promise<string | undefined>
  /** Another text after every write, whoever made it; `undefined` where that cannot be known, or not at the moment. */
  readonly version: () => string | undefined
  /** The first `size` devices whose ids come after `after`, however long they are; the empty text is before all. */
  readonly page: (collection: Collection, after: string, size: number) => Promise<DevicePage>
  /**
   * At most `size` devices that a query asks for, in its order, and fewer where their texts are long: a page ends with the
   * device that fills it, and says that there are more. No snapshot where the store has to look at many: a device
   * that is written meanwhile is found as it was before or after. Fails when it takes too long, or when the `caller`, who
   * is asked for only then, has gone away.
   */
  readonly search: (
    collection: Collection,
    query: DeviceQuery,
    size: number,
    caller?: () => AbortSignal
  ) => Promise<DevicePage>
  /** How many devices a filter is true for; all, without one. As `search`, no snapshot, and not for long. */
  /** Whether nobody has put anything in: no device of any tenant, and no metric. */
  readonly isEmpty: () => Promise<boolean>
  readonly count: (collection: Collection, filter: Filter | undefined, caller?: () => AbortSignal) => Promise<number>
  /** The device after the update. */
  readonly update: (
    collection: Collection,
    id: string,
    update: DeviceUpdate,
    expected?: Expectation
  ) => Promise<Written>
  readonly create: (collection: Collection, device: WholeDevice) => Promise<"created" | "exists" | "noMetric">
  /** The device that was there. */
  readonly remove: (collection: Collection, id: string, expected?: Expectation) => Promise<Written>
  /**
   * Every device of a collection, in the order of the keys, with little in memory and time for others in between. No
   * snapshot: a device that is written meanwhile comes as it was before or after. Fails as `search` does.
   */
  readonly all: (collection: Collection, caller?: () => AbortSignal) => AsyncIterable<WholeDevice>
  readonly metrics: MetricStore
  /**
   * Puts devices into a collection, all or none, and says how many: one that is there already is replaced as a whole,
   * or kept and not counted. Of several with one id, that decides as well.
   */
  readonly put: (
    collection: Collection,
    devices: ReadonlyArray<WholeDevice>,
    existing: Existing
  ) => Promise<number | "noMetric">
  /** Puts devices into an empty collection, all or none; a collection that has devices is left as it is. */
  readonly fillEmpty: (collection: Collection, devices: AsyncIterable<WholeDevice>) => Promise<void>
  /** Random bytes that stay with the store; they sign page tokens. */
  readonly pageTokenKey: Uint8Array
  /** Puts devices into the standing collection of a tenant, in the place of all devices and metrics that it has. */
  readonly refill: (tenant: string, devices: AsyncIterable<WholeDevice>) => Promise<void>
  /** Fails when the store does not answer. */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}
