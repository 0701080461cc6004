/** A list as it was answered. */
export interface ListAnswer {
  readonly body: string | Uint8Array<ArrayBuffer>
  readonly headers: Readonly<Record<string, string>>
  /** The link to the next page that the body has. */
  readonly nextLink?: string | undefined
}

/** Gives an answer as it was given before, or makes it. */
export type RecentAnswers = (key: string, make: () => Promise<ListAnswer>) => Promise<ListAnswer>

const mostBytes = 16 * 1_048_576

/** How many lists are known to have been asked for once. */
const mostKeys = 1_000

/**
 * Remembers the lists that were asked for twice since somebody wrote last: who looks at a fleet looks at its first pages
 * again and again, and gets 3.5 × as many (bench/http.ts, page); who walks through it asks for each page once.
 * `version` is another text after every write, whoever made it, and `undefined` where that cannot be known: then nothing
 * is remembered.
 */
export const recentAnswers = (version: () => string | undefined, most = mostBytes): RecentAnswers => {
  const answers = new Map<string, ListAnswer & { readonly body: Uint8Array<ArrayBuffer> }>()
  const askedOnce = new Set<string>()
  let bytes = 0
  let versionOfAnswers: string | undefined

  const keep = (key: string, answer: ListAnswer): void => {
    const body = Buffer.from(answer.body)
    answers.set(key, { ...answer, body })
    bytes += body.length
    for (const [oldest, { body }] of answers) {
      if (bytes <= most) return
      answers.delete(oldest)
      bytes -= body.length
    }
  }

  return async (key, make) => {
    const before = version()
    if (before === undefined) return make()
    if (before !== versionOfAnswers) {
      answers.clear()
      askedOnce.clear()
      bytes = 0
      versionOfAnswers = before
    }
    const known = answers.get(key)
    if (known !== undefined) return known
    const answer = await make()
    // What was written meanwhile may be in the answer or not.
    if (version() !== before || versionOfAnswers !== before || answers.has(key)) return answer
    if (askedOnce.delete(key)) keep(key, answer)
    else if (askedOnce.size < mostKeys) askedOnce.add(key)
    return answer
  }
}
