import * as z from "zod"

/** Which behaviour of Graph is shown: that of Microsoft's pages, or what public probes of the service saw. */
export const profiles = ["documented", "observed"] as const

export type Profile = (typeof profiles)[number]

/**
 * What becomes of an update of properties that the pages call read-only and update all the same: it is made; it answers
 * 200 and changes nothing, as OData 4.01 wants it; it is refused, as Intune does elsewhere (docs/fidelity.md, F132, F45
 * and F46).
 */
export const readOnlyPolicies = ["accept", "ignore", "reject"] as const

export type ReadOnlyPolicy = (typeof readOnlyPolicies)[number]

/** `off`, or Intune's published limits, in windows that pass so many times as fast. */
export type RequestBudgetSetting = "off" | { readonly timesAsFast: number }

/** The limits on requests in a setting: `off`, or a multiple of how fast Intune's published ones let requests through. */
export const requestBudgetSetting = z.union([
  z.literal("off"),
  z
    .string()
    .regex(/^intune(?:\*\d{1,4}(?:\.\d{1,3})?)?$/)
    .transform((text) => ({ timesAsFast: Number(text.split("*")[1] ?? 1) }))
    .refine(({ timesAsFast }) => timesAsFast > 0)
])
