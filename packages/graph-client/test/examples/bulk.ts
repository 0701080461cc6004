import { createGraphClient } from "@workanywhere/graph-client/promise"

const graph = createGraphClient({
  baseUrl: "https://graph.microsoft.com/beta",
  token: process.env["GRAPH_TOKEN"] ?? ""
})

async function* changes() {
  for (const deviceId of ["83d5adfc-adfc-83d5-fcad-d583fcadd583", "no-such-device"]) {
    yield { metricId: "allDevices", deviceId, update: { ownership: "Corporate" } }
  }
}

const counts = { updated: 0, unchanged: 0, refused: 0, failed: 0, unknown: 0 }
for await (const { kind } of graph.updateDevices(changes(), { mode: "single" })) counts[kind] += 1
console.log(counts)
await graph.close()
