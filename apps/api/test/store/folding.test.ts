import { Client } from "pg"

import { expect, inject, it } from "vitest"
import { wholeDevice } from "@workanywhere/domain"
import { deviceFilter } from "../../src/graph/device-filter.ts"
import { orderById } from "../../src/graph/device-order.ts"
import { openDeviceStore } from "../../src/store/open-device-store.ts"
import { standing } from "../opened.ts"

/** A database of the test server with a locale of its own; dropped with its scope. */
const databaseWith = async (locale: string) => {
  const server = inject("postgres")
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`
  const run = async (statement: string) => {
    const client = new Client(server)
    await client.connect()
    await client.query(statement)
    await client.end()
  }
  await run(`create database ${name} template template0 encoding 'UTF8' ${locale}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    store: url.href as `postgres://${string}`,
    [Symbol.asyncDispose]: () => run(`drop database ${name} with (force)`)
  }
}

/** Every letter that has another form, up to the Unicode that PostgreSQL 18 knows, and words where the place decides. */
const texts = [
  ...Array.from({ length: 0x1_e945 }, (_, code) => String.fromCodePoint(code))
    .filter((letter) => letter.isWellFormed() && (letter.toLowerCase() !== letter || letter.toUpperCase() !== letter))
    .filter((letter) => !/[\ua7ce\ua7cf\ua7d2-\ua7d5\u{16ea0}-\u{16ed3}]/u.test(letter)),
  "straße",
  "ΟΔΥΣΣΕΥΣ ΟΔΟΣ",
  "ΑΣ.",
  "İI",
  "ŉ",
  "ﬃ"
]

/** The texts whose two forms a filter finds to be those that JavaScript makes of them. */
const found = async (setting: Parameters<typeof openDeviceStore>[0]) => {
  const store = await openDeviceStore(setting, "bulk")
  const devices = texts.map((text, index) =>
    wholeDevice({ id: String(index), model: text, deviceName: text.toLowerCase(), manufacturer: text.toUpperCase() })
  )
  await store.put(standing, devices, "replace")
  const filter = deviceFilter("tolower(model) eq deviceName and toupper(model) eq manufacturer", {
    unknownMembers: false
  })
  const page = await store.search(standing, { filter, order: orderById, skip: 0 }, devices.length)
  const ids = new Set(page.devices.map(({ id }) => id))
  await store.close()
  return texts.filter((_, index) => ids.has(String(index)))
}

it.for([
  "locale 'C'",
  "locale_provider icu icu_locale 'tr-TR' locale 'C'",
  "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"
])("is the same in PostgreSQL as in SQLite, whatever locale its database has: %s", async (locale) => {
  await using database = await databaseWith(locale)
  const inPostgres = await found(database.store)
  expect(texts.length).toBeGreaterThan(2_700)
  expect(inPostgres).toEqual(await found("memory"))
  expect(inPostgres).toEqual(texts)
})
