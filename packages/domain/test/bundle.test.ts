import { describe, expect, it } from "vitest"
import { bundle, programWith, schemaNames } from "../bench/bundle.ts"

describe("what a browser bundle holds", () => {
  it("stays under 20 KB for schemas, enums and score rules, without zod", async () => {
    const { gzippedKilobytes, holds } = await bundle(programWith(schemaNames))
    expect(gzippedKilobytes).toBeLessThan(20)
    expect(holds("src/device/device.ts")).toBe(true)
    for (const part of ["papaparse", "windows/releases", "readiness", "json-lines"]) expect(holds(part)).toBe(false)
  })

  it.each(["readScore", "parseDevice", "readiness", "nearMiss", "deviceFromGraph", "changes", "joinReports"])(
    "is neither the CSV library nor the table of Windows releases for %s alone",
    async (name) => {
      const { holds } = await bundle(programWith(name))
      expect(holds("papaparse")).toBe(false)
      expect(holds("windows/releases")).toBe(false)
    }
  )

  it("is the CSV library for the entry that has it", async () => {
    const { holds } = await bundle(programWith("readDeviceCsv", "@workanywhere/domain/csv"))
    expect(holds("papaparse")).toBe(true)
    expect(holds("windows/releases")).toBe(false)
  })

  it("is no zod where only numbers and texts are worked on", async () => {
    const { holds } = await bundle(programWith("readScore, nearMiss, knownMember"), { withZod: true })
    expect(holds("zod")).toBe(false)
  })

  it.each(["", "/csv", "/figures", "/fleet", "/lifecycle"])("is nothing of Node for the entry .%s", async (entry) => {
    const all = bundle(`import * as all from "@workanywhere/domain${entry}"; globalThis.kept = all`)
    await expect(all).resolves.toBeDefined()
  })
})
