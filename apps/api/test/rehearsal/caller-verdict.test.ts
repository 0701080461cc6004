import { createGraphClient } from "@workanywhere/graph-client/promise"
import { describe, expect, it } from "vitest"
import { createLocalGraph } from "../../src/local-graph.ts"
import { type CallerVerdict, junitOf, callerVerdictOf } from "../../src/rehearsal/caller-verdict.ts"
import type { Call } from "../../src/rehearsal/calls.ts"
import type { FaultScriptInput } from "../../src/rehearsal/fault-script.ts"
import { movedClock } from "../moved-clock.ts"
import { devicesPath, jsonRequest } from "../opened.ts"

const devices = Array.from({ length: 250 }, (_, index) => ({ id: `d${index}` }))

const polite = { "client-request-id": "0d9bf7c8-7b2c-4ca2-8d0a-0a3f0a8f1f6e" }

/** The findings of a verdict, by rule: the numbers of the calls. */
const foundIn = ({ judgements }: CallerVerdict) =>
  Object.fromEntries(
    judgements.filter(({ passed }) => !passed).map(({ id, findings }) => [id, findings.map(({ call }) => call)])
  )

const update = (model: string, headers: Record<string, string> = {}) => ({
  ...jsonRequest("PATCH", { model }),
  headers: { "content-type": "application/json", ...polite, ...headers }
})

const page = "?$select=id"

describe("a verdict", () => {
  it("is good for our own client, which was throttled, paged and updated", async () => {
    await using graph = await createLocalGraph({
      devices,
      faults: { rules: [{ when: { nth: [1, 3] }, effect: { kind: "throttle", retryAfterSeconds: 0 } }] }
    })
    const client = createGraphClient({ baseUrl: "https://graph.microsoft.com/beta", fetch: graph.fetch })
    const seen = []
    for await (const device of client.listDevices("allDevices", { select: ["id"] })) seen.push(device.id)
    await client.updateDevice({ metricId: "allDevices", deviceId: "d1" }, { model: "X" })
    await client.close()
    expect([seen.length, graph.calls().map(({ status }) => status)]).toEqual([250, [429, 200, 429, 200, 200, 200]])
    expect(foundIn(graph.verdict())).toEqual({})
    expect(graph.verdict()).toMatchObject({ passed: true, calls: 6, forgotten: 0 })
  })

  it("finds who sends before Retry-After is over, in the gate that was closed", async () => {
    const { clock, move } = movedClock()
    await using graph = await createLocalGraph({
      clock,
      devices,
      faults: { rules: [{ when: { method: "PATCH", nth: 1 }, effect: { kind: "throttle", retryAfterSeconds: 10 } }] }
    })
    await graph.fetch(`${devicesPath}/d1`, update("X"))
    // This one may have been on its way when the answer came.
    await graph.fetch(`${devicesPath}/d3`, update("X"))
    move(100)
    await graph.fetch(`${devicesPath}/d1?$select=id`, { headers: polite })
    await graph.fetch(`${devicesPath}/d2`, update("X"))
    await graph.fetch(`${devicesPath}/d2`, update("X", { "x-wfa-app": "another" }))
    move(9_800)
    await graph.fetch(`${devicesPath}/d1`, update("X"))
    move(100)
    await graph.fetch(`${devicesPath}/d1`, update("X"))
    expect(foundIn(graph.verdict())).toEqual({ early: [4, 6] })
  })

  it("finds who repeats at once, though no time has passed", async () => {
    await using graph = await createLocalGraph({
      clock: movedClock().clock,
      devices,
      faults: { rules: [{ when: { nth: 1 }, effect: { kind: "throttle", retryAfterSeconds: 10, asDate: true } }] }
    })
    await graph.fetch(`${devicesPath}/d1`, update("X"))
    await graph.fetch(`${devicesPath}/d1`, update("X"))
    expect(foundIn(graph.verdict())).toEqual({ early: [2] })
  })

  it("does not blame who had sent more before the answer came", async () => {
    await using graph = await createLocalGraph({
      clock: movedClock().clock,
      devices,
      faults: { rules: [{ when: { nth: 1 }, effect: { kind: "throttle", retryAfterSeconds: 10 } }] }
    })
    await Promise.all([graph.fetch(`${devicesPath}/d1`, update("X")), graph.fetch(`${devicesPath}/d1`, update("X"))])
    expect(foundIn(graph.verdict())).toEqual({})
  })

  it("finds who spends more than the budget", async () => {
    const { clock } = movedClock()
    await using graph = await createLocalGraph({
      clock,
      devices,
      budget: { timesAsFast: 1 },
      faults: { retryAfter: false }
    })
    for (let count = 0; count < 202; count++) await graph.fetch(`${devicesPath}/d1`, update("X"))
    expect(foundIn(graph.verdict())).toEqual({ overBudget: [201, 202] })
  })

  it("finds who sends no client-request-id", async () => {
    await using graph = await createLocalGraph({ devices })
    await graph.fetch(`${devicesPath}/d1`)
    expect(foundIn(graph.verdict())).toEqual({ noClientRequestId: [1] })
  })

  it("finds who leaves a link to a next page alone, unless only the first rows were wanted", async () => {
    await using graph = await createLocalGraph({ devices })
    const first = await graph.fetch(`${devicesPath}${page}`, { headers: polite })
    expect(foundIn(graph.verdict())).toEqual({ ignoredNextLink: [1] })
    const link = ((await first.json()) as Record<string, string>)["@odata.nextLink"] ?? ""
    await graph.fetch(link, { headers: polite })
    expect(foundIn(graph.verdict())).toEqual({ ignoredNextLink: [2] })
    await graph.reset()
    await graph.fetch(`${devicesPath}${page}&$top=5`, { headers: polite })
    await graph.fetch(`${devicesPath}${page}&$top=200`, { headers: polite })
    expect(foundIn(graph.verdict())).toEqual({ ignoredNextLink: [2] })
  })

  it("finds who fetches whole rows of a list", async () => {
    await using graph = await createLocalGraph({ devices: devices.slice(0, 5) })
    await graph.fetch(devicesPath, { headers: polite })
    await graph.fetch(`${devicesPath}?Select=id`, { headers: polite })
    expect(foundIn(graph.verdict())).toEqual({ notSelected: [1] })
  })

  it("finds who repeats what was refused, and not who sends something else", async () => {
    await using graph = await createLocalGraph({ devices })
    for (const body of [{ colour: "red" }, { colour: "blue" }, { colour: "red" }, { model: "X" }]) {
      await graph.fetch(`${devicesPath}/d1`, { ...update(""), body: JSON.stringify(body) })
    }
    await graph.fetch(`${devicesPath}/none?$select=id`, { headers: polite })
    await graph.fetch(`${devicesPath}/none?$select=model`, { headers: polite })
    expect(foundIn(graph.verdict())).toEqual({ retriedRefused: [3] })
  })

  const call: Call = {
    number: 1,
    caller: { tenant: "local", app: "local" },
    method: "POST",
    route: "batch",
    path: "/beta/$batch",
    sentMillis: 0,
    answeredMillis: 100,
    newestThen: 3,
    status: 200,
    requestId: "batch1",
    hasClientRequestId: true,
    hasSelect: false,
    isOverBudget: false
  }

  it("finds who puts more than 20 items into a batch", () => {
    expect(foundIn(callerVerdictOf([{ ...call, batchSize: 20 }]))).toEqual({})
    expect(foundIn(callerVerdictOf([{ ...call, batchSize: 21, status: 400 }]))).toEqual({ batchTooLarge: [1] })
  })

  /** The rules that a refusal with this status breaks when the same comes again. */
  const brokenBy = (status: number) => {
    const refused: Call = { ...call, status, digest: "same" }
    return Object.keys(foundIn(callerVerdictOf([refused, { ...refused, number: 2 }])))
  }

  it("blames nobody for trying again with a new token, or what only waited for something else", () => {
    expect([400, 404].map(brokenBy)).toEqual([["retriedRefused"], ["retriedRefused"]])
    expect([401, 424].map(brokenBy)).toEqual([[], []])
  })

  it("judges an item of a batch by when the batch was sent and answered", () => {
    const item = { ...call, method: "PATCH", route: "device", path: "/beta/x", hasClientRequestId: false } as const
    const calls: ReadonlyArray<Call> = [
      call,
      {
        ...item,
        number: 2,
        batchItem: "1",
        batchRequestId: "batch1",
        retryAfterSeconds: 5,
        status: 429,
        newestThen: 2
      },
      { ...item, number: 3, batchItem: "2", batchRequestId: "batch1", sentMillis: 50 },
      { ...call, number: 4, requestId: "batch2", sentMillis: 3_000, answeredMillis: 3_100, newestThen: 5 },
      { ...item, number: 5, batchItem: "1", batchRequestId: "batch2", sentMillis: 3_050 },
      { ...call, number: 6, requestId: "batch3", sentMillis: 5_100, answeredMillis: 5_200, newestThen: 7 },
      { ...item, number: 7, batchItem: "1", batchRequestId: "batch3", sentMillis: 5_150 }
    ]
    expect(foundIn(callerVerdictOf(calls))).toEqual({ early: [5] })
  })

  it.for(["dropBatchAnswers", "reset", "truncate"] as const)(
    "does not blame who was told to wait in an answer that was lost: %s",
    async (kind) => {
      const { clock, move } = movedClock()
      const faults: FaultScriptInput = {
        rules: [
          { when: { batchItem: true, nth: 1 }, effect: { kind: "throttle", retryAfterSeconds: 10 } },
          { when: { route: "batch", nth: 1 }, effect: kind === "reset" ? { kind, at: "after" } : { kind } }
        ]
      }
      await using graph = await createLocalGraph({ clock, devices, faults })
      const item = { id: "1", method: "PATCH", url: `${devicesPath.slice("/beta".length)}/d1` }
      const headers = { "content-type": "application/json" }
      const requests = [{ ...item, headers, body: { model: "X" } }]
      await graph
        .fetch("/beta/$batch", {
          method: "POST",
          headers: { ...headers, ...polite },
          body: JSON.stringify({ requests })
        })
        .then((answer) => answer.text())
        .catch(() => "lost")
      move(1_000)
      await graph.fetch(`${devicesPath}/d2`, update("X"))
      expect(graph.calls().map(({ retryAfterSeconds }) => retryAfterSeconds)).toContain(10)
      expect(foundIn(graph.verdict())).toEqual({})
    }
  )
})

describe("a verdict as JUnit", () => {
  it("has a case for each rule, and a failure for each that was broken", async () => {
    await using graph = await createLocalGraph({ devices: [{ id: "a" }] })
    await graph.fetch(`${devicesPath}?$select=id`)
    expect(graph.verdict().junit()).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="7" failures="1">
  <testsuite name="workanywhere verdict" tests="7" failures="1" errors="0">
    <testcase classname="verdict" name="early: waits as long as Retry-After says" time="0"/>
    <testcase classname="verdict" name="overBudget: stays within the budget" time="0"/>
    <testcase classname="verdict" name="noClientRequestId: sends a client-request-id" time="0">
      <failure message="1 call">call 1 of local/local: GET ${devicesPath}: no client-request-id, by which support finds a request</failure>
    </testcase>
    <testcase classname="verdict" name="ignoredNextLink: follows every link to a next page" time="0"/>
    <testcase classname="verdict" name="notSelected: selects the properties it wants of a list" time="0"/>
    <testcase classname="verdict" name="batchTooLarge: sends at most 20 items in a batch" time="0"/>
    <testcase classname="verdict" name="retriedRefused: does not repeat what was refused" time="0"/>
  </testsuite>
</testsuites>
`)
  })

  it("writes what XML cannot hold as something that it can", () => {
    const message = `<a href="x">&\u0000\u001B[2J\uFFFE\n</a>`
    const judgement = { id: "x", title: "y", passed: false, count: 1, findings: [{ call: 1, caller: "c", message }] }
    const text = junitOf({ passed: false, calls: 1, forgotten: 0, judgements: [judgement] })
    expect(text).toContain("&lt;a href=&quot;x&quot;&gt;&amp;\uFFFD\uFFFD[2J\uFFFD\n&lt;/a&gt;")
  })
})
