import { once } from "node:events"
import { type AddressInfo, type Socket, connect, createServer } from "node:net"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import type { WholeDevice } from "@workanywhere/domain"
import { type Kysely, sql } from "kysely"
import { Client } from "pg"
import { describe, expect, inject, it } from "vitest"
import { createApp } from "../../src/app.ts"
import { type Tables, migrate } from "../../src/store/migrations.ts"
import { openDatabase } from "../../src/store/open-database.ts"
import { deviceStoreOn, openDeviceStore } from "../../src/store/open-device-store.ts"
import {
  blankDevices,
  devicesPath,
  failureOf,
  jsonRequest,
  metricsPath as metricsBelow,
  postgresSchema,
  standing,
  temporaryFolder
} from "../opened.ts"

const ids = Array.from({ length: 40 }, (_, index) => `device ${index}`)

/** An app over a store file, and the connection that it uses. */
const overFile = async (queryLimitMillis?: number) => {
  const folder = await temporaryFolder()
  const file = join(folder.path, "devices.sqlite")
  const database = await openDatabase<Tables>(`sqlite:${file}`, "requests", queryLimitMillis)
  await migrate(database)
  const store = await deviceStoreOn(database)
  await store.fillEmpty(standing, blankDevices(ids))
  const app = createApp({ store })
  return {
    ...clientOf(app),
    app,
    file,
    kysely: database.kysely,
    [Symbol.asyncDispose]: async () => {
      await store.close()
      await folder[Symbol.asyncDispose]()
    }
  }
}

const pathOf = (id: string): string => `${devicesPath}/${encodeURIComponent(id)}`

const clientOf = (app: ReturnType<typeof createApp>) => {
  return {
    patch: async (id: string, deviceName: string) => app.request(pathOf(id), jsonRequest("PATCH", { deviceName })),
    nameOf: async (id: string) => {
      const response = await app.request(pathOf(id))
      return response.status === 200 ? ((await response.json()) as WholeDevice).deviceName : response.status
    }
  }
}

const numberOf = async (kysely: Kysely<Tables>, pragma: "page_count" | "max_page_count"): Promise<number> => {
  const { rows } = await sql.raw<Record<string, number>>(`pragma ${pragma}`).execute(kysely)
  return rows[0]?.[pragma] ?? 0
}

describe("a store file on a full disk", () => {
  it("answers 507, keeps what it acknowledged, goes on reading, and takes writes again when there is room", async () => {
    await using store = await overFile()
    const limit = (await numberOf(store.kysely, "page_count")) + 20
    await sql.raw(`pragma max_page_count = ${limit}`).execute(store.kysely)

    // Some of those that come at the same time still have room.
    const acknowledged = new Map<string, string>()
    const refused: Array<string> = []
    for (const round of [1, 2, 3]) {
      await Promise.all(
        ids.map(async (id) => {
          const name = `${round} `.padEnd(round * 4_000, id)
          const response = await store.patch(id, name)
          if (response.status === 200) {
            acknowledged.set(id, name)
            return
          }
          expect(response.status).toBe(507)
          expect(await failureOf(response)).toMatchObject({
            code: "quotaLimitReached",
            message: "The store is full. Nothing was written."
          })
          refused.push(id)
        })
      )
    }
    expect(acknowledged.size).toBeGreaterThan(0)
    expect(refused.length).toBeGreaterThan(0)
    for (const id of ids) expect(await store.nameOf(id)).toBe(acknowledged.get(id) ?? null)

    await sql.raw(`pragma max_page_count = ${limit + 1_000}`).execute(store.kysely)
    const again = await Promise.all(refused.map((id) => store.patch(id, "room again")))
    expect(new Set(again.map(({ status }) => status))).toEqual(new Set([200]))
    for (const id of refused) expect(await store.nameOf(id)).toBe("room again")
  })
})

describe("a store file that cannot be written to", () => {
  it("answers 503, goes on reading, and takes writes again afterwards", async () => {
    await using store = await overFile()
    await store.patch("device 1", "before")
    await sql`pragma query_only = on`.execute(store.kysely)
    const responses = await Promise.all(ids.map((id) => store.patch(id, "meanwhile")))
    expect(responses.map(({ status }) => status)).toEqual(ids.map(() => 503))
    expect(await failureOf(responses[0] as Response)).toMatchObject({
      code: "serviceNotAvailable",
      message: "The store cannot be written to at present. Nothing was written."
    })
    expect(await store.nameOf("device 1")).toBe("before")
    await sql`pragma query_only = off`.execute(store.kysely)
    expect((await store.patch("device 1", "after")).status).toBe(200)
    expect(await store.nameOf("device 1")).toBe("after")
  })

  it("answers 503 while another process holds the lock for longer than a caller can wait", async () => {
    await using store = await overFile()
    await sql`pragma busy_timeout = 1`.execute(store.kysely)
    const { rows } = await sql<{ readonly file: string }>`pragma database_list`.execute(store.kysely)
    const other = await openDatabase(`sqlite:${rows[0]?.file}`)
    await other.transact(async () => {
      const response = await store.patch("device 1", "meanwhile")
      expect(response.status).toBe(503)
      expect((await failureOf(response)).message).toBe("The store is busy with other work. Nothing was written.")
    })
    await other.close()
    expect((await store.patch("device 1", "after")).status).toBe(200)
  })
})

/** The longest time for which nothing else had its turn, until it is asked for. */
const stalls = () => {
  let [longest, last] = [0, performance.now()]
  const look = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 5)
    last = performance.now()
  }, 5)
  return () => {
    clearInterval(look)
    return longest
  }
}

describe("the write lock of a store file, while another process holds it", () => {
  it("keeps nobody else waiting, and writes that came meanwhile are made when it is free", async () => {
    await using store = await overFile()
    using other = new DatabaseSync(store.file)
    other.exec("begin immediate")
    const longest = stalls()
    const written = Promise.all(ids.map((id) => store.patch(id, "meanwhile")))
    for (let time = 0; time < 20; time++) {
      expect((await store.app.request("/healthz")).status).toBe(200)
      expect(await store.nameOf("device 1")).toBe(null)
      expect((await store.app.request(`/beta${metricsBelow}/none/metricDevices/x`)).status).toBe(404)
      await setTimeout(10)
    }
    other.exec("commit")
    expect(new Set((await written).map(({ status }) => status))).toEqual(new Set([200]))
    // SQLite itself would have waited for five seconds, and everyone with it.
    expect(longest()).toBeLessThan(1_000)
    for (const id of ids) expect(await store.nameOf(id)).toBe("meanwhile")
  })

  it("makes all writes that came together fail with 503 after one wait, and says when to come again", async () => {
    await using store = await overFile(300)
    using other = new DatabaseSync(store.file)
    other.exec("begin immediate")
    const begun = performance.now()
    const responses = await Promise.all(ids.map((id) => store.patch(id, "meanwhile")))
    // One wait for those that came first, and one for those that came while they waited.
    expect(performance.now() - begun).toBeLessThan(3_000)
    for (const response of responses) {
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"])
      expect((await failureOf(response)).message).toBe("The store is busy with other work. Nothing was written.")
    }
    other.exec("commit")
    expect((await store.patch("device 1", "after")).status).toBe(200)
  })
})

/** A way to the server that can be cut and mended. */
const wayTo = async (url: string) => {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let open = true
  const server = createServer((near) => {
    if (!open) return near.destroy()
    const far = connect(Number(port), hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket
        .on("error", () => {})
        .on("close", () => {
          near.destroy()
          far.destroy()
        })
    }
    near.pipe(far).pipe(near)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const through = new URL(url)
  through.port = String((server.address() as AddressInfo).port)
  const cut = () => {
    open = false
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  return {
    url: through.href as `postgres://${string}`,
    cut,
    mend: () => {
      open = true
    },
    [Symbol.asyncDispose]: async () => {
      cut()
      server.close()
      await once(server, "close")
    }
  }
}

const onServer = async (...statements: ReadonlyArray<string>): Promise<void> => {
  const client = new Client(inject("postgres"))
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

describe("a PostgreSQL server that went away", () => {
  it("makes requests fail with 503, also those in the middle, and is used again when it is back", async () => {
    await using room = await postgresSchema()
    await using way = await wayTo(room.store)
    const store = await openDeviceStore(way.url)
    await store.fillEmpty(standing, blankDevices(ids))
    const { patch, nameOf } = clientOf(createApp({ store }))

    const acknowledged = new Map<string, string>()
    const told: Array<readonly [number, string]> = []
    await Promise.all(
      ids.map(async (id, index) => {
        for (let round = 1; ; round++) {
          const name = `${round}`
          const response = await patch(id, name)
          if (response.status !== 200) {
            told.push([response.status, (await failureOf(response)).message])
            return
          }
          acknowledged.set(id, name)
          if (index === 20 && round === 3) way.cut()
        }
      })
    )
    expect(told).toEqual(ids.map(() => [503, "The store does not answer. Whether something was written is not known."]))
    expect(await nameOf("device 1")).toBe(503)

    way.mend()
    for (const id of ids) {
      const last = Number(acknowledged.get(id) ?? 0)
      expect([last, last + 1]).toContain(Number(await nameOf(id)))
    }
    expect((await patch("device 1", "after")).status).toBe(200)
    await store.close()
  })
})

describe("a PostgreSQL database that cannot be written to", () => {
  it("answers 503, goes on reading, and takes writes again afterwards", async () => {
    const name = `test_${crypto.randomUUID().replaceAll("-", "")}`
    await onServer(`create database ${name} template template0 encoding 'UTF8'`)
    const url = new URL(inject("postgres"))
    url.pathname = name
    const store = await openDeviceStore(url.href as `postgres://${string}`)
    await store.fillEmpty(standing, blankDevices(ids))
    const { patch, nameOf } = clientOf(createApp({ store }))
    const readOnly = (state: "on" | "off") =>
      onServer(
        `alter database ${name} set default_transaction_read_only = ${state}`,
        // Those that are open keep what they began with; so this is also a server that ends idle connections.
        `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${name}'`
      )
    expect((await patch("device 1", "before")).status).toBe(200)
    await readOnly("on")
    const response = await patch("device 1", "meanwhile")
    expect([response.status, (await failureOf(response)).message]).toEqual([
      503,
      "The store cannot be written to at present. Nothing was written."
    ])
    expect(await nameOf("device 1")).toBe("before")
    await readOnly("off")
    expect((await patch("device 1", "after")).status).toBe(200)
    await store.close()
    await onServer(`drop database ${name}`)
  })
})
