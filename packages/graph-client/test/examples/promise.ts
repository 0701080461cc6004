import { GraphError, createGraphClient } from "@workanywhere/graph-client/promise"

const graph = createGraphClient({
  baseUrl: "https://graph.microsoft.com/beta",
  token: process.env["GRAPH_TOKEN"] ?? ""
})

for await (const { deviceName } of graph.listDevices("allDevices", { select: ["deviceName"], top: 1 })) {
  console.log(`first: ${deviceName}`)
}

try {
  const key = { metricId: "allDevices", deviceId: "no-such-device" }
  await graph.updateDevice(key, { ownership: "Corporate" }, { signal: AbortSignal.timeout(30_000) })
} catch (error) {
  if (!(error instanceof GraphError)) throw error
  console.log(`${error.reason._tag} (${error.status} ${error.code}): ${error.message}`)
} finally {
  await graph.close()
}
