import type { GraphErrorCode } from "@workanywhere/domain"
import { ApiError } from "../http/api-error.ts"
import { type DatabaseTrouble, QueryStopped, databaseTrouble } from "../store/database-trouble.ts"

const words: Record<DatabaseTrouble, readonly [GraphErrorCode, string]> = {
  full: ["quotaLimitReached", "The store is full. Nothing was written."],
  readOnly: ["serviceNotAvailable", "The store cannot be written to at present. Nothing was written."],
  busy: ["serviceNotAvailable", "The store is busy with other work. Nothing was written."],
  unreachable: ["serviceNotAvailable", "The store does not answer. Whether something was written is not known."],
  damaged: [
    "serviceNotAvailable",
    "The store is damaged, and has to be restored. Whether something was written is not known."
  ],
  tooLong: [
    "gatewayTimeout",
    "The query took longer than the store may work on one, and was stopped. Compare 'upgradeEligibility', 'healthStatus' " +
      "or 'deviceName' with 'eq', which have indexes, or leave out '$orderby', '$skip' and '$count'."
  ],
  abandoned: ["gatewayTimeout", "The caller went away before it was answered."]
}

/** Busy is what soon passes: another's write, or the queries of others. */
const headersOf = (trouble: DatabaseTrouble) => (trouble === "busy" ? { headers: { "retry-after": "1" } } : {})

/** What a caller is told of an error of the store's, with that error as the cause where it is for the log. */
export const troubleOf = (error: Error): ApiError | undefined => {
  const trouble = databaseTrouble(error)
  if (trouble === undefined) return undefined
  const [code, message] = words[trouble]
  return new ApiError(code, (error instanceof QueryStopped ? error.limit : undefined) ?? message, {
    ...headersOf(trouble),
    ...(trouble === "abandoned" ? {} : { cause: error })
  })
}
