import * as z from "zod"

/**
 * One page of a collection; `@odata.nextLink` is opaque and is followed as it came ("Paging Microsoft Graph data in
 * your app").
 */
export interface Page<A> {
  readonly value: ReadonlyArray<A>
  readonly "@odata.context"?: string
  readonly "@odata.count"?: number
  readonly "@odata.nextLink"?: string
}

/** Schema of a page whose rows have the given schema. */
export const pageOf = <A>(row: z.ZodType<A>): z.ZodType<Page<A>> =>
  z.looseObject({
    value: z.array(row),
    "@odata.context": z.exactOptional(z.string()),
    "@odata.count": z.exactOptional(z.number()),
    "@odata.nextLink": z.exactOptional(z.string())
  })
