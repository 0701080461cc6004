import { cpus, totalmem } from "node:os"

/** One of the things that are compared: its name, and a run over a fixed number of items. */
export interface Side {
  readonly name: string
  readonly run: () => void
}

/** Microseconds per item of each side, round by round; the sides take turns, in every other round the other way round. */
export const microsecondsPerItem = (
  sides: ReadonlyArray<Side>,
  { items, rounds }: { readonly items: number; readonly rounds: number }
): ReadonlyMap<string, ReadonlyArray<number>> => {
  const taken = new Map(sides.map(({ name }): [string, Array<number>] => [name, []]))
  for (const { run } of sides) run()
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of round % 2 === 0 ? sides : sides.toReversed()) {
      const start = performance.now()
      run()
      taken.get(name)?.push(((performance.now() - start) * 1000) / items)
    }
  }
  return taken
}

/** The number in the middle. */
export const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

/** Where and when the numbers were taken; they mean little elsewhere, ratios mean more. */
export const machine = (): string => {
  const [first] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${first?.model}, ${memory} GB`
}
