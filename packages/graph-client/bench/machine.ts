import { cpus, totalmem } from "node:os"
/** Where and when the numbers were taken; they mean little elsewhere, ratios mean more. */
export const machine = (): string => {
  const [first] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${first?.model}, ${memory} GB`
}
