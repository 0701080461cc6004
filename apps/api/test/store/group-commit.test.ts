import { type Kysely, sql } from "kysely"
import { describe, expect, it } from "vitest"
import { type HandOver, groupCommit } from "../../src/store/group-commit.ts"
import { openDatabase } from "../../src/store/open-database.ts"

interface Tables {
  readonly words: { readonly word: string }
}

const opened = async (handOver?: HandOver<string>) => {
  const { kysely, transact, close } = await openDatabase<Tables>("memory")
  await sql`create table words (word text not null unique)`.execute(kysely)
  let commits = 0
  const write = groupCommit<Kysely<Tables>, string>(async (work) => {
    const result = await transact(work)
    commits++
    return result
  }, handOver)
  return {
    write,
    add: (word: string, facts?: string) =>
      write(async (transaction) => {
        await transaction.insertInto("words").values({ word }).execute()
        return word
      }, facts),
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

const addByFacts = (store: Awaited<ReturnType<typeof opened>>, word: string) => store.add(word, word)

describe("a group of writes that are told by facts", () => {
  it("is handed over as a whole, and each gets its own result of what was done elsewhere", async () => {
    const handed: Array<ReadonlyArray<string>> = []
    await using store = await opened(async (words) => {
      handed.push(words)
      return words.map((word) => `${word} elsewhere`)
    })
    expect(await Promise.all(["a", "b"].map((word) => addByFacts(store, word)))).toEqual(["a elsewhere", "b elsewhere"])
    expect(handed).toEqual([["a", "b"]])
    expect(await store.words()).toEqual([])
  })

  it("is handed over in parts when it is large, so that the other side can start with the first", async () => {
    const handed: Array<number> = []
    await using store = await opened(async (words) => {
      handed.push(words.length)
      return words
    })
    const words = Array.from({ length: 30 }, (_, index) => `w${index}`)
    const outcomes = words.map((word) => addByFacts(store, word))
    expect(handed).toEqual([12, 12])
    expect(await Promise.all(outcomes)).toEqual(words)
    expect(handed).toEqual([12, 12, 6])
  })

  it("is not handed over before what came earlier has been made here", async () => {
    const order: Array<string> = []
    const commit = Promise.withResolvers<void>()
    const ran = Promise.withResolvers<void>()
    const write = groupCommit<null, string>(
      async (work) => {
        const result = await work(null)
        ran.resolve()
        await commit.promise
        order.push("made here")
        return result
      },
      async (words) => {
        order.push(`handed over ${words.length}`)
        return words
      }
    )
    const earlier = write(() => Promise.resolve("earlier"))
    await ran.promise
    const later = Array.from({ length: 12 }, (_, index) => write(() => Promise.resolve("here"), `w${index}`))
    commit.resolve()
    await Promise.all([earlier, ...later])
    expect(order).toEqual(["made here", "handed over 12"])
  })

  it("is made here when one of them is not told by facts, or nobody takes it", async () => {
    const handed: Array<ReadonlyArray<string>> = []
    await using store = await opened((words) => {
      handed.push(words)
      return undefined
    })
    expect(await Promise.all([addByFacts(store, "a"), store.add("b")])).toEqual(["a", "b"])
    expect(handed).toEqual([])
    expect(await Promise.all([addByFacts(store, "c"), addByFacts(store, "d")])).toEqual(["c", "d"])
    expect(handed).toEqual([["c", "d"]])
    expect(await store.words()).toEqual(["a", "b", "c", "d"])
  })

  it("is made here one by one when it was not made elsewhere, so that only the one at fault fails", async () => {
    await using store = await opened(() => Promise.reject(new Error("not made")))
    const outcomes = await Promise.allSettled(["a", "b", "a", "c"].map((word) => addByFacts(store, word)))
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"])
    expect(await store.words()).toEqual(["a", "b", "c"])
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
