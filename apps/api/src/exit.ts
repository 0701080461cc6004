/** The exit codes that scripts rely on; they mean the same in `wfa`. */
export const exitCode = {
  done: 0,
  usage: 2,
  configuration: 3,
  tryLater: 7,
  someFailed: 9,
  interrupted: 130
} as const

/** Says on stderr what kept the command from its work, and ends the process with a code when nothing is left to do. */
export const fail = (lines: ReadonlyArray<string>, code: number): void => {
  process.stderr.write(lines.map((line) => `wfa-api: ${line}\n`).join(""))
  process.exitCode = code
}
