import { type DeviceUpdate, type WholeDevice, applyUpdate } from "@workanywhere/domain"
import type { Kysely } from "kysely"
import { deviceIn } from "./device-json.ts"
import type { statementsFor } from "./device-statements.ts"
import type { Collection, Expectation, JsonRow } from "./device-store.ts"
import type { Tables } from "./migrations.ts"

/** An update of one device, as data: what a thread can be given. */
export interface UpdateFacts {
  readonly collection: Collection
  readonly id: string
  readonly update: DeviceUpdate
}

/** Gives a device before it is written, kept from others until the transaction ends. */
export const beforeWrite =
  (statements: Pick<ReturnType<typeof statementsFor>, "findToUpdate">) =>
  async (transaction: Kysely<Tables>, collection: Collection, id: string): Promise<WholeDevice | undefined> => {
    const { rows } = await statements.findToUpdate(transaction, collection, id)
    return rows[0] && deviceIn(rows[0].json)
  }

/** Updates a device inside of a transaction: what became of it, nothing where there is none, or left alone. */
export const deviceUpdate =
  (statements: ReturnType<typeof statementsFor>) =>
  async (
    transaction: Kysely<Tables>,
    { collection, id, update }: UpdateFacts,
    expected?: Expectation
  ): Promise<JsonRow | undefined | "changed"> => {
    const before = await beforeWrite(statements)(transaction, collection, id)
    if (before === undefined) return undefined
    if (expected !== undefined && !expected(before)) return "changed"
    return statements.update(transaction, collection, before, applyUpdate(before, update))
  }
