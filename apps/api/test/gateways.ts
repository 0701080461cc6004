import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { defaultSettings } from "../src/config.ts"
import { type GatewayOptions, openGateway } from "../src/open-gateway.ts"
import { closed, httpServer, listen } from "../src/service.ts"
import type { UpstreamSettings } from "../src/upstream-settings.ts"
import { temporaryFolder } from "./opened.ts"

/** A record of the log of writes. */
export interface AuditRecord {
  readonly id: string
  readonly event: "intent" | "outcome"
  readonly [name: string]: unknown
}

/** A gateway on a port, which writes unless it is told otherwise; gone, with its log of writes, with the scope. */
export const openedGateway = async (
  upstream: string,
  {
    settings = {},
    ...options
  }: Partial<Omit<GatewayOptions, "log">> & { readonly settings?: Partial<UpstreamSettings> } = {}
) => {
  const folder = await temporaryFolder()
  const audit = join(folder.path, "audit.jsonl")
  const lines: Array<Readonly<Record<string, unknown>>> = []
  const log = (level: string) => (facts: object, message: string) => void lines.push({ level, message, ...facts })
  const gateway = await openGateway(
    { ...defaultSettings, upstreamWrites: "on", audit, ...settings, upstream },
    { ...options, log: { info: log("info"), error: log("error") } }
  )
  const server = httpServer(gateway.app)
  const url = await listen(server, { host: "127.0.0.1", port: 0 })
  return {
    url,
    app: gateway.app,
    audit,
    lines,
    audited: async (): Promise<ReadonlyArray<AuditRecord>> =>
      (await readFile(audit, "utf8"))
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line)),
    [Symbol.asyncDispose]: async () => {
      await closed(server)
      await gateway.close()
      await folder[Symbol.asyncDispose]()
    }
  }
}
