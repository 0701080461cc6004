/** A value and how much it weighs. */
export interface Term {
  readonly value: number
  readonly weight: number
}

interface Decimal {
  readonly units: bigint
  /** The number is units ÷ 10^scale. */
  readonly scale: number
}

/** A number as it is written in decimal: 86.625 is meant, not the nearest binary fraction to it. */
const decimalOf = (value: number): Decimal => {
  // Most scores and weights are whole, and then there is nothing to take apart.
  if (Number.isSafeInteger(value)) return { units: BigInt(value), scale: 0 }
  const [mantissa = "", exponent = "0"] = String(value).split("e")
  const [whole = "", fraction = ""] = mantissa.split(".")
  const units = BigInt(whole + fraction)
  const scale = fraction.length - Number(exponent)
  return scale < 0 ? { units: units * 10n ** BigInt(-scale), scale: 0 } : { units, scale }
}

/** The numbers as whole multiples of one power of ten. */
const aligned = (values: ReadonlyArray<number>): { readonly units: ReadonlyArray<bigint>; readonly scale: number } => {
  const decimals = values.map(decimalOf)
  const scale = Math.max(...decimals.map((decimal) => decimal.scale))
  return { units: decimals.map((decimal) => decimal.units * 10n ** BigInt(scale - decimal.scale)), scale }
}

const divideHalfToEven = (dividend: bigint, divisor: bigint): bigint => {
  const quotient = dividend / divisor
  const twiceRest = (dividend % divisor) * 2n
  const up = twiceRest > divisor || (twiceRest === divisor && quotient % 2n === 1n)
  return up ? quotient + 1n : quotient
}

/**
 * The weighted mean of numbers that are not negative, computed exactly and rounded once, half to even; `undefined` when
 * nothing weighs anything.
 */
export const decimalMean = (terms: ReadonlyArray<Term>, decimals: number): number | undefined => {
  const weights = aligned(terms.map(({ weight }) => weight)).units
  const values = aligned(terms.map(({ value }) => value))
  let [sum, total] = [0n, 0n]
  for (const [index, weight] of weights.entries()) {
    sum += weight * values.units[index]!
    total += weight
  }
  if (total === 0n) return undefined
  const rounded = divideHalfToEven(sum * 10n ** BigInt(decimals), total * 10n ** BigInt(values.scale))
  return Number(rounded) / 10 ** decimals
}
