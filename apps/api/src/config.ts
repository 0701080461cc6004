import { BlockList, isIP } from "node:net"
import { nearMiss } from "@workanywhere/domain"
import * as z from "zod"

/** Everything the service can be told, checked. */
export interface Settings {
  /** Address or name to listen on. */
  readonly host: string
  /** TCP port; 0 takes a free one. */
  readonly port: number
  /** Where the devices are: in memory, or in the SQLite file behind the colon. */
  readonly store: "memory" | `sqlite:${string}`
  /** How callers prove who they are; `none` is for loopback only. */
  readonly auth: "none"
  /** Which behaviour of Graph is shown; `documented` is that of Microsoft's pages. */
  readonly profile: "documented"
  /** Synthetic devices to create in an empty store. */
  readonly fleet: number
  /** Which synthetic fleet: the same seed makes the same devices. */
  readonly fleetSeed: number
}

const loopback = new BlockList()
loopback.addSubnet("127.0.0.0", 8, "ipv4")
loopback.addAddress("::1", "ipv6")

/** Whether only this machine can reach the host. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? "ipv6" : "ipv4"))

const wholeNumber = (largest: number) => z.string().regex(/^\d+$/).transform(Number).pipe(z.int().max(largest))

const schema: z.ZodType<Settings, { readonly [Name in keyof Settings]: string }> = z.object({
  host: z.string().refine(isLoopback),
  port: wholeNumber(65_535),
  store: z.union([z.literal("memory"), z.templateLiteral(["sqlite:", z.string().min(1)])]),
  auth: z.literal("none"),
  profile: z.literal("documented"),
  fleet: wholeNumber(1_000_000),
  fleetSeed: wholeNumber(Number.MAX_SAFE_INTEGER)
})

interface Variable {
  readonly name: `WFA_${string}`
  /** The text that stands in for a variable that is not set. */
  readonly standard: string
  readonly meaning: string
  /** What is right, for the end of "expected …". */
  readonly expected: string
}

const variables: { readonly [Name in keyof Settings]: Variable } = {
  host: {
    name: "WFA_HOST",
    standard: "127.0.0.1",
    meaning: "address to listen on",
    expected: "a loopback address (127.0.0.1, ::1, localhost), because WFA_AUTH is none and lets everyone in"
  },
  port: {
    name: "WFA_PORT",
    standard: "4010",
    meaning: "port to listen on",
    expected: "a whole number from 0 to 65535; 0 takes a free port"
  },
  store: {
    name: "WFA_STORE",
    standard: "memory",
    meaning: "where the devices are kept",
    expected: "memory, or sqlite:<file>"
  },
  auth: { name: "WFA_AUTH", standard: "none", meaning: "how callers prove who they are", expected: "none" },
  profile: {
    name: "WFA_PROFILE",
    standard: "documented",
    meaning: "which behaviour of Graph is shown",
    expected: "documented"
  },
  fleet: {
    name: "WFA_FLEET",
    standard: "0",
    meaning: "synthetic devices to create in an empty store",
    expected: "a whole number from 0 to 1000000"
  },
  fleetSeed: {
    name: "WFA_FLEET_SEED",
    standard: "1",
    meaning: "which synthetic fleet that is",
    expected: `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`
  }
}

const settingNames = Object.keys(variables) as ReadonlyArray<keyof Settings>
const variableNames: ReadonlyArray<string> = settingNames.map((setting) => variables[setting].name)

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
  const parsed = schema.safeParse(texts)
  if (parsed.success && strangers.length === 0) return parsed
  const wrong = new Set(parsed.error?.issues.map(({ path }) => path[0]))
  return {
    success: false,
    problems: [
      ...settingNames
        .filter((setting) => wrong.has(setting))
        .map((setting) => `${variables[setting].name}: expected ${variables[setting].expected}`),
      ...strangers.toSorted().map(strangerProblem)
    ]
  }
}

const standard = readSettings({})
if (!standard.success) throw new Error(`the standard settings are wrong: ${standard.problems.join("; ")}`)

/** The settings of an empty environment. */
export const defaultSettings: Settings = standard.data

/** The settings as a table for a terminal: variable, what it is when not set, what it does. */
export const settingsTable = (): string =>
  settingNames
    .map((setting) => variables[setting])
    .map(
      ({ name, standard, meaning, expected }) =>
        `  ${name.padEnd(15)} ${standard.padEnd(11)} ${meaning}\n${" ".repeat(30)}${expected}`
    )
    .join("\n")
