import assert from "node:assert/strict"
import { test } from "node:test"
import { createLocalGraph } from "@workanywhere/api"

await test("an update whose answer was lost took effect", async () => {
  await using graph = await createLocalGraph({
    devices: [{ id: "pc-1", model: "Old" }],
    faults: { seed: 1, rules: [{ when: { method: "PATCH", nth: 1 }, effect: { kind: "timeout", at: "after" } }] }
  })
  // A port of its own, for code that takes an address and no `fetch`.
  const metrics = `${await graph.url()}/beta/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics`
  const device = `${metrics}/allDevices/metricDevices/pc-1`

  const answer = await fetch(device, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "New" })
  })
  assert.equal(answer.status, 504)

  const { model } = (await (await fetch(device)).json()) as { readonly model: string }
  assert.equal(model, "New")
})
