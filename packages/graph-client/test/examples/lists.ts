import { createGraphClient, filter } from "@workanywhere/graph-client/promise"

const graph = createGraphClient({ cloud: "global", token: process.env["GRAPH_TOKEN"] ?? "" })

const pages = graph.listDevicePages("allDevices", {
  select: ["deviceName", "upgradeEligibility"],
  filter: filter.and(filter.eq("model", "O'Brien 9000"), filter.ne("upgradeEligibility", "upgraded")),
  orderBy: ["deviceName desc"],
  pageSize: 500,
  countDuplicates: true
})

for await (const { checkpoint, duplicates, rows, rowsSeen } of pages) {
  for (const row of rows) {
    if (row.kind === "row") console.log(`${row.value.deviceName}: ${row.value.upgradeEligibility}`)
    else console.log(`cannot be read: ${JSON.stringify(row.json)}, ${row.message}`)
  }
  // Keep it with the rows: after a crash the list goes on from here with { resumeFrom: checkpoint }.
  console.log(`${rowsSeen} rows, ${duplicates} repeated; ${checkpoint === undefined ? "that is all" : "more to come"}`)
}

await graph.close()
