/**
 * The editions that share the dates of a release. `pro`: Home, Pro, Pro Education, Pro for Workstations. `enterprise`:
 * Enterprise, Education, IoT Enterprise. The others are the long-term channels, which have builds in common with the
 * general releases, and the embedded edition of the very first one.
 */
export type EditionClass = "pro" | "enterprise" | "enterprise-ltsc" | "iot-ltsc" | "iot"

/** One release of Windows for one class of editions; days are written YYYY-MM-DD. */
export interface WindowsRelease {
  readonly windows: 10 | 11
  readonly release: string
  /** Third part of `osVersion`. */
  readonly build: number
  /** `all` means `pro` and `enterprise`. */
  readonly editions: EditionClass | "all"
  readonly released: string
  /** Last day on which updates came out; paid extended updates do not count. */
  readonly lastDayOfUpdates: string
  /**
   * `documented`: from endoflife.date, which follows Microsoft's release pages, as of 2026-08-22. `reported`: read on
   * Microsoft's page by others on 2026-11-04. `inferred`: by the rule of 36 months.
   */
  readonly evidence: "documented" | "reported" | "inferred"
}

type Row = readonly [
  windows: WindowsRelease["windows"],
  release: string,
  build: number,
  editions: WindowsRelease["editions"],
  released: string,
  lastDayOfUpdates: string,
  evidence: WindowsRelease["evidence"]
]

const rows: ReadonlyArray<Row> = [
  [10, "1507", 10240, "all", "2015-07-29", "2017-05-09", "documented"],
  [10, "1507", 10240, "enterprise-ltsc", "2015-07-29", "2025-10-14", "documented"],
  [10, "1507", 10240, "iot", "2015-04-29", "2020-11-10", "documented"],
  [10, "1511", 10586, "all", "2015-11-10", "2017-10-10", "documented"],
  [10, "1607", 14393, "enterprise", "2016-08-02", "2019-04-09", "documented"],
  [10, "1607", 14393, "enterprise-ltsc", "2016-08-02", "2026-10-13", "documented"],
  [10, "1607", 14393, "pro", "2016-08-02", "2018-04-10", "documented"],
  [10, "1703", 15063, "enterprise", "2017-04-11", "2019-10-08", "documented"],
  [10, "1703", 15063, "pro", "2017-04-11", "2018-10-09", "documented"],
  [10, "1709", 16299, "enterprise", "2017-10-17", "2020-10-13", "documented"],
  [10, "1709", 16299, "pro", "2017-10-17", "2019-04-09", "documented"],
  [10, "1803", 17134, "enterprise", "2018-04-30", "2021-05-11", "documented"],
  [10, "1803", 17134, "pro", "2018-04-30", "2019-11-12", "documented"],
  [10, "1809", 17763, "enterprise", "2018-11-13", "2021-05-11", "documented"],
  [10, "1809", 17763, "enterprise-ltsc", "2018-11-13", "2029-01-09", "documented"],
  [10, "1809", 17763, "pro", "2018-11-13", "2020-11-10", "documented"],
  [10, "1903", 18362, "all", "2019-05-21", "2020-12-08", "documented"],
  [10, "1909", 18363, "enterprise", "2019-11-12", "2022-05-10", "documented"],
  [10, "1909", 18363, "pro", "2019-11-12", "2021-05-11", "documented"],
  [10, "2004", 19041, "all", "2020-05-27", "2021-12-14", "documented"],
  [10, "20H2", 19042, "enterprise", "2020-10-20", "2023-05-09", "documented"],
  [10, "20H2", 19042, "pro", "2020-10-20", "2022-05-10", "documented"],
  [10, "21H1", 19043, "all", "2021-05-18", "2022-12-13", "documented"],
  [10, "21H2", 19044, "enterprise", "2021-11-16", "2024-06-11", "documented"],
  [10, "21H2", 19044, "enterprise-ltsc", "2021-11-16", "2027-01-12", "documented"],
  [10, "21H2", 19044, "iot-ltsc", "2021-11-16", "2032-01-13", "documented"],
  [10, "21H2", 19044, "pro", "2021-11-16", "2023-06-13", "documented"],
  [10, "22H2", 19045, "all", "2022-10-18", "2025-10-14", "documented"],
  [11, "21H2", 22000, "enterprise", "2021-10-04", "2024-10-08", "documented"],
  [11, "21H2", 22000, "pro", "2021-10-04", "2023-10-10", "documented"],
  [11, "22H2", 22621, "enterprise", "2022-09-20", "2025-10-14", "documented"],
  [11, "22H2", 22621, "pro", "2022-09-20", "2024-10-08", "documented"],
  [11, "23H2", 22631, "enterprise", "2023-10-31", "2026-11-10", "documented"],
  [11, "23H2", 22631, "pro", "2023-10-31", "2025-11-11", "documented"],
  [11, "24H2", 26100, "enterprise", "2024-10-01", "2027-10-12", "documented"],
  [11, "24H2", 26100, "enterprise-ltsc", "2024-10-01", "2029-10-09", "documented"],
  [11, "24H2", 26100, "iot-ltsc", "2024-10-01", "2034-10-10", "documented"],
  [11, "24H2", 26100, "pro", "2024-10-01", "2026-10-13", "documented"],
  [11, "25H2", 26200, "enterprise", "2025-09-30", "2028-10-10", "documented"],
  [11, "25H2", 26200, "pro", "2025-09-30", "2027-10-12", "documented"],
  [11, "26H2", 26300, "enterprise", "2026-09-29", "2029-10-09", "inferred"],
  [11, "26H2", 26300, "pro", "2026-09-29", "2028-10-10", "reported"],
  [11, "26H1", 28000, "enterprise", "2026-02-10", "2029-03-13", "documented"],
  [11, "26H1", 28000, "pro", "2026-02-10", "2028-03-14", "documented"]
]

/** Releases of Windows 10 and 11 with the days of their servicing, by build; `evidence` says where from. */
export const windowsReleases: ReadonlyArray<WindowsRelease> = rows.map(
  ([windows, release, build, editions, released, lastDayOfUpdates, evidence]) => ({
    windows,
    release,
    build,
    editions,
    released,
    lastDayOfUpdates,
    evidence
  })
)
