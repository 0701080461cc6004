import type { DeviceUpdate } from "@workanywhere/domain"
import type { Context } from "hono"
import { ApiError } from "../http/api-error.ts"
import type { Env } from "../http/env.ts"
import { intuneMessage } from "../http/intune-message.ts"

/** The refusal of an update whose properties the policy does not let anyone write, in Intune's words. */
export const readOnly = (c: Context<Env>, update: DeviceUpdate): ApiError => {
  const names = Object.keys(update)
    .filter((name) => !name.startsWith("@"))
    .join(", ")
  return new ApiError("InternalError", intuneMessage(c, `Property is read-only and cannot be updated: ${names}`))
}
