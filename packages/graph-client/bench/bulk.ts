// Many updates through a service that throttles as Intune does, some times as fast; beside our client, Microsoft's.
import { publishedBudget, timesAsFast } from "../src/index.ts"
import { machine } from "./machine.ts"
import type { Behaviour } from "./throttled-service.ts"
import { type Way, changesFor, microsoftBatches, microsoftPool, ours, start, wronglyTold } from "./ways.ts"

/** How many updates, at the published limits so many times as fast. */
const sizes = (process.env["BENCH_SIZES"] ?? "2000*10,20000*10").split(",").map((size) => {
  const [items = 0, times = 1] = size.split("*").map(Number)
  const budget = timesAsFast(publishedBudget, times)
  const { limit, windowMillis } = budget.app.writes
  return { items, budget, limit, windowMillis, perSecond: (limit * 1_000) / windowMillis }
})

type Size = (typeof sizes)[number]

const calmAt = ({ limit, windowMillis }: Size): Behaviour => ({
  latencyMillis: 40,
  limit: { kind: "sliding", limit, windowMillis, refusedCount: true },
  unavailable: 0,
  lostAfterWrite: 0,
  reset: 0,
  seed: 1
})
const roughAt = (size: Size): Behaviour => ({
  ...calmAt(size),
  unavailable: 0.01,
  lostAfterWrite: 0.005,
  reset: 0.002
})

const run = async (name: string, way: Way, size: Size, behaviour: Behaviour, items = size.items): Promise<void> => {
  const service = await start(behaviour)
  const startedAt = performance.now()
  const said = await way(service.root, changesFor(items))
  const seconds = (performance.now() - startedAt) / 1_000
  const seen = await service.seen()
  await service.stop()
  const { models, refused } = seen
  console.log(
    [
      items,
      behaviour.unavailable > 0 ? "rough" : "calm",
      name,
      `${seconds.toFixed(1)} s`,
      `${(seconds / (items / size.perSecond)).toFixed(3)} ×`,
      `${refused} refused with 429`,
      `${items - models.size} not made`,
      `${said.filter(({ isMade }) => isMade === undefined).length} unknown`,
      `${wronglyTold(said, seen, items)} wrongly told`
    ].join(" | ")
  )
}

console.log(machine())
for (const size of sizes) {
  console.log(
    `${size.items} updates, ${size.limit} in ${size.windowMillis.toFixed(0)} ms, floor ${(size.items / size.perSecond).toFixed(1)} s`
  )
  for (const behaviour of [calmAt(size), roughAt(size)]) {
    await run("batches", ours("batch", size.budget), size, behaviour)
    await run("single", ours("single", size.budget), size, behaviour)
  }
  // Its batches are as far off with more, and its single requests would take a quarter of an hour.
  if (size.items > 2_000) continue
  for (const behaviour of [calmAt(size), roughAt(size)]) {
    // One after the other it would take the latency of each: a quarter of them shows that.
    await run("Microsoft's client, one by one", microsoftPool(1), size, behaviour, size.items / 4)
    await run("Microsoft's client, 20 at once", microsoftPool(20), size, behaviour)
    await run("Microsoft's client, batches", microsoftBatches, size, behaviour)
  }
}
