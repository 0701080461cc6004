import { type Context, type MiddlewareHandler, Hono } from "hono"
import * as z from "zod"
import { ApiError } from "../http/api-error.ts"
import { jsonBody } from "../http/body.ts"
import type { Env } from "../http/env.ts"
import { answer, reply } from "../http/reply.ts"
import { junitOf, callerVerdictOf } from "./caller-verdict.ts"
import { shownCall } from "./calls.ts"
import { type FaultScript, faultScriptSchema, parseFaultScript } from "./fault-script.ts"
import type { Rehearsal } from "./rehearsal.ts"

/** A synthetic fleet, by its size and seed. */
export const Fleet = z.strictObject({
  size: z.int().min(0).max(1_000_000),
  seed: z.int().min(0).default(1)
})
export type Fleet = z.infer<typeof Fleet>

/** JSON Schema of a synthetic fleet. */
export const fleetSchema = (): object => z.toJSONSchema(Fleet, { io: "input" })

const refusal = (problems: ReadonlyArray<{ readonly path: string; readonly message: string }>): ApiError =>
  new ApiError(
    "ModelValidationFailure",
    `The body does not fit: ${problems
      .map(({ path, message }) => `${path || "body"}: ${message}`)
      .join("; ")
      .slice(0, 1_000)}`,
    { details: problems.slice(0, 50).map(({ path, message }) => ({ code: "invalid", message, target: path })) }
  )

const scriptIn = (body: unknown): FaultScript => {
  const script = parseFaultScript(body)
  if (!script.success) throw refusal(script.problems)
  return script.data
}

const fleetIn = (body: unknown): Fleet => {
  const fleet = Fleet.safeParse(body)
  if (fleet.success) return fleet.data
  throw refusal(fleet.error.issues.map(({ path, message }) => ({ path: path.join("."), message })))
}

const bodyOf = <A>(c: Context<Env>, read: (body: unknown) => A): Promise<A> =>
  jsonBody(c, (body) => ({ success: true, data: read(body) }))

/** A browser says where a page comes from; pages of others may not look into this service or change it. */
const ownPagesOnly: MiddlewareHandler<Env> = async (c, next) => {
  const site = c.req.header("sec-fetch-site") ?? "none"
  const origin = c.req.header("origin")
  if (
    (site !== "none" && site !== "same-origin") ||
    (origin !== undefined && origin !== new URL(c.get("root")).origin)
  ) {
    throw new ApiError("Forbidden", "Pages of other sites may not use this.")
  }
  await next()
}

const wantsJunit = (c: Context<Env>): boolean =>
  c.req.query("format") === "junit" || /\b(?:application|text)\/(?:junit\+)?xml\b/i.test(c.req.header("accept") ?? "")

/** Routes that look into the service and change how it behaves; for callers on the same machine only. */
export const controlRoutes = (
  rehearsal: Rehearsal,
  seed: (fleet: Fleet) => Promise<void>,
  restore?: () => Promise<void>
): Hono<Env> =>
  new Hono<Env>()
    .use(ownPagesOnly)
    .post("/reset", async (c) => {
      await restore?.()
      rehearsal.reset()
      return answer(c, 204, null, {})
    })
    .post("/seed", async (c) => {
      const wanted = await bodyOf(c, fleetIn)
      await seed(wanted)
      return reply(c, 200, { fleet: wanted })
    })
    .get("/faults", (c) => reply(c, 200, rehearsal.script()))
    .get("/faults/schema", (c) => reply(c, 200, faultScriptSchema()))
    .put("/faults", async (c) => {
      rehearsal.play(await bodyOf(c, scriptIn))
      return reply(c, 200, rehearsal.script())
    })
    .get("/calls", (c) => {
      const { calls } = rehearsal
      return reply(c, 200, { forgotten: calls.forgotten(), calls: calls.kept().map(shownCall) })
    })
    .get("/verdict", (c) => {
      const { calls } = rehearsal
      const verdict = callerVerdictOf(calls.kept(), calls.forgotten())
      if (!wantsJunit(c)) return reply(c, 200, verdict)
      return answer(c, 200, junitOf(verdict), { "content-type": "application/xml; charset=utf-8" })
    })
