import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  FaultScript,
  type FaultScriptInput,
  faultScriptSchema,
  parseFaultScript
} from "../../src/rehearsal/fault-script.ts"
import { startFaults } from "../../src/rehearsal/faults.ts"
import { type RouteTarget, targetNames } from "../../src/graph/target.ts"

const patch: RouteTarget = { method: "PATCH", route: "device", metricId: "allDevices", deviceId: "a" }
const list: RouteTarget = { method: "GET", route: "devices", metricId: "allDevices" }

/** What goes wrong with each of these requests: the kind of the fault, or the milliseconds of a delay. */
const played = (script: FaultScriptInput, targets: ReadonlyArray<RouteTarget>) => {
  const faults = startFaults(FaultScript.parse(script))
  return targets.map((target) => {
    const { delayMillis, fault } = faults.next(target)
    return fault?.effect.kind ?? (delayMillis || "-")
  })
}

const throttle = { kind: "throttle" } as const

const times = (count: number, target: RouteTarget) => Array.from({ length: count }, () => target)

/** Which of six updates between two lists a rule chooses, as places in that row of eight. */
const countedUnder = (when: FaultScript["rules"][number]["when"]) =>
  played({ rules: [{ when: { ...when, method: "PATCH" }, effect: throttle }] }, [
    list,
    ...times(6, patch),
    list
  ]).flatMap((kind, index) => (kind === "throttle" ? [index] : []))

const share = (percent: number) =>
  played({ rules: [{ when: { percent }, effect: throttle }] }, times(10_000, patch)).filter((kind) => kind !== "-")
    .length

const delay = (millis: number) => ({ effect: { kind: "delay", latency: { shape: "fixed", millis } } }) as const

describe("a rule of a fault script", () => {
  it("chooses by method, route, metric and device", () => {
    const targets: ReadonlyArray<RouteTarget> = [patch, { ...patch, deviceId: "b" }, { ...patch, method: "GET" }, list]
    const chosen = (when: FaultScript["rules"][number]["when"]) =>
      played({ rules: [{ when, effect: throttle }] }, targets).map((kind) => kind === "throttle")
    expect(chosen({})).toEqual([true, true, true, true])
    expect(chosen({ method: "patch" })).toEqual([true, true, false, false])
    expect(chosen({ method: ["PATCH", "POST"], deviceId: "b" })).toEqual([false, true, false, false])
    expect(chosen({ route: "devices" })).toEqual([false, false, false, true])
    expect(chosen({ route: ["device", "batch"], method: "GET" })).toEqual([false, false, true, false])
    expect(chosen({ metricId: "devicePerformance" })).toEqual([false, false, false, false])
  })

  it("chooses by the count of the requests that its other conditions fit", () => {
    expect(countedUnder({ nth: 1 })).toEqual([1])
    expect(countedUnder({ nth: [2, 6, 9] })).toEqual([2, 6])
    expect(countedUnder({ from: 3 })).toEqual([3, 4, 5, 6])
    expect(countedUnder({ from: 2, to: 4 })).toEqual([2, 3, 4])
    expect(countedUnder({ every: 3 })).toEqual([3, 6])
  })

  it("chooses items of a batch, by their id in any case or all of them", () => {
    const targets = [patch, { ...patch, batchItem: "Two" }, { ...patch, batchItem: "3" }]
    const chosen = (batchItem: string | boolean) =>
      played({ rules: [{ when: { batchItem }, effect: throttle }] }, targets)
    expect(chosen("two")).toEqual(["-", "throttle", "-"])
    expect(chosen(true)).toEqual(["-", "throttle", "throttle"])
    expect(chosen(false)).toEqual(["throttle", "-", "-"])
  })

  it("chooses about as many as its percentage says, and all or none at the ends", () => {
    expect([share(0), share(100)]).toEqual([0, 10_000])
    expect(Math.abs(share(10) - 1_000)).toBeLessThan(100)
  })

  it("is only about requests on which its effect can be seen", () => {
    const kinds = [
      "expireNextLink",
      "repeatRow",
      "dropRow",
      "unknownMember",
      "shuffleBatch",
      "dropBatchAnswers"
    ] as const
    const targets: ReadonlyArray<RouteTarget> = [
      patch,
      list,
      { ...list, skiptoken: "x" },
      { method: "POST", route: "batch" },
      { method: "GET", route: "metrics" }
    ]
    expect(Object.fromEntries(kinds.map((kind) => [kind, played({ rules: [{ effect: { kind } }] }, targets)]))).toEqual(
      {
        expireNextLink: ["-", "-", "expireNextLink", "-", "-"],
        repeatRow: ["-", "repeatRow", "repeatRow", "-", "-"],
        dropRow: ["-", "dropRow", "dropRow", "-", "-"],
        unknownMember: ["unknownMember", "unknownMember", "unknownMember", "-", "-"],
        shuffleBatch: ["-", "-", "-", "shuffleBatch", "-"],
        dropBatchAnswers: ["-", "-", "-", "dropBatchAnswers", "-"]
      }
    )
  })

  it("applies when it is the first that chooses a request; delays apply besides", () => {
    const script = FaultScript.parse({
      rules: [delay(10), { when: { nth: 2 }, effect: throttle }, delay(5), { effect: { kind: "hang" } }]
    })
    const faults = startFaults(script)
    expect(faults.next(patch)).toMatchObject({ delayMillis: 15, fault: { effect: { kind: "hang" } } })
    expect(faults.next(patch)).toMatchObject({ delayMillis: 15, fault: { effect: { kind: "throttle" } } })
  })
})

const drawn = (latency: object) => {
  const script = parseFaultScript({ rules: [{ effect: { kind: "delay", latency } }] })
  if (!script.success) throw new Error(script.problems[0]?.message)
  const faults = startFaults(script.data)
  return times(10_000, patch)
    .map((target) => faults.next(target).delayMillis)
    .toSorted((left, right) => left - right)
}

describe("a latency", () => {
  it("is spread evenly between its bounds", () => {
    const millis = drawn({ shape: "uniform", leastMillis: 100, mostMillis: 300 })
    expect(millis[0]).toBeGreaterThanOrEqual(100)
    expect(millis.at(-1)).toBeLessThanOrEqual(300)
    expect(Math.abs((millis[5_000] ?? 0) - 200)).toBeLessThan(10)
  })

  it("has the median and the 99th percentile it is told to have", () => {
    const millis = drawn({ shape: "logNormal", medianMillis: 50, p99Millis: 1_000 })
    expect(Math.abs((millis[5_000] ?? 0) / 50 - 1)).toBeLessThan(0.1)
    expect(Math.abs((millis[9_900] ?? 0) / 1_000 - 1)).toBeLessThan(0.25)
  })
})

const anyTarget: fc.Arbitrary<RouteTarget> = fc.record(
  {
    method: fc.constantFrom("GET", "PATCH", "POST"),
    route: fc.constantFrom(...targetNames),
    deviceId: fc.constantFrom("a", "b"),
    batchItem: fc.constantFrom("1", "2"),
    skiptoken: fc.constant("x")
  },
  { requiredKeys: ["method", "route"] }
)

const anyRule = fc.record({
  when: fc.record(
    {
      percent: fc.integer({ min: 0, max: 100 }),
      every: fc.integer({ min: 1, max: 4 }),
      deviceId: fc.constantFrom("a", "b")
    },
    { requiredKeys: [] }
  ),
  effect: fc.constantFrom(
    throttle,
    { kind: "reset" },
    { kind: "dropRow" },
    { kind: "delay", latency: { shape: "uniform", leastMillis: 1, mostMillis: 900 } }
  )
})

const tenth = (seed: number) =>
  played({ seed, rules: [{ when: { percent: 10 }, effect: throttle }] }, times(1_000, patch)).join("")

const failedBy = (rules: FaultScriptInput["rules"]) =>
  played({ rules }, times(1_000, patch)).filter((kind) => kind === "throttle").length

describe("the seed", () => {
  it("makes the same calls fail in the same way, and another seed in another", () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(anyRule, { maxLength: 5 }), fc.array(anyTarget), (seed, rules, targets) => {
        const script = FaultScript.parse({ seed, rules })
        const drawn = () => {
          const faults = startFaults(script)
          return targets.map((target) => {
            const { delayMillis, fault } = faults.next(target)
            return [delayMillis, fault?.effect.kind, fault?.draw()]
          })
        }
        expect(drawn()).toEqual(drawn())
      })
    )
    expect(new Set([1, 2, 3, -1, 2 ** 40 + 1].map(tenth)).size).toBe(5)
  })

  it("makes a rule fail the same requests whatever other rules and requests there are", () => {
    const rule = { when: { method: "PATCH", percent: 20 }, effect: throttle } as const
    const alone = played({ rules: [rule] }, times(100, patch))
    const among = played(
      { rules: [rule, { when: { percent: 50, method: "GET" }, effect: { kind: "hang" } }] },
      times(100, patch).flatMap((target) => [target, list])
    ).filter((_, index) => index % 2 === 0)
    expect(among).toEqual(alone)
  })

  it("makes two rules that are alike fail different requests", () => {
    const rule = { when: { percent: 20 }, effect: throttle }
    expect(failedBy([rule, rule])).toBeGreaterThan(failedBy([rule]) + 50)
  })
})

describe("a fault script", () => {
  it("is refused with every place that does not fit", () => {
    const script = parseFaultScript({
      seed: 1.5,
      rules: [
        { effect: { kind: "explode" } },
        { when: { nth: 0, colour: "red" }, effect: { kind: "timeout", at: "never" } }
      ],
      extra: 1
    })
    expect(script.success ? [] : script.problems.map(({ path }) => path)).toEqual([
      "seed",
      "rules.0.effect.kind",
      "rules.1.when.nth",
      "rules.1.when",
      "rules.1.effect.at",
      ""
    ])
  })

  it.for([null, [], "x", 1])("is not %j", (value) => {
    expect(parseFaultScript(value).success).toBe(false)
  })

  it("has a published schema, which is that of the documentation", async () => {
    const published = await readFile(join(import.meta.dirname, "../../../../docs/fault-script.schema.json"), "utf8")
    expect(JSON.parse(published)).toEqual(faultScriptSchema())
  })
})
