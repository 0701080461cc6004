import { createGraphClient } from "@workanywhere/graph-client/promise"
import { errorResponse, fakeGraph } from "@workanywhere/graph-client/testing"

const fake = fakeGraph([
  errorResponse(429, { code: "TooManyRequests" }, { "retry-after": "0" }),
  Response.json({ id: "1", deviceName: "PC-001" })
])

const graph = createGraphClient({ baseUrl: "https://graph.test/beta", fetch: fake.fetch })
const device = await graph.getDevice({ metricId: "allDevices", deviceId: "1" })
console.log(device.deviceName, "after", fake.requests.length, "requests")
