import { type Kysely, sql } from "kysely"
import { describe, expect, it } from "vitest"
import { groupCommit } from "../../src/store/group-commit.ts"
import { openDatabase } from "../../src/store/open-database.ts"

interface Tables {
  readonly words: { readonly word: string }
}

const opened = async () => {
  const { kysely, transact, close } = await openDatabase<Tables>("memory")
  await sql`create table words (word text not null unique)`.execute(kysely)
  let commits = 0
  const write = groupCommit<Kysely<Tables>>(async (work) => {
    const result = await transact(work)
    commits++
    return result
  })
  return {
    write,
    add: (word: string) =>
      write(async (transaction) => {
        await transaction.insertInto("words").values({ word }).execute()
        return word
      }),
    words: async () => {
      const rows = await kysely
        .selectFrom("words")
        .select("word")
        .orderBy(sql`rowid`)
        .execute()
      return rows.map((row) => row.word)
    },
    commits: () => commits,
    [Symbol.asyncDispose]: close
  }
}

/** Transactions that commit when they are told to. */
const held = () => {
  const commit = Promise.withResolvers<void>()
  const ran = Promise.withResolvers<void>()
  const told: Array<string> = []
  const write = groupCommit<null>(async (work) => {
    const result = await work(null)
    ran.resolve()
    await commit.promise
    told.push("committed")
    return result
  })
  return { write, told, ran: ran.promise, commit: commit.resolve }
}

describe("writes that come at the same time", () => {
  it("share one commit, in the order they came, and each gets its own result", async () => {
    await using store = await opened()
    const words = Array.from({ length: 100 }, (_, index) => `w${index}`)
    expect(await Promise.all(words.map((word) => store.add(word)))).toEqual(words)
    expect(await store.words()).toEqual(words)
    expect(store.commits()).toBe(1)
  })

  it("do not undo each other when one fails", async () => {
    await using store = await opened()
    const outcomes = await Promise.allSettled(["a", "b", "a", "c"].map((word) => store.add(word)))
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"])
    expect(await store.words()).toEqual(["a", "b", "c"])
  })

  it("leave nothing of one that fails half way", async () => {
    await using store = await opened()
    const half = store.write(async (transaction) => {
      await transaction.insertInto("words").values({ word: "half" }).execute()
      throw new Error("no further")
    })
    const whole = store.add("whole")
    await expect(half).rejects.toThrow("no further")
    await whole
    expect(await store.words()).toEqual(["whole"])
  })

  it("are acknowledged only after the commit", async () => {
    const { write, told, ran, commit } = held()
    const acknowledged = [1, 2].map((number) =>
      write(() => Promise.resolve(number)).then((result) => told.push(`acknowledged ${result}`))
    )
    await ran
    commit()
    await Promise.all(acknowledged)
    expect(told).toEqual(["committed", "acknowledged 1", "acknowledged 2"])
  })
})

describe("a write", () => {
  it("that comes during a commit joins the next one", async () => {
    const { write, told, ran, commit } = held()
    const first = write(() => Promise.resolve("first"))
    await ran
    const later = [write(() => Promise.resolve("second")), write(() => Promise.resolve("third"))]
    commit()
    expect(await Promise.all([first, ...later])).toEqual(["first", "second", "third"])
    expect(told).toEqual(["committed", "committed"])
  })

  it("that fails leaves the way free for the next", async () => {
    await using store = await opened()
    await expect(store.write(() => Promise.reject(new Error("no")))).rejects.toThrow("no")
    await store.add("a")
    await store.add("b")
    expect(await store.words()).toEqual(["a", "b"])
  })
})
