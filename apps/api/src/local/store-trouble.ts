import type { GraphErrorCode } from "@workanywhere/domain"
import { ApiError } from "../http/api-error.ts"
import { type DatabaseTrouble, databaseTrouble } from "../store/database-trouble.ts"

const words: Record<DatabaseTrouble, readonly [GraphErrorCode, string]> = {
  full: ["quotaLimitReached", "The store is full. Nothing was written."],
  readOnly: ["serviceNotAvailable", "The store cannot be written to at present. Nothing was written."],
  busy: ["serviceNotAvailable", "The store is busy with other work. Nothing was written."],
  unreachable: ["serviceNotAvailable", "The store does not answer. Whether something was written is not known."],
  tooLong: [
    "gatewayTimeout",
    "The query took longer than the store may work on one, and was stopped. Compare 'upgradeEligibility', 'healthStatus' " +
      "or 'deviceName' with 'eq', which have indexes, or leave out '$orderby', '$skip' and '$count'."
  ],
  abandoned: ["gatewayTimeout", "The caller went away before it was answered."]
}

/** What a caller is told of an error of the store's, with that error as the cause where it is for the log. */
export const troubleOf = (error: Error): ApiError | undefined => {
  const trouble = databaseTrouble(error)
  return trouble && new ApiError(...words[trouble], trouble === "abandoned" ? {} : { cause: error })
}
