import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isWindows11, managementAgent } from "../../src/device/free-text.ts"
import { type FiguresOptions, type FleetFigures, fleetFigures, percentile } from "../../src/figures.ts"
import { type Device, isAvailable, properties, propertyNames, readiness, readinessChecks } from "../../src/index.ts"
import { windowsSupport } from "../../src/lifecycle.ts"
import { cloudIdentityRule } from "../../src/scores/rules.ts"
import { device } from "../arbitrary.ts"

const figuresOf = (devices: ReadonlyArray<Device>, options?: FiguresOptions): FleetFigures => {
  const { empty, add, result } = fleetFigures(options)
  return result(devices.reduce(add, empty()))
}

const named = (manufacturer: string | null, model: string | null): Device => ({ manufacturer, model })

/** Devices of few models, with texts that mean something, so that what is counted once for many is met again. */
const fleet = fc.array(
  fc
    .tuple(
      device,
      fc.record(
        {
          manufacturer: fc.constantFrom("Contoso", "Fabrikam", null, ""),
          model: fc.constantFrom("M1", "M2", "M3", null),
          managedBy: fc.constantFrom("mdm", "Co-managed", "configurationManagerClient", "tenantAttach", "other", null),
          azureAdJoinType: fc.constantFrom("azureADJoined", "Hybrid Azure AD joined", "azureADRegistered", "", null),
          azureAdDeviceId: fc.constantFrom("00000000-0000-0000-0000-000000000000", "e1", null),
          osVersion: fc.constantFrom("10.0.10240.1", "10.0.19045.1", "10.0.26100.1", "10.0.99999.1", "11", null)
        },
        { requiredKeys: [] }
      )
    )
    .map(([device, own]): Device => Object.assign(device, own)),
  { maxLength: 30 }
)

/** All that can be made of these values. */
const combinations = (choices: ReadonlyArray<readonly [name: string, values: ReadonlyArray<unknown>]>) =>
  choices.reduce<ReadonlyArray<Device>>(
    (devices, [name, values]) => devices.flatMap((device) => values.map((value) => ({ ...device, [name]: value }))),
    [{}]
  )

describe("the figures of a fleet", () => {
  it("are the same however the fleet is split and merged, cap on models or not", () => {
    fc.assert(
      fc.property(
        fleet,
        fc.array(fc.nat(3), { minLength: 30, maxLength: 30 }),
        fc.constantFrom(1, 2, 3, 100),
        fc.boolean(),
        (devices, parts, mostModels, rightFirst) => {
          const { empty, add, merge, result } = fleetFigures({ asOf: "2026-11-23", mostModels })
          const whole = result(devices.reduce(add, empty()))
          const [a, b, c, d] = [0, 1, 2, 3].map((part) =>
            devices.filter((_, at) => parts[at] === part).reduce(add, empty())
          ) as [ReturnType<typeof empty>, ReturnType<typeof empty>, ReturnType<typeof empty>, ReturnType<typeof empty>]
          const merged = rightFirst ? merge(merge(d, c), merge(b, a)) : merge(a, merge(b, merge(c, d)))
          expect(result(merged)).toEqual(whole)
          expect(result(merge(merged, empty()))).toEqual(whole)
        }
      ),
      { numRuns: 300 }
    )
  })

  it("can be merged by who got a tally through postMessage", () => {
    const { empty, add, merge, result } = fleetFigures({ mostModels: 1 })
    const devices = ["M1", "M2", "M3", "M4"].map((model): Device => ({ model, windowsScore: 86.62 }))
    const posted = structuredClone(devices.reduce(add, empty()))
    expect(result(merge(posted, devices.reduce(add, empty())))).toEqual(
      result([...devices, ...devices].reduce(add, empty()))
    )
  })

  it("do not change the tallies that were merged or asked for their result", () => {
    const { empty, add, merge, result } = fleetFigures({ mostModels: 1 })
    const a = ["M1", "M2"].map((model): Device => ({ model })).reduce(add, empty())
    const before = structuredClone(a)
    result(merge(a, add(empty(), { model: "M0" })))
    result(a)
    expect(a).toEqual(before)
  })

  it("count verdicts, checks and models as readiness judges each device", () => {
    fc.assert(
      fc.property(fleet, (devices) => {
        const figures = figuresOf(devices)
        const judged = devices.map((device) => ({ device, ...readiness(device) }))
        for (const [verdict, count] of Object.entries(figures.verdicts)) {
          expect(count).toBe(judged.filter((one) => one.verdict === verdict).length)
        }
        for (const [code, count] of Object.entries(figures.dataQuality.contradictions)) {
          expect(count).toBe(
            judged.filter(({ contradictions }) => contradictions.some((one) => one.code === code)).length
          )
        }
        const notCapable = judged.filter(({ verdict }) => verdict === "notCapable")
        for (const row of figures.models) {
          const own = ({ manufacturer, model }: Device): boolean =>
            (manufacturer || null) === row.manufacturer && (model || null) === row.model
          expect(row.devices).toBe(devices.filter(own).length)
          const blocked = notCapable.filter(({ device }) => own(device))
          for (const check of readinessChecks) {
            expect(row.blockers[check]).toBe(blocked.filter(({ device }) => device[check] === true).length)
          }
          for (const { classes, devices: count } of row.blocked) {
            const same = blocked.filter(({ blockers }) => {
              const own = new Set(blockers.map((blocker) => blocker.class))
              return own.size === classes.length && classes.every((name) => own.has(name))
            })
            expect(count).toBe(same.length)
          }
          expect(row.blocked.reduce((sum, { devices }) => sum + devices, 0)).toBe(row.verdicts.notCapable)
        }
        expect(figures.models.reduce((sum, row) => sum + row.devices, 0)).toBe(devices.length)
        for (const check of readinessChecks) {
          const failed = devices.filter((device) => device[check] === true).length
          expect(figures.hardwareReadiness[`${check}Percentage`]).toBe(
            devices.length === 0 ? 0 : (failed / devices.length) * 100
          )
        }
      })
    )
  })

  it("give for every percentile bounds between which the true value lies, an eighth of a point apart", () => {
    const scores = fc.array(
      fc.oneof(
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.integer({ min: 0, max: 800 }).map((eighth) => eighth / 8)
      ),
      { minLength: 1, maxLength: 60 }
    )
    fc.assert(
      fc.property(scores, fc.integer({ min: 0, max: 100 }), (values, percent) => {
        const { scores } = figuresOf(values.map((windowsScore) => ({ windowsScore })))
        const bounds = percentile(scores.windowsScore, percent)
        const rank = Math.max(1, Math.ceil((percent * values.length) / 100))
        const exact = values.toSorted((a, b) => a - b)[rank - 1]
        expect(exact).toBeGreaterThanOrEqual(bounds?.atLeast ?? Infinity)
        expect(exact).toBeLessThanOrEqual(bounds?.atMost ?? -Infinity)
        expect((bounds?.atMost ?? 0) - (bounds?.atLeast ?? 0)).toBe(0.125)
      })
    )
  })

  it("have no percentile where there is no score, and refuse a percentage that is none", () => {
    const { scores } = figuresOf([{ windowsScore: -1 }])
    expect(percentile(scores.windowsScore, 50)).toBeUndefined()
    expect(() => percentile(scores.windowsScore, 101)).toThrow("percent: 101")
    expect(() => percentile(scores.windowsScore, Number.NaN)).toThrow(RangeError)
  })

  it("leave scores that are not available out of means, and count how the record says so", () => {
    const devices: ReadonlyArray<Device> = [
      { manufacturer: "Contoso", model: "M1", windowsScore: 86.62 },
      { manufacturer: "Contoso", model: "M1", windowsScore: 96.88 },
      { manufacturer: "Contoso", model: "M1", windowsScore: -1 },
      { manufacturer: "Contoso", model: "M2", windowsScore: -2 },
      { manufacturer: "Contoso", model: "M2", windowsScore: null },
      { manufacturer: "Contoso", model: "M2", windowsScore: 101 },
      { manufacturer: "Contoso", model: "M2" }
    ]
    const { modelPerformance, scores, dataQuality } = figuresOf(devices)
    expect(
      modelPerformance.map(({ model, modelDeviceCount, windowsScore }) => [model, modelDeviceCount, windowsScore])
    ).toEqual([
      ["M2", 4, -1],
      ["M1", 3, 91.75]
    ])
    expect(modelPerformance.every(({ healthStatus }) => healthStatus === "unknown")).toBe(true)
    expect(scores.windowsScore).toMatchObject({
      devices: 2,
      mean: 91.75,
      unavailable: { "-1": 1, "-2": 1, null: 1, absent: 1, outOfRange: 1 }
    })
    expect(scores.cloudIdentityScore).toMatchObject({ devices: 0, mean: null, bins: [] })
    expect(dataQuality.outOfRangeScores.windowsScore).toBe(1)
  })

  it("have the mean of the scores to a millionth of a point", () => {
    fc.assert(
      fc.property(fleet, (devices) => {
        const values = devices.flatMap(({ windowsScore }) => (isAvailable(windowsScore) ? [windowsScore] : []))
        const { mean } = figuresOf(devices).scores.windowsScore
        const expected = values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
        expect(mean === null ? null : Math.abs(mean - (expected ?? Infinity)) < 1e-6).toBe(
          expected === null ? null : true
        )
      })
    )
  })

  it("are all zero for an empty fleet", () => {
    const figures = figuresOf([], { asOf: "2026-11-23", index: new Set() })
    expect(figures.hardwareReadiness).toMatchObject({ totalDeviceCount: 0, tpmCheckFailedPercentage: 0 })
    expect(figures).toMatchObject({ modelPerformance: [], models: [], otherModels: null, notCounted: [] })
  })
})

describe("the summary of devices", () => {
  it("counts each device by what its own record says, whatever others say", () => {
    fc.assert(
      fc.property(fleet, (devices) => {
        const { devicesSummary, windowsSupport: support } = figuresOf(devices, { asOf: "2026-11-23" })
        const counted = (says: (device: Device) => boolean): number => devices.filter(says).length
        const statuses = devices.map(({ osVersion }) => windowsSupport(osVersion, { asOf: "2026-11-23" }).status)
        expect(devicesSummary).toMatchObject({
          coManagedDevices: counted(({ managedBy }) => managementAgent(managedBy) === "coManaged"),
          intuneDevices: counted(({ managedBy }) => managementAgent(managedBy) === "intune"),
          windows10Devices: counted(({ osVersion }) => isWindows11(osVersion) === false),
          devicesWithoutCloudIdentity: counted(
            (device) => cloudIdentityRule(device, { asOf: "2026-11-23" }).score === 0
          ),
          unsupportedOSversionDevices: statuses.filter((status) => status === "unsupported").length
        })
        expect(support?.unknown).toBe(statuses.filter((status) => status === "unknown").length)
      })
    )
  })

  const intune: Device = { managedBy: "mdm", azureAdJoinType: "azureADJoined", osVersion: "10.0.26100.1" }

  it("counts what is recorded, not what is unknown", () => {
    const { devicesSummary } = figuresOf(
      [
        { ...intune, autoPilotRegistered: false, autoPilotProfileAssigned: false },
        { managedBy: "configurationManagerClientMdm", osVersion: "10.0.19045.1", tenantAttached: true },
        {
          managedBy: "configurationManagerClient",
          osVersion: "10.0.19045.1",
          tenantAttached: false,
          azureAdRegistered: false
        },
        { osVersion: null, tenantAttached: null, autoPilotRegistered: null }
      ],
      { asOf: "2026-11-23" }
    )
    expect(devicesSummary).toEqual({
      totalDevices: 4,
      coManagedDevices: 1,
      intuneDevices: 1,
      tenantAttachDevices: 1,
      windows10Devices: 2,
      windows10DevicesWithoutTenantAttach: 1,
      unsupportedOSversionDevices: 2,
      devicesWithoutCloudIdentity: 1,
      devicesNotAutopilotRegistered: 1,
      devicesWithoutAutopilotProfileAssigned: 1,
      autopilotDevicesSummary: {
        devicesNotAutopilotRegistered: 1,
        devicesWithoutAutopilotProfileAssigned: 1,
        totalWindows10DevicesWithoutTenantAttached: 1
      },
      cloudManagementDevicesSummary: { coManagedDeviceCount: 1, intuneDeviceCount: 1, tenantAttachDeviceCount: 1 },
      windows10DevicesSummary: { unsupportedOSversionDeviceCount: 2 },
      cloudIdentityDevicesSummary: { deviceWithoutCloudIdentityCount: 1 }
    })
  })

  it("says nothing about support when no day was given, and says that", () => {
    const figures = figuresOf([{ osVersion: "10.0.10240.1" }])
    expect(figures.devicesSummary.unsupportedOSversionDevices).toBeNull()
    expect(figures.windowsSupport).toBeNull()
    expect(figures.notCounted).toContain("windowsSupport")
  })

  it("tells by day and edition which Windows is supported", () => {
    const devices = ["10.0.10240.1", "10.0.26100.1", "10.0.99999.1", "unknown"].map((osVersion): Device => ({
      osVersion
    }))
    expect(figuresOf(devices, { asOf: "2026-01-01" }).windowsSupport).toEqual({
      supported: 1,
      unsupported: 1,
      dependsOnEdition: 0,
      unknown: 2
    })
    const day = { asOf: "2026-12-01" }
    expect(figuresOf(devices, day).windowsSupport).toMatchObject({ supported: 0, dependsOnEdition: 1 })
    expect(figuresOf(devices, { ...day, edition: "enterprise" }).windowsSupport).toMatchObject({ supported: 1 })
  })
})

describe("what is worked out once for many devices", () => {
  const flags = [true, false, null]

  it.each<[string, ReadonlyArray<Device>]>([
    [
      "readiness",
      combinations([
        ["ramCheckFailed", flags],
        ["tpmCheckFailed", flags],
        ["processorFamilyCheckFailed", flags],
        ["osCheckFailed", flags],
        ["upgradeEligibility", ["upgraded", "capable", "notCapable", "unknown", "addedLater"]],
        ["osVersion", ["10.0.19045.1", "10.0.26100.1", null]]
      ])
    ],
    [
      "cloud identity and management",
      combinations([
        ["managedBy", ["mdm", "coManaged", "tenantAttach", "configurationManager", "other", null]],
        ["azureAdJoinType", ["azureADJoined", "hybridAzureADJoined", "azureADRegistered", "other", null]],
        ["azureAdRegistered", flags],
        ["azureAdDeviceId", ["00000000-0000-0000-0000-000000000000", "e1", null]],
        ["tenantAttached", flags]
      ])
    ]
  ])("is never taken for a device that differs: %s", (_, devices) => {
    const { empty, merge, result } = fleetFigures({ asOf: "2026-11-23" })
    const alone = devices.map((device) => {
      const { empty, add } = fleetFigures({ asOf: "2026-11-23" })
      return add(empty(), device)
    })
    expect(figuresOf(devices, { asOf: "2026-11-23" })).toEqual(result(alone.reduce(merge, empty())))
  })
})

describe("the quality of the data", () => {
  it("counts what is missing for every property", () => {
    fc.assert(
      fc.property(fleet, (devices) => {
        const { missing } = figuresOf(devices).dataQuality
        expect(Object.keys(missing)).toEqual(propertyNames)
        for (const { name } of properties) {
          expect(missing[name]).toBe(devices.filter((device) => (device[name] ?? null) === null).length)
        }
      })
    )
  })

  it("counts contradictions and members that are not known", () => {
    const { dataQuality } = figuresOf([
      { upgradeEligibility: "capable", tpmCheckFailed: true },
      { upgradeEligibility: "upgraded", osVersion: "10.0.19045.1" },
      { upgradeEligibility: "addedLater", healthStatus: "addedLater" } as unknown as Device
    ])
    expect(dataQuality.contradictions).toEqual({
      failedWhileCapable: 1,
      upgradedOnWindows10: 1,
      notCapableWithoutFailedCheck: 0
    })
    expect(dataQuality.unknownMembers).toEqual({ upgradeEligibility: 1, healthStatus: 1 })
  })

  const records: ReadonlyArray<Device> = [
    { id: "a", serialNumber: "S1", deviceName: "PC-1", managedBy: "mdm" },
    { id: "A", serialNumber: "s1", deviceName: "pc-1", managedBy: "MDM" },
    { id: "b", serialNumber: "S1", deviceName: "PC-1", managedBy: "configurationManagerClient" },
    { id: "c", serialNumber: "S1", deviceName: "PC-2", managedBy: "configurationManagerClient" },
    { id: "d", serialNumber: null, deviceName: "PC-1", managedBy: "mdm" }
  ]

  it("counts repeated ids and devices under two agents when an index is given, in any order", () => {
    for (const devices of [records, records.toReversed()]) {
      const { dataQuality, notCounted, hardwareReadiness } = figuresOf(devices, { index: new Set() })
      expect(dataQuality).toMatchObject({ repeatedIds: 1, underAnotherAgent: 1 })
      expect(notCounted).toEqual(["windowsSupport"])
      expect(hardwareReadiness.totalDeviceCount).toBe(5)
    }
  })

  it("says that they are not counted when there is no index, on one side of a merge at least", () => {
    const indexed = fleetFigures({ index: new Set() })
    const plain = fleetFigures()
    const merged = plain.merge(records.reduce(indexed.add, indexed.empty()), records.reduce(plain.add, plain.empty()))
    for (const figures of [figuresOf(records), plain.result(merged)]) {
      expect(figures.dataQuality).toMatchObject({ repeatedIds: null, underAnotherAgent: null })
      expect(figures.notCounted).toEqual(["windowsSupport", "repeatedIds", "underAnotherAgent"])
    }
  })
})

describe("the cap on models", () => {
  const devices = Array.from({ length: 50 }, (_, at): Device => ({ manufacturer: "Contoso", model: `M${at % 10}` }))

  it("puts the models above it together and loses no device", () => {
    const { models, otherModels, modelPerformance, hardwareReadiness } = figuresOf(devices, { mostModels: 4 })
    expect(models.map(({ model, devices }) => [model, devices])).toEqual([
      ["M0", 5],
      ["M1", 5],
      ["M2", 5],
      ["M3", 5]
    ])
    expect(modelPerformance).toHaveLength(4)
    expect(otherModels).toMatchObject({ manufacturer: null, model: null, devices: 30 })
    expect(hardwareReadiness.totalDeviceCount).toBe(50)
  })

  it("holds no more than twice as many in memory, whatever the fleet", () => {
    const { empty, add } = fleetFigures({ mostModels: 5 })
    const tally = empty()
    for (let at = 0; at < 1_000; at++) {
      add(tally, { manufacturer: `C${(at * 7) % 100}`, model: `M${(at * 7919) % 1_000}` })
      expect(tally.modelCount).toBeLessThanOrEqual(10)
      expect(tally.models.size).toBeLessThanOrEqual(10)
    }
  })

  it("tells names apart that look alike when they are put together", () => {
    const { models } = figuresOf([
      named("A", "BC"),
      named("AB", "C"),
      named("ABC", null),
      named(null, "ABC"),
      named("", "ABC"),
      named("1:", "x"),
      named("__proto__", "y")
    ])
    expect(models.map(({ manufacturer, model, devices }) => [manufacturer, model, devices])).toEqual([
      [null, "ABC", 2],
      ["1:", "x", 1],
      ["A", "BC", 1],
      ["AB", "C", 1],
      ["ABC", null, 1],
      ["__proto__", "y", 1]
    ])
  })

  it.each([0, -1, 1.5, Number.NaN, Infinity])("cannot be %s", (mostModels) => {
    expect(() => fleetFigures({ mostModels })).toThrow(RangeError)
  })

  it("is not the only option that is checked", () => {
    expect(() => fleetFigures({ asOf: "soon" })).toThrow("asOf")
  })
})
