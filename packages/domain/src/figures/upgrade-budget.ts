import type { BlockerClass } from "../windows/readiness.ts"
import type { FleetFigures, ModelFigures } from "./fleet-figures.ts"
import type { ModelName } from "./tally.ts"

/** What a measure costs for one device, in any one currency; whole cents keep sums exact. */
export type MeasurePrices = { readonly [Class in BlockerClass]: number }

/** Prices for every model, and others for some. */
export interface UpgradePrices extends MeasurePrices {
  /** Prices that differ for a model; what is not given is as for every model. */
  readonly models?: ReadonlyArray<ModelName & Partial<MeasurePrices>>
}

/** Devices that a measure makes capable, and what that costs. */
export interface Measure {
  readonly devices: number
  readonly cost: number
}

/** What it takes to make devices capable. */
export interface Budget {
  readonly measures: { readonly [Class in BlockerClass]: Measure }
  /** All measures together. */
  readonly total: Measure
  /** Devices that are called not capable and failed no recorded check: nobody can say what they need. */
  readonly unexplained: number
}

/** The budget of a model; `isOther` for all models above the cap of the figures, taken together. */
export interface ModelBudget extends ModelName, Budget {
  readonly isOther: boolean
}

/** What it takes to make the devices of a fleet capable that are not, per model and in total. */
export interface UpgradeBudget extends Budget {
  /** Models with devices that are not capable, the most expensive first. */
  readonly models: ReadonlyArray<ModelBudget>
}

/** From the heaviest: where two classes cost the same, a device counts under the first. */
const classes = ["replace", "part", "firmware", "update"] as const satisfies ReadonlyArray<BlockerClass>

const checkPrice = (path: string, price: unknown): void => {
  if (typeof price !== "number" || !(price >= 0 && price < Infinity)) {
    throw new RangeError(`${path}: ${String(price)} is not a price; expected a finite number from 0`)
  }
}

const checkPrices = (prices: UpgradePrices): void => {
  for (const name of classes) checkPrice(`prices.${name}`, prices[name])
  for (const [at, own] of (prices.models ?? []).entries()) {
    for (const name of classes) if (Object.hasOwn(own, name)) checkPrice(`prices.models[${at}].${name}`, own[name])
  }
}

const budgetOf = (measureOf: (name: BlockerClass) => Measure, unexplained: number): Budget => {
  const measures = Object.fromEntries(classes.map((name) => [name, measureOf(name)])) as Budget["measures"]
  const all = Object.values(measures)
  const total = {
    devices: all.reduce((sum, { devices }) => sum + devices, 0),
    cost: all.reduce((sum, { cost }) => sum + cost, 0)
  }
  return { measures, total, unexplained }
}

const modelBudget = (figures: ModelFigures, prices: MeasurePrices, isOther: boolean): ModelBudget => {
  const devices: Record<BlockerClass, number> = { replace: 0, part: 0, firmware: 0, update: 0 }
  let unexplained = 0
  for (const blocked of figures.blocked) {
    const [costliest] = classes
      .filter((name) => blocked.classes.includes(name))
      .toSorted((a, b) => prices[b] - prices[a])
    if (costliest === undefined) unexplained += blocked.devices
    else devices[costliest] += blocked.devices
  }
  const measure = (name: BlockerClass): Measure => ({ devices: devices[name], cost: devices[name] * prices[name] })
  return { manufacturer: figures.manufacturer, model: figures.model, isOther, ...budgetOf(measure, unexplained) }
}

const keyOf = ({ manufacturer, model }: ModelName): string => JSON.stringify([manufacturer || null, model || null])

/**
 * How many devices a measure makes capable, and what that costs: switching something on in the firmware, fitting a
 * part, updating Windows, or replacing the device. A device with several blockers counts once, under the costliest.
 *
 * @throws RangeError when a price is not a finite number from 0
 *
 * @example
 * const budget = upgradeBudget(figures, { firmware: 15, part: 80, replace: 900, update: 5 })
 * budget.measures.part // { devices: 12, cost: 960 }
 */
export const upgradeBudget = (
  { models, otherModels }: Pick<FleetFigures, "models" | "otherModels">,
  prices: UpgradePrices
): UpgradeBudget => {
  checkPrices(prices)
  const own = new Map((prices.models ?? []).map((row) => [keyOf(row), row]))
  const budgets = models.map((model) => modelBudget(model, { ...prices, ...own.get(keyOf(model)) }, false))
  if (otherModels !== null) budgets.push(modelBudget(otherModels, prices, true))
  const sum = (of: (budget: Budget) => number): number => budgets.reduce((sum, budget) => sum + of(budget), 0)
  return {
    ...budgetOf(
      (name) => ({
        devices: sum(({ measures }) => measures[name].devices),
        cost: sum(({ measures }) => measures[name].cost)
      }),
      sum(({ unexplained }) => unexplained)
    ),
    models: budgets
      .filter(({ total, unexplained }) => total.devices + unexplained > 0)
      .toSorted((a, b) => b.total.cost - a.total.cost)
  }
}
