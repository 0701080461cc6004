/** What one lane has learned of the rate that the service takes; times in milliseconds, rates in items per millisecond. */
export interface Rate {
  /** What may be sent at a time; `Infinity` until the service refuses for the first time. */
  readonly at: (now: number) => number
  /** What is thought to be right, also while the rate comes back to it. */
  readonly aimAt: (now: number) => number
  /** What it is of the rate that the budget allows, or of what it was before the last refusal; 1 at most. */
  readonly shareOf: (now: number, told: Told | undefined) => number
  /** How much may be sent at once after a pause. */
  readonly burst: () => number
  /** Something is sent; `isAlone` when nothing else is under way. */
  readonly sent: (now: number, isAlone: boolean) => void
  /** So much of what was sent at a time was taken. */
  readonly taken: (count: number, sentAt: number, now: number) => void
  /** So much of it was too much. */
  readonly refused: (count: number, sentAt: number, now: number) => void
  /** The gate closes until a time, by an answer to what was sent at a time. */
  readonly closed: (now: number, until: number, sentAt: number, told: Told | undefined) => void
}

/** What a budget says: how much in a millisecond, and for how long it counts. */
export interface Told {
  readonly rate: number
  readonly windowMillis: number
}

/** Where nothing can be estimated, a refusal takes the rate down so far, and an unknown rate to this. */
const blindCut = 0.7
const unknownRate = 0.01

/** After a refusal a budget is tried with this share of what is thought to be right at first, for one of its windows. */
const reopeningShare = 0.25

/** A rate begins so far below what was estimated, and comes back to no more than this of the one that was refused. */
const care = 0.95
/** However often it is refused, so much of the budget is tried. */
const leastShare = 0.05

/** A rate that was good for a while and is then refused is taken for nearly right, unless less than this was taken. */
const nearShare = 0.6
/** And one that was refused at once, when nothing tells how wrong it was, for so much too high. */
const shortCut = 0.8

/** So many answers tell as much as the bounds do. */
const enough = 8

/** How long it takes the rate to come back to where it is thought to be right, without a budget. */
const shortReturn = 2_000

/** What it has grown by above that when its patience is over once; it has doubled soon after twice the time. */
const growthInPatience = 0.1
const blindPatience = 500
const shortestPatience = 1_000
const firstPatience = 4_000
const longestPatience = 32_000

/** A lane that sent nothing for so long begins to count anew. */
const pauseMillis = 1_000

/** Where a fifth is taken of what comes after the first refusal, the service has a rate; else it waits for a window's end. */
const leastTaken = 0.2

/** A window ends so much before `Retry-After` says, in the mean: that is rounded up to a second. */
const roundedMillis = 500

/** So many of the last answers are remembered, to count those that came to the service after the first refusal. */
const remembered = 256

/** An answer, and when the request is thought to have come to the service: half way between sending and answer. */
interface Arrival {
  readonly at: number
  readonly taken: number
  readonly refused: number
}

/** What was sent in a stretch of time, between two closings. */
interface Stretch {
  readonly from: number
  taken: number
  /** The last of them, and all that came after the end of the stretch. */
  arrivals: Array<Arrival>
}

/** What is known of the stretch before the gate was closed. */
interface Evidence extends Stretch {
  readonly closedAt: number
  until: number
  /** The rate at the end of it; and how it began. */
  readonly rate: number
  readonly before: Estimate
  readonly told: Told | undefined
}

/** What is made of it. */
interface Estimate {
  /** The rate to begin with, and the one that is thought to be right. */
  readonly base: number
  readonly peak: number
  /** How long it takes to come back to that, and how long it stays near it. */
  readonly returnMillis: number
  readonly patience: number
  /** What the service lets through at once when it was not asked for some time. */
  readonly burst: number
}

const nothing: Estimate = { base: Infinity, peak: Infinity, returnMillis: 0, patience: 0, burst: 0 }

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

/**
 * The rate at which the service still took something after it had begun to refuse: none, when it waits for a window's end, and
 * `undefined` when too little came to tell. The last tenth is left out, because stragglers would stretch the time.
 */
const limitIn = (arrivals: ReadonlyArray<Arrival>): number | "none" | undefined => {
  const first = arrivals.reduce((least, { at, refused }) => (refused > 0 ? Math.min(least, at) : least), Infinity)
  const after = arrivals.filter(({ at }) => at > first).toSorted((one, other) => one.at - other.at)
  const together = after.slice(0, Math.ceil(after.length * 0.9))
  const taken = together.reduce((sum, one) => sum + one.taken, 0)
  const all = together.reduce((sum, one) => sum + one.refused, taken)
  const millis = (together.at(-1)?.at ?? first) - first
  if (all < enough || millis <= 0) return undefined
  return taken >= leastTaken * all ? taken / millis : "none"
}

/**
 * What was taken, by the whole time and by the time in which the gate was open, are two bounds of the service's limit: the
 * first counts time in which nothing was asked of it, the second what it had saved up. What it still took after it had
 * begun to refuse is the limit itself.
 */
const estimateOf = ({ arrivals, before, closedAt, from, rate, taken, told, until }: Evidence): Estimate => {
  const isUnknown = rate === Infinity
  const least = told === undefined ? 0 : told.rate * leastShare
  const returnMillis = Math.max(shortReturn, told?.windowMillis ?? 0)
  const scale = Math.max(1, (told?.windowMillis ?? 0) / 2_000)
  const openMillis = closedAt - from
  const isShort = openMillis < returnMillis
  const estimated = (
    limit: number,
    peak: number,
    patience: number,
    burst = isShort ? before.burst / 2 : before.burst
  ) => ({
    base: Math.max(least, told === undefined ? limit * care : limit * reopeningShare),
    peak: Math.max(least, peak),
    returnMillis,
    patience,
    burst
  })

  if (taken < enough || !(openMillis > 0)) {
    const limit = isUnknown ? unknownRate : rate * blindCut
    return estimated(limit, limit, isUnknown ? blindPatience : shortestPatience * scale)
  }
  const low = taken / (until - from)
  const high = taken / openMillis
  const last = limitIn(arrivals)
  const isWindow = last === "none"
  const found = isWindow ? undefined : last
  const between = isWindow ? Math.min(high, taken / Math.max(1, until - from - roundedMillis)) : Math.sqrt(low * high)
  const limit = Math.min(found === undefined ? between : clamp(found, low, high), rate * care)
  const isNear = !isUnknown && !isShort && (found === undefined || found > nearShare * rate)
  const peak = isNear ? rate * care : found === undefined && !isUnknown ? Math.max(limit, rate * shortCut) : limit
  const isSame = before.peak !== Infinity && Math.abs(peak - before.peak) < 0.15 * before.peak
  const patience = isSame
    ? clamp(before.patience * 2, firstPatience, longestPatience)
    : scale * (found !== undefined || isWindow ? firstPatience : isNear ? 2 * firstPatience : shortestPatience)
  return isUnknown && found !== undefined
    ? estimated(limit, peak, patience, Math.max(0, taken - limit * openMillis) / 2)
    : estimated(limit, peak, patience)
}

/** Makes a rate of which nothing is known. */
export const makeRate = (): Rate => {
  let estimate = nothing
  let evidence: Evidence | undefined
  let openedAt = -Infinity
  let lastSentAt = -Infinity
  let stretch: Stretch = { from: -Infinity, taken: 0, arrivals: [] }

  const aimAt = (now: number): number => {
    const { patience, peak, returnMillis } = estimate
    if (peak === Infinity) return Infinity
    return peak * (1 + growthInPatience * (Math.max(0, now - openedAt - returnMillis) / patience) ** 3)
  }

  const at = (now: number): number => {
    const { base, peak, returnMillis } = estimate
    const open = Math.max(0, now - openedAt)
    return open < returnMillis ? peak - (peak - base) * (1 - open / returnMillis) ** 3 : aimAt(now)
  }

  /** Whether it was sent since the gate was last opened. */
  const isRecent = (sentAt: number): boolean => sentAt >= stretch.from

  const answered = (taken: number, refused: number, sentAt: number, now: number): void => {
    const arrival = { at: (sentAt + now) / 2, taken, refused }
    if (isRecent(sentAt)) {
      stretch.taken += taken
      stretch.arrivals.push(arrival)
      if (stretch.arrivals.length >= 2 * remembered) stretch.arrivals = stretch.arrivals.slice(-remembered)
    } else if (evidence !== undefined && sentAt >= evidence.from) {
      evidence.taken += taken
      evidence.arrivals.push(arrival)
      estimate = estimateOf(evidence)
    }
  }

  return {
    at,
    aimAt,
    shareOf: (now, told) => {
      const whole = told?.rate ?? evidence?.rate ?? Infinity
      return whole === Infinity ? 1 : Math.min(1, aimAt(now) / whole)
    },
    burst: () => estimate.burst,
    sent: (now, isAlone) => {
      if (isAlone && now - lastSentAt > pauseMillis) stretch = { from: now, taken: 0, arrivals: [] }
      lastSentAt = now
    },
    taken: (count, sentAt, now) => answered(count, 0, sentAt, now),
    refused: (count, sentAt, now) => answered(0, count, sentAt, now),
    closed: (now, until, sentAt, told) => {
      // Answers to what was sent before the last cut tell nothing about the rate since.
      if (evidence !== undefined && !isRecent(sentAt)) {
        if (until <= openedAt) return
        if (now < evidence.until) evidence.until = until
      } else {
        const rate = Math.min(told?.rate ?? Infinity, at(now))
        evidence = { ...stretch, closedAt: now, until, rate, before: estimate, told }
      }
      estimate = estimateOf(evidence)
      openedAt = until
      stretch = { from: until, taken: 0, arrivals: [] }
    }
  }
}
