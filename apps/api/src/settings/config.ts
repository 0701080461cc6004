import { readFileSync } from "node:fs"
import { isIP } from "node:net"
import { nearMiss } from "@workanywhere/domain"
import * as z from "zod"
import { profiles, readOnlyPolicies, requestBudgetSetting } from "./behaviour.ts"
import { authorities, isGraphAudience, personalTenant } from "./clouds.ts"
import { isLoopback, isLoopbackUrl } from "./loopback.ts"
import type { Named, Settings } from "./settings.ts"
import { readTraceSettings } from "./traces.ts"
import { isAuthorityFor, upstreamSchemas } from "./upstream.ts"
import { settingNames, variableNames, variables } from "./variables.ts"

const wholeNumber = (largest: number) => z.string().regex(/^\d+$/).transform(Number).pipe(z.int().max(largest))

const listOf = <Item>(item: z.ZodType<Item, string>) =>
  z
    .string()
    .transform((text) => text.split(",").map((part) => part.trim()))
    .pipe(z.array(item))

const audience = z
  .string()
  .regex(/^[^\s"]+$/)
  .refine((text) => !isGraphAudience(text))

const tenant = z
  .guid()
  .toLowerCase()
  .refine((id) => id !== personalTenant)

/** What stands in a file: an id on each line, and what follows a `#` is for people. */
const linesOf = (path: string): ReadonlyArray<string> =>
  readFileSync(path, "utf8")
    .split(/\r\n?|\n/)
    .map((line) => line.replace(/#.*/, "").trim())

/** Ids in a text, or in the file that it names behind an `@`. */
const tenants = z.string().transform((text, context): ReadonlyArray<string> => {
  const path = text.startsWith("@") ? text.slice(1) : undefined
  const fail = (message: string) => {
    context.issues.push({ code: "custom", input: text, message, params: { isSaid: true } })
    return z.NEVER
  }
  let parts: ReadonlyArray<string>
  try {
    parts = path === undefined ? text.split(",") : linesOf(path)
  } catch (error) {
    return fail(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  const ids: Array<string> = []
  for (const [at, part] of parts.entries()) {
    if (path !== undefined && part === "") continue
    const id = tenant.safeParse(part.trim())
    if (!id.success) return fail(path === undefined ? "" : `line ${at + 1} of ${path} is none`)
    ids.push(id.data)
  }
  return ids.length === 0 ? fail(`${path} has none`) : ids
})

const jwksUrl = z.string().refine((text) => {
  const url = URL.parse(text)
  if (url === null || url.username !== "" || url.password !== "") return false
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackUrl(text))
})

const certificateAndKey = z
  .string()
  .regex(/^[^,]+,[^,]+$/)
  .transform((text) => {
    const [certificate = "", key = ""] = text.split(",").map((path) => path.trim())
    return { certificate, key }
  })

const publicUrl = z
  .string()
  .refine((text) => {
    const url = URL.parse(text)
    return (
      url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && !/[?#]/.test(text)
    )
  })
  .transform((text) => new URL(text).href.replace(/\/+$/, ""))

const isNetwork = (text: string): boolean => {
  const [address = "", prefix, ...rest] = text.split("/")
  const bits = { 4: 32, 6: 128, 0: -1 }[isIP(address)] ?? -1
  return rest.length === 0 && (prefix === undefined ? bits > 0 : /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
}

/** An address or a network; the name for those of this machine stands for both families. */
const proxy = z
  .string()
  .refine((text) => text === "loopback" || isNetwork(text))
  .transform((text): ReadonlyArray<string> => (text === "loopback" ? ["127.0.0.0/8", "::1"] : [text]))

const origin = z
  .string()
  .refine((text) => /^https?:/i.test(text) && URL.parse(text)?.origin === text.toLowerCase())
  .toLowerCase()

/** Whoever says whose tokens to take expects them to be asked for. */
const notSet = z.literal("")

const schemaWith = (
  texts: Readonly<Record<string, string | undefined>>
): z.ZodType<Named, { readonly [Name in keyof Named]: string | undefined }> => {
  const { auth, expose, upstream, upstreamAuth } = texts
  return z.object({
    host: auth === "entra" || expose === "synthetic" ? z.string().min(1) : z.string().refine(isLoopback),
    port: wholeNumber(65_535),
    maxConnections: wholeNumber(100_000).pipe(z.int().min(1)),
    store: z.union([
      z.literal("memory"),
      z.templateLiteral(["sqlite:", z.string().min(1)]),
      z.templateLiteral(["postgres://", z.string().min(1)]).refine((url) => URL.canParse(url))
    ]),
    tls: z.union([z.enum(["off", "auto"]), certificateAndKey]),
    publicUrl: z.union([notSet.transform(() => undefined), publicUrl]),
    trustedProxies: z.union([z.literal("none").transform(() => []), listOf(proxy).transform((those) => those.flat())]),
    cors: z.union([z.literal("off").transform(() => []), listOf(origin)]),
    expose: z.enum(["off", "synthetic"]).refine((value) => value === "off" || auth === "none"),
    auth: z.enum(["none", "entra"]),
    audience: auth === "entra" ? listOf(audience) : notSet.transform(() => []),
    tenants: auth === "entra" ? tenants : notSet.transform(() => []),
    authority: z
      .enum(authorities)
      .refine((authority) => upstreamAuth === "none" || isAuthorityFor(authority, upstream)),
    jwksUrl: z.union([notSet.transform(() => undefined), auth === "entra" ? jwksUrl : z.never()]),
    profile: z.enum(profiles),
    readOnly: z.enum(readOnlyPolicies),
    budget: requestBudgetSetting,
    faults: z.string().min(1),
    etag: z.enum(["off", "on"]),
    fleet: wholeNumber(1_000_000),
    fleetSeed: wholeNumber(Number.MAX_SAFE_INTEGER),
    exposition: z.enum(["loopback", "off", "on"]),
    log: z.enum(["info", "error", "off"]),
    ...upstreamSchemas(texts)
  })
}

/** What is about devices that the service keeps itself. */
const ofTheStore: ReadonlyArray<keyof Named> = [
  "expose",
  "store",
  "profile",
  "readOnly",
  "budget",
  "faults",
  "etag",
  "fleet",
  "fleetSeed"
]

/** Settings that a gateway has no use for: whoever sets one relies on what it does. */
const idleProblems = (env: Readonly<Record<string, string | undefined>>, upstream: string | undefined) =>
  upstream === "none"
    ? []
    : ofTheStore
        .map((setting) => variables[setting].name)
        .filter((name) => env[name] !== undefined)
        .map((name) => `${name}: expected nothing with WFA_UPSTREAM: a gateway shows what is there, and keeps nothing`)

/** `wfa` reads these two, so they may stand in the environment of the service as well. */
const ofTheCommandLine = new Set(["WFA_TARGET", "WFA_TOKEN"])

/** A misspelt or later setting is refused: whoever sets it relies on what it does. Its value may be secret: not shown. */
const strangerProblem = (name: string): string => {
  const meant = nearMiss(name, variableNames)
  return `${name} is not a setting of this service${meant === undefined ? "" : `; did you mean ${meant}?`}`
}

/** The settings that an environment holds, or every problem with them, each in one line that says what would be right. */
export const readSettings = (
  env: Readonly<Record<string, string | undefined>>
):
  | { readonly success: true; readonly data: Settings }
  | { readonly success: false; readonly problems: ReadonlyArray<string> } => {
  const strangers = Object.keys(env).filter(
    (name) =>
      name.startsWith("WFA_") &&
      !name.startsWith("WFA_TEST_") &&
      !variableNames.includes(name) &&
      !ofTheCommandLine.has(name)
  )
  const texts = Object.fromEntries(
    settingNames.map((setting) => [setting, env[variables[setting].name] ?? variables[setting].standard])
  )
  const parsed = schemaWith(texts).safeParse(texts)
  const idle = idleProblems(env, texts["upstream"])
  const { traces, problems } = readTraceSettings(env)
  if (parsed.success && strangers.length === 0 && idle.length === 0 && problems.length === 0) {
    return { success: true, data: { ...parsed.data, traces } }
  }
  const issues = parsed.error?.issues ?? []
  const wrong = new Set(issues.map(({ path }) => path[0]))
  // Only what was made here for a person to read: others are zod's, and could show a secret.
  const said = new Map(
    issues.map((issue) => [
      issue.path[0],
      issue.code === "custom" && issue.params?.["isSaid"] === true && issue.message !== "" ? `; ${issue.message}` : ""
    ])
  )
  return {
    success: false,
    problems: [
      ...settingNames
        .filter((setting) => wrong.has(setting))
        .map(
          (setting) => `${variables[setting].name}: expected ${variables[setting].expected}${said.get(setting) ?? ""}`
        ),
      ...idle,
      ...strangers.toSorted().map(strangerProblem),
      ...problems
    ]
  }
}

const standard = readSettings({})
if (!standard.success) throw new Error(`the standard settings are wrong: ${standard.problems.join("; ")}`)

/** The settings of an empty environment. */
export const defaultSettings: Settings = standard.data
