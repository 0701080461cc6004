import { describe, expect, it } from "vitest"
import { openedGateway } from "../gateways.ts"
import { devicesPath, failureOf } from "../opened.ts"
import { served } from "../tokens.ts"

/** An upstream that asks for a wait once, of whoever asks for devices or of everyone, and then answers. */
const asking = async (retryAfter: string, { status = 429, path = "metricDevices" } = {}) => {
  let isTold = false
  const asked: Array<string> = []
  const upstream = await served((request, response) => {
    asked.push(request.url ?? "")
    const isAsking = !isTold && request.url?.includes(path) === true
    isTold ||= isAsking
    response.writeHead(isAsking ? status : 200, {
      "content-type": "application/json",
      ...(isAsking ? { "retry-after": retryAfter } : {})
    })
    response.end('{"value":[]}')
  })
  return Object.assign(upstream, { asked })
}

describe("a wait that an upstream asks for", () => {
  it.for(["99999999", "9".repeat(60), "Thu, 01 Jan 2099 00:00:00 GMT"])(
    "holds requests for an hour at most, when it is %s, and callers and /readyz are told how long",
    async (retryAfter) => {
      await using upstream = await asking(retryAfter)
      await using gateway = await openedGateway(upstream.url)
      expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
      const told = await fetch(gateway.url + devicesPath)
      expect([told.status, told.headers.get("retry-after")]).toEqual([429, "3600"])

      const held = await fetch(gateway.url + devicesPath)
      expect(held.status).toBe(429)
      expect(Number(held.headers.get("retry-after"))).toBeGreaterThan(3_590)
      expect(Number(held.headers.get("retry-after"))).toBeLessThanOrEqual(3_600)

      const ready = await fetch(`${gateway.url}/readyz`)
      expect(ready.status).toBe(503)
      expect(Number(ready.headers.get("retry-after"))).toBeGreaterThan(3_590)
      expect((await failureOf(ready)).message).toMatch(/asked to wait.* \d{4} seconds/)
      expect(upstream.asked.filter((url) => url.includes("metricDevices"))).toHaveLength(1)
    }
  )

  it("is over after as long as the settings say, and the gateway goes on without a restart", async () => {
    await using upstream = await asking("99999999")
    await using gateway = await openedGateway(upstream.url, { settings: { upstreamLongestWaitSeconds: 1 } })
    const told = await fetch(gateway.url + devicesPath)
    expect([told.status, told.headers.get("retry-after")]).toEqual([429, "1"])
    // It waits at the gate for the second that is left, which is short enough to be ready.
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
    expect((await fetch(gateway.url + devicesPath)).status).toBe(200)
  })

  it("is no reason to call it unready where requests wait it out", async () => {
    await using upstream = await asking("20")
    await using gateway = await openedGateway(upstream.url, { settings: { upstreamLongestWaitSeconds: 20 } })
    const stop = new AbortController()
    const waiting = fetch(gateway.url + devicesPath, { signal: stop.signal })
    while (upstream.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
    stop.abort()
    await Promise.allSettled([waiting])
  })

  it("of the question whether it is ready leaves callers alone", async () => {
    await using upstream = await asking("99999999", { path: "$select=id" })
    await using gateway = await openedGateway(upstream.url)
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200)
    expect((await fetch(gateway.url + devicesPath)).status).toBe(200)
  })
})
