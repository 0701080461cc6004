import * as z from "zod"
import { targetNames } from "../graph/target.ts"

const wholeFrom = (least: number, most: number) => z.int().min(least).max(most)

const retryAfterSeconds = z
  .int()
  .min(0)
  .max(86_400)
  .exactOptional()
  .describe("Value of the Retry-After header; without it, the answer has none, as happens with Intune")

const at = z
  .enum(["before", "after"])
  .default("before")
  .describe("before: the request has no effect; after: it takes effect, and only its answer is lost")

const distribution = z
  .discriminatedUnion("shape", [
    z.strictObject({ shape: z.literal("fixed"), millis: wholeFrom(0, 600_000) }),
    z
      .strictObject({
        shape: z.literal("uniform"),
        leastMillis: wholeFrom(0, 600_000),
        mostMillis: wholeFrom(0, 600_000)
      })
      .refine(({ leastMillis, mostMillis }) => leastMillis <= mostMillis, {
        path: ["mostMillis"],
        error: "less than leastMillis"
      }),
    z
      .strictObject({
        shape: z.literal("logNormal"),
        medianMillis: wholeFrom(1, 600_000),
        p99Millis: wholeFrom(1, 600_000)
      })
      .refine(({ medianMillis, p99Millis }) => medianMillis <= p99Millis, {
        path: ["p99Millis"],
        error: "less than medianMillis"
      })
  ])
  .describe("How long the answer takes longer; the long tail of logNormal is cut at ten minutes")

const effect = z.discriminatedUnion("kind", [
  z
    .strictObject({ kind: z.literal("throttle"), retryAfterSeconds, asDate: z.boolean().default(false) })
    .describe("429"),
  z.strictObject({ kind: z.literal("throttleAs500") }).describe("The 500 of Intune's query broker that means 429"),
  z.strictObject({ kind: z.literal("unavailable"), at, retryAfterSeconds }).describe("503"),
  z.strictObject({ kind: z.literal("timeout"), at }).describe("504"),
  z.strictObject({ kind: z.literal("reset"), at }).describe("The connection is reset"),
  z
    .strictObject({ kind: z.literal("truncate"), keptPercent: z.number().min(0).max(99).default(50) })
    .describe("The connection ends in the middle of the answer's body"),
  z.strictObject({ kind: z.literal("hang"), at }).describe("No answer, until the caller gives up"),
  z
    .strictObject({ kind: z.literal("delay"), latency: distribution })
    .describe("A late answer; other rules still apply"),
  z.strictObject({ kind: z.literal("expireNextLink") }).describe("410 for a link to a next page"),
  z.strictObject({ kind: z.literal("repeatRow") }).describe("A row of a page comes twice"),
  z.strictObject({ kind: z.literal("dropRow") }).describe("A row of a page is missing"),
  z
    .strictObject({
      kind: z.literal("unknownMember"),
      property: z.enum(["upgradeEligibility", "healthStatus"]).default("upgradeEligibility"),
      member: z.string().min(1).max(100).default("notYetInvented")
    })
    .describe("A device, or one row of a page, has an enum member that no client knows"),
  z.strictObject({ kind: z.literal("shuffleBatch") }).describe("The answers of a batch in another order"),
  z
    .strictObject({ kind: z.literal("dropBatchAnswers"), count: wholeFrom(1, 20).default(1) })
    .describe("Answers of a batch are missing, though its items were carried out")
])

/** What a rule does to a request or its answer. */
export type Effect = z.infer<typeof effect>

const condition = z.strictObject({
  method: z.union([z.string(), z.array(z.string()).min(1)]).exactOptional(),
  route: z.union([z.enum(targetNames), z.array(z.enum(targetNames)).min(1)]).exactOptional(),
  metricId: z.string().exactOptional(),
  deviceId: z.string().exactOptional(),
  batchItem: z
    .union([z.string(), z.boolean()])
    .exactOptional()
    .describe("The id of an item, in any case; or whether the request is an item of a batch"),
  nth: z
    .union([wholeFrom(1, 1e9), z.array(wholeFrom(1, 1e9)).min(1)])
    .exactOptional()
    .describe("Which of the requests that the other conditions fit, counted from 1"),
  from: wholeFrom(1, 1e9).exactOptional().describe("The first of those requests"),
  to: wholeFrom(1, 1e9).exactOptional().describe("The last of those requests"),
  every: wholeFrom(1, 1e9).exactOptional().describe("Each so-many-th of those requests"),
  percent: z.number().min(0).max(100).exactOptional().describe("The share of those requests, drawn by the seed")
})

/** Which requests a rule is about; what is not given fits every request. */
export type Condition = z.infer<typeof condition>

const rule = z.strictObject({ when: condition.default({}), effect })

/**
 * Schema of a fault script. Each rule counts for itself the requests that its `when` and the nature of its effect fit.
 * Of the rules that choose a request, all delays and the first other one apply.
 */
export const FaultScript = z.strictObject({
  $schema: z.string().exactOptional(),
  seed: z.int().default(1).describe("The same seed and the same requests give the same faults"),
  retryAfter: z.boolean().default(true).describe("Whether the answers of WFA_BUDGET say how long to wait"),
  rules: z.array(rule).max(1_000).default([])
})

/** A checked fault script, with everything filled in. */
export type FaultScript = z.infer<typeof FaultScript>

/** A fault script as it may be written. */
export type FaultScriptInput = z.input<typeof FaultScript>

/** JSON Schema of a fault script, for editors and other tools. */
export const faultScriptSchema = (): object => z.toJSONSchema(FaultScript, { io: "input" })

/** The script that a value is, or every problem with it, each as a place and what is wrong there. */
export const parseFaultScript = (
  value: unknown
):
  | { readonly success: true; readonly data: FaultScript }
  | {
      readonly success: false
      readonly problems: ReadonlyArray<{ readonly path: string; readonly message: string }>
    } => {
  const parsed = FaultScript.safeParse(value)
  if (parsed.success) return parsed
  return {
    success: false,
    problems: parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message }))
  }
}
