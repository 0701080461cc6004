import type { Context } from "hono"
import type { Env } from "./env.ts"

const zeros = "00000000-0000-0000-0000-000000000000"

/** A message as Intune nests it: a JSON text inside the JSON (docs/fidelity.md, F44). */
export const intuneMessage = (c: Context<Env>, sentence: string): string => {
  const support =
    `Operation ID (for customer support): ${zeros} - Activity ID: ${c.get("clientRequestId")} - ` +
    "Url: https://fef.msub01.manage.microsoft.invalid/UXAnalyticsService/deviceManagement?api-version=5026-10-01"
  const facts = {
    _version: 3,
    Message: `${sentence} - ${support}`,
    CustomApiErrorPhrase: "",
    RetryAfter: null,
    ErrorSourceService: "",
    HttpHeaders: "{}"
  }
  return JSON.stringify(facts, null, 2).replaceAll("\n", "\r\n")
}
