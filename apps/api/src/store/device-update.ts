import { type DeviceUpdate, type WholeDevice, applyUpdate } from "@workanywhere/domain"
import type { Kysely } from "kysely"
import { deviceIn } from "../graph/device-json.ts"
import type { statementsFor } from "./device-statements.ts"
import type { Collection, Expectation, JsonRow } from "./device-store.ts"
import type { Tables } from "./migrations.ts"

/** An update of one device, as data: what a thread can be given. */
export interface UpdateFacts {
  readonly collection: Collection
  readonly id: string
  readonly update: DeviceUpdate
}

type Statements = ReturnType<typeof statementsFor>

/** Gives a device before it is written, kept from others until the transaction ends. */
export const beforeWrite =
  (statements: Pick<Statements, "findToUpdate">) =>
  async (transaction: Kysely<Tables>, collection: Collection, id: string): Promise<WholeDevice | undefined> => {
    const { rows } = await statements.findToUpdate(transaction, collection, id)
    return rows[0] && deviceIn(rows[0].json)
  }

/** Updates a device inside of a transaction: what is written; nothing where there is none; or that it was left alone. */
export const deviceUpdate = (statements: Statements) => {
  const findToUpdate = beforeWrite(statements)
  return async (
    transaction: Kysely<Tables>,
    { collection, id, update }: UpdateFacts,
    expected?: Expectation
  ): Promise<JsonRow | undefined | "changed"> => {
    const before = await findToUpdate(transaction, collection, id)
    if (before === undefined) return undefined
    if (expected !== undefined && !expected(before)) return "changed"
    return statements.update(transaction, collection, before, applyUpdate(before, update))
  }
}
