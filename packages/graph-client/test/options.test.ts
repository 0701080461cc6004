import { expect, test } from "vitest"
import * as Redacted from "effect/Redacted"
import { type GraphClientOptions, InvalidOptions, settingsOf } from "../src/options.ts"

const token = Redacted.make("t0ken")

const problemsOf = (options: GraphClientOptions) => {
  const settings = settingsOf(options)
  return settings instanceof InvalidOptions ? settings.problems : []
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
  "a token is not sent to %s, though requests without one are",
  (baseUrl) => {
    expect(problemsOf({ baseUrl, token })).toEqual([expect.stringContaining("a token is not sent there")])
    expect(problemsOf({ baseUrl })).toEqual([])
  }
)

test("everything that is wrong is named at once, and no value is repeated", () => {
  const settings = settingsOf({
    baseUrl: "https://name:secret@graph.example/beta?secret#secret",
    token: Redacted.make("secret\n"),
    deadline: "0 seconds",
    attempts: 0
  })
  expect(settings).toBeInstanceOf(InvalidOptions)
  const { message, problems } = settings as InvalidOptions
  expect(problems.map((problem) => problem.split(" ")[0])).toEqual([
    "baseUrl",
    "baseUrl",
    "token",
    "deadline",
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

test.each([Infinity, -1, Number.NaN, "soon" as "1 second"])("%s is no deadline", (deadline) => {
  expect(problemsOf({ baseUrl: "https://graph.example/beta", deadline })).toHaveLength(1)
})
