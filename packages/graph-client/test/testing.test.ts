import { expect, test } from "vitest"
import { errorResponse, fakeGraph } from "../src/testing.ts"

test("a script is answered in turn, and what is beyond it is refused", async () => {
  const { fetch, requests } = fakeGraph([new Response("one"), "connectionLost"])
  expect(await (await fetch("https://graph.example/a", { method: "POST", body: "{" })).text()).toBe("one")
  await expect(fetch("https://graph.example/b")).rejects.toThrow("fetch failed")
  const beyond = await fetch("https://graph.example/c?d=e")
  expect(beyond.status).toBe(501)
  expect(await beyond.json()).toMatchObject({
    error: { code: "ScriptEnded", message: expect.stringContaining("request 3: GET /c") }
  })
  expect(requests.map(({ body, method, url }) => [method, url.pathname, body])).toEqual([
    ["POST", "/a", "{"],
    ["GET", "/b", undefined],
    ["GET", "/c", undefined]
  ])
})

test("a function decides on the request and its number", async () => {
  const { fetch } = fakeGraph(({ body, url }, index) => Response.json({ body, path: url.pathname, index }))
  await fetch("https://graph.example/a")
  const answer = await fetch("https://graph.example/b", { method: "PATCH", body: `{"model":"X"}` })
  expect(await answer.json()).toEqual({ body: { model: "X" }, path: "/b", index: 1 })
})

test("a request that hangs ends when it is aborted", async () => {
  const { fetch } = fakeGraph(["hang", "hang"])
  const stop = new AbortController()
  const waiting = fetch("https://graph.example/a", { signal: stop.signal })
  stop.abort(new Error("enough"))
  await expect(waiting).rejects.toThrow("enough")
})

test("an error answer has Graph's envelope", async () => {
  const answer = errorResponse(429, { code: "TooManyRequests" }, { "retry-after": "10" })
  expect(answer.status).toBe(429)
  expect(answer.headers.get("retry-after")).toBe("10")
  expect(await answer.json()).toEqual({ error: { code: "TooManyRequests", message: "" } })
})
