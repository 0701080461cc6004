import { expect, test } from "vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { GraphError, Throttled, publishedBudget, timesAsFast } from "../../src/index.ts"
import { type GraphClientOptions, InvalidOptions, settingsOf } from "../../src/send/options.ts"

const token = Redacted.make("t0ken")

const problemsOf = (options: GraphClientOptions) => {
  const settings = settingsOf(options)
  return settings instanceof InvalidOptions ? settings.problems : []
}

const rootOf = (options: GraphClientOptions) => {
  const settings = settingsOf(options)
  return settings instanceof InvalidOptions ? settings.problems : settings.origin + settings.root
}

test.each([
  "https://graph.microsoft.com/beta",
  "https://graph.microsoft.com/beta/",
  new URL("https://graph.microsoft.us/v1.0"),
  "http://127.0.0.1:4010/beta",
  "http://localhost:4010/beta",
  "http://[::1]:4010/beta"
])("a token may go to %s", (baseUrl) => {
  expect(problemsOf({ baseUrl, token })).toEqual([])
})

test.each(["http://graph.example/beta", "http://127.0.0.1.example/beta", "http://localhost.example/beta"])(
  "%s is refused, with and without a token, unless its origin is allowed by name",
  (baseUrl) => {
    const { origin } = new URL(baseUrl)
    for (const options of [{ baseUrl }, { baseUrl, token }]) {
      expect(problemsOf(options)).toEqual([expect.stringContaining("neither https nor on this machine")])
      expect(problemsOf({ ...options, insecureOrigins: ["http://other.example"] })).toHaveLength(1)
      expect(problemsOf({ ...options, insecureOrigins: [origin] })).toEqual([])
    }
  }
)

test.each([
  { cloud: "global", root: "https://graph.microsoft.com/beta" },
  { cloud: "usGovL4", root: "https://graph.microsoft.us/beta" },
  { cloud: "usGovL5", root: "https://dod-graph.microsoft.us/beta" },
  { cloud: "china", root: "https://microsoftgraph.chinacloudapi.cn/beta" }
] as const)("the cloud $cloud is $root", ({ cloud, root }) => {
  expect(rootOf({ cloud })).toBe(root)
  expect(rootOf({ cloud, version: "v1.0" })).toBe(root.replace("beta", "v1.0"))
})

test.each([
  { options: {}, problem: /^baseUrl is not/ },
  {
    options: { cloud: "global", baseUrl: "https://graph.example/beta" },
    problem: /^baseUrl and cloud name two targets/
  },
  { options: { cloud: "toString" as "global" }, problem: /^cloud is not one of global, usGovL4, usGovL5, china$/ },
  { options: { cloud: "global", version: "v2" as "beta" }, problem: /^version is neither/ }
] as const)("$options names no target", ({ options, problem }) => {
  expect(problemsOf(options)).toEqual([expect.stringMatching(problem)])
})

test("everything that is wrong is named at once, and no value is repeated", () => {
  const settings = settingsOf({
    baseUrl: "https://name:secret@graph.example/beta?secret#secret",
    token: Redacted.make("secret\n"),
    deadline: "0 seconds",
    longestWait: "0 seconds",
    attempts: 0
  })
  expect(settings).toBeInstanceOf(InvalidOptions)
  const { message, problems } = settings as InvalidOptions
  expect(problems.map((problem) => problem.split(" ")[0])).toEqual([
    "baseUrl",
    "baseUrl",
    "token",
    "deadline",
    "longestWait",
    "attempts"
  ])
  for (const problem of problems) expect(message).toContain(problem)
  expect(JSON.stringify(settings)).not.toContain("secret")
})

test.each(["", "graph.microsoft.com/beta", "ftp://graph.example", "http://", "/beta"])(
  "%j is no address of a service",
  (baseUrl) => {
    expect(problemsOf({ baseUrl, token })).toEqual([expect.stringMatching(/^baseUrl is not/)])
  }
)

test.each([
  "https://graph.microsoft.com",
  "http://127.0.0.1:4010/",
  "https://graph.example/beta/users",
  "https://x.example/graph"
])("%j has no version at its end, and is refused", (baseUrl) => {
  const problem =
    "baseUrl is not the address of a Graph root with its version, such as https://graph.microsoft.com/beta"
  expect(problemsOf({ baseUrl })).toEqual([problem])
})

test("a root may lie below a path of a gateway", () => {
  expect(rootOf({ baseUrl: "https://gateway.example/graph/v1.0/" })).toBe("https://gateway.example/graph/v1.0")
})

test.each(["Bearer t0ken", "bearer t0ken", " Bearer t0ken"])("%j is told to be more than a token", (text) => {
  expect(problemsOf({ cloud: "global", token: Redacted.make(text) })).toEqual([
    'token starts with "Bearer ", which is put before it anyway: leave that out'
  ])
})

test.each([Infinity, -1, Number.NaN, "soon" as "1 second"])("%s is no deadline", (deadline) => {
  expect(problemsOf({ baseUrl: "https://graph.example/beta", deadline })).toHaveLength(1)
})

test.each([Infinity, -1, Number.NaN, "soon" as "1 second"])("%s is no longest wait", (longestWait) => {
  expect(problemsOf({ baseUrl: "https://graph.example/beta", longestWait })).toHaveLength(1)
})

const cloud = { cloud: "global" } as const
const here = { baseUrl: "http://127.0.0.1:4010/beta" } as const

const gateOf = (options: GraphClientOptions, lane: "read" | "write") => {
  const settings = settingsOf(options)
  if (settings instanceof InvalidOptions) throw settings
  return Effect.runPromise(settings.gates.at(lane))
}

/** How many writes and reads a second the gates of a client let through. */
const ratesOf = async (options: GraphClientOptions) => {
  const own = { tenant: crypto.randomUUID(), ...options }
  const lanes = await Promise.all([gateOf(own, "write"), gateOf(own, "read")])
  return lanes.map((gate) => gate.pacing().perSecond)
}

test.each([
  { what: "all of what is published, by default", options: cloud, rates: [10, 100] },
  { what: "half of it", options: { ...cloud, budget: 0.5 }, rates: [5, 50] },
  { what: "other limits", options: { ...cloud, budget: timesAsFast(publishedBudget, 10) }, rates: [100, 1_000] },
  { what: "no limits", options: { ...cloud, budget: "unlimited" }, rates: [Infinity, Infinity] },
  { what: "none on this machine", options: here, rates: [Infinity, Infinity] },
  { what: "some on this machine where they are asked for", options: { ...here, budget: 1 }, rates: [10, 100] }
] as const)("the budget is $what", async ({ options, rates }) => {
  expect(await ratesOf(options)).toEqual(rates)
})

const writesOf = (limit: number, windowMillis: number) => ({
  ...publishedBudget,
  app: { ...publishedBudget.app, writes: { limit, windowMillis } }
})

test.each([0, -1, 1.5, Number.NaN, writesOf(0, 1), writesOf(1.5, 1), writesOf(1, 0), writesOf(1, Infinity)])(
  "%j is no budget",
  (budget) => {
    expect(problemsOf({ ...cloud, budget })).toEqual([expect.stringMatching(/^budget is not a share/)])
  }
)

const throttled = new GraphError({
  method: "PATCH",
  path: "/",
  template: "/",
  clientRequestId: "",
  attempts: 1,
  waitedMillis: 0,
  status: 429,
  message: "",
  reason: new Throttled({ retryAfterSeconds: 60 })
})

test("clients have a gate for each origin, tenant, app and lane, and share it where these are the same", async () => {
  const one = { ...cloud, tenant: "gates", app: "a" } as const
  const others = [one, { ...one, tenant: "others" }, { ...one, app: "b" }, { ...one, cloud: "china" }] as const
  const gate = await gateOf(one, "write")
  await Effect.runPromise(
    gate.through({ cost: 1, withinMillis: Infinity }, ({ answered }) =>
      Effect.sync(() => answered([{ error: throttled, waitMillis: 60_000 }]))
    )
  )
  const closed = await Promise.all(
    others.map(async (other) => (await gateOf(other, "write")).pacing().closedForMillis > 0)
  )
  expect(closed).toEqual([true, false, false, false])
  expect((await gateOf(one, "read")).pacing().closedForMillis).toBe(0)
})
