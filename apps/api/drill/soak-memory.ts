import { readFile } from "node:fs/promises"

/** What a process holds at one moment, in bytes. */
export interface MemorySample {
  readonly seconds: number
  readonly resident: number
  /** Live JavaScript objects, right after a collection. */
  readonly heap: number
}

/** How a quantity moved over the second half of a run. */
export interface Trend {
  readonly name: "heap" | "resident"
  readonly mean: number
  /** By least squares, times the length of the second half: what it came to, in bytes. */
  readonly growth: number
  /** What may be growth by chance. */
  readonly tolerance: number
  readonly isFlat: boolean
}

/** Where the inspector of a process that was started with `--inspect` says it listens. */
export const inspectorAddress = /Debugger listening on (ws:\/\/127\.0\.0\.1:\d+\/\S+)/

/** Collects a process's garbage and looks at what is left, through its inspector: the service needs no route for it. */
export const memoryProbe = async (pid: number, inspector: string) => {
  const socket = new WebSocket(inspector)
  const waiting = new Map<number, (result: Readonly<Record<string, number>>) => void>()
  let number = 0
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { readonly id: number; readonly result: Record<string, number> }
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve(), { once: true })
    socket.addEventListener("error", () => reject(new Error("the inspector does not answer")), { once: true })
  })
  const ask = (method: string) =>
    new Promise<Readonly<Record<string, number>>>((resolve) => {
      number += 1
      waiting.set(number, resolve)
      socket.send(JSON.stringify({ id: number, method }))
    })
  return {
    sample: async (seconds: number): Promise<MemorySample> => {
      await ask("HeapProfiler.collectGarbage")
      const { usedSize = Number.NaN } = await ask("Runtime.getHeapUsage")
      // Linux only; elsewhere the heap alone is judged.
      const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "")
      return { seconds, heap: usedSize, resident: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024 }
    },
    close: () => socket.close()
  }
}

const megabyte = 1_048_576

/** Growth that is taken for chance: so much of the mean, and at least so many bytes. */
const tolerances = {
  heap: { share: 0.05, least: 2 * megabyte },
  resident: { share: 0.1, least: 16 * megabyte }
} as const

const fewest = 4

/** How memory moved over the second half of the samples; `undefined` while there are too few to tell. */
export const trendOf = (name: Trend["name"], samples: ReadonlyArray<MemorySample>): Trend | undefined => {
  const half = samples.slice(Math.floor(samples.length / 2))
  const [first, last] = [half[0], half.at(-1)]
  if (first === undefined || last === undefined || half.length < fewest) return undefined
  const meanOf = (value: (sample: MemorySample) => number) =>
    half.reduce((sum, sample) => sum + value(sample), 0) / half.length
  const meanSeconds = meanOf(({ seconds }) => seconds)
  const mean = meanOf((sample) => sample[name])
  const spread = meanOf(({ seconds }) => (seconds - meanSeconds) ** 2)
  const slope = meanOf((sample) => (sample.seconds - meanSeconds) * (sample[name] - mean)) / spread
  const growth = slope * (last.seconds - first.seconds)
  const tolerance = Math.max(tolerances[name].least, tolerances[name].share * mean)
  return { name, mean, growth, tolerance, isFlat: growth <= tolerance }
}
