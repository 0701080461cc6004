import { syntheticFleet } from "../src/fleet.ts"
import { Device, DeviceUpdate, parseDevice, parseDeviceUpdate } from "../src/index.ts"
import { machine, microsecondsPerItem } from "./side-by-side.ts"

const texts: Array<string> = []
for await (const device of syntheticFleet({ size: 5_000, seed: 1 })) texts.push(JSON.stringify(device))
const bodies = texts.map((text): unknown => JSON.parse(text))

const accepted = (parse: (body: unknown) => { readonly success: boolean }) => (): void => {
  for (const body of bodies) if (!parse(body).success) throw new Error("a synthetic device was refused")
}

const parseJson = (): void => {
  for (const text of texts) JSON.parse(text)
}

const times = microsecondsPerItem(
  [
    { name: "JSON.parse", run: parseJson },
    { name: "Device", run: accepted((body) => Device.safeParse(body)) },
    { name: "parseDevice", run: accepted(parseDevice) },
    { name: "DeviceUpdate", run: accepted((body) => DeviceUpdate.safeParse(body)) },
    { name: "parseDeviceUpdate", run: accepted(parseDeviceUpdate) }
  ],
  { items: texts.length, rounds: 21 }
)

const [json = 0, device = 0] = [times.get("JSON.parse"), times.get("Device")]
console.log(`validate: ${machine()}`)
for (const [name, time] of times) {
  console.log(
    `${name.padEnd(18)} ${time.toFixed(2)} µs  ${(json / time).toFixed(2)} × JSON.parse  ${(device / time).toFixed(2)} × Device`
  )
}
