import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type UpgradePrices, fleetFigures, upgradeBudget } from "../../src/figures.ts"
import { type BlockerClass, type Device, readiness } from "../../src/index.ts"
import { device } from "../arbitrary.ts"

const figuresOf = (devices: ReadonlyArray<Device>, mostModels = 100) => {
  const { empty, add, result } = fleetFigures({ mostModels })
  return result(devices.reduce(add, empty()))
}

const prices = { firmware: 15, part: 80, replace: 900, update: 5 }

const blocked = (model: string, ...checks: ReadonlyArray<string>): Device => ({
  manufacturer: "Contoso",
  model,
  upgradeEligibility: "notCapable",
  ...Object.fromEntries(checks.map((check) => [`${check}CheckFailed`, true]))
})

const fleet = [
  blocked("Old", "processorFamily", "tpm", "ram"),
  blocked("Old", "processor64Bit"),
  blocked("Mid", "ram", "tpm"),
  blocked("Mid", "secureBoot"),
  blocked("Mid", "os"),
  blocked("Odd"),
  { manufacturer: "Contoso", model: "New", upgradeEligibility: "capable" },
  { manufacturer: "Contoso", model: "New", upgradeEligibility: "upgraded", tpmCheckFailed: true }
] satisfies ReadonlyArray<Device>

describe("the budget of an upgrade", () => {
  it("counts a device with several blockers once, under the costliest", () => {
    const budget = upgradeBudget(figuresOf(fleet), prices)
    expect(budget.measures).toEqual({
      replace: { devices: 2, cost: 1800 },
      part: { devices: 1, cost: 80 },
      firmware: { devices: 1, cost: 15 },
      update: { devices: 1, cost: 5 }
    })
    expect(budget.total).toEqual({ devices: 5, cost: 1900 })
    expect(budget.unexplained).toBe(1)
  })

  it("goes by model, the most expensive first, without those that need nothing", () => {
    const { models } = upgradeBudget(figuresOf(fleet), prices)
    expect(models.map(({ model, total, unexplained }) => [model, total.devices, total.cost, unexplained])).toEqual([
      ["Old", 2, 1800, 0],
      ["Mid", 3, 100, 0],
      ["Odd", 0, 0, 1]
    ])
  })

  it("takes a model's own prices, which may change what is costliest", () => {
    const own: UpgradePrices = { ...prices, models: [{ manufacturer: "Contoso", model: "Mid", part: 10 }] }
    const mid = upgradeBudget(figuresOf(fleet), own).models.find(({ model }) => model === "Mid")
    expect(mid?.measures).toMatchObject({ part: { devices: 0, cost: 0 }, firmware: { devices: 2, cost: 30 } })
  })

  it("takes the heavier of two classes that cost the same", () => {
    const free = { firmware: 0, part: 0, replace: 0, update: 0 }
    const { measures } = upgradeBudget(
      figuresOf([blocked("M", "os", "tpm"), blocked("M", "tpm", "ram", "processorSpeed")]),
      free
    )
    expect(measures).toMatchObject({
      firmware: { devices: 1 },
      replace: { devices: 1 },
      part: { devices: 0 },
      update: { devices: 0 }
    })
  })

  it("includes the models above the cap, at the general prices", () => {
    const budget = upgradeBudget(figuresOf(fleet, 1), prices)
    expect(budget.total).toEqual({ devices: 5, cost: 1900 })
    expect(budget.models.filter(({ isOther }) => isOther)).toHaveLength(1)
  })

  it("is the sum over the devices that are not capable, whatever the fleet", () => {
    const cents = fc.integer({ min: 0, max: 100_000 })
    fc.assert(
      fc.property(
        fc.array(device, { maxLength: 20 }),
        fc.record({ firmware: cents, part: cents, replace: cents, update: cents }),
        fc.constantFrom(1, 100),
        (devices, prices, mostModels) => {
          const budget = upgradeBudget(figuresOf(devices, mostModels), prices)
          const notCapable = devices.map(readiness).filter(({ verdict }) => verdict === "notCapable")
          const costs = notCapable
            .filter(({ blockers }) => blockers.length > 0)
            .map(({ blockers }) =>
              Math.max(...blockers.map(({ class: name }: { class: BlockerClass }) => prices[name]))
            )
          expect(budget.total).toEqual({ devices: costs.length, cost: costs.reduce((sum, cost) => sum + cost, 0) })
          expect(budget.unexplained).toBe(notCapable.length - costs.length)
        }
      )
    )
  })

  it.each([-1, Number.NaN, Infinity, undefined, "5"])("refuses %s as a price and says where", (price) => {
    const figures = figuresOf([])
    expect(() => upgradeBudget(figures, { ...prices, part: price } as UpgradePrices)).toThrow(
      `prices.part: ${String(price)}`
    )
    const own = { ...prices, models: [{ manufacturer: null, model: "M", update: price }] } as UpgradePrices
    expect(() => upgradeBudget(figures, own)).toThrow("prices.models[0].update")
  })
})
