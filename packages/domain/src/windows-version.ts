/** The first build that is Windows 11. */
const firstWindows11Build = 22000

/** Third part of `osVersion`, such as 26100 in `10.0.26100.2033`; `undefined` when the text is no Windows version. */
export const windowsBuild = (osVersion: string | null | undefined): number | undefined => {
  const build = /^\s*10\.0\.(\d{5,6})(?:\.\d+)?\s*$/.exec(osVersion ?? "")?.[1]
  return build === undefined ? undefined : Number(build)
}

/** Whether a version is Windows 11 (true) or 10 (false); `undefined` when it cannot be told. */
export const isWindows11 = (osVersion: string | null | undefined): boolean | undefined => {
  const build = windowsBuild(osVersion)
  return build === undefined ? undefined : build >= firstWindows11Build
}
