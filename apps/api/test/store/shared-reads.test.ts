import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { setImmediate } from "node:timers/promises"
import { sql } from "kysely"
import { describe, expect, it } from "vitest"
import { openDatabase } from "../../src/store/open-database.ts"
import { temporaryFolder } from "../opened.ts"

interface Tables {
  readonly words: { readonly word: string }
}

/** A database in a file that holds one word, and another connection to it that changes the word at once. */
const opened = async () => {
  const folder = await temporaryFolder()
  const file = join(folder.path, "words.sqlite")
  const database = await openDatabase<Tables>(`sqlite:${file}`)
  await sql`create table words (word text not null)`.execute(database.kysely)
  await database.kysely.insertInto("words").values({ word: "first" }).execute()
  const find = database.prepared(database.kysely.selectFrom("words").select("word").compile())
  const other = new DatabaseSync(file)
  return {
    ...database,
    word: async () => (await find(database.kysely, [])).rows[0]?.word,
    change: (word: string) => other.prepare("update words set word = ?").run(word),
    [Symbol.asyncDispose]: async () => {
      other.close()
      await database.close()
      await folder[Symbol.asyncDispose]()
    }
  }
}

describe("reads of a store file", () => {
  it("in one turn of the event loop see the same, and in the next what was committed meanwhile", async () => {
    await using store = await opened()
    expect(await store.word()).toBe("first")
    store.change("second")
    expect(await store.word()).toBe("first")
    await setImmediate()
    expect(await store.word()).toBe("second")
  })

  it("do not keep a transaction from beginning, and see what it did", async () => {
    await using store = await opened()
    expect(await store.word()).toBe("first")
    store.change("second")
    await store.transact(async (transaction) => {
      await transaction
        .updateTable("words")
        .set({ word: sql<string>`word || ' and third'` })
        .execute()
    })
    expect(await store.word()).toBe("second and third")
  })

  it("that are under way when the store is closed do not fail it", async () => {
    await using store = await opened()
    expect(await store.word()).toBe("first")
  })
})
