import { Client, type Middleware, PageIterator } from "@microsoft/microsoft-graph-client"
import { createLocalGraph } from "@workanywhere/api"

const graph = await createLocalGraph({ fleet: { size: 250 } })

const middleware: Middleware = {
  execute: async (context) => {
    context.response = await graph.fetch(context.request, context.options)
  }
}
const client = Client.initWithMiddleware({ middleware })

const devices = "/deviceManagement/userExperienceAnalyticsWorkFromAnywhereMetrics/allDevices/metricDevices"
const first = await client.api(devices).version("beta").select(["id", "deviceName"]).get()
const ids = new Set<string>()
await new PageIterator(client, first, ({ id }: { readonly id: string }) => ids.add(id).size > 0).iterate()
console.log(`${ids.size} devices`)

for (const { title, passed, count } of graph.verdict().judgements) {
  if (!passed) console.log(`${count} calls of a client that should do this: ${title}`)
}
await graph.close()
