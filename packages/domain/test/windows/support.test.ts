import * as fc from "fast-check"
import { expect, it } from "vitest"
import { type EditionClass, windowsReleases, windowsSupport } from "../../src/lifecycle.ts"

const rows: ReadonlyArray<
  readonly [osVersion: string, asOf: string, edition: EditionClass | undefined, status: string, reason: string]
> = [
  [
    "10.0.26100.2033",
    "2026-10-13",
    undefined,
    "supported",
    "Windows 11 24H2 (build 26100): last updates on 2027-10-12 (enterprise) and 2026-10-13 (pro)"
  ],
  [
    "10.0.26100.2033",
    "2026-10-14",
    undefined,
    "dependsOnEdition",
    "Windows 11 24H2 (build 26100): last updates on 2027-10-12 (enterprise) and 2026-10-13 (pro)"
  ],
  [
    "10.0.26100.2033",
    "2026-10-14",
    "pro",
    "unsupported",
    "Windows 11 24H2 (build 26100): last updates on 2026-10-13 (pro)"
  ],
  [
    "10.0.26100.2033",
    "2026-10-14",
    "enterprise",
    "supported",
    "Windows 11 24H2 (build 26100): last updates on 2027-10-12 (enterprise)"
  ],
  [
    "10.0.26100.2033",
    "2034-10-10",
    "iot-ltsc",
    "supported",
    "Windows 11 24H2 (build 26100): last updates on 2034-10-10 (iot-ltsc)"
  ],
  [
    "10.0.19045.4291",
    "2025-10-14",
    undefined,
    "supported",
    "Windows 10 22H2 (build 19045): last updates on 2025-10-14"
  ],
  [
    "10.0.19045.4291",
    "2025-10-15",
    "enterprise",
    "unsupported",
    "Windows 10 22H2 (build 19045): last updates on 2025-10-14"
  ],
  [
    "10.0.17763.1",
    "2026-11-01",
    undefined,
    "unsupported",
    "Windows 10 1809 (build 17763): last updates on 2021-05-11 (enterprise) and 2020-11-10 (pro)"
  ],
  [
    "10.0.17763.1",
    "2026-11-01",
    "enterprise-ltsc",
    "supported",
    "Windows 10 1809 (build 17763): last updates on 2029-01-09 (enterprise-ltsc)"
  ],
  [
    "10.0.19045",
    "2025-01-01",
    "enterprise-ltsc",
    "unknown",
    "Windows 10 22H2 (build 19045) has no edition of the class enterprise-ltsc"
  ],
  ["10.0.26300.1", "2026-09-28", undefined, "unknown", "Windows 11 26H2 (build 26300) was not released on 2026-09-28"],
  [
    "10.0.26300.1",
    "2026-09-29",
    undefined,
    "supported",
    "Windows 11 26H2 (build 26300): last updates on 2029-10-09 (enterprise) and 2028-10-10 (pro)"
  ],
  ["10.0.26120.3281", "2026-09-29", undefined, "unknown", "Windows build 26120 is not listed"],
  ["6.1.7601.0", "2026-09-29", undefined, "unknown", "The recorded text is no version of Windows 10 or 11"],
  ["OS Version value", "2026-09-29", undefined, "unknown", "The recorded text is no version of Windows 10 or 11"],
  ["", "2026-09-29", undefined, "unknown", "The recorded text is no version of Windows 10 or 11"]
]

it.each(rows)("%s on %s with edition %s is %s", (osVersion, asOf, edition, status, reason) => {
  const support = windowsSupport(osVersion, { asOf, ...(edition === undefined ? {} : { edition }) })
  expect(support).toMatchObject({ status, reason })
  expect(support.releases.length > 0).toBe(status !== "unknown")
})

it.each([null, undefined])("a version of %s is unknown", (osVersion) => {
  expect(windowsSupport(osVersion, { asOf: "2026-09-29" })).toEqual({
    status: "unknown",
    releases: [],
    reason: "No Windows version recorded"
  })
})

it.each(["", "2026-9-29", "2026-02-30", "2026-13-01", "29.09.2026", "2026-09-29T00:00:00Z", "NaN-aN-aN"])(
  "%j is refused as a day",
  (asOf) => {
    expect(() => windowsSupport("10.0.26100.1", { asOf })).toThrow(
      new RangeError(`asOf: ${JSON.stringify(asOf)} is not a day; expected YYYY-MM-DD`)
    )
  }
)

it("a leap day is a day", () => {
  expect(windowsSupport("10.0.22631.1", { asOf: "2024-02-29" }).status).toBe("supported")
})

it("the table has every release and edition once, and its days are in order", () => {
  expect(windowsReleases).toHaveLength(44)
  const keys = windowsReleases.map(({ build, editions }) => `${build} ${editions}`)
  expect(new Set(keys).size).toBe(keys.length)
  for (const { released, lastDayOfUpdates } of windowsReleases) {
    expect(released < lastDayOfUpdates).toBe(true)
    expect(new Date(`${lastDayOfUpdates}T00:00:00Z`).getUTCDay()).toBe(2)
  }
})

it("a build belongs to one release of one Windows, 11 from build 22000 on", () => {
  const releaseOf = new Map<number, string>()
  for (const { build, windows, release } of windowsReleases) {
    expect(windows).toBe(build >= 22_000 ? 11 : 10)
    expect(releaseOf.get(build) ?? release).toBe(release)
    releaseOf.set(build, release)
  }
})

it("only the newest release rests on less than documents", () => {
  const weaker = windowsReleases.filter(({ evidence }) => evidence !== "documented")
  expect(weaker.map(({ release, editions, evidence }) => [release, editions, evidence])).toEqual([
    ["26H2", "enterprise", "inferred"],
    ["26H2", "pro", "reported"]
  ])
})

const day = fc
  .date({ min: new Date("2015-01-01"), max: new Date("2036-01-01"), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10))
const edition = fc.constantFrom<EditionClass>("pro", "enterprise", "enterprise-ltsc", "iot-ltsc", "iot")
const version = fc.constantFrom(...windowsReleases).map(({ build }) => `10.0.${build}.1`)

it("once updates have ended for an edition, they stay ended", () => {
  fc.assert(
    fc.property(version, edition, day, day, (osVersion, of, one, other) => {
      const [earlier, later] = [one, other].toSorted() as [string, string]
      const before = windowsSupport(osVersion, { asOf: earlier, edition: of }).status
      const after = windowsSupport(osVersion, { asOf: later, edition: of }).status
      expect(before !== "unsupported" || after === "unsupported").toBe(true)
      expect([before, after]).not.toContain("dependsOnEdition")
    })
  )
})

it("without an edition the answer is what pro and enterprise agree on, or depends on the edition", () => {
  fc.assert(
    fc.property(version, day, (osVersion, asOf) => {
      const pro = windowsSupport(osVersion, { asOf, edition: "pro" }).status
      const enterprise = windowsSupport(osVersion, { asOf, edition: "enterprise" }).status
      expect(windowsSupport(osVersion, { asOf }).status).toBe(pro === enterprise ? pro : "dependsOnEdition")
    })
  )
})

it("no text makes it throw", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.string().map((text) => `10.0.${text}`)
      ),
      (text) => {
        expect(windowsSupport(text, { asOf: "2026-01-01" }).reason).not.toBe("")
      }
    )
  )
})
