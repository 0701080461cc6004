// One server for bench/http.ts, named by its first argument; says on stdout where it listens. Its second is a folder.
import { readFileSync } from "node:fs"
import { type RequestListener, createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { syntheticFleet } from "@workanywhere/domain/fleet"
import { Hono } from "hono"
import { createApp } from "../src/app.ts"
import { sharedTenant } from "../src/http/env.ts"
import { type Log, silent } from "../src/http/observation.ts"
import { createRehearsal } from "../src/rehearsal/rehearsal.ts"
import { httpServer } from "../src/service.ts"
import { standingCollection } from "../src/store/device-store.ts"
import { openDeviceStore } from "../src/store/open-device-store.ts"
import { logLines } from "../src/watch/log-lines.ts"

const [variant = "", folder = ""] = process.argv.slice(2)

const bodies = () => ({
  device: readFileSync(join(folder, "device.json"), "utf8"),
  page: readFileSync(join(folder, "page.json"))
})

/** What a server costs that does nothing but HTTP: it parses and echoes JSON, or sends bytes that are there. */
const bare = (): RequestListener => {
  const { device, page } = bodies()
  return (request, response) => {
    const send = (body: string | Buffer) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
      response.end(body)
    }
    if (request.method !== "PATCH") return send(request.url?.includes("$top") === true ? page : device)
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => send(JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()))))
  }
}

/** The same in Hono, with one function around the answer. */
const hono = (): RequestListener => {
  const { device, page } = bodies()
  const headers = { "content-type": "application/json" }
  const app = new Hono()
    .use(async (_c, next) => next())
    .get("/*", async (c) => new Response(c.req.url.includes("$top") ? page : device, { headers }))
    .patch("/*", async (c) => new Response(JSON.stringify(await c.req.json()), { headers }))
  return getRequestListener(app.fetch)
}

const app = async (where: "memory" | "file", isRecorded: boolean, log: Log) => {
  const store = await openDeviceStore(where === "memory" ? where : `sqlite:${join(folder, `${variant}.sqlite`)}`)
  await store.fillEmpty(standingCollection(sharedTenant), syntheticFleet({ size: 1_000, seed: 1 }))
  return createApp({ store, log, ...(isRecorded ? { rehearsal: createRehearsal({ hasControls: true }) } : {}) })
}

const variants: Readonly<Record<string, () => Promise<RequestListener> | RequestListener>> = {
  bare,
  hono,
  memory: async () => getRequestListener((await app("memory", false, silent)).fetch),
  file: async () => getRequestListener((await app("file", false, silent)).fetch),
  recorded: async () => getRequestListener((await app("file", true, silent)).fetch)
}

const serverOf = async () => {
  const listener = await variants[variant]?.()
  return listener === undefined ? httpServer(await app("file", true, logLines("info").log)) : createServer(listener)
}

const server = await serverOf()
server.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
