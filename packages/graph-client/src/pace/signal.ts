import type { GraphError } from "../facts/graph-error.ts"

/**
 * What the end of a request means for the pace, and the only place that says so. A refusal because it was too much is the
 * service asking everyone to wait. Being unavailable is trouble of that one request, as long as others are served. Whatever
 * else was answered was taken, a 404 as well as a 200. A connection that was lost tells nothing of a limit.
 */
export type Signal = "taken" | "refused" | "unavailable"

/** `undefined` is success. */
export const signalOf = (error: GraphError | undefined): Signal => {
  switch (error?.reason._tag) {
    case "Throttled":
      return "refused"
    case "Unavailable":
      return "unavailable"
    default:
      return "taken"
  }
}

/** An answer in so many counts for the share of trouble; before there were as many, all must have been. */
const remembered = 16
const troublesomeShare = 0.25

/**
 * Whether a service is in trouble as a whole: when a quarter of what it answers is that it is not available, in the mean of
 * the last sixteen or so. Where one in a hundred fails by chance, five of a handful in a row do so once in ten thousand
 * million; circuit breakers open at shares from a tenth (Polly) to a half (Hystrix, resilience4j).
 */
export const makeTrouble = () => {
  let answers = 0
  let share = 0
  return {
    saw: (signal: Signal): void => {
      answers += 1
      const weight = 1 / Math.min(remembered, answers)
      share += ((signal === "unavailable" ? 1 : 0) - share) * weight
    },
    isGeneral: (): boolean => share >= (answers < remembered ? 1 : troublesomeShare)
  }
}
