/** A list as it was answered. */
export interface ListAnswer {
  readonly body: string | Uint8Array<ArrayBuffer>
  readonly headers: Readonly<Record<string, string>>
  /** The link to the next page that the body has. */
  readonly nextLink?: string | undefined
}

/** Gives a tenant an answer as it was given before, or makes it. */
export type RecentAnswers = (tenant: string, key: string, make: () => Promise<ListAnswer>) => Promise<ListAnswer>

/** How much may be remembered, keys included. */
export interface Room {
  readonly bytes: number
  readonly entries: number
}

const roomForAnswers: Room = { bytes: 16 * 1_048_576, entries: 1_000 }

/** For the keys of lists that were asked for once. */
const roomForKeys: Room = { bytes: 1_048_576, entries: 1_000 }

/** Nobody takes all of it: a tenant has at most this part of the room. */
const partOfOne = 0.5

const keyOf = (tenant: string, key: string): string => JSON.stringify([tenant, key])

/** Values by tenant and key, with no more in them than there is room for: the oldest go first. */
const remembered = <Value>(room: Room) => {
  interface Entry {
    readonly tenant: string
    readonly value: Value
    readonly bytes: number
  }
  const entries = new Map<string, Entry>()
  const held = new Map<string, { bytes: number; entries: number }>()
  let bytes = 0

  const heldBy = (tenant: string) => {
    const known = held.get(tenant) ?? { bytes: 0, entries: 0 }
    held.set(tenant, known)
    return known
  }
  const count = ({ tenant, bytes: ofEntry }: Entry, sign: 1 | -1): void => {
    const one = heldBy(tenant)
    one.bytes += sign * ofEntry
    one.entries += sign
    bytes += sign * ofEntry
  }
  const drop = (key: string): boolean => {
    const entry = entries.get(key)
    if (entry === undefined) return false
    count(entry, -1)
    return entries.delete(key)
  }

  return {
    get: (tenant: string, key: string): Value | undefined => entries.get(keyOf(tenant, key))?.value,
    has: (tenant: string, key: string): boolean => entries.has(keyOf(tenant, key)),
    delete: (tenant: string, key: string): boolean => drop(keyOf(tenant, key)),
    add: (tenant: string, key: string, value: Value, size: number): void => {
      const whole = keyOf(tenant, key)
      const entry = { tenant, value, bytes: size + whole.length }
      entries.set(whole, entry)
      count(entry, 1)
      const one = heldBy(tenant)
      for (const [oldest, { tenant: owner }] of entries) {
        const hasTooMuch = one.bytes > room.bytes * partOfOne || one.entries > room.entries * partOfOne
        if (!hasTooMuch && bytes <= room.bytes && entries.size <= room.entries) return
        if (!hasTooMuch || owner === tenant) drop(oldest)
      }
    },
    clear: (): void => {
      entries.clear()
      held.clear()
      bytes = 0
    }
  }
}

/**
 * Remembers the lists that were asked for twice since somebody wrote last: who looks at a fleet looks at its first pages
 * again and again, and gets 3.5 × as many (bench/http.ts, page); who walks through it asks for each page once.
 * `version` is another text after every write, whoever made it, and `undefined` where that cannot be known: then nothing
 * is remembered.
 */
export const recentAnswers = (version: () => string | undefined, room = roomForAnswers): RecentAnswers => {
  const answers = remembered<ListAnswer & { readonly body: Uint8Array<ArrayBuffer> }>(room)
  const askedOnce = remembered<true>(roomForKeys)
  let versionOfAnswers: string | undefined

  const keep = (tenant: string, key: string, answer: ListAnswer): void => {
    const body = Buffer.from(answer.body)
    answers.add(tenant, key, { ...answer, body }, body.length + (answer.nextLink?.length ?? 0))
  }

  return async (tenant, key, make) => {
    const before = version()
    if (before === undefined) return make()
    if (before !== versionOfAnswers) {
      answers.clear()
      askedOnce.clear()
      versionOfAnswers = before
    }
    const known = answers.get(tenant, key)
    if (known !== undefined) return known
    const answer = await make()
    // What was written meanwhile may be in the answer or not.
    if (version() !== before || versionOfAnswers !== before || answers.has(tenant, key)) return answer
    if (askedOnce.delete(tenant, key)) keep(tenant, key, answer)
    else if (!askedOnce.has(tenant, key)) askedOnce.add(tenant, key, true, 0)
    return answer
  }
}
