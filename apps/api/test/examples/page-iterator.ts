import { argv } from "node:process"
import { Client, PageIterator } from "@microsoft/microsoft-graph-client"

// Started with NODE_EXTRA_CA_CERTS, which Node reads before anything else.
const client = Client.init({
  baseUrl: `${argv[2]}/`,
  defaultVersion: "beta",
  authProvider: (done) => done(null, "any token")
})

const devices = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"
const first = await client.api(devices).select(["id", "deviceName"]).top(60).get()
const ids = new Set<string>()
await new PageIterator(client, first, ({ id }: { readonly id: string }) => ids.add(id).size > 0).iterate()
console.log(`${ids.size} devices`)
