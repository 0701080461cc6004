import { windowsBuild } from "../device/free-text.ts"
import { type EditionClass, type WindowsRelease, windowsReleases } from "./releases.ts"

/** For which day, and for which edition where the caller knows it; a device's record does not say. */
export interface SupportQuestion {
  /** YYYY-MM-DD. This package has no clock. */
  readonly asOf: string
  /** Without it, the general editions are considered: long-term releases have the same builds, and are rare. */
  readonly edition?: EditionClass
}

/** Whether a Windows version gets updates on a day. */
export interface WindowsSupport {
  /**
   * `dependsOnEdition` between the two last days of a release. `unknown` for a text that is no version, a build that is
   * not listed (insider builds lie above and between the listed ones), a day before the release (it was a preview
   * then), or an edition that the release does not have.
   */
  readonly status: "supported" | "unsupported" | "dependsOnEdition" | "unknown"
  /** What the answer rests on, each with its evidence: the rows of the table for this build and edition. */
  readonly releases: ReadonlyArray<WindowsRelease>
  /** One sentence. */
  readonly reason: string
}

const isDay = (text: string): boolean => {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const time = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text)
}

const covers = ({ editions }: WindowsRelease, edition: EditionClass | undefined): boolean => {
  const isGeneral = editions === "all" || editions === "pro" || editions === "enterprise"
  if (edition === undefined) return isGeneral
  return editions === edition || (editions === "all" && (edition === "pro" || edition === "enterprise"))
}

const lastDays = (releases: ReadonlyArray<WindowsRelease>): string =>
  releases
    .map(({ editions, lastDayOfUpdates }) => `${lastDayOfUpdates}${editions === "all" ? "" : ` (${editions})`}`)
    .join(" and ")

const unknown = (reason: string): WindowsSupport => ({ status: "unknown", releases: [], reason })

/**
 * Whether a Windows version gets updates on a day, by the servicing table of this package. Throws a RangeError when
 * `asOf` is not a day.
 */
export const windowsSupport = (
  osVersion: string | null | undefined,
  { asOf, edition }: SupportQuestion
): WindowsSupport => {
  if (!isDay(asOf)) throw new RangeError(`asOf: ${JSON.stringify(asOf)} is not a day; expected YYYY-MM-DD`)
  if (osVersion === null || osVersion === undefined) return unknown("No Windows version recorded")
  const build = windowsBuild(osVersion)
  if (build === undefined) return unknown("The recorded text is no version of Windows 10 or 11")
  const ofBuild = windowsReleases.filter((release) => release.build === build)
  const [first] = ofBuild
  if (first === undefined) return unknown(`Windows build ${build} is not listed`)
  const name = `Windows ${first.windows} ${first.release} (build ${build})`
  const ofEdition = ofBuild.filter((release) => covers(release, edition))
  if (ofEdition.length === 0) return unknown(`${name} has no edition of the class ${edition}`)
  const releases = ofEdition.filter(({ released }) => released <= asOf)
  if (releases.length === 0) return unknown(`${name} was not released on ${asOf}`)
  const supported = releases.filter(({ lastDayOfUpdates }) => asOf <= lastDayOfUpdates)
  const status =
    supported.length === releases.length ? "supported" : supported.length === 0 ? "unsupported" : "dependsOnEdition"
  return { status, releases, reason: `${name}: last updates on ${lastDays(releases)}` }
}
