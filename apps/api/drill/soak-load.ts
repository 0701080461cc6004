import { setTimeout } from "node:timers/promises"
import { type DeviceUpdate, type Page, type WholeDevice, wholeDevice } from "@workanywhere/domain"
import { GraphError, type PromiseClient } from "@workanywhere/graph-client/promise"
import { numberIn, updateOf } from "./durability.ts"
import type { SoakModel } from "./soak-model.ts"

/** What the callers of a soak work on. */
export interface Target {
  /** Root of the service. */
  readonly url: string
  readonly model: SoakModel
  /** The devices that were there at first; nobody deletes one of them. */
  readonly fleet: ReadonlyArray<WholeDevice>
  /** Those of the fleet that nobody writes. */
  readonly untouched: ReadonlyArray<WholeDevice>
  /** A number from 0 to below 1, each time another. */
  readonly random: () => number
}

const metrics = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics"
const collection = `${metrics}/allDevices/metricDevices`
const json = { "content-type": "application/json" }

const pathOf = (id: string): string => `${collection}/${encodeURIComponent(id)}`

interface Answer {
  readonly status: number
  readonly body: unknown
}

/** One request as it is, without a repeat; `undefined` when the connection broke. */
const once = async (address: string, init: RequestInit = {}): Promise<Answer | undefined> => {
  try {
    const response = await fetch(address, init)
    const text = await response.text()
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) }
  } catch (error) {
    // What fetch fails with when there was no whole answer.
    if (error instanceof TypeError) return undefined
    throw error
  }
}

const post = (address: string, body: object): Promise<Answer | undefined> =>
  once(address, { method: "POST", headers: json, body: JSON.stringify(body) })

const isPassing = (answer: Answer | undefined): answer is undefined =>
  answer === undefined || answer.status === 429 || answer.status >= 500

const mostReads = 100

/** Reads until the service answers. */
const insist = async (address: string): Promise<Answer> => {
  for (let attempt = 1; attempt <= mostReads; attempt++) {
    const answer = await once(address)
    if (!isPassing(answer)) return answer
    await setTimeout(attempt)
  }
  throw new Error(`${mostReads} reads of ${new URL(address).pathname} had no answer`)
}

/** Every device that the service lists, each page asked for until it comes, and each device once or a breach. */
export const walked = async ({
  url,
  model
}: Pick<Target, "url" | "model">): Promise<ReadonlyMap<string, WholeDevice>> => {
  const found = new Map<string, WholeDevice>()
  for (let next: string | undefined = `${url}/beta${collection}?$top=500`; next !== undefined;) {
    const { status, body } = await insist(next)
    if (status !== 200) throw new Error(`a page was answered with ${status}`)
    const page = body as Page<WholeDevice>
    for (const device of page.value) {
      if (found.has(device.id)) model.breach(`a walk met ${device.id} twice`)
      found.set(device.id, device)
    }
    next = page["@odata.nextLink"]
  }
  return found
}

const readBack = async ({ url, model }: Target, id: string): Promise<void> => {
  const { status, body } = await insist(`${url}/beta${pathOf(id)}`)
  if (status === 200) model.resolve(id, body as WholeDevice)
  else if (status === 404) model.resolve(id, undefined)
  else model.breach(`a read was answered with ${status}`)
}

/** Of a write's answer: taken over, refused for good, or not known. */
const settle = async (target: Target, id: string, answer: Answer | undefined, done: number): Promise<void> => {
  if (answer?.status === done) return target.model.acknowledge(id)
  if (!isPassing(answer)) target.model.breach(`a write was answered with ${answer.status}`)
  await readBack(target, id)
}

/** As `settle`, of a call of our client. */
const settleCall = async (target: Target, id: string, call: Promise<unknown>): Promise<void> => {
  try {
    await call
    target.model.acknowledge(id)
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
    await readBack(target, id)
  }
}

const pick = <A>(target: Target, items: ReadonlyArray<A>): A => {
  const item = items[Math.floor(target.random() * items.length)]
  if (item === undefined) throw new TypeError("there is nothing to pick from")
  return item
}

const some = <A>(target: Target, items: ReadonlyArray<A>, most: number): ReadonlyArray<A> => [
  ...new Set(Array.from({ length: most }, () => pick(target, items)))
]

/** What a device becomes with the next write, which is sent now. */
const next = ({ model }: Target, id: string): DeviceUpdate => {
  const settled = model.settled(id)
  const number = (settled === "absent" ? 0 : settled) + 1
  model.attempt(id, number)
  return updateOf(number)
}

const keyOf = (deviceId: string) => ({ metricId: "allDevices", deviceId })

/** One of the callers: its devices are written by nobody else, and it does one thing after the other. */
export interface Caller {
  readonly name: string
  /** An app of its own to the service: being throttled, it keeps no other from its work. */
  readonly client: PromiseClient
  readonly own: ReadonlyArray<string>
  /** Ids that it makes and takes away again, always the same few. */
  readonly comeAndGo: ReadonlyArray<string>
}

const expectEach = (
  { model }: Target,
  what: string,
  seen: ReadonlyArray<string>,
  expected: ReadonlyArray<WholeDevice>
): void => {
  const times = new Map<string, number>()
  for (const id of seen) times.set(id, (times.get(id) ?? 0) + 1)
  for (const { id } of expected) {
    if (times.get(id) !== 1) model.breach(`${what} met ${id} ${times.get(id) ?? 0} times`)
  }
}

const listed = async (rows: AsyncIterable<{ readonly id?: string }>): Promise<ReadonlyArray<string>> => {
  const ids: Array<string> = []
  for await (const { id } of rows) ids.push(id ?? "")
  return ids
}

const isCapable = ({ upgradeEligibility }: WholeDevice): boolean => upgradeEligibility === "capable"

type Task = (target: Target, caller: Caller) => Promise<void>

/** What a caller does, and how often among a hundred or so. */
const tasks: Readonly<Record<string, { readonly weight: number; readonly run: Task }>> = {
  update: {
    weight: 30,
    run: async (target, { own }) => {
      const id = pick(target, own)
      const body = JSON.stringify(next(target, id))
      await settle(
        target,
        id,
        await once(`${target.url}/beta${pathOf(id)}`, { method: "PATCH", headers: json, body }),
        200
      )
    }
  },
  "update by our client": {
    weight: 15,
    run: async (target, { client, own }) => {
      const id = pick(target, own)
      await settleCall(target, id, client.updateDevice(keyOf(id), next(target, id)))
    }
  },
  "updates by our client": {
    weight: 2,
    run: async (target, { client, own }) => {
      const changes = some(target, own, 8).map((deviceId) => ({
        metricId: "allDevices",
        deviceId,
        update: next(target, deviceId)
      }))
      for await (const outcome of client.updateDevices(changes)) {
        const { deviceId } = outcome.change
        if (outcome.kind === "updated" && outcome.differing.length === 0) target.model.acknowledge(deviceId)
        else {
          if (outcome.kind === "refused") target.model.breach(`an update was refused: ${outcome.error.message}`)
          await readBack(target, deviceId)
        }
      }
    }
  },
  batch: {
    weight: 5,
    run: async (target, { own }) => {
      const ids = some(target, own, 10)
      const requests = ids.map((id) => ({
        id,
        method: "PATCH",
        url: pathOf(id),
        headers: json,
        body: next(target, id)
      }))
      const answer = await once(`${target.url}/beta/$batch`, {
        method: "POST",
        headers: json,
        body: JSON.stringify({ requests })
      })
      const { responses = [] } = (answer?.body ?? {}) as {
        readonly responses?: ReadonlyArray<{ readonly id: string } & Answer>
      }
      const byId = new Map(responses.map((response) => [response.id, response]))
      for (const id of ids) await settle(target, id, byId.get(id), 200)
    }
  },
  read: {
    weight: 20,
    run: async (target, { own }) => {
      const id = target.random() < 0.5 ? pick(target, own) : pick(target, target.fleet).id
      const since = target.model.settled(id)
      const { status, body } = await insist(`${target.url}/v1.0${pathOf(id)}`)
      if (status === 200) target.model.read(id, body as WholeDevice, since)
      else target.model.breach(`a read of ${id} was answered with ${status}`)
    }
  },
  page: {
    weight: 8,
    run: async (target) => {
      const since = new Map(target.fleet.map(({ id }) => [id, target.model.settled(id)]))
      const { body } = await insist(`${target.url}/beta${collection}?$filter=upgradeEligibility eq 'capable'&$top=50`)
      for (const device of (body as Page<WholeDevice>).value) {
        const before = since.get(device.id)
        if (before !== undefined) target.model.read(device.id, device, before)
      }
    }
  },
  walk: {
    weight: 1,
    run: async (target, { client }) => {
      const rows = client.listDevices("allDevices", { select: ["id", "deviceName"], pageSize: 300 })
      const seen: Array<string> = []
      for await (const { id, deviceName } of rows) {
        seen.push(id ?? "")
        if (deviceName === undefined) target.model.breach(`a walk met ${id} without what it selected`)
      }
      expectEach(target, "a walk", seen, target.fleet)
      if (new Set(seen).size < seen.length) target.model.breach("a walk met a device twice")
    }
  },
  "walk in an order": {
    weight: 1,
    run: async (target, { client }) => {
      const orderBy = pick(target, [["windowsScore desc"], ["model", "deviceName desc"], ["healthStatus"]] as const)
      const rows = client.listDevices("allDevices", { select: ["id"], orderBy: [...orderBy], pageSize: 400 })
      expectEach(target, `a walk by ${orderBy.join()}`, await listed(rows), target.untouched)
    }
  },
  "filtered walk": {
    weight: 1,
    run: async (target, { client }) => {
      const part = pick(target, target.untouched).model ?? ""
      const rows = client.listDevices("allDevices", {
        select: ["id"],
        filter: `contains(model,'${part.replaceAll("'", "''")}') and upgradeEligibility ne 'unknown'`
      })
      const matches = target.untouched.filter(
        ({ model, upgradeEligibility }) => model?.includes(part) === true && upgradeEligibility !== "unknown"
      )
      expectEach(target, "a filtered walk", await listed(rows), matches)
    }
  },
  count: {
    weight: 3,
    run: async (target) => {
      const expected = target.fleet.filter(isCapable).length
      const { body } = await insist(`${target.url}/beta${collection}/$count?$filter=upgradeEligibility eq 'capable'`)
      if (body !== expected) target.model.breach(`${JSON.stringify(body)} were counted, not ${expected}`)
    }
  },
  "create or delete": {
    weight: 8,
    run: async (target, { client, comeAndGo }) => {
      const id = pick(target, comeAndGo)
      const address = `${target.url}/beta${collection}`
      if (target.model.settled(id) === "absent") {
        const body = JSON.stringify({ id, upgradeEligibility: "notCapable", ...next(target, id) })
        return settle(target, id, await once(address, { method: "POST", headers: json, body }), 201)
      }
      target.model.attempt(id, "absent")
      return target.random() < 0.5
        ? settle(target, id, await once(`${target.url}/beta${pathOf(id)}`, { method: "DELETE" }), 204)
        : settleCall(target, id, client.deleteDevice(keyOf(id)))
    }
  },
  "a metric's life": {
    weight: 1,
    run: async (target, { name }) => {
      const metric = `${target.url}/beta${metrics}/${name}`
      // One that is there already is left from an answer that did not arrive.
      await post(`${target.url}/beta${metrics}`, { id: name })
      const acknowledged: Array<string> = []
      for (const id of ["a", "b", "c"]) {
        const answer = await post(`${metric}/metricDevices`, { id, ...updateOf(1) })
        if (answer?.status === 201) acknowledged.push(id)
      }
      const { status, body } = await insist(`${metric}/metricDevices`)
      const devices = status === 200 ? (body as Page<WholeDevice>).value : []
      const there = new Set(devices.filter((device) => numberIn(device) === 1).map(({ id }) => id))
      for (const id of acknowledged) if (!there.has(id)) target.model.breach(`${name} has lost ${id}`)
      for (;;) {
        const deleted = await once(metric, { method: "DELETE" })
        if (!isPassing(deleted)) break
      }
      const gone = await insist(metric)
      if (gone.status !== 404) target.model.breach(`a metric that was deleted is ${gone.status}`)
    }
  },
  reports: {
    weight: 1,
    run: async (target, { client }) => {
      const { totalDeviceCount } = await client.getHardwareReadiness()
      if ((totalDeviceCount ?? 0) < target.fleet.length)
        target.model.breach(`a report counted ${totalDeviceCount} devices`)
      await client.summarizeDevices()
    }
  }
}

/** The devices that a caller makes, as they are before its first update. */
export const madeBy = ({ comeAndGo }: Caller): ReadonlyArray<WholeDevice> =>
  comeAndGo.map((id) => wholeDevice({ id, upgradeEligibility: "notCapable" }))

const totalWeight = Object.values(tasks).reduce((sum, { weight }) => sum + weight, 0)

const chosen = (draw: number): readonly [string, Task] => {
  let left = draw * totalWeight
  for (const [name, { weight, run }] of Object.entries(tasks)) {
    left -= weight
    if (left < 0) return [name, run]
  }
  throw new RangeError(`${draw} is not below 1`)
}

/** Does one thing; its name, and whether the service let it be done in the end. */
export const work = async (
  target: Target,
  caller: Caller
): Promise<{ readonly name: string; readonly done: boolean }> => {
  const [name, run] = chosen(target.random())
  try {
    await run(target, caller)
    return { name, done: true }
  } catch (error) {
    // A read that failed as often as our client tries; writes have been settled.
    if (error instanceof GraphError && ["Throttled", "Unavailable"].includes(error.reason._tag))
      return { name, done: false }
    throw error
  }
}
