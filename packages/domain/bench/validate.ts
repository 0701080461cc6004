// What it costs to check a body, beside parsing its text. `--beside <checkout>` lets the schemas and parsers of another
// checkout take turns with these, and tells how they compare.
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { syntheticFleet } from "../src/fleet.ts"
import * as domain from "../src/index.ts"
import { type Side, machine, median, microsecondsPerItem } from "./side-by-side.ts"

const { values } = parseArgs({
  options: { beside: { type: "string" }, rounds: { type: "string", default: "21" } }
})

const domainOf = (checkout: string): Promise<typeof domain> =>
  import(pathToFileURL(join(resolve(checkout), "packages/domain/src/index.ts")).href)

const texts: Array<string> = []
for await (const device of syntheticFleet({ size: 5_000, seed: 1 })) texts.push(JSON.stringify(device))
const bodies = texts.map((text): unknown => JSON.parse(text))

const accepted = (parse: (body: unknown) => { readonly success: boolean }) => (): void => {
  for (const body of bodies) if (!parse(body).success) throw new Error("a synthetic device was refused")
}

const parseJson = (): void => {
  for (const text of texts) JSON.parse(text)
}

const checksOf = ({ Device, DeviceUpdate, parseDevice, parseDeviceUpdate }: typeof domain): ReadonlyArray<Side> => [
  { name: "Device", run: accepted((body) => Device.safeParse(body)) },
  { name: "parseDevice", run: accepted(parseDevice) },
  { name: "DeviceUpdate", run: accepted((body) => DeviceUpdate.safeParse(body)) },
  { name: "parseDeviceUpdate", run: accepted(parseDeviceUpdate) }
]

const checks = checksOf(domain)
const theirs = values.beside === undefined ? [] : checksOf(await domainOf(values.beside))
const besides = theirs.map(({ name, run }) => ({ name: `${name} beside`, run }))
const times = microsecondsPerItem([{ name: "JSON.parse", run: parseJson }, ...checks, ...besides], {
  items: texts.length,
  rounds: Number(values.rounds)
})

const middle = (name: string): number => median(times.get(name) ?? [])
console.log(`validate: ${machine()}`)
for (const name of times.keys()) {
  const time = middle(name)
  const against = (other: string): string => `${(middle(other) / time).toFixed(2)} × ${other}`
  console.log(`${name.padEnd(24)} ${time.toFixed(2)} µs  ${against("JSON.parse")}  ${against("Device")}`)
}
for (const { name } of theirs) {
  const ours = times.get(name) ?? []
  const ratios = (times.get(`${name} beside`) ?? []).map((time, round) => time / (ours[round] ?? Number.NaN))
  console.log(`${name.padEnd(24)} ${median(ratios).toFixed(2)} × the speed of the other`)
}
