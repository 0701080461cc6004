import { createLocalGraph } from "@workanywhere/api"
import { createGraphClient } from "@workanywhere/graph-client/promise"
import { afterAll, beforeEach, expect, it } from "vitest"

// One for this file, which shares nothing with that of another file.
const graph = await createLocalGraph({ fleet: { size: 250 } })
beforeEach(graph.reset)
afterAll(graph.close)

it("lists every device, though the service throttles in the middle", async () => {
  graph.faults({ rules: [{ when: { route: "devices", nth: 2 }, effect: { kind: "throttle", retryAfterSeconds: 0 } }] })
  const client = createGraphClient({ baseUrl: "https://graph.microsoft.com/beta", fetch: graph.fetch })
  let devices = 0
  for await (const device of client.listDevices("allDevices", { select: ["id"] })) devices += "id" in device ? 1 : 0
  expect(devices).toBe(250)
  expect(graph.verdict().judgements.filter(({ passed }) => !passed)).toEqual([])
})
