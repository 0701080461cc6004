/** Who waits in a line: for whom, and how much there is to send. */
interface Queued {
  readonly flow: string
  readonly cost: number
}

/** Those of a flow who wait, in the order of arrival. */
interface Queue<W> {
  readonly waiting: Set<W>
  /** What they cost together. */
  cost: number
  /** When the first of them starts, in the time of the line. */
  startsAt: number
}

/**
 * Who waits, and who is next: self-clocked fair queueing (Golestani, 1994). Each flow has a clock that runs by the cost of
 * what it sends, and the one whose next request ends first goes first; a flow that comes anew begins at the time of what
 * went last. So before its turn a flow meets at most as much of any other as it sends itself. Effect's rate limiter and
 * semaphores know one line only.
 */
export const makeLine = <W extends Queued>() => {
  const queues = new Map<string, Queue<W>>()
  let time = 0
  let first: W | undefined

  const headOf = ({ waiting }: Queue<W>): W | undefined => waiting.values().next().value

  /** Of equals the flow that came last: the others had a turn since. */
  const findFirst = (): void => {
    let earliest = Infinity
    first = undefined
    for (const queue of queues.values()) {
      const head = headOf(queue)
      if (head === undefined || queue.startsAt + head.cost > earliest) continue
      earliest = queue.startsAt + head.cost
      first = head
    }
  }

  const costBefore = (end: number, { cost, startsAt, waiting }: Queue<W>): number => {
    if (startsAt + cost <= end) return cost
    let before = 0
    for (const one of waiting) {
      if (startsAt + before + one.cost > end) break
      before += one.cost
    }
    return before
  }

  return {
    isEmpty: () => queues.size === 0,
    forEach: (see: (waiting: W) => void): void => {
      for (const { waiting } of queues.values()) for (const one of waiting) see(one)
    },
    head: () => first,
    costOf: (flow: string): number => queues.get(flow)?.cost ?? 0,
    /** How much goes before a request that comes now, if nobody comes after it. */
    costAhead: (flow: string, cost: number): number => {
      const own = queues.get(flow)
      const ahead = own?.cost ?? 0
      const end = (own?.startsAt ?? time) + ahead + cost
      let others = 0
      for (const queue of queues.values()) if (queue !== own) others += costBefore(end, queue)
      return ahead + others
    },
    add: (waiting: W): void => {
      const queue = queues.get(waiting.flow) ?? { waiting: new Set(), cost: 0, startsAt: time }
      queues.set(waiting.flow, queue)
      queue.waiting.add(waiting)
      queue.cost += waiting.cost
      if (queue.waiting.size === 1) findFirst()
    },
    /** So much of a request went through. */
    went: ({ flow }: W, granted: number): void => {
      const queue = queues.get(flow)
      if (queue === undefined) return
      queue.startsAt += granted
      time = Math.max(time, queue.startsAt)
    },
    remove: (waiting: W): void => {
      const queue = queues.get(waiting.flow)
      if (queue?.waiting.delete(waiting) !== true) return
      queue.cost -= waiting.cost
      if (queue.waiting.size === 0) queues.delete(waiting.flow)
      findFirst()
    }
  }
}
