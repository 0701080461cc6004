import { type DeviceOutcome, createGraphClient } from "@workanywhere/graph-client/promise"

const graph = createGraphClient({
  baseUrl: "https://graph.microsoft.com/beta",
  token: process.env["GRAPH_TOKEN"] ?? "",
  // Half of the published limits, which leaves the other half to others; a rehearsal need not wait for half an hour.
  budget: process.env["REHEARSAL"] === "yes" ? "unlimited" : 0.5
})

function* changes(count: number) {
  for (let number = 0; number < count; number++) {
    yield { metricId: "allDevices", deviceId: `device-${number}`, update: { ownership: "Corporate" } }
  }
}

const count = 10_000
const counts = { updated: 0, unchanged: 0, refused: 0, failed: 0, unknown: 0 }
const again: Array<DeviceOutcome> = []
let done = 0

for await (const outcome of graph.updateDevices(changes(count))) {
  counts[outcome.kind] += 1
  // What is wrong stays wrong; the rest may go well later, and to repeat an update does no harm.
  if (outcome.kind === "refused") console.log(`${outcome.change.deviceId}: ${outcome.error.reason._tag}`)
  if (outcome.kind === "failed" || outcome.kind === "unknown") again.push(outcome)
  if (++done % 2_500 === 0) console.log(`${done} of ${count}`)
}
for await (const { kind } of graph.updateDevices(again.map(({ change }) => change))) counts[kind] += 1

console.log(counts, `${again.length} tried again`)
await graph.close()
