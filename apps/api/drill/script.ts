/** Runs a script, which ends with what it gives; with 2 and a sentence for wrong arguments, and with 1 and a stack otherwise. */
export const runScript = async (main: () => Promise<number>): Promise<void> => {
  try {
    process.exitCode = await main()
  } catch (error) {
    const isUsage = error instanceof RangeError || (error instanceof TypeError && "code" in error)
    process.stderr.write(`${isUsage ? error.message : String(error instanceof Error ? error.stack : error)}\n`)
    process.exitCode = isUsage ? 2 : 1
  }
}

/** Ends a script that is told to stop, at once and with what it started. */
export const endAtSignals = (): void => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))
}
