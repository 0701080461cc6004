import type { FleetFigures } from "@workanywhere/domain/figures"
import { QueryStopped } from "../store/database-trouble.ts"
import { type DeviceStore, standingCollection } from "../store/device-store.ts"

/** The figures of a tenant's devices, with every write in them that was acknowledged before they were asked for. */
export type FiguresOf = (tenant: string, caller: AbortSignal) => Promise<FleetFigures>

/** One count for all who wait for it. */
interface Count {
  /** What the store was at when it began; `undefined` where that is not known. */
  readonly version: string | undefined
  readonly result: Promise<FleetFigures>
  /** How many wait; the count ends when the last of them has gone. */
  waiting: number
  readonly abandon: () => void
}

interface OfTenant {
  running?: Count | undefined
  /** Shared by all who came while another ran: it begins after them, so that it has what they wrote. */
  next?: Promise<Count> | undefined
  done?: { readonly version: string; readonly day: string; readonly figures: FleetFigures } | undefined
}

/** Those of a tenant can have ten thousand models in them. */
const mostRemembered = 8

const today = (): string => new Date().toISOString().slice(0, 10)

/** Counted one device after the other: as many as there are, in little memory. */
const counted = async (
  store: DeviceStore,
  tenant: string,
  asOf: string,
  signal: AbortSignal
): Promise<FleetFigures> => {
  // Imported with the first report: a start has no use for it.
  const { fleetFigures } = await import("@workanywhere/domain/figures")
  const figures = fleetFigures({ asOf })
  const tally = figures.empty()
  for await (const device of store.all(standingCollection(tenant), () => signal)) figures.add(tally, device)
  return figures.result(tally)
}

const ended = (count: Count): Promise<unknown> => count.result.catch(() => undefined)

/** Resolves with the figures, or fails as soon as the caller has gone. */
const awaited = (count: Count, caller: AbortSignal): Promise<FleetFigures> =>
  new Promise((resolve, reject) => {
    count.waiting += 1
    const leave = (): void => {
      caller.removeEventListener("abort", leave)
      count.waiting -= 1
      if (count.waiting === 0) count.abandon()
      reject(new QueryStopped("abandoned"))
    }
    if (caller.aborted) return leave()
    caller.addEventListener("abort", leave)
    count.result.then(resolve, reject).finally(() => caller.removeEventListener("abort", leave))
  })

/** Counts at most once at a time for each tenant, and not again until somebody has written. */
export const sharedFigures = (store: DeviceStore): FiguresOf => {
  const tenants = new Map<string, OfTenant>()

  const forget = (tenant: string): void => {
    const one = tenants.get(tenant)
    if (one?.running === undefined && one?.next === undefined) tenants.delete(tenant)
  }

  const remember = (tenant: string, one: OfTenant, done: NonNullable<OfTenant["done"]>): void => {
    one.done = done
    // The last one to be remembered is the last one to be forgotten.
    tenants.delete(tenant)
    tenants.set(tenant, one)
    const remembered = [...tenants].filter(([, { done }]) => done !== undefined)
    for (const [, other] of remembered.slice(0, -mostRemembered)) other.done = undefined
    for (const [oldest] of remembered.slice(0, -mostRemembered)) forget(oldest)
  }

  const begun = (tenant: string, one: OfTenant): Count => {
    const gone = new AbortController()
    const version = store.version()
    const day = today()
    const result = counted(store, tenant, day, gone.signal)
    const count: Count = { version, result, waiting: 0, abandon: () => gone.abort() }
    one.running = count
    one.next = undefined
    const end = (figures?: FleetFigures): void => {
      one.running = undefined
      if (figures !== undefined && version !== undefined && store.version() === version) {
        remember(tenant, one, { version, day, figures })
      } else if (one.done === undefined) forget(tenant)
    }
    void result.then(end, () => end())
    return count
  }

  return async (tenant, caller) => {
    const one = tenants.get(tenant) ?? {}
    tenants.set(tenant, one)
    const version = store.version()
    if (version !== undefined && one.done?.version === version && one.done.day === today()) return one.done.figures
    const { running } = one
    if (running === undefined) return awaited(one.next === undefined ? begun(tenant, one) : await one.next, caller)
    // With nobody left to wait for it, it is about to end.
    if (version !== undefined && running.version === version && running.waiting > 0) return awaited(running, caller)
    one.next ??= ended(running).then(() => begun(tenant, one))
    return awaited(await one.next, caller)
  }
}
