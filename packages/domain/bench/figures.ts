import { execFileSync } from "node:child_process"
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { fileURLToPath } from "node:url"
import { fleetFigures } from "../src/figures.ts"
import { syntheticFleet } from "../src/fleet.ts"
import { deviceJsonLine, readDeviceLineBatches } from "../src/index.ts"
import { machine } from "./side-by-side.ts"

/** The file's bytes, `times` over: ten million devices without a file of ten gigabytes. */
async function* bytesOf(file: string, times: number): AsyncGenerator<Uint8Array> {
  for (let time = 0; time < times; time++) yield* createReadStream(file)
}

/** What there is to compare with: the least that a program does which reads the file. */
const parseLines = async (file: string, times: number): Promise<number> => {
  let devices = 0
  let rest = ""
  const decoder = new TextDecoder()
  for await (const bytes of bytesOf(file, times)) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) if (JSON.parse(line) !== null) devices++
  }
  return devices
}

const parseWithReadline = async (file: string, times: number): Promise<number> => {
  let devices = 0
  for await (const line of createInterface({ input: Readable.from(bytesOf(file, times)) })) {
    if (JSON.parse(line) !== null) devices++
  }
  return devices
}

const figures = async (file: string, times: number): Promise<number> => {
  const { empty, add, result } = fleetFigures({ asOf: "2026-11-23" })
  const tally = empty()
  for await (const items of readDeviceLineBatches(bytesOf(file, times))) {
    for (const item of items) {
      if (item.kind === "fault") throw new Error(`line ${item.line}: ${item.message}`)
      add(tally, item.device)
    }
  }
  return result(tally).hardwareReadiness.totalDeviceCount
}

const sides = { "read, split, JSON.parse": parseLines, "readline, JSON.parse": parseWithReadline, figures }
type SideName = keyof typeof sides
const sideNames = Object.keys(sides) as ReadonlyArray<SideName>

interface Measured {
  readonly devices: number
  readonly seconds: number
  readonly peakMegabytes: number
}

/** A process for each run, so that one side's memory is not the other's. */
const measured = (side: SideName, file: string, times: number): Measured =>
  JSON.parse(
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), side, file, String(times)], { encoding: "utf8" })
  ) as Measured

const compare = (file: string, times: number, rounds: number): void => {
  const runs = new Map(sideNames.map((side): [SideName, Array<Measured>] => [side, []]))
  for (let round = 0; round < rounds; round++) {
    for (const side of sideNames) runs.get(side)?.push(measured(side, file, times))
  }
  const best = new Map([...runs].map(([side, taken]) => [side, Math.min(...taken.map(({ seconds }) => seconds))]))
  const least = best.get("read, split, JSON.parse") ?? 0
  for (const [side, taken] of runs) {
    const seconds = best.get(side) ?? 0
    const peak = Math.max(...taken.map(({ peakMegabytes }) => peakMegabytes))
    const devices = (taken[0]?.devices ?? 0).toLocaleString("en")
    console.log(
      `${devices} devices  ${side.padEnd(24)} ${seconds.toFixed(2)} s  ${(seconds / least).toFixed(2)} ×  peak ${peak.toFixed(0)} MB`
    )
  }
}

async function* lines(): AsyncGenerator<string> {
  for await (const device of syntheticFleet({ size: 1_000_000, seed: 1 })) yield deviceJsonLine(device)
}

const [side, file, times] = process.argv.slice(2)
if (side !== undefined && file !== undefined) {
  const start = performance.now()
  const devices = await sides[side as SideName](file, Number(times))
  const seconds = (performance.now() - start) / 1000
  console.log(JSON.stringify({ devices, seconds, peakMegabytes: process.resourceUsage().maxRSS / 1024 }))
} else {
  const folder = mkdtempSync(join(tmpdir(), "workanywhere-bench-"))
  try {
    const path = join(folder, "devices.jsonl")
    await pipeline(Readable.from(lines()), createWriteStream(path))
    console.log(`figures: ${machine()}; ${(statSync(path).size / 1e9).toFixed(2)} GB of JSONL`)
    compare(path, 1, 3)
    compare(path, 10, 1)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
